from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields
from tortoise.indexes import Index

class Migration(migrations.Migration):
    dependencies = [('models', '0009_pace_of_runs')]

    initial = False

    operations = [
        ops.CreateModel(
            name='RosterExchange',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('institution_id', fields.IntField()),
                ('roster_change_id', fields.BigIntField()),
                ('place', fields.IntField()),
                ('told_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('authority', fields.CharField(max_length=12)),
                ('told', fields.TextField(unique=False)),
                ('answer', fields.TextField(null=True, unique=False)),
            ],
            options={'table': 'roster_exchange', 'app': 'models', 'indexes': [Index(fields=['institution_id', 'roster_change_id', 'place'], name='roster_exchange_row')], 'pk_attr': 'id'},
            bases=['Model'],
        ),
        ops.AddField(
            model_name='RosterChange',
            name='exactly',
            field=fields.TextField(null=True, unique=False),
        ),
    ]
