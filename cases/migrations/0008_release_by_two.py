"""A release's copies of hold and asker are tied to the ask, so the check of two people cannot be talked round."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("cases", "0007_preservation_and_holds")]

    operations = [
        migrations.RunSQL(
            """
            ALTER TABLE cases_holdrelease ADD CONSTRAINT the_ask_is_of_this_hold_and_asker
            FOREIGN KEY (ask_id, hold_id, asker_id) REFERENCES cases_holdreleaseask (id, hold_id, asker_id)
            """,
            "ALTER TABLE cases_holdrelease DROP CONSTRAINT the_ask_is_of_this_hold_and_asker",
        )
    ]
