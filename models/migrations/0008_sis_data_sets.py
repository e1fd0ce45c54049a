from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields
from tortoise.indexes import Index

class Migration(migrations.Migration):
    dependencies = [('models', '0007_held_removals')]

    initial = False

    operations = [
        ops.CreateModel(
            name='SisDataSet',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('institution_id', fields.IntField()),
                ('scope', fields.CharField(max_length=64)),
                ('identifier', fields.CharField(max_length=64)),
                ('roster_change_id', fields.BigIntField()),
                ('file', fields.TextField(unique=False)),
                ('differing', fields.TextField(null=True, unique=False)),
                ('import_id', fields.CharField(null=True, max_length=32)),
                ('imported_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'sis_data_set', 'app': 'models', 'unique_together': (('institution_id', 'roster_change_id'),), 'indexes': [Index(fields=['institution_id', 'scope'], name='sis_data_set_scope')], 'pk_attr': 'id'},
            bases=['Model'],
        ),
        ops.AddField(
            model_name='RosterChange',
            name='data_set',
            field=fields.CharField(null=True, max_length=64),
        ),
        ops.AddField(
            model_name='RosterChange',
            name='sent_as',
            field=fields.CharField(null=True, max_length=12),
        ),
        ops.AddField(
            model_name='RosterChange',
            name='sent_because',
            field=fields.TextField(null=True, unique=False),
        ),
    ]
