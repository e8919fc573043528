"""The index over findings: rows known by what they join, with half the indexes and no foreign key for each row.

That what they join exists is checked by statement from now on (`detection.belonging`, docs/decisions/0017).
"""

import django.db.models.deletion
from django.db import migrations, models

SLIM = """
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN SELECT conrelid::regclass AS place, conname FROM pg_constraint
        WHERE conrelid IN ('detection_findingaccount'::regclass, 'detection_sighting'::regclass)
        AND contype IN ('f', 'p', 'u')
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', found.place, found.conname);
    END LOOP;
    FOR found IN SELECT indexrelid::regclass AS name FROM pg_index
        WHERE indrelid IN ('detection_findingaccount'::regclass, 'detection_sighting'::regclass)
    LOOP
        EXECUTE format('DROP INDEX %s', found.name);
    END LOOP;
END $$;
ALTER TABLE detection_findingaccount DROP COLUMN id, ADD PRIMARY KEY (finding_id, account_id);
ALTER TABLE detection_sighting DROP COLUMN id, ADD PRIMARY KEY (finding_id, account_id, attribute_id);
CREATE INDEX detection_findingaccount_account_id_98ac7493 ON detection_findingaccount (account_id);
CREATE INDEX sightings_of_an_attribute ON detection_sighting (attribute_id, account_id);
"""


def _to(model: str, name: str, *, index: bool = False) -> models.ForeignKey:
    protect = django.db.models.deletion.PROTECT
    return models.ForeignKey(
        on_delete=protect, related_name=name, to=f'detection.{model}', db_constraint=False, db_index=index
    )


class Migration(migrations.Migration):

    dependencies = [
        ('detection', '0004_feeds'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(SLIM)],
            state_operations=[
                migrations.DeleteModel('FindingAccount'),
                migrations.DeleteModel('Sighting'),
                migrations.CreateModel(
                    name='FindingAccount',
                    fields=[
                        ('pk', models.CompositePrimaryKey('finding_id', 'account_id', blank=True, editable=False, primary_key=True, serialize=False)),
                        ('finding', _to('finding', 'accounts')),
                        ('account', _to('account', 'findings', index=True)),
                        ('exchanges', models.BigIntegerField(null=True)),
                        ('input_tokens', models.BigIntegerField(null=True)),
                        ('output_tokens', models.BigIntegerField(null=True)),
                    ],
                ),
                migrations.CreateModel(
                    name='Sighting',
                    fields=[
                        ('pk', models.CompositePrimaryKey('finding_id', 'account_id', 'attribute_id', blank=True, editable=False, primary_key=True, serialize=False)),
                        ('finding', _to('finding', 'sightings')),
                        ('account', _to('account', 'sightings')),
                        ('attribute', _to('attribute', 'sightings')),
                        ('count', models.BigIntegerField(null=True)),
                        ('first_seen', models.DateTimeField(null=True)),
                        ('last_seen', models.DateTimeField(null=True)),
                    ],
                    options={'indexes': [models.Index(fields=['attribute', 'account'], name='sightings_of_an_attribute')]},
                ),
            ],
        ),
        migrations.AlterField(
            model_name='finding',
            name='detector',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='findings', to='detection.detector'),
        ),
        migrations.AlterField(
            model_name='account',
            name='pseudonym',
            field=models.CharField(max_length=20),
        ),
        migrations.AddConstraint(
            model_name='account',
            constraint=models.UniqueConstraint(fields=('pseudonym',), name='one_account_per_pseudonym'),
        ),
    ]
