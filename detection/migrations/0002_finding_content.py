from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('detection', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='finding',
            name='content_sha256',
            field=models.CharField(default='', help_text="of the payload's canonical JSON: the same content however it was spaced", max_length=64),
            preserve_default=False,
        ),
    ]
