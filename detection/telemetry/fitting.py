"""Fits many decoded rows into Arrow columns at once; what is not plainly fitting is judged value by value.

The judge is `columns.fitted_value`: what the quick way accepts has the same value there, and what it does not accept is
handed to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from detection.telemetry.columns import REAL, TEXT, TEXTS, TIME, WHOLE, UnfitError, fitted_value

Rows = Sequence[Mapping[str, Any]]
Misfits = dict[int, str]  # place of a row and why it does not fit, of several reasons the first column's
_PLAIN_TIME = r"^2[01]\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)$"
_NOTHING = type(None)


def fit(
    rows: Rows, columns: Mapping[str, pa.DataType], required: Sequence[str], names: set[str]
) -> tuple[list[pa.Array], Misfits]:
    """Give the columns of the rows, and the rows that `columns.fitted` would refuse (null or junk there).

    `names` are the columns that stand in any row; the others come as nulls.
    """
    misfits: Misfits = {}
    arrays = [
        column(name, kind, [row.get(name) for row in rows], misfits) if name in names else pa.nulls(len(rows), kind)
        for name, kind in columns.items()
    ]
    demand(dict(zip(columns, arrays, strict=True)), required, misfits)
    return arrays, misfits


def demand(arrays: Mapping[str, pa.Array], required: Sequence[str], misfits: Misfits) -> None:
    """Add rows in which a required column is absent or empty."""
    for name in required:
        array = arrays[name]
        absent = array.is_null()
        if array.type == TEXT:
            absent = pc.or_(absent, pc.fill_null(pc.equal(array, ""), fill_value=True))
        for place in pc.indices_nonzero(absent).to_pylist():
            misfits.setdefault(place, f"{name} is missing")


def column(name: str, kind: pa.DataType, values: list[Any], misfits: Misfits) -> pa.Array:
    """Give values as a column; null where one does not fit, which is added to `misfits`."""
    array = QUICK[kind](values)
    if array is not None:
        return array
    judged: list[Any] = []
    for place, value in enumerate(values):
        try:
            judged.append(None if value is None else fitted_value(name, kind, value))
        except UnfitError as error:
            judged.append(None)
            misfits.setdefault(place, str(error))
    return pa.array(judged, pa.int64()).cast(TIME) if kind == TIME else pa.array(judged, kind)


def _texts(values: list[Any]) -> pa.Array | None:
    return pa.array(values, TEXT) if {*map(type, values)} <= {str, _NOTHING} else None


def _wholes(values: list[Any]) -> pa.Array | None:
    if not {*map(type, values)} <= {int, _NOTHING}:
        return None
    try:
        array = pa.array(values, WHOLE)
    except (OverflowError, pa.ArrowException):
        return None
    least = pc.min(array).as_py()
    return array if least is None or least >= 0 else None


def _reals(values: list[Any]) -> pa.Array | None:
    if not {*map(type, values)} <= {int, float, _NOTHING}:
        return None
    try:
        array = pa.array(values, REAL)
    except (OverflowError, pa.ArrowException):
        return None
    return array if pc.all(pc.is_finite(array)).as_py() is not False else None


def _lists(values: list[Any]) -> pa.Array | None:
    if not {*map(type, values)} <= {list, _NOTHING}:
        return None
    try:
        array = pa.array(values, TEXTS)
    except pa.ArrowException:
        return None
    return array if not array.flatten().null_count else None


def _times(values: list[Any]) -> pa.Array | None:
    texts = _texts(values)
    return None if texts is None else times(texts)


def times(texts: pa.Array) -> pa.Array | None:
    """Read texts as times when each has the common form; None when any has not."""
    if pc.all(pc.match_substring_regex(texts, _PLAIN_TIME)).as_py() is False:
        return None
    try:
        return texts.cast(TIME)
    except pa.ArrowException:
        return None


QUICK: Mapping[pa.DataType, Callable[[list[Any]], pa.Array | None]] = {
    TEXT: _texts,
    WHOLE: _wholes,
    REAL: _reals,
    TEXTS: _lists,
    TIME: _times,
}
