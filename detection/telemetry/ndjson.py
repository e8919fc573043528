"""Reads NDJSON: one line at a time, which is the reference, and a block of lines at once, which gives the same sooner.

Lines that do not fit are reported by number and reason, never by content. Blank lines count as lines and are otherwise
ignored.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import orjson
import pyarrow as pa

from detection.records import BadLine
from detection.telemetry.blocks import Block, Line, Packed
from detection.telemetry.columns import JSON_TEXT, UnfitError, fitted, schema
from detection.telemetry.fitting import fit

MOST_UNKNOWN = 100  # names of unknown columns counted one by one; a hostile file must not fill the memory
DEEPEST = 64

OnBad = Callable[[BadLine], None]


class NdjsonReader:
    """Iterates over the rows of one file as dictionaries that fit `columns`: small files, and the reference of others.

    `on_bad` is told of every line left out. `unknown` counts columns we do not know. A packed stream that ends early
    or is damaged stops the iteration and names the reason in `truncated`; the rows before it stand.
    """

    def __init__(self, path: Path, columns: Mapping[str, pa.DataType], required: Sequence[str], on_bad: OnBad) -> None:
        self.packed = Packed(path)
        self.bad = 0
        self.unknown: dict[str, int] = {}
        self._columns, self._required, self._on_bad = columns, required, on_bad

    @property
    def truncated(self) -> str | None:
        return self.packed.truncated

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for block in self.packed:
            for number, line in enumerate(block.lines(), start=block.first):
                try:
                    row = self._row(line)
                except UnfitError as error:
                    self.bad += 1
                    self._on_bad(BadLine(number, str(error)))
                    continue
                if row is not None:
                    yield row

    def _row(self, line: Line) -> dict[str, Any] | None:
        value = decoded(line)
        if value is None:
            return None
        count_unknown(self.unknown, Counter(value.keys() - self._columns.keys()))
        return fitted(value, self._columns, self._required)


@dataclass
class Rows:
    """What a piece of a file came to: rows that fit, what was left out, and columns we do not know."""

    batch: pa.RecordBatch
    bad: list[BadLine] = field(default_factory=list)
    unknown: dict[str, int] = field(default_factory=dict)
    further_bad: int = 0  # beyond those in `bad`, which has one for a line


def read_block(block: Block, columns: Mapping[str, pa.DataType], required: Sequence[str]) -> Rows:
    """Read the lines of a block; rows and bad lines are those that `NdjsonReader` gives, in their order."""
    lines = block.lines()
    doubtful = _doubtful(block.data, lines)
    rows: list[dict[str, Any]] = []
    places: list[int] = []
    bad: list[BadLine] = []
    for place, line in enumerate(lines):
        try:
            row = decoded(line) if place in doubtful else quickly_decoded(line)
        except UnfitError as error:
            bad.append(BadLine(block.first + place, str(error)))
            continue
        if row is not None:
            rows.append(row)
            places.append(place)
    shapes = Counter(map(tuple, rows))
    names = {name for shape in shapes for name in shape}
    for name in JSON_TEXT & names & columns.keys():
        _decode_again(name, rows, places, lines)
    batch, misfits = _fitted(rows, columns, required, names)
    if misfits:
        bad += _judged(sorted(misfits), block.first, rows, places, lines, columns, required)
        rows = [row for row in rows if row]
        batch, misfits = _fitted(rows, columns, required, names)
        assert not misfits, "the quick way refused a row that fits"
    unknown: dict[str, int] = {}
    for name in sorted(names - columns.keys()):
        count_unknown(unknown, {name: sum(count for shape, count in shapes.items() if name in shape)})
    return Rows(batch, sorted(bad, key=lambda line: line.line), unknown)


def _doubtful(data: bytes, lines: Sequence[Line]) -> set[int]:
    """Give the places of lines that only the exact decoder may judge: NUL characters, and what may be nested deeply."""
    found = {place for place, line in enumerate(lines) if line and openings(line) > DEEPEST}
    if b"\\u0000" in data:
        found.update(place for place, line in enumerate(lines) if line and b"\\u0000" in line)
    return found


def openings(line: bytes | str) -> int:
    """Count brackets that may open a list or an object, also those inside texts."""
    if isinstance(line, str):
        return line.count("[") + line.count("{")
    return line.count(b"[") + line.count(b"{")


def quickly_decoded(line: Line) -> dict[str, Any] | None:
    """Decode one line as `decoded` does, which is asked where the quick decoder does not give an object."""
    try:
        value = orjson.loads(line or b"")
    except ValueError:
        return decoded(line)
    return value if type(value) is dict else decoded(line)


def _decode_again(name: str, rows: list[dict[str, Any]], places: list[int], lines: Sequence[Line]) -> None:
    """Decode rows exactly in which a column of text holds a document: its numbers are written out as they came."""
    for at, row in enumerate(rows):
        if isinstance(row.get(name), list | dict):
            exact = decoded(lines[places[at]])
            assert exact is not None
            rows[at] = exact


def _fitted(
    rows: list[dict[str, Any]], columns: Mapping[str, pa.DataType], required: Sequence[str], names: set[str]
) -> tuple[pa.RecordBatch, set[int]]:
    arrays, misfits = fit(rows, columns, required, names)
    return pa.RecordBatch.from_arrays(arrays, schema=schema(columns)), set(misfits)


def _judged(
    misfits: Sequence[int],
    first: int,
    rows: list[dict[str, Any]],
    places: Sequence[int],
    lines: Sequence[Line],
    columns: Mapping[str, pa.DataType],
    required: Sequence[str],
) -> Iterator[BadLine]:
    """Judge rows exactly: one that fits is put in its place as it was decoded, another is emptied and reported."""
    for at in misfits:
        exact = decoded(lines[places[at]]) or {}
        try:
            fitted(exact, columns, required)
            rows[at] = exact
        except UnfitError as error:
            rows[at] = {}
            yield BadLine(first + places[at], str(error))


def count_unknown(unknown: dict[str, int], found: Mapping[str, int]) -> None:
    """Add to counts of unknown columns, by name up to `MOST_UNKNOWN` of them."""
    for name, count in found.items():
        label = name[:64] if name[:64] in unknown or len(unknown) < MOST_UNKNOWN else "(others)"
        unknown[label] = unknown.get(label, 0) + count


def decoded(line: Line) -> dict[str, Any] | None:
    """Decode one line as a JSON object; None for a blank line, `UnfitError` for anything that is not one."""
    if line is None:
        raise UnfitError("line is longer than 1 MiB")
    if not line.strip():
        return None
    try:
        text = line.decode()
    except UnicodeDecodeError:
        raise UnfitError("line is not UTF-8") from None
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise UnfitError("line is nested too deeply") from None
    except ValueError as error:
        raise UnfitError(_why(error)) from None
    if not isinstance(value, dict):
        raise UnfitError("line is not a JSON object")
    if openings(text) > DEEPEST and _depth(value) > DEEPEST:
        raise UnfitError("line is nested too deeply")
    if "\x00" in text or "\\u0000" in text or "\\ud" in text or "\\uD" in text:
        _refuse_unstorable(value)
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _why(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"invalid JSON at column {error.colno}: {error.msg}"
    return f"invalid JSON: {error}" if "JSON number" in str(error) else "invalid JSON: a number is too long"


def _depth(value: object) -> int:
    """Count how deeply lists and objects stand in one another."""
    depth, level = 0, [value]
    while level:
        depth += 1
        level = [
            item
            for one in level
            for item in (one.values() if isinstance(one, dict) else one if isinstance(one, list) else ())
            if isinstance(item, dict | list)
        ]
    return depth


def _refuse_unstorable(value: object) -> None:
    """Refuse NUL and lone surrogates anywhere in the document: no column store keeps them faithfully."""
    text = json.dumps(value, ensure_ascii=False)
    if "\\u0000" in text and _has_nul(value):
        raise UnfitError("line holds a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UnfitError("line holds a lone surrogate") from None


def _has_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any(_has_nul(key) or _has_nul(item) for key, item in value.items())
    return isinstance(value, list) and any(_has_nul(item) for item in value)
