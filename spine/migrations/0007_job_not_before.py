from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('spine', '0006_observing'),
    ]

    operations = [
        migrations.AddField(
            model_name='job',
            name='not_before',
            field=models.DateTimeField(help_text='it waits for the database to have room until then', null=True),
        ),
    ]
