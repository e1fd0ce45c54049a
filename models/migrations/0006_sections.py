from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields

class Migration(migrations.Migration):
    dependencies = [('models', '0005_roster_changes')]

    initial = False

    operations = [
        ops.AddField(
            model_name='LaunchSession',
            name='sections',
            field=fields.TextField(null=True, unique=False),
        ),
    ]
