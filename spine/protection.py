"""Grants and triggers that keep protected tables append-only: refused by right, and by trigger to who has the right."""

from django.apps import apps
from django.conf import settings
from django.db import connections, models
from django.utils.module_loading import import_string

from spine import log
from spine.models import AppendOnly, Checkpoint, LogEntry, Node, Sequence

TREE = (LogEntry, Sequence, Node, Checkpoint)


def protected_models() -> list[type[models.Model]]:
    """The log itself and every append-only model, by table name."""
    rows = [model for model in apps.get_models() if issubclass(model, AppendOnly)]
    return sorted([*TREE, *rows], key=lambda model: model._meta.db_table)


def protected_tables() -> list[str]:
    """Names of the tables in which rows are only ever added."""
    return [model._meta.db_table for model in protected_models()]


def row_columns() -> list[str]:
    """For each table of protected rows: its name, and the columns of its canonical form, personal ones in brackets."""
    lines = []
    for model in protected_models():
        if issubclass(model, AppendOnly):
            shown = [f"[{column}]" if name in model.PERSONAL else column for name, column in log.columns(model)]
            lines.append(f"{model._meta.db_table}: {' '.join(sorted(shown))}")
    return lines


def apply(alias: str, application: str, audit: str) -> None:
    """As the owner: give the roles exactly what they may do, and arm the triggers. Safe to repeat.

    The migration records stay with the owner; an application role that could write them could hide a missing migration.
    """
    connection = connections[alias]
    quote = connection.ops.quote_name
    tables = set(connection.introspection.table_names())
    guarded = [name for name in protected_tables() if name in tables]
    with connection.cursor() as cursor:
        for role in (application, audit):
            cursor.execute(f"GRANT USAGE ON SCHEMA public TO {quote(role)}")
            cursor.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {quote(role)}")
            cursor.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {quote(role)}")
        cursor.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {quote(application)}")
        cursor.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        cursor.execute(REFUSE)
        for name in sorted(tables - {"django_migrations"}):
            writes = "INSERT" if name in guarded else "INSERT, UPDATE, DELETE"
            cursor.execute(f"GRANT {writes} ON {quote(name)} TO {quote(application)}")
        for name in guarded:
            cursor.execute(
                f"CREATE OR REPLACE TRIGGER retort_append_only BEFORE UPDATE OR DELETE ON {quote(name)} "
                "FOR EACH ROW EXECUTE FUNCTION retort_refuse()"
            )
            cursor.execute(
                f"CREATE OR REPLACE TRIGGER retort_never_emptied BEFORE TRUNCATE ON {quote(name)} "
                "FOR EACH STATEMENT EXECUTE FUNCTION retort_refuse()"
            )
    for step in settings.PROTECTION_STEPS:
        import_string(step)(alias, application, audit)


REFUSE = """
CREATE OR REPLACE FUNCTION retort_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are only ever added (% refused)', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$
"""
