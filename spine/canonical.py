"""The exact bytes that are hashed: canonical JSON (RFC 8785), rows, entries, commitments (docs/formats/log.md)."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import rfc8785

VERSION = 1
LARGEST = 2**53 - 1
SALT_BYTES = 32


def canonical_json(value: Any) -> bytes:
    """Canonical JSON of a JSON value, in UTF-8.

    Strict about what has no single form: ValueError for NaN, infinities, lone surrogates, keys that are not text, and
    anything that is not JSON. An integer beyond ±(2^53 − 1) is a number if a double holds exactly its digits, else its
    digits as text: a JSON column gives `1e16` back as an integer, and its bytes may not change by that.
    """
    return rfc8785.dumps(_json_value(value))


def row_bytes(
    *,
    table: str,
    row_id: UUID,
    fields: Mapping[str, object],
    personal: Mapping[str, object] | None = None,
    salt: bytes | None = None,
) -> bytes:
    """The canonical bytes of a protected row (section 1): columns by name, NULL left out.

    `personal` is given, with the row's salt, exactly where the table has personal columns. Raises ValueError when one
    of the two is missing, and for a value that has no form.
    """
    if (personal is None) != (salt is None):
        raise ValueError(f"{table}: personal columns and their salt come together")
    body: dict[str, Any] = {"fields": _columns(fields), "id": str(row_id), "table": table, "v": VERSION}
    if personal is not None and salt is not None:
        body["personal"] = _commit(salt, _columns(personal)).hex()
    return rfc8785.dumps(body)


def row_bytes_from_commitment(*, table: str, row_id: UUID, fields: Mapping[str, object], personal: bytes) -> bytes:
    """The same bytes when the personal values are withheld or erased and only their commitment is left."""
    body: dict[str, Any] = {"fields": _columns(fields), "id": str(row_id), "table": table, "v": VERSION}
    return rfc8785.dumps(body | {"personal": personal.hex()})


def entry_bytes(
    *,
    entry_id: UUID,
    at: datetime,
    actor: str,
    action: str,
    about: str,
    scope: UUID | None,
    data: Mapping[str, Any],
    salt: bytes,
    row_count: int,
    rows_root: bytes,
) -> bytes:
    """The canonical bytes of an entry (section 2); the leaf is made from them. `about` stands there as `object`."""
    body: dict[str, Any] = {
        "action": action,
        "actor": actor,
        "at": timestamp(at),
        "data": commitment(salt, data).hex(),
        "id": str(entry_id),
        "object": about,
        "rows": {"count": row_count, "root": rows_root.hex()},
        "v": VERSION,
    }
    if scope is not None:
        body["scope"] = str(scope)
    return rfc8785.dumps(body)


def proof_bytes(
    *,
    row: bytes,
    place: int,
    row_path: Sequence[bytes],
    entry: bytes,
    index: int,
    entry_path: Sequence[bytes],
    note: str,
    public_key: bytes,
) -> bytes:
    """Canonical JSON of the proof that a row stands in an entry, and the entry in the log at a checkpoint (section 5).

    `row` and `entry` are canonical bytes, the paths audit paths from the leaf upwards, `note` the checkpoint.
    """
    body: dict[str, Any] = {
        "checkpoint": note,
        "entry": {"canonical": entry.decode(), "index": index, "path": [step.hex() for step in entry_path]},
        "key": public_key.hex(),
        "row": {"canonical": row.decode(), "path": [step.hex() for step in row_path], "place": place},
        "v": VERSION,
    }
    return rfc8785.dumps(body)


def commitment(salt: bytes, value: Mapping[str, Any]) -> bytes:
    """`H(0x02 || salt || canonical JSON of value)`: binds to the value and without the salt tells nothing."""
    return _commit(salt, _json_value(dict(value)))


def personal_commitment(salt: bytes, personal: Mapping[str, object]) -> bytes:
    """The commitment to a row's personal columns, in the value form of rows, NULL left out."""
    return _commit(salt, _columns(personal))


def timestamp(moment: datetime) -> str:
    """`YYYY-MM-DDTHH:MM:SS.ffffffZ`, always six decimals; raises ValueError for a time without zone."""
    if moment.tzinfo is None:
        raise ValueError("a time without zone has no canonical form")
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _commit(salt: bytes, value: Any) -> bytes:
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes, not {len(salt)}")
    return hashlib.sha256(b"\x02" + bytes(salt) + rfc8785.dumps(value)).digest()


def _columns(values: Mapping[str, object]) -> dict[str, Any]:
    return {column: _column_value(value) for column, value in values.items() if value is not None}


def _column_value(value: object) -> Any:
    """One column's value. The order matters: bool is an int to Python, and datetime is a date."""
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return value if abs(value) <= LARGEST else str(int(value))
    if isinstance(value, float):
        return _double(value)
    if isinstance(value, datetime):
        return timestamp(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Decimal):
        return _numeric(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex()
    if isinstance(value, list | tuple):
        return [_element(item) for item in value]
    return _json_value(value)


def _element(value: object) -> Any:
    """An item of a list, which is an array column's or a JSON column's: numbers and nothing as in JSON."""
    if value is None or isinstance(value, int | float | list | tuple | dict):
        return _json_value(value)
    return _column_value(value)


def _double(value: float) -> float | str:
    """Double precision columns can hold what JSON cannot; those are text, spelt as PostgreSQL does."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def _numeric(value: Decimal) -> str:
    """Without exponent, without trailing zeros after the point, without the sign of zero."""
    if value.is_nan():
        return "NaN"
    if value.is_infinite():
        return "Infinity" if value > 0 else "-Infinity"
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _json_value(value: object) -> Any:
    if value is None or isinstance(value, bool | str | float):
        return value
    if isinstance(value, int):
        return _json_integer(int(value))
    if isinstance(value, list | tuple):
        return [_json_value(item) for item in value]
    if isinstance(value, dict):
        return {key: _json_value(item) for key, item in value.items()}
    raise ValueError(f"a {type(value).__name__} has no canonical form here")


def _json_integer(value: int) -> int | float | str:
    if abs(value) <= LARGEST:
        return value
    try:
        double = float(value)
    except OverflowError:
        return str(value)
    # The shortest digits that name the double are what JSON writers put out; only then is nothing lost.
    return double if Decimal(repr(double)) == value else str(value)
