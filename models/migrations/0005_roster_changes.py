from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields
from tortoise.indexes import Index

class Migration(migrations.Migration):
    dependencies = [('models', '0004_webhooks')]

    initial = False

    operations = [
        ops.CreateModel(
            name='RosterChange',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('institution_id', fields.IntField()),
                ('state', fields.CharField(max_length=16)),
                ('caller', fields.CharField(max_length=64)),
                ('person_id', fields.BigIntField(null=True)),
                ('path', fields.CharField(max_length=16)),
                ('costs', fields.TextField(unique=False)),
                ('removals', fields.IntField(default=0)),
                ('people', fields.IntField(default=0)),
                ('held', fields.BooleanField(default=False)),
                ('as_of', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('planned_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('asked_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('checked_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('ended_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('wish', fields.CharField(null=True, max_length=8)),
                ('message', fields.TextField(null=True, unique=False)),
                ('undoes_id', fields.BigIntField(null=True)),
                ('sync_run_id', fields.BigIntField(null=True)),
                ('file_sent_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('import_id', fields.CharField(null=True, max_length=32)),
                ('import_state', fields.CharField(null=True, max_length=32)),
                ('requests', fields.IntField(default=0)),
                ('quota', fields.FloatField(default=0)),
            ],
            options={'table': 'roster_change', 'app': 'models', 'indexes': [Index(fields=['institution_id', 'id'], name='roster_change_page')], 'pk_attr': 'id'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='RosterChangeRow',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('institution_id', fields.IntField()),
                ('roster_change_id', fields.BigIntField()),
                ('place', fields.IntField()),
                ('row', fields.IntField(null=True)),
                ('said', fields.TextField(null=True, unique=False)),
                ('outcome', fields.CharField(max_length=8)),
                ('reason', fields.TextField(null=True, unique=False)),
                ('step', fields.TextField(null=True, unique=False)),
                ('by_file', fields.BooleanField(default=False)),
                ('line', fields.IntField(null=True)),
                ('status', fields.CharField(max_length=12)),
                ('message', fields.TextField(null=True, unique=False)),
                ('advice', fields.TextField(null=True, unique=False)),
                ('enrollment_id', fields.BigIntField(null=True)),
            ],
            options={'table': 'roster_change_row', 'app': 'models', 'unique_together': (('institution_id', 'roster_change_id', 'place'),), 'pk_attr': 'id'},
            bases=['Model'],
        ),
    ]
