from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields
from tortoise.indexes import Index

class Migration(migrations.Migration):
    dependencies = [('models', '0006_sections')]

    initial = False

    operations = [
        ops.CreateModel(
            name='HeldRemoval',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('institution_id', fields.IntField()),
                ('sync_run_id', fields.BigIntField()),
                ('course_id', fields.BigIntField()),
                ('person_id', fields.BigIntField()),
            ],
            options={'table': 'held_removal', 'app': 'models', 'unique_together': (('institution_id', 'course_id', 'person_id'),), 'indexes': [Index(fields=['institution_id', 'sync_run_id'], name='held_removal_run')], 'pk_attr': 'id'},
            bases=['Model'],
        ),
    ]
