from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields

class Migration(migrations.Migration):
    dependencies = [('models', '0001_initial')]

    initial = False

    operations = [
        ops.CreateModel(
            name='JobRunner',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('name', fields.CharField(unique=True, max_length=128)),
                ('seen_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'job_runner', 'app': 'models', 'pk_attr': 'id'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='QueuedJob',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('institution_id', fields.IntField()),
                ('key', fields.CharField(max_length=128)),
                ('name', fields.CharField(max_length=64)),
                ('arguments', fields.TextField(unique=False)),
                ('cancelled', fields.BooleanField(default=False)),
                ('asked_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'queued_job', 'app': 'models', 'unique_together': (('institution_id', 'key'),), 'pk_attr': 'id'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='UploadPart',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('institution_id', fields.IntField()),
                ('sync_run_id', fields.BigIntField()),
                ('place', fields.IntField()),
                ('content', fields.BinaryField()),
            ],
            options={'table': 'upload_part', 'app': 'models', 'unique_together': (('institution_id', 'sync_run_id', 'place'),), 'pk_attr': 'id'},
            bases=['Model'],
        ),
    ]
