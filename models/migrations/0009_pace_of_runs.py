from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields

class Migration(migrations.Migration):
    dependencies = [('models', '0008_sis_data_sets')]

    initial = False

    operations = [
        ops.AddField(
            model_name='SyncRun',
            name='paced_from',
            field=fields.FloatField(null=True),
        ),
        ops.AddField(
            model_name='SyncRun',
            name='paced_at',
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
    ]
