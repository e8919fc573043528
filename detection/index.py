"""Accounts and attributes, the index over findings: made and widened set-wise, in one order for all, so no deadlock."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import orjson
from django.db import connection

from detection.pseudonyms import pseudonym
from spine.ids import new_id


class Seen(NamedTuple):
    """When an account was seen, as far as it is known."""

    first: datetime | None = None
    last: datetime | None = None


# Lists go as one JSON text each: psycopg writes an array element by element, which took a tenth of an ingest.
KNOWN_ACCOUNTS = """
SELECT known.provider_id, known.id, known.first_seen, known.last_seen
FROM json_array_elements_text(%s::json) AS given (provider_id)
JOIN detection_account known ON known.namespace = %s AND known.provider_id = given.provider_id
"""
# Rows that are new or whose times widen; the others are not even locked. In one order for all, so no deadlock.
ACCOUNTS = """
INSERT INTO detection_account AS known (id, namespace, provider_id, pseudonym, first_seen, last_seen)
SELECT id::uuid, %s, provider_id, pseudonym, first_seen::timestamptz, last_seen::timestamptz
FROM ROWS FROM (json_array_elements_text(%s::json), json_array_elements_text(%s::json),
                json_array_elements_text(%s::json), json_array_elements_text(%s::json),
                json_array_elements_text(%s::json)) AS given (id, provider_id, pseudonym, first_seen, last_seen)
ON CONFLICT (namespace, provider_id) DO UPDATE
SET first_seen = least(known.first_seen, excluded.first_seen),
    last_seen = greatest(known.last_seen, excluded.last_seen)
RETURNING provider_id, id
"""
KNOWN_ATTRIBUTES = """
SELECT type, value, known.id
FROM ROWS FROM (json_array_elements_text(%s::json), json_array_elements_text(%s::json)) AS given (type, value)
JOIN detection_attribute known USING (type, value)
"""
ATTRIBUTES = """
INSERT INTO detection_attribute (id, type, value)
SELECT id::uuid, type, value
FROM ROWS FROM (json_array_elements_text(%s::json), json_array_elements_text(%s::json),
                json_array_elements_text(%s::json)) AS given (id, type, value)
ON CONFLICT (type, value) DO NOTHING
RETURNING type, value, id
"""


def accounts(namespace: str, seen: Mapping[str, Seen]) -> dict[str, UUID]:
    """Ids of the accounts with these provider's ids; new ones are made, the times of known ones widened."""
    if not seen:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(KNOWN_ACCOUNTS, [_json(list(seen)), namespace])
        rows = cursor.fetchall()
        found: dict[str, UUID] = {name: pk for name, pk, _, _ in rows}
        enough = {name for name, _, first, last in rows if _covers(first, last, seen[name])}
        due = sorted(seen.keys() - enough)
        if due:
            cursor.execute(
                ACCOUNTS,
                [
                    namespace,
                    _json([str(new_id()) for _ in due]),
                    _json(due),
                    _json([pseudonym(namespace, name) for name in due]),
                    _json([seen[name].first for name in due]),
                    _json([seen[name].last for name in due]),
                ],
            )
            found.update(cursor.fetchall())
    return found


def _covers(first: datetime | None, last: datetime | None, seen: Seen) -> bool:
    """Whether the known times hold what was seen now."""
    begins = seen.first is None or (first is not None and first <= seen.first)
    return begins and (seen.last is None or (last is not None and last >= seen.last))


def ensure_accounts(namespace: str, provider_ids: Sequence[str]) -> None:
    """Make the accounts that are not there yet; nothing is said about when they were seen."""
    accounts(namespace, {name: Seen() for name in provider_ids})


def attributes(values: Iterable[tuple[str, str]]) -> dict[tuple[str, str], UUID]:
    """Ids of the attributes (type, value); new ones are made."""
    wanted = set(values)
    found = _attributes(KNOWN_ATTRIBUTES, wanted)
    new = sorted(wanted - found.keys())
    found |= _attributes(ATTRIBUTES, new, [_json([str(new_id()) for _ in new])])
    return found | _attributes(KNOWN_ATTRIBUTES, wanted - found.keys())  # those that another sender has just made


def _attributes(
    query: str, values: Collection[tuple[str, str]], first: Sequence[str] = ()
) -> dict[tuple[str, str], UUID]:
    if not values:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(query, [*first, *_columns(values)])
        return {(kind, value): pk for kind, value, pk in cursor.fetchall()}


def _columns(values: Collection[tuple[str, str]]) -> list[str]:
    return [_json([kind for kind, _ in values]), _json([value for _, value in values])]


def _json(values: Sequence[object]) -> str:
    return orjson.dumps(values).decode()
