from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields
from tortoise.indexes import Index

class Migration(migrations.Migration):
    dependencies = [('models', '0002_jobs')]

    initial = False

    operations = [
        ops.CreateModel(
            name='Intent',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('institution_id', fields.IntField()),
                ('operation', fields.CharField(max_length=32)),
                ('caller', fields.CharField(max_length=64)),
                ('key', fields.CharField(null=True, max_length=255)),
                ('digest', fields.CharField(max_length=64)),
                ('asked', fields.TextField(unique=False)),
                ('service', fields.CharField(null=True, max_length=255)),
                ('actor_id', fields.BigIntField(null=True)),
                ('real_user', fields.CharField(null=True, max_length=64)),
                ('authority', fields.CharField(null=True, max_length=16)),
                ('state', fields.CharField(max_length=8)),
                ('target', fields.CharField(null=True, max_length=128)),
                ('step', fields.TextField(null=True, unique=False)),
                ('answer', fields.TextField(null=True, unique=False)),
                ('problem', fields.TextField(null=True, unique=False)),
                ('read_back', fields.BooleanField(default=False)),
                ('person_id', fields.BigIntField(null=True)),
                ('course_id', fields.BigIntField(null=True)),
                ('enrollment_id', fields.BigIntField(null=True)),
                ('asked_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('told_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('ended_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('busy_until', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'intent', 'app': 'models', 'unique_together': (('institution_id', 'caller', 'key'),), 'indexes': [Index(fields=['institution_id', 'id'], name='intent_page'), Index(fields=['institution_id', 'state', 'target'], name='intent_open'), Index(fields=['institution_id', 'person_id', 'id'], name='intent_person')], 'pk_attr': 'id'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Pin',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('institution_id', fields.IntField()),
                ('person_id', fields.BigIntField()),
                ('enrollment_id', fields.BigIntField(null=True)),
                ('why', fields.TextField(null=True, unique=False)),
                ('pinned_by_id', fields.BigIntField(null=True)),
                ('pinned_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'pin', 'app': 'models', 'indexes': [Index(fields=['institution_id', 'person_id'], name='pin_person'), Index(fields=['institution_id', 'id'], name='pin_page')], 'pk_attr': 'id'},
            bases=['Model'],
        ),
    ]
