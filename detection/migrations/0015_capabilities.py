from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('detection', '0014_window_days'),
    ]

    operations = [
        migrations.AddField(
            model_name='clusterdrawing',
            name='capabilities',
            field=models.JSONField(default=dict, help_text='what requests ask for, here and among all accounts'),
        ),
    ]
