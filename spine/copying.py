"""Rows by COPY in its binary form: some times faster than INSERT, at both ends of the connection."""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import psycopg
from django.db import connection, models

# What a column's type is called in a COPY, without length: a value's own check is the column's.
_PLAIN = {"varchar": "text", "timestamp with time zone": "timestamptz", "double precision": "float8"}


def copy(model: type[models.Model], columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Append rows of these columns' values; their Python types must be the columns' own, nothing is converted."""
    quote = connection.ops.quote_name
    names = ", ".join(quote(name) for name in columns)
    with connection.wrap_database_errors, connection.cursor() as cursor:
        target: psycopg.Cursor[Any] = cursor.cursor
        with target.copy(f"COPY {quote(model._meta.db_table)} ({names}) FROM STDIN (FORMAT BINARY)") as sink:
            sink.set_types(_types(model, tuple(columns)))
            write = sink.write_row
            for row in rows:
                write(row)


@cache
def _types(model: type[models.Model], columns: tuple[str, ...]) -> list[str]:
    fields = {field.column: field for field in model._meta.concrete_fields}
    found = [fields[name].db_type(connection) or "" for name in columns]
    return [_PLAIN.get(kind, kind) for kind in (full.partition("(")[0] for full in found)]
