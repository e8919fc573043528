"""The approval's copy of the preparer is tied to its version, so the check of two people cannot be talked round."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("cases", "0001_initial")]

    operations = [
        migrations.RunSQL(
            """
            ALTER TABLE cases_dossierapproval ADD CONSTRAINT the_preparer_is_the_versions_own
            FOREIGN KEY (version_id, preparer_id) REFERENCES cases_dossierversion (id, preparer_id)
            """,
            "ALTER TABLE cases_dossierapproval DROP CONSTRAINT the_preparer_is_the_versions_own",
        )
    ]
