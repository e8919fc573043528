"""Reads NDJSON, plain or gzip, one line at a time; lines that do not fit are reported by number and reason."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NoReturn

import pyarrow as pa

from detection.records import BadLine
from detection.telemetry.columns import UnfitError, fitted

GZIP_MAGIC = b"\x1f\x8b"
LONGEST_LINE = 1 << 20
MOST_UNKNOWN = 100  # names of unknown columns counted one by one; a hostile file must not fill the memory

OnBad = Callable[[BadLine], None]


class NdjsonReader:
    """Iterates over the rows of one file as dictionaries that fit `columns`.

    `on_bad` is told of every line left out: its number, counted from 1, and why, never its content. `unknown` counts
    columns we do not know. A gzip stream that ends early or is damaged stops the iteration and names the reason in
    `truncated`; the rows before it stand. Blank lines count as lines and are otherwise ignored.
    """

    def __init__(self, path: Path, columns: Mapping[str, pa.DataType], required: Sequence[str], on_bad: OnBad) -> None:
        self.path = path
        self.bytes_total = path.stat().st_size
        self.bytes_done = 0
        self.bad = 0
        self.unknown: dict[str, int] = {}
        self.truncated: str | None = None
        self._columns, self._required, self._on_bad = columns, required, on_bad

    def __iter__(self) -> Iterator[dict[str, Any]]:
        with self.path.open("rb") as raw:
            for number, line in enumerate(self._lines(raw), start=1):
                self.bytes_done = raw.tell()
                try:
                    row = self._row(line)
                except UnfitError as error:
                    self.bad += 1
                    self._on_bad(BadLine(number, str(error)))
                    continue
                if row is not None:
                    yield row
        self.bytes_done = self.bytes_total

    def _lines(self, raw: IO[bytes]) -> Iterator[bytes | None]:
        """Yield each line, or None for one that is too long."""
        packed = raw.read(2) == GZIP_MAGIC
        raw.seek(0)
        stream = io.BufferedReader(gzip.GzipFile(fileobj=raw) if packed else raw, LONGEST_LINE)  # type: ignore[type-var]
        try:
            while line := stream.readline(LONGEST_LINE + 1):
                if len(line) <= LONGEST_LINE:
                    yield line
                    continue
                while line and not line.endswith(b"\n"):
                    line = stream.readline(LONGEST_LINE)
                yield None
        except (EOFError, OSError, zlib.error) as error:
            if not packed:
                raise
            self.truncated = f"gzip stream is damaged or ends early: {error}"
        finally:
            if not packed:
                stream.detach()

    def _row(self, line: bytes | None) -> dict[str, Any] | None:
        value = decoded(line)
        if value is None:
            return None
        for name in value.keys() - self._columns.keys():
            label = name[:64] if name[:64] in self.unknown or len(self.unknown) < MOST_UNKNOWN else "(others)"
            self.unknown[label] = self.unknown.get(label, 0) + 1
        return fitted(value, self._columns, self._required)


def decoded(line: bytes | None) -> dict[str, Any] | None:
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
    if "\x00" in text or "\\u0000" in text or "\\ud" in text or "\\uD" in text:
        _refuse_unstorable(value)
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _why(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"invalid JSON at column {error.colno}: {error.msg}"
    return f"invalid JSON: {error}" if "JSON number" in str(error) else "invalid JSON: a number is too long"


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
