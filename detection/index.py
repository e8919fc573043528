"""Accounts and attributes, the index over findings: looked up, made and widened set-wise, so that nobody deadlocks.

Whoever writes makes new accounts first, then widens known ones, then makes new attributes, each in the order of names;
it holds only rows that it has made until it widens. Ids are 16 bytes here and times microseconds, as `spine.copying`
takes them.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from struct import Struct
from typing import Any, NamedTuple

import orjson
from django.db import IntegrityError, connection, models, transaction

from detection.models import Account, Attribute
from detection.pseudonyms import pseudonyms
from spine import copying
from spine.ids import new_ids


class Seen(NamedTuple):
    """When an account was seen; by default never, which every time that is known covers."""

    first: int = copying.NEVER_EARLIER
    last: int = copying.NEVER_LATER


NEVER = Seen()
ACCOUNT = ("id", "namespace", "provider_id", "pseudonym", "first_seen", "last_seen")
ATTRIBUTE = ("id", "type", "value")
_ID = 16
_UNKNOWN = bytes(_ID)
_KNOWN_ACCOUNT = Struct(">16sqq")

# What is known comes back as one string of bytes, so many for each value asked and in the order asked, zeros for what
# is not there: a row for each took longer to read than to find. Lists go as one JSON text each, or as an array's text
# where nothing in it needs quotes: psycopg writes an array element by element, which took a tenth of an ingest.
KNOWN_ACCOUNTS = """
SELECT string_agg(coalesce(uuid_send(known.id), decode(repeat('00', 16), 'hex'))
                  || timestamptz_send(coalesce(known.first_seen, 'infinity'))
                  || timestamptz_send(coalesce(known.last_seen, '-infinity')), '' ORDER BY place)
FROM json_array_elements_text(%s::json) WITH ORDINALITY AS given (provider_id, place)
LEFT JOIN detection_account known ON known.namespace = %s AND known.provider_id = given.provider_id
"""
ACCOUNTS = """
INSERT INTO detection_account AS known (id, namespace, provider_id, pseudonym, first_seen, last_seen)
SELECT id, %s, provider_id, pseudonym, first_seen, last_seen
FROM ROWS FROM (unnest(%s::uuid[]), json_array_elements_text(%s::json), unnest(%s::text[]),
                unnest(%s::timestamptz[]), unnest(%s::timestamptz[]))
     AS given (id, provider_id, pseudonym, first_seen, last_seen)
ON CONFLICT (namespace, provider_id)
"""
NEW_ACCOUNTS = ACCOUNTS + "DO NOTHING"
# Rows whose times widen; the others are not even locked. As a conflict, because an UPDATE has no order.
WIDER_ACCOUNTS = (
    ACCOUNTS
    + """DO UPDATE SET first_seen = least(known.first_seen, excluded.first_seen),
                   last_seen = greatest(known.last_seen, excluded.last_seen)"""
)
KNOWN_ATTRIBUTES = """
SELECT string_agg(coalesce(uuid_send(known.id), decode(repeat('00', 16), 'hex')), '' ORDER BY place)
FROM ROWS FROM (json_array_elements_text(%s::json), json_array_elements_text(%s::json))
     WITH ORDINALITY AS given (type, value, place)
LEFT JOIN detection_attribute known USING (type, value)
"""
NEW_ATTRIBUTES = """
INSERT INTO detection_attribute (id, type, value)
SELECT * FROM ROWS FROM (unnest(%s::uuid[]), json_array_elements_text(%s::json), json_array_elements_text(%s::json))
         AS given (id, type, value)
ON CONFLICT (type, value) DO NOTHING
"""


def accounts(namespace: str, seen: Mapping[str, Seen]) -> dict[str, bytes]:
    """Ids of the accounts with these provider's ids; new ones are made, the times of known ones widened."""
    found, narrow = _known_accounts(namespace, seen)
    new = sorted(seen.keys() - found.keys())
    if new:
        made = dict(zip(new, new_ids(len(new)), strict=True))
        if _added(Account, ACCOUNT, _account_rows(namespace, made, seen)):
            found |= made
        else:
            _insert_accounts(NEW_ACCOUNTS, namespace, made, seen)
            others, narrower = _known_accounts(namespace, {name: seen[name] for name in new})
            found |= others
            narrow += narrower
    if narrow:
        _insert_accounts(WIDER_ACCOUNTS, namespace, {name: found[name] for name in sorted(narrow)}, seen)
    return found


def ensure_accounts(namespace: str, provider_ids: Sequence[str]) -> None:
    """Make the accounts that are not there yet; nothing is said about when they were seen."""
    accounts(namespace, dict.fromkeys(provider_ids, NEVER))


def _known_accounts(namespace: str, seen: Mapping[str, Seen]) -> tuple[dict[str, bytes], list[str]]:
    """Ids of those that are there, and names of those whose times do not hold what was seen."""
    found, narrow = {}, []
    known = _KNOWN_ACCOUNT.iter_unpack(_answer(KNOWN_ACCOUNTS, [_json(list(seen)), namespace]) if seen else b"")
    for (name, now), (pk, first, last) in zip(seen.items(), known, strict=True):
        if pk != _UNKNOWN:
            found[name] = pk
            if first > now.first or last < now.last:
                narrow.append(name)
    return found, narrow


def _insert_accounts(query: str, namespace: str, ids: Mapping[str, bytes], seen: Mapping[str, Seen]) -> None:
    names = list(ids)
    columns = [
        _array(pk.hex() for pk in ids.values()),
        _json(names),
        _array(pseudonyms(namespace, names)),
        _array(_text(seen[name].first) for name in names),
        _array(_text(seen[name].last) for name in names),
    ]
    with connection.cursor() as cursor:
        cursor.execute(query, [namespace, *columns])


def _account_rows(namespace: str, ids: Mapping[str, bytes], seen: Mapping[str, Seen]) -> Iterator[tuple[object, ...]]:
    for (name, pk), alias in zip(ids.items(), pseudonyms(namespace, ids), strict=True):
        first, last = seen[name]
        never = first == copying.NEVER_EARLIER
        yield pk, namespace, name, alias, None if never else first, None if never else last


@lru_cache(4096)
def _text(moment: int) -> str:
    return "NULL" if moment in NEVER else copying.moment(moment).isoformat()


def attributes(values: Iterable[tuple[str, str]]) -> dict[tuple[str, str], bytes]:
    """Ids of the attributes (type, value); new ones are made."""
    wanted = set(values)
    found = _known_attributes(list(wanted))
    new = sorted(wanted - found.keys())
    if new:
        made = dict(zip(new, new_ids(len(new)), strict=True))
        if _added(Attribute, ATTRIBUTE, [(pk, *key) for key, pk in made.items()]):
            return found | made
        with connection.cursor() as cursor:
            cursor.execute(NEW_ATTRIBUTES, [_array(pk.hex() for pk in made.values()), *_columns(new)])
        found |= _known_attributes(new)
    return found


def _known_attributes(values: Sequence[tuple[str, str]]) -> dict[tuple[str, str], bytes]:
    ids = _answer(KNOWN_ATTRIBUTES, _columns(values)) if values else b""
    pairs = zip(values, range(0, len(ids), _ID), strict=True)
    return {key: pk for key, place in pairs if (pk := ids[place : place + _ID]) != _UNKNOWN}


def _added(model: type[models.Model], columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bool:
    """Add the rows, at half the cost of asking about each; false when another sender has just made one of them."""
    try:
        with transaction.atomic():
            copying.copy(model, columns, rows)
    except IntegrityError:
        return False
    return True


def _answer(query: str, parameters: Sequence[str]) -> bytes:
    """The one value that is asked for."""
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        row: Any = cursor.fetchone()
    return bytes(row[0])


def _columns(values: Collection[tuple[str, str]]) -> list[str]:
    return [_json([kind for kind, _ in values]), _json([value for _, value in values])]


def _json(values: Sequence[object]) -> str:
    return orjson.dumps(values).decode()


def _array(values: Iterable[str]) -> str:
    """An array's text; the values hold neither quotes, commas nor space."""
    return "{" + ",".join(values) + "}"
