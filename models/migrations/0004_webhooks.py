from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields
from tortoise.indexes import Index

class Migration(migrations.Migration):
    dependencies = [('models', '0003_intents')]

    initial = False

    operations = [
        ops.CreateModel(
            name='DueScope',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('institution_id', fields.IntField()),
                ('scope_kind', fields.CharField(max_length=16)),
                ('scope_id', fields.BigIntField()),
                ('since', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('why', fields.TextField(unique=False)),
            ],
            options={'table': 'due_scope', 'app': 'models', 'unique_together': (('institution_id', 'scope_kind', 'scope_id'),), 'pk_attr': 'id'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='LiveEvent',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('institution_id', fields.IntField()),
                ('digest', fields.CharField(max_length=64)),
                ('name', fields.CharField(max_length=64)),
                ('happened_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('received_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'live_event', 'app': 'models', 'unique_together': (('institution_id', 'digest'),), 'pk_attr': 'id'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Webhook',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('institution_id', fields.IntField()),
                ('client', fields.CharField(max_length=255)),
                ('url', fields.CharField(max_length=1024)),
                ('which', fields.TextField(unique=False)),
                ('position', fields.BigIntField()),
                ('secret_sealed', fields.TextField(unique=False)),
                ('former_sealed', fields.TextField(null=True, unique=False)),
                ('former_until', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('created_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('failing_since', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('disabled_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('disabled_why', fields.TextField(null=True, unique=False)),
                ('claimed_until', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'webhook', 'app': 'models', 'indexes': [Index(fields=['institution_id', 'client'], name='webhook_client')], 'pk_attr': 'id'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='WebhookMessage',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('institution_id', fields.IntField()),
                ('webhook_id', fields.BigIntField()),
                ('name', fields.CharField(max_length=64)),
                ('after_position', fields.BigIntField()),
                ('until_position', fields.BigIntField()),
                ('made_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('attempts', fields.IntField(default=0)),
                ('next_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('last_status', fields.IntField(null=True)),
                ('last_error', fields.TextField(null=True, unique=False)),
                ('delivered_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
                ('dead_at', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'webhook_message', 'app': 'models', 'indexes': [Index(fields=['institution_id', 'webhook_id', 'id'], name='webhook_messages')], 'pk_attr': 'id'},
            bases=['Model'],
        ),
    ]
