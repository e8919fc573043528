"""The exact bytes that are hashed: canonical JSON (RFC 8785), rows, entries, commitments (docs/formats/log.md)."""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring  # RFC 8785's escapes are exactly its own
from typing import Any
from uuid import UUID

import orjson
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
    commitment = b"" if personal is None or salt is None else personal_commitment(salt, personal)
    return _row_bytes(table, row_id, fields, commitment)


def row_bytes_from_commitment(*, table: str, row_id: UUID, fields: Mapping[str, object], personal: bytes) -> bytes:
    """The same bytes when the personal values are withheld or erased and only their commitment is left."""
    return _row_bytes(table, row_id, fields, personal)


def row_form(table: str, columns: Sequence[str], personal: Collection[str]) -> Callable[[UUID, Any, Any], bytes]:
    """`row_bytes` for many rows of one table: a function of a row's id, its salt or None, and the values of `columns`.

    The order of members is made once. Rows of plain values are written by orjson, whose answer is then the same; the
    others, and those it refuses, are written value by value.
    """
    ordered = sorted(range(len(columns)), key=lambda i: _utf16(columns[i]))
    shown = [(i, columns[i]) for i in ordered if columns[i] not in personal]
    hidden = [(i, columns[i]) for i in ordered if columns[i] in personal]

    def quickly(row_id: UUID, salt: bytes | None, values: Sequence[object]) -> bytes:
        fields = {name: values[i] for i, name in shown if values[i] is not None}
        if salt is None:
            return _orjson({"fields": fields, "id": row_id, "table": table, "v": VERSION})
        members = {name: values[i] for i, name in hidden if values[i] is not None}
        commitment = _commit(salt, _orjson(members)).hex()
        return _orjson({"fields": fields, "id": row_id, "personal": commitment, "table": table, "v": VERSION})

    def form(row_id: UUID, salt: bytes | None, values: Sequence[object]) -> bytes:
        if (salt is None) == bool(hidden):
            raise ValueError(f"{table}: personal columns and their salt come together")
        plain = _plain(values)
        if plain is not None:
            with suppress(orjson.JSONEncodeError):
                return quickly(row_id, salt, plain)
        members = {name: values[i] for i, name in hidden}
        commitment = b"" if salt is None else personal_commitment(salt, members)
        return _row_bytes(table, row_id, {name: values[i] for i, name in shown}, commitment)

    return form


# Types of values that orjson writes as the canonical form has them, or hands to `_text_of`.
_PLAIN = frozenset({type(None), str, bool, int, float, UUID, datetime, bytes, memoryview})
# Strings of other classes, dates and integers beyond ±(2^53 − 1) it shall refuse.
_STRICT = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_STRICT_INTEGER


def _plain(values: Sequence[object]) -> Sequence[object] | None:
    """Values that orjson writes in their canonical form, None where that is not certain."""
    kinds = set(map(type, values))
    if float in kinds and not all(_is_plain(value) for value in values if type(value) is float):
        values = [orjson.Fragment(_float(value)) if type(value) is float else value for value in values]
    return values if kinds <= _PLAIN else None


def _orjson(members: Mapping[str, object]) -> bytes:
    return orjson.dumps(members, default=_text_of, option=_STRICT)


def _text_of(value: object) -> str:
    """The form of what orjson does not write itself; an error in here is a refusal to it."""
    return _TEXTS[type(value)](value)


def _row_bytes(table: str, row_id: UUID, fields: Mapping[str, object], personal: bytes) -> bytes:
    """RFC 8785 written out for this one shape, members in their order: a verification does this for every row."""
    hidden = f',"personal":"{personal.hex()}"' if personal else ""
    text = f'{{"fields":{_object(fields)},"id":"{row_id}"{hidden},"table":{encode_basestring(table)},"v":{VERSION}}}'
    return text.encode()


def _object(values: Mapping[str, object]) -> str:
    """An object of columns in canonical form, NULL left out."""
    ordered = sorted(values) if all(map(str.isascii, values)) else sorted(values, key=_utf16)
    parts = [f"{encode_basestring(name)}:{_fragment(values[name])}" for name in ordered if values[name] is not None]
    return "{" + ",".join(parts) + "}"


def _fragment(value: object) -> str:
    """A column's value in canonical form: quickly for the types of most columns, by the library for the rest."""
    write = _QUICK.get(type(value))
    return write(value) if write is not None else rfc8785.dumps(_column_value(value)).decode()


def _integer(value: int) -> str:
    return str(value) if -LARGEST <= value <= LARGEST else f'"{value}"'


def _float(value: float) -> str:
    """Between these two a double that is not whole is written alike by Python and by RFC 8785."""
    return repr(value) if _is_plain(value) else rfc8785.dumps(_double(value)).decode()


def _is_plain(value: float) -> bool:
    return 1e-4 <= abs(value) < 1e15 and not value.is_integer()


def _hexadecimal(value: bytes | memoryview) -> str:
    return f'"{value.hex()}"'


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
    text = encode_basestring
    within = f',"scope":"{scope}"' if scope is not None else ""
    details = commitment(salt, data).hex()
    head = f'{{"action":{text(action)},"actor":{text(actor)},"at":"{timestamp(at)}","data":"{details}"'
    rows = f'"rows":{{"count":{row_count},"root":"{rows_root.hex()}"}}'
    return f'{head},"id":"{entry_id}","object":{text(about)},{rows}{within},"v":{VERSION}}}'.encode()


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
    return _commit(salt, _json_text(dict(value)).encode())


def personal_commitment(salt: bytes, personal: Mapping[str, object]) -> bytes:
    """The commitment to a row's personal columns, in the value form of rows, NULL left out."""
    return _commit(salt, _object(personal).encode())


def timestamp(moment: datetime) -> str:
    """`YYYY-MM-DDTHH:MM:SS.ffffffZ`, always six decimals; raises ValueError for a time without zone."""
    if moment.tzinfo is None:
        raise ValueError("a time without zone has no canonical form")
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="microseconds")[:26] + "Z"


# The same few moments stand in all rows of a batch.
_known_timestamp = lru_cache(1024)(timestamp)


def _json_text(value: object) -> str:
    """Canonical JSON of a JSON value: the plain kinds at once, numbers that are not plain by the library."""
    if isinstance(value, str):
        return str(encode_basestring(value))
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        ordered = sorted(value) if all(map(str.isascii, value)) else sorted(value, key=_utf16)
        return "{" + ",".join([f"{encode_basestring(key)}:{_json_text(value[key])}" for key in ordered]) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join([_json_text(item) for item in value]) + "]"
    if type(value) is int and -LARGEST <= value <= LARGEST:
        return str(value)
    return rfc8785.dumps(_json_value(value)).decode()


def _utf16(key: str) -> bytes:
    """RFC 8785 orders members by UTF-16 code units; for ASCII that is plain order."""
    return key.encode("utf-16-be", "surrogatepass")


def _commit(salt: bytes, value: bytes) -> bytes:
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes, not {len(salt)}")
    return hashlib.sha256(b"\x02" + salt + value).digest()


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


_QUICK: dict[type, Callable[[Any], str]] = {
    str: encode_basestring,
    bool: lambda value: "true" if value else "false",
    int: _integer,
    float: _float,
    UUID: lambda value: f'"{value}"',
    datetime: lambda value: f'"{timestamp(value)}"',
    bytes: _hexadecimal,
    memoryview: _hexadecimal,
}
_TEXTS: dict[type, Callable[[Any], str]] = {bytes: bytes.hex, memoryview: memoryview.hex, datetime: _known_timestamp}
