"""Accounts and attributes, the index over findings: made and widened set-wise, in one order for all, so no deadlock."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection, models

from detection.pseudonyms import pseudonym
from spine.ids import new_id


@dataclass(frozen=True)
class Seen:
    """When an account was seen, as far as it is known."""

    first: datetime | None = None
    last: datetime | None = None


ACCOUNTS = """
INSERT INTO detection_account AS known (id, namespace, provider_id, pseudonym, first_seen, last_seen)
SELECT id, %s, provider_id, pseudonym, first_seen, last_seen
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[])
     AS given (id, provider_id, pseudonym, first_seen, last_seen)
ON CONFLICT (namespace, provider_id) DO UPDATE
SET first_seen = least(known.first_seen, excluded.first_seen),
    last_seen = greatest(known.last_seen, excluded.last_seen)
WHERE known.first_seen IS DISTINCT FROM least(known.first_seen, excluded.first_seen)
   OR known.last_seen IS DISTINCT FROM greatest(known.last_seen, excluded.last_seen)
"""
ACCOUNT_IDS = "SELECT provider_id, id FROM detection_account WHERE namespace = %s AND provider_id = ANY(%s::text[])"

ATTRIBUTES = """
INSERT INTO detection_attribute (id, type, value)
SELECT id, type, value FROM unnest(%s::uuid[], %s::text[], %s::text[]) AS given (id, type, value)
ON CONFLICT (type, value) DO NOTHING
"""
ATTRIBUTE_IDS = """
SELECT type, value, known.id FROM detection_attribute known
JOIN unnest(%s::text[], %s::text[]) AS given (type, value) USING (type, value)
"""


def copy(model: type[models.Model], columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Append rows by COPY, some times faster than INSERT; the id comes first and is made here."""
    quote = connection.ops.quote_name
    names = ", ".join(quote(name) for name in ["id", *columns])
    with connection.cursor() as cursor:
        target: psycopg.Cursor[Any] = cursor.cursor
        with target.copy(f"COPY {quote(model._meta.db_table)} ({names}) FROM STDIN") as sink:
            for row in rows:
                sink.write_row((new_id(), *row))


def accounts(namespace: str, seen: Mapping[str, Seen]) -> dict[str, UUID]:
    """Ids of the accounts with these provider's ids; new ones are made, the times of known ones widened."""
    names = sorted(seen)
    if not names:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            ACCOUNTS,
            [
                namespace,
                [new_id() for _ in names],
                names,
                [pseudonym(namespace, name) for name in names],
                [seen[name].first for name in names],
                [seen[name].last for name in names],
            ],
        )
        cursor.execute(ACCOUNT_IDS, [namespace, names])
        return dict(cursor.fetchall())


def ensure_accounts(namespace: str, provider_ids: Sequence[str]) -> None:
    """Make the accounts that are not there yet; nothing is said about when they were seen."""
    accounts(namespace, {name: Seen() for name in provider_ids})


def attributes(values: Iterable[tuple[str, str]]) -> dict[tuple[str, str], UUID]:
    """Ids of the attributes (type, value); new ones are made."""
    wanted = sorted(set(values))
    if not wanted:
        return {}
    types, texts = [kind for kind, _ in wanted], [value for _, value in wanted]
    with connection.cursor() as cursor:
        cursor.execute(ATTRIBUTES, [[new_id() for _ in wanted], types, texts])
        cursor.execute(ATTRIBUTE_IDS, [types, texts])
        return {(kind, value): pk for kind, value, pk in cursor.fetchall()}
