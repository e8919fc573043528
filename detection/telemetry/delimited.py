"""Reads CSV with the normalised columns (docs/formats/telemetry.md), plain or packed: RFC 4180, names in row 1."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from detection.records import BadLine
from detection.streams import LONGEST_LINE
from detection.telemetry.blocks import BLOCK_BYTES, Packed
from detection.telemetry.columns import EXCHANGES, REQUIRED, TEXT, TEXTS
from detection.telemetry.fitting import Misfits, column
from detection.telemetry.ndjson import Rows
from detection.telemetry.tables import fitted_table

DELIMITERS = ",;\t|"
MOST_NAMES = 500
UNCLOSED = "a quote is not closed; the rows up to the next piece are lost"
csv.field_size_limit(LONGEST_LINE)


@dataclass(frozen=True)
class Table:
    """Whole rows, the first of which has the number `first` (the names stand in row 1). `broken`: one without end."""

    first: int
    names: tuple[str, ...]
    delimiter: str
    data: bytes
    broken: bool = False


class CsvPieces(Packed):
    """A CSV file in pieces of whole rows. Raises `OSError` when its first row does not name the required columns."""

    def __iter__(self) -> Iterator[Table]:  # type: ignore[override]
        names: tuple[str, ...] = ()
        delimiter, number = ",", 1
        for data, count in _whole_rows(self.chunks(), self):
            rest = data
            if not names and count:
                head, _, rest = _first_row(data)
                delimiter, names = _named(head, self.path.name)
                count, number = count - 1, 2
            if rest:
                yield Table(number, names, delimiter, rest, broken=not count)
                number += max(1, count)


def _whole_rows(chunks: Iterator[bytes], file: Packed) -> Iterator[tuple[bytes, int]]:
    """Give bytes that end where a row does, and how many rows they are; 0 for bytes in which no row ends."""
    held = b""
    for chunk in chunks:
        held += chunk
        if len(held) < BLOCK_BYTES:
            continue
        end, count = _end_of_rows(held)
        if end:
            yield held[:end], count
            held = held[end:]
        elif len(held) > 2 * BLOCK_BYTES:
            end = held.rfind(b"\n") + 1 or len(held)
            yield held[:end], 0
            held = held[end:]
    end, count = _end_of_rows(held)
    if end:
        yield held[:end], count
    if held[end:] and file.truncated is None:
        yield held[end:], int(held[end:].count(b'"') % 2 == 0)


def _end_of_rows(data: bytes) -> tuple[int, int]:
    """Give where the last whole row ends and how many end before: at line ends outside quotes."""
    if b'"' not in data:
        return data.rfind(b"\n") + 1, data.count(b"\n")
    codes = np.frombuffer(data, dtype=np.uint8)
    places = np.flatnonzero((codes == ord("\n")) | (codes == ord('"')))
    ends = codes[places] == ord("\n")
    outside = places[ends & (np.cumsum(~ends) % 2 == 0)]
    return (int(outside[-1]) + 1, len(outside)) if len(outside) else (0, 0)


def _first_row(data: bytes) -> tuple[str, bytes, bytes]:
    head, end, rest = data.partition(b"\n")
    return head.decode("utf-8-sig", "replace").rstrip("\r"), end, rest


def _named(head: str, name: str) -> tuple[str, tuple[str, ...]]:
    """Read the names of the columns, whichever delimiter stands between them."""
    for delimiter in DELIMITERS:
        try:
            names = tuple(cell.strip() for cell in next(csv.reader([head], delimiter=delimiter), []))
        except csv.Error:
            continue
        if set(REQUIRED) <= set(names):
            if len(set(names)) != len(names) or len(names) > MOST_NAMES:
                raise OSError(f"{name}: two columns have the same name, or there are more than {MOST_NAMES}")
            return delimiter, names
    raise OSError(f"{name}: the first row does not name {', '.join(REQUIRED[:-1])} and {REQUIRED[-1]}")


def read(table: Table) -> Rows:
    """Read whole rows; an empty cell is absent."""
    bad: list[BadLine] = []
    rows, numbers = _rows(table, bad) if not table.broken else ([], [])
    if table.broken:
        bad.append(BadLine(table.first, UNCLOSED))
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(table.names)
    misfits: Misfits = {}
    arrays = [_cells(name, cells, misfits) for name, cells in zip(table.names, columns, strict=True)]
    made = fitted_table(pa.table(arrays, names=list(table.names)), 0, misfits)
    kept = [BadLine(numbers[line.line], line.reason) for line in made.bad]
    return Rows(made.batch, sorted(bad + kept, key=lambda line: line.line), made.unknown)


def _rows(table: Table, bad: list[BadLine]) -> tuple[list[list[str]], list[int]]:
    """Give the cells of every row that has as many as there are names, and their numbers."""
    rows: list[list[str]] = []
    numbers: list[int] = []
    for number, cells in enumerate(_parsed(table), start=table.first):
        if isinstance(cells, str):
            bad.append(BadLine(number, cells))
        elif cells and len(cells) != len(table.names):
            bad.append(BadLine(number, f"row has {len(cells)} cells, the first row names {len(table.names)}"))
        elif cells:
            rows.append(cells)
            numbers.append(number)
    return rows, numbers


def _parsed(table: Table) -> Iterator[list[str] | str]:
    """Give each row's cells, none for a blank row, or why it cannot be read."""
    if b'"' not in table.data and b"\0" not in table.data and len(max(table.data.split(b"\n"), key=len)) < LONGEST_LINE:
        try:
            yield from csv.reader(table.data.decode().split("\n")[: _count(table.data)], delimiter=table.delimiter)
            return
        except UnicodeDecodeError:
            pass  # each row by itself shows which
    for raw in _raw_rows(table.data):
        yield _one(raw, table.delimiter)


def _count(data: bytes) -> int:
    return data.count(b"\n") + (not data.endswith(b"\n"))


def _raw_rows(data: bytes) -> Iterator[bytes]:
    held = b""
    for line in io.BytesIO(data):
        held += line
        if held.count(b'"') % 2 == 0:
            yield held
            held = b""
    if held:
        yield held


def _one(raw: bytes, delimiter: str) -> list[str] | str:
    if len(raw) > LONGEST_LINE:
        return "row is longer than 1 MiB"
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return "row is not UTF-8"
    if "\0" in text:
        return "row holds a NUL character"
    try:
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        return f"row is not CSV: {error}"


def _cells(name: str, cells: tuple[str, ...], misfits: Misfits) -> pa.Array:
    """Give a column of cells; lists stand in a cell as JSON."""
    if EXCHANGES.get(name) != TEXTS:
        return pa.array([cell or None for cell in cells], TEXT)
    return column(name, TEXTS, [_json(cell) if cell else None for cell in cells], misfits)


def _json(cell: str) -> Any:
    try:
        return orjson.loads(cell)
    except ValueError:
        return cell
