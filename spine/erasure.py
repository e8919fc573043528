"""Erasing the personal columns of protected rows: by a function of the owner, for a certificate alone.

The row's digest is made from the commitment to these columns, so every proof stays valid (decision 0012).
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import connection, connections, models

from spine import canonical, log, merkle
from spine.errors import Refused
from spine.models import AppendOnly, Destruction, LogEntry


def erasable() -> list[type[AppendOnly]]:
    """Every protected table with personal columns, by its name."""
    rows = [model for model in apps.get_models() if issubclass(model, AppendOnly) and model.PERSONAL]
    return sorted(rows, key=lambda model: model._meta.db_table)


def key_of(row: AppendOnly) -> str:
    """How the ledger names a row: `cases_evidenceitem:<uuid>`."""
    return f"{row._meta.db_table}:{row.pk}"


def commitment_of(row: AppendOnly) -> bytes:
    """The commitment to a row's personal columns. Raises Refused when the row is not the one its entry covers.

    A changed row is a matter for `verify_log`, not something to be erased over.
    """
    if row.salt is None:
        raise Refused(f"{key_of(row)} has nothing left to erase.")
    digests, place = bytes(LogEntry.objects.get(pk=row.entry_id).row_digests), 32 * row.place
    if merkle.leaf_hash(log.row_bytes(row)) != digests[place : place + 32]:
        raise Refused(f"{key_of(row)} is not the row its log entry covers: verify the log first.")
    personal = {column: getattr(row, name) for name, column in log.columns(type(row)) if name in row.PERSONAL}
    return canonical.personal_commitment(bytes(row.salt), personal)


def erase(certificate: Destruction) -> None:
    """Blank the personal columns of the row a certificate names, and destroy its salt. The database checks it anew."""
    table, _, row_id = certificate.key.partition(":")
    with connection.cursor() as cursor:
        cursor.execute("SELECT retort_erase(%s, %s)", [table, row_id])


def commitments(model: type[AppendOnly], using: str) -> dict[str, bytes]:
    """The commitments that the ledger keeps of erased rows of a table, by the row's id."""
    found = Destruction.objects.using(using).filter(
        kind=Destruction.Kind.ROW, key__startswith=f"{model._meta.db_table}:"
    )
    return {key.partition(":")[2]: bytes(kept) for key, kept in found.values_list("key", "commitment") if kept}


def bytes_of_values(
    model: type[AppendOnly], pk: UUID, salt: Any, values: Sequence[object], erased: Mapping[str, bytes]
) -> bytes:
    """`log.bytes_of_values`, of a row without salt from its commitment in the ledger.

    Raises ValueError when such a row has no commitment there, or holds personal values all the same.
    """
    if not model.PERSONAL or salt is not None:
        return log.bytes_of_values(model, pk, salt, values)
    named = zip(log.columns(model), values, strict=True)
    left = {column: _plain(value) for (name, column), value in named if name in model.PERSONAL}
    if str(pk) not in erased or left != blanks(model):
        raise ValueError(f"{model._meta.db_table}:{pk} lost its salt, and no erasure explains what it holds")
    return log.erased_bytes_of_values(model, pk, values, erased[str(pk)])


def _plain(value: object) -> object:
    return bytes(value) if isinstance(value, memoryview) else value


def blanks(model: type[AppendOnly]) -> dict[str, Any]:
    """What the personal columns of an erased row hold, by column name: nothing, in the column's own type."""
    return {
        field.column: _blank(field)
        for field in model._meta.concrete_fields
        if field.name in model.PERSONAL and field.column
    }


def _blank(field: Any) -> Any:
    if field.null:
        return None
    if isinstance(field, models.JSONField):
        return field.get_default()
    return b"" if isinstance(field, models.BinaryField) else ""


def apply(alias: str, application: str, audit: str) -> None:
    """As the owner: make the function that erases, and let the trigger of protected tables pass it. Safe to repeat."""
    there = set(connections[alias].introspection.table_names())
    tables = [model for model in erasable() if model._meta.db_table in there]
    if Destruction._meta.db_table not in there:
        return
    with connections[alias].cursor() as cursor:
        cursor.execute(LET_ERASE)
        cursor.execute(ERASE.format(branches="".join(_branch(model) for model in tables)))
        cursor.execute("REVOKE ALL ON FUNCTION retort_erase(text, uuid) FROM PUBLIC")
        cursor.execute(
            f"GRANT EXECUTE ON FUNCTION retort_erase(text, uuid) TO {connections[alias].ops.quote_name(application)}"
        )


def _branch(model: type[AppendOnly]) -> str:
    """One table's part of the function. Names and literals are ours, from the models."""
    literals = {None: "NULL", "": "''", b"": "''::bytea"}
    sets = [f"{column} = {_literal(value, literals)}" for column, value in blanks(model).items()]
    table = model._meta.db_table
    return f"WHEN '{table}' THEN UPDATE {table} SET {', '.join(sets)}, salt = NULL WHERE id = which;\n        "  # noqa: S608


def _literal(value: Any, literals: dict[Any, str]) -> str:
    if isinstance(value, list):
        return "'[]'::jsonb"
    return "'{}'::jsonb" if isinstance(value, dict) else literals[value]


# The trigger lets an UPDATE of exactly this row pass; the application role has no right to UPDATE in any case.
LET_ERASE = """
CREATE OR REPLACE FUNCTION retort_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND current_setting('retort.erasing', true) = TG_TABLE_NAME || ':' || (to_jsonb(OLD) ->> 'id')
    THEN RETURN NEW; END IF;
    RAISE EXCEPTION 'rows of % are only ever added (% refused)', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$
"""
ERASE = """
CREATE OR REPLACE FUNCTION retort_erase(what text, which uuid) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM spine_destruction d WHERE d.kind = 'row' AND d.key = what || ':' || which) THEN
        RAISE EXCEPTION 'nothing in the ledger orders the erasure of %:%', what, which
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM retort_demand_free('row', what || ':' || which);
    PERFORM set_config('retort.erasing', what || ':' || which, true);
    CASE what
        {branches}ELSE RAISE EXCEPTION 'rows of % have nothing to erase', what USING ERRCODE = 'insufficient_privilege';
    END CASE;
    PERFORM set_config('retort.erasing', '', true);
END $$
"""
