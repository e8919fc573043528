"""What files of rows and columns share: Arrow columns as they come are made to fit the normalised ones, vector-wise."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from detection.records import BadLine
from detection.telemetry.columns import EXCHANGES, JSON_TEXT, REAL, REQUIRED, TEXT, TEXTS, TIME, WHOLE, schema
from detection.telemetry.fitting import Misfits, column, demand, times
from detection.telemetry.ndjson import Rows

EARLIEST, LATEST = 946_684_800_000_000, 7_258_118_400_000_000  # microseconds: the years 2000 to 2199
_PLAIN_WHOLE = r"\A[0-9]{1,18}\z"
_PLAIN_REAL = r"\A-?[0-9]{1,15}(\.[0-9]{1,15})?\z"


def fitted_table(table: pa.Table, first: int, misfits: Misfits | None = None) -> Rows:
    """Make a table's columns fit; the first row has the number `first`. `misfits` are rows that are known not to.

    Names that are not of the normalised columns are counted by the cells that hold something.
    """
    misfits = {} if misfits is None else misfits
    arrays = {
        name: fitted_column(name, kind, table[name], misfits)
        if name in table.schema.names
        else pa.nulls(table.num_rows, kind)
        for name, kind in EXCHANGES.items()
    }
    demand(arrays, REQUIRED, misfits)
    batch = pa.RecordBatch.from_arrays(list(arrays.values()), schema=schema(EXCHANGES))
    if misfits:
        batch = batch.take(pa.array([at for at in range(len(batch)) if at not in misfits], pa.int64()))
    unknown = {
        name[:64]: filled
        for name in table.schema.names
        if name not in EXCHANGES and (filled := table.num_rows - table[name].null_count)
    }
    return Rows(batch, [BadLine(first + at, reason) for at, reason in sorted(misfits.items())], unknown)


def fitted_column(name: str, kind: pa.DataType, given: pa.Array | pa.ChunkedArray, misfits: Misfits) -> pa.Array:
    """Give a column in the type it has here; what is not plainly so is judged value by value."""
    array = given.combine_chunks() if isinstance(given, pa.ChunkedArray) else given
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    made = _WAYS[kind](name, array, misfits)
    if made is None:
        made = column(name, kind, [_read(kind, value) for value in array.to_pylist()], misfits)
    return made


def _read(kind: pa.DataType, value: Any) -> Any:
    """Give a number as JSON would have it: cells are text, and data frames keep whole numbers as floating ones."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if kind == WHOLE and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind in (WHOLE, REAL) and isinstance(value, str) and len(value) < 30:
        return _number(kind, value)
    return value


def _text(name: str, array: pa.Array, misfits: Misfits) -> pa.Array | None:
    if name in JSON_TEXT and pa.types.is_nested(array.type):
        return pa.array([None if one is None else _document(one) for one in array.to_pylist()], TEXT)
    if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type) or _is_view(array.type)):
        return _none_fits(name, "text", array, misfits)
    text = array.cast(TEXT)
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        text = _decodable(name, text, misfits)
    if pc.any(pc.match_substring(text, "\0")).as_py():
        for place in pc.indices_nonzero(pc.match_substring(text, "\0")).to_pylist():
            misfits.setdefault(place, f"{name} holds a NUL character")
    return text


def _is_view(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string_view(kind))


def _document(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def _decodable(name: str, text: pa.Array, misfits: Misfits) -> pa.Array:
    """Give the texts that are UTF-8; the others are absent and reported."""
    out: list[str | None] = []
    for place, value in enumerate(text.cast(pa.binary()).to_pylist()):
        try:
            out.append(None if value is None else value.decode())
        except UnicodeDecodeError:
            out.append(None)
            misfits.setdefault(place, f"{name} is not UTF-8")
    return pa.array(out, TEXT)


def _none_fits(name: str, what: str, array: pa.Array, misfits: Misfits) -> pa.Array:
    for place in pc.indices_nonzero(array.is_valid()).to_pylist():
        misfits.setdefault(place, f"{name} is not {what}")
    return pa.nulls(len(array), EXCHANGES[name])


def _time(name: str, array: pa.Array, misfits: Misfits) -> pa.Array | None:
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        return times(array.cast(TEXT))
    if not pa.types.is_timestamp(array.type):
        return _none_fits(name, "a time", array, misfits)
    made = array.cast(pa.timestamp("us", tz=array.type.tz), safe=False).cast(pa.int64())
    outside = pc.fill_null(pc.or_(pc.less(made, EARLIEST), pc.greater_equal(made, LATEST)), fill_value=False)
    for place in pc.indices_nonzero(outside).to_pylist():
        misfits.setdefault(place, f"{name} lies outside the years 2000 to 2199")
    return made.cast(TIME)


def _whole(name: str, array: pa.Array, misfits: Misfits) -> pa.Array | None:
    if pa.types.is_string(array.type):
        return array.cast(WHOLE) if pc.all(pc.match_substring_regex(array, _PLAIN_WHOLE)).as_py() is not False else None
    if pa.types.is_floating(array.type):  # how a data frame keeps whole numbers of which some are absent
        array = pc.if_else(pc.is_nan(array), None, array)
    elif not pa.types.is_integer(array.type):
        return None
    try:
        made = array.cast(WHOLE)
    except pa.ArrowInvalid:
        return None
    least = pc.min(made).as_py()
    return made if least is None or least >= 0 else None


def _real(name: str, array: pa.Array, misfits: Misfits) -> pa.Array | None:
    if pa.types.is_string(array.type):
        return array.cast(REAL) if pc.all(pc.match_substring_regex(array, _PLAIN_REAL)).as_py() is not False else None
    if not (pa.types.is_floating(array.type) or pa.types.is_integer(array.type)):
        return None
    made = array.cast(REAL, safe=False)
    made = pc.if_else(pc.is_nan(made), None, made)
    return made if pc.all(pc.is_finite(made)).as_py() is not False else None


def _list(name: str, array: pa.Array, misfits: Misfits) -> pa.Array | None:
    return array.cast(TEXTS) if array.type == TEXTS and not array.flatten().null_count else None


def _number(kind: pa.DataType, text: str) -> Any:
    try:
        return int(text) if kind == WHOLE and text.isascii() and text.isdigit() else float(text)
    except ValueError:
        return text


_WAYS: Mapping[pa.DataType, Callable[[str, pa.Array, Misfits], pa.Array | None]] = {
    TEXT: _text,
    TIME: _time,
    WHOLE: _whole,
    REAL: _real,
    TEXTS: _list,
}
