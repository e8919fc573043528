from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('spine', '0007_job_not_before'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='job',
            name='job_state_is_known',
        ),
        migrations.AlterField(
            model_name='job',
            name='state',
            field=models.CharField(choices=[('queued', 'waiting'), ('running', 'running'), ('done', 'done'), ('failed', 'failed'), ('stopped', 'stopped'), ('parked', 'set aside')], default='queued', max_length=10),
        ),
        migrations.AddConstraint(
            model_name='job',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['queued', 'running', 'done', 'failed', 'stopped', 'parked'])), name='job_state_is_known'),
        ),
    ]
