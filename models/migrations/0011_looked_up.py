from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.indexes import Index

class Migration(migrations.Migration):
    dependencies = [('models', '0010_roster_exchanges')]

    initial = False

    operations = [
        ops.AddIndex(
            model_name='Person',
            index=Index(fields=['institution_id', 'merged_into_id'], name='person_merged'),
        ),
        ops.AddIndex(
            model_name='Coverage',
            index=Index(fields=['institution_id', 'source', 'began_at'], name='coverage_source'),
        ),
    ]
