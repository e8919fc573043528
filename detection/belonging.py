"""Findings and the index over them, held by the database: rows are only added, and only for what exists.

A foreign key looks at each row with a query of its own, which took two thirds of the time of an ingest; here one
query looks at all rows that a statement adds (docs/decisions/0017). What rows point to is never deleted.
"""

from django.db import connections

# Table → what its columns point to.
POINTS_TO = {
    "detection_finding": {
        "entry_id": "spine_logentry",
        "detector_id": "detection_detector",
        "detector_version_id": "detection_detectorversion",
    },
    "detection_findingaccount": {"finding_id": "detection_finding", "account_id": "detection_account"},
    "detection_sighting": {
        "finding_id": "detection_finding",
        "account_id": "detection_account",
        "attribute_id": "detection_attribute",
    },
}

# Tables in which rows are only added; those of the log's own kind, such as findings, are held by spine.protection.
ONLY_ADDED = ("detection_findingaccount", "detection_sighting", "detection_findingbatch", "detection_canaryreturn")

FUNCTION = """
CREATE OR REPLACE FUNCTION retort_belongs_{table}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
{checks}
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER retort_belongs AFTER INSERT ON {table} REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION retort_belongs_{table}();
"""
ADDED = """
CREATE OR REPLACE TRIGGER retort_only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION retort_refuse();
"""
# What is pointed to stays: an account or an attribute that is erased says nothing any more, and is still there.
STAYS = """
CREATE OR REPLACE TRIGGER retort_stays BEFORE DELETE OR TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION retort_refuse();
"""
CHECK = """
    IF EXISTS (SELECT FROM (SELECT DISTINCT {column} AS id FROM added) a
               WHERE NOT EXISTS (SELECT FROM {target} t WHERE t.id = a.id)) THEN
        RAISE EXCEPTION 'a row of {table} points to no row of {target}' USING ERRCODE = 'foreign_key_violation';
    END IF;
"""


def apply(alias: str, application: str, audit: str) -> None:
    """As the owner: arm the triggers and take the right to change or remove. Safe to repeat."""
    connection = connections[alias]
    tables = set(connection.introspection.table_names())
    if not tables >= POINTS_TO.keys():  # migrated to an earlier state
        return
    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        for table, columns in POINTS_TO.items():
            checks = "".join(
                CHECK.format(table=table, column=column, target=target) for column, target in columns.items()
            )
            # of earlier versions, by a column that is gone
            cursor.execute(f"DROP TRIGGER IF EXISTS retort_keep ON {table}")
            cursor.execute(FUNCTION.format(table=table, checks=checks))
        for table in set(ONLY_ADDED) & tables:
            cursor.execute(ADDED.format(table=table))
            cursor.execute(f"REVOKE UPDATE, DELETE ON {table} FROM {quote(application)}")
        for table in ("detection_account", "detection_attribute", "detection_detector", "detection_detectorversion"):
            cursor.execute(STAYS.format(table=table))
            cursor.execute(f"REVOKE DELETE ON {table} FROM {quote(application)}")
