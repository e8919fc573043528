"""Findings: what a row points to is looked for once a statement (detection.belonging), not by three foreign keys."""

import django.db.models.deletion
from django.db import migrations, models


def _to(model: str, name: str, **more: object) -> models.ForeignKey:
    return models.ForeignKey(
        db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name=name, to=model, **more
    )


class Migration(migrations.Migration):

    dependencies = [
        ('detection', '0010_lists'),
        ('spine', '0007_job_not_before'),
    ]

    operations = [
        migrations.AlterField('finding', 'entry', _to('spine.logentry', '+', editable=False)),
        migrations.AlterField('finding', 'detector', _to('detection.detector', 'findings', db_index=False)),
        migrations.AlterField('finding', 'detector_version', _to('detection.detectorversion', 'findings', db_index=False)),
    ]
