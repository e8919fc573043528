from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('cases', '0023_newer_versions'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='recallflag',
            name='a_case_is_flagged_once_a_recall',
        ),
        migrations.AddConstraint(
            model_name='recallflag',
            constraint=models.UniqueConstraint(fields=('case', 'recall', 'findings'), name='a_case_is_flagged_once_for_as_much'),
        ),
    ]
