"""Every text column of every table filled with every payload, by the owner's hand: no length or index is in the way.

A column is found from the models, so that a new one is filled too or stands in OURS with the reason why it need not be.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
from django.apps import apps
from django.db import models
from psycopg import sql
from psycopg.types.json import Jsonb

from config.embedded import postgres
from tests.e2e.payloads import PAYLOADS
from tests.servers import HOME

FEW = 4  # rows
APPS = {"spine", "people", "detection", "cases"}
HIDDEN = "safe\u202egpj.exe\u200b\u2066x\u2069 p\u0430ypal \U000e0041\ufe0f\u00ad\x1b[2J"
# Columns whose text is made by the program from words or bytes of its own, by name or by table and name.
OURS: dict[str, str] = {
    **dict.fromkeys(
        (
            *("salt", "row_digests", "rows_root", "leaf_hash", "hash", "root", "sha256", "payload_sha256", "prefix"),
            *("content_sha256", "config_sha256", "input_sha256", "snapshot_sha256", "manifest_sha256", "password"),
            *("statement_sha256", "package_sha256", "pseudonym", "ref", "username"),
        ),
        "a digest, a random value, or a name made of letters and digits that are checked when it is written",
    ),
    **dict.fromkeys(("action", "about", "kind", "topic", "key", "args", "result", "closing_reason"), "our own keys"),
    **dict.fromkeys(("algorithm", "algorithm_version", "parameters", "counts", "release", "status"), "of the program"),
    "outbox.payload": "keys of rows",
    "checkpoint.note": "a signed note that we write",
    "dossierproof.checkpoint": "the same",
    "dossierproof.proof": "JSON that we write from digests",
    "feed.secret": "sealed, and never shown",
    "noticesettings.ways": "from tables of ours",
    "webhook.secret": "sealed, and never shown",
    "webhook.old_secret": "the same",
    "webhookevent.type": "from a table of ours",
    "webhookevent.data": "our own ids and references",
    "keyuse.limit": "from a table of ours",
    "counted.name": "from a table of ours",
    "counted.label": "a kind and a state of a job",
    "receivedhour.detector": "on no page; received.detector is the same",
    "telemetryfile.columns_present": "names of our own columns",
    "telemetryfile.columns_absent": "names of our own columns",
    "clusterdrawing.version": "of the program",
    "clusterdrawing.capabilities": "words of ours, and numbers",
    "clusterdrawing.hours": "our own ids, and numbers",
    "clusterdrawing.graph": "the same",
    "evidenceitem.media_type": "from a table of ours, by the first bytes",
}


def rotated(start: int) -> str:
    """All payloads, those from `start` on first, so that what cuts a text short meets each of them somewhere."""
    at = start % len(PAYLOADS)
    return " ".join(one.text for one in [*PAYLOADS[at:], *PAYLOADS[:at]])


def quarter(place: int) -> str:
    """Every fourth payload, beginning with another one in each of four rows that follow each other."""
    return " ".join(one.text for one in PAYLOADS[place % 4 :: 4])


def mark(field: Any) -> str:
    """What tells a column's text where it is shown; no filter of ours changes it."""
    return f"rxcol-{field.model._meta.db_table}-{field.column}-".replace("_", "-").lower()


def text_columns() -> list[Any]:
    """Every column that may hold text somebody else wrote."""
    kinds = models.CharField | models.TextField | models.JSONField | models.BinaryField
    found = [field for model in apps.get_models() for field in model._meta.local_concrete_fields if of_ours(model)]
    return [field for field in found if isinstance(field, kinds) and not field.choices and reason(field) is None]


def of_ours(model: type[models.Model]) -> bool:
    return model._meta.app_label in APPS and model._meta.managed


def reason(field: Any) -> str | None:
    """Why a column need not be filled."""
    if field.name.endswith("_sha256"):
        return "a digest that is checked when it is read"
    return OURS.get(f"{field.model._meta.model_name}.{field.name}") or OURS.get(field.name)


# JSON, in the shape its readers know.


def with_words(value: Any, text: str) -> Any:
    """The value with every string of more than one word replaced: single words are keys of ours."""
    if isinstance(value, str):
        return text if " " in value else value
    if isinstance(value, list):
        return [with_words(item, text) for item in value]
    if isinstance(value, dict):
        return {key: with_words(item, text) for key, item in value.items()}
    return value


def received(value: Any, text: str) -> bytes:
    """The document of a finding with hostile text in what it may carry."""
    document = json.loads(bytes(value) or b"{}")
    return json.dumps({**document, "title": text, "summary": text, "evidence": [{"uri": text, "note": text}]}).encode()


SHAPES: dict[str, Callable[[Any, str], Any]] = {
    "finding.payload": received,
    "cluster.signals": lambda _, text: [text],
    "clustermember.reasons": lambda _, text: [text],
    "cluster.volume": lambda value, text: [{**one, "model": text} for one in value],
    "run.hubs": lambda _, text: [{"type": text, "value": text, "accounts": 3, "reason": text}],
    "answer.hubs": lambda _, text: [{"type": text, "value": text, "accounts": 3, "reason": text}],
    "feed.settings": lambda value, text: {**value, "pattern": text},
    "feed.mapping": lambda _, text: {"as": text},
    "webhook.types": lambda _, text: [text],
    "versionprecision.by_verdict": lambda _, text: {text: 1},
    "leadmatch.values": lambda _, text: {text: 1},
    "feedpull.rejections": lambda _, text: [{"place": text, "line": 1, "pointer": text, "detail": text}],
    "telemetryfile.unknown_columns": lambda _, text: {text: 3},
    "seen.name": lambda _, text: f"worker:{text}",
    "seen.facts": lambda _, text: {"slots": 2, "version": text},
    "logentry.actor": lambda value, text: value if value.startswith("user:") else f"detector:{text}",
    "job.actor": lambda value, text: value if value.startswith("user:") else f"detector:{text}",
}


def hostile(field: Any, value: Any, place: int, rows: int) -> Any:
    """What the column holds from now on, in the row at this place of so many: of many rows, four bear all payloads."""
    text = f"{mark(field)} {HIDDEN} {rotated(place * 37) if rows <= FEW else quarter(place)}"
    shape = SHAPES.get(f"{field.model._meta.model_name}.{field.name}")
    if shape is not None:
        made = shape(value, text)
    elif isinstance(field, models.JSONField):
        made = with_words(value, text)
    elif isinstance(field, models.BinaryField):
        made = text.encode()
    else:
        made = text
    return Jsonb(made) if isinstance(field, models.JSONField) else made


@contextmanager
def owner() -> Iterator[psycopg.Connection]:
    """The owner's connection with triggers asleep."""
    with postgres.connect(HOME) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET lock_timeout = '20s'")
        yield connection


PLAIN: dict[type[Any], Callable[[], Any]] = {
    models.UUIDField: uuid.uuid4,
    models.BooleanField: lambda: False,
    models.DateTimeField: lambda: datetime.now(UTC),
    models.DateField: lambda: datetime.now(UTC).date(),
    models.JSONField: lambda: Jsonb([]),
    models.BinaryField: lambda: b"",
    models.FloatField: lambda: 0.5,
    models.IntegerField: lambda: 1,
    models.CharField: lambda: "",
    models.TextField: lambda: "",
}


def a_row_in_each(connection: psycopg.Connection) -> None:
    """One row in each table that the story left empty, pointing at rows that are there, in as many rounds as needed."""
    empty = [model for model in apps.get_models() if of_ours(model) and model._meta.pk.column]
    for _ in range(5):
        empty = [model for model in empty if newest(connection, model) is None]
        for model in empty:
            row = plain_row(connection, model)
            if row is not None:
                statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                    sql.Identifier(model._meta.db_table),
                    sql.SQL(", ").join(map(sql.Identifier, row)),
                    sql.SQL(", ").join([sql.Placeholder()] * len(row)),
                )
                connection.execute(statement, list(row.values()))


def newest(connection: psycopg.Connection, model: Any) -> Any:
    """The key of a row of this table, None when it has none."""
    key, table = sql.Identifier(model._meta.pk.column), sql.Identifier(model._meta.db_table)
    row = connection.execute(sql.SQL("SELECT {} FROM {} ORDER BY 1 DESC LIMIT 1").format(key, table)).fetchone()
    return row and row[0]


def plain_row(connection: psycopg.Connection, model: Any) -> dict[str, Any] | None:
    """Values for one row; None while a table it has to point at is empty."""
    row = {}
    for field in model._meta.local_concrete_fields:
        if field.is_relation:
            value = newest(connection, field.related_model)
            if value is None and not field.null:
                return None
        elif field.choices:
            value = field.choices[0][0]
        elif isinstance(field, models.AutoField):
            continue
        else:
            value = next(make for kind, make in PLAIN.items() if isinstance(field, kind))()
        row[field.column] = value
    return row


def fill(connection: psycopg.Connection) -> list[str]:
    """Fill every column of every row; gives the columns that have no row to be filled in."""
    a_row_in_each(connection)
    empty = []
    for field in text_columns():
        table, column = sql.Identifier(field.model._meta.db_table), sql.Identifier(field.column)
        key = sql.Identifier(field.model._meta.pk.column)
        rows = connection.execute(sql.SQL("SELECT {}, {} FROM {} ORDER BY 1").format(key, column, table)).fetchall()
        for place, (pk, value) in enumerate(rows):
            statement = sql.SQL("UPDATE {} SET {} = %s WHERE {} = %s").format(table, column, key)
            connection.execute(statement, [hostile(field, value, place, len(rows)), pk])
        empty += [] if rows else [f"{field.model._meta.model_name}.{field.name}"]
    return empty


@contextmanager
def without_limits(connection: psycopg.Connection) -> Iterator[None]:
    """Columns without lengths, and no index over them, until the tables are empty again."""
    undo: list[tuple[str, bool, str, str]] = []
    for table, name, definition in checks(connection):
        undo.append((name, True, table, definition))
        drop_check = sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}")
        connection.execute(drop_check.format(sql.Identifier(table), sql.Identifier(name)))
    guards = conditional_triggers(connection)
    for table, name, _ in guards:
        connection.execute(sql.SQL("DROP TRIGGER {} ON {}").format(sql.Identifier(name), sql.Identifier(table)))
    for field in text_columns():
        table, column = field.model._meta.db_table, field.column
        for name, definition, constraint in indexes(connection, table, column):
            if (name, constraint) in {(one[0], one[1]) for one in undo}:
                continue
            undo.append((name, constraint, table, definition))
            drop = "ALTER TABLE {table} DROP CONSTRAINT {name}" if constraint else "DROP INDEX {name}"
            connection.execute(
                sql.SQL(drop).format(table=sql.Identifier(table), name=sql.Identifier(name))  # type: ignore[arg-type]
            )
        if isinstance(field, models.CharField):
            retype(connection, table, column, "text")
    try:
        yield
    finally:
        for field in text_columns():
            if isinstance(field, models.CharField):
                retype(connection, field.model._meta.db_table, field.column, f"varchar({field.max_length})")
        for name, constraint, table, definition in undo:
            if constraint:
                definition = f'ALTER TABLE "{table}" ADD CONSTRAINT "{name}" {definition}'
            connection.execute(definition)  # type: ignore[arg-type]
        for _, _, definition in guards:
            connection.execute(definition)  # type: ignore[arg-type]


def checks(connection: psycopg.Connection) -> list[tuple[str, str, str]]:
    """Check constraints, which hold words to those of ours: table, name, definition."""
    query = """
        SELECT c.relname, k.conname, pg_get_constraintdef(k.oid)
          FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
         WHERE k.contype = 'c' AND c.relnamespace = 'public'::regnamespace
    """
    return [(str(table), str(name), str(definition)) for table, name, definition in connection.execute(query)]


def conditional_triggers(connection: psycopg.Connection) -> list[tuple[str, str, str]]:
    """Triggers with a condition over columns, whose type PostgreSQL would not change: table, name, how to make it."""
    query = """
        SELECT c.relname, t.tgname, pg_get_triggerdef(t.oid)
          FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
         WHERE NOT t.tgisinternal AND t.tgqual IS NOT NULL AND c.relnamespace = 'public'::regnamespace
    """
    return [(str(table), str(name), str(definition)) for table, name, definition in connection.execute(query)]


def retype(connection: psycopg.Connection, table: str, column: str, kind: str) -> None:
    statement = sql.SQL("ALTER TABLE {} ALTER COLUMN {} TYPE " + kind)  # type: ignore[arg-type]
    connection.execute(statement.format(sql.Identifier(table), sql.Identifier(column)))


def indexes(connection: psycopg.Connection, table: str, column: str) -> list[tuple[str, str, bool]]:
    """The B-tree indexes over a column, with what makes each again; true for those of a constraint."""
    query = """
        SELECT c.relname, coalesce(pg_get_constraintdef(k.oid), pg_get_indexdef(i.indexrelid)), k.oid IS NOT NULL
          FROM pg_index i
          JOIN pg_class c ON c.oid = i.indexrelid
          JOIN pg_am m ON m.oid = c.relam AND m.amname = 'btree'
          JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attname = %s
          LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('u', 'p', 'x')
         WHERE i.indrelid = %s::regclass AND pg_get_indexdef(i.indexrelid) ~ ('\\m' || %s || '\\M')
    """
    found = connection.execute(query, [column, table, column]).fetchall()
    return [(str(name), str(definition), bool(constraint)) for name, definition, constraint in found]
