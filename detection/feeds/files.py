"""Files of findings, each read once: NDJSON, JSON, CSV and Parquet, plain or packed, from wherever they lie.

A file is copied first, so that what is hashed is what is read. One that was read to its end is not opened again while
its stamp stays the same, and one whose bytes are known under another name is not read. A file that changes is read
again; rows that were there before add nothing.
"""

import csv
import hashlib
import json
import re
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import islice
from typing import IO, Annotated, Any, Literal, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from detection import streams
from detection.feeds.base import Broken, Cursor, FileRead, Opening, Page, Settings, fitting, stamp_of, written
from detection.streams import BrokenStream, Line, Unreadable
from spine.outgoing import NoAnswer, NotAllowed

MOST_IN_ARRAY = 1_000_000
MOST_ARRAY_BYTES = 256 * 1024 * 1024
MOST_FILES = 1_000_000
NAMES = "a pattern for names of files is accepted, without folders"
SUFFIX = re.compile(r"\.(ndjson|jsonl|json|csv|parquet)(?:\.(?:gz|zst))?$", flags=re.IGNORECASE)


class FileSettings(Settings):
    """What feeds of files have in common."""

    form: Literal["auto", "ndjson", "json", "csv", "parquet"] = "auto"
    pattern: Annotated[str, written(r"^[^\x00/]*$", NAMES, most=200)] = ""
    settle_seconds: Annotated[int, Field(ge=0, le=86_400)] = 10
    delimiter: Annotated[str, written(r"^[,;|\t]?$", "a comma, a semicolon, a bar or a tab is accepted")] = ""


@dataclass(frozen=True)
class Listed:
    """A file that is there; `size` where it is told apart from the bytes."""

    name: str
    stamp: str
    modified: datetime
    size: int | None = None


class Shelf(Protocol):
    """Where files lie."""

    def listed(self) -> Iterable[Listed]:
        """The files there are, in any order. Raises Broken."""

    def copy(self, one: Listed, to: IO[bytes]) -> None:
        """Write a file's bytes. Raises Broken when it cannot be read whole, with `wait` when nothing can be now."""


@dataclass
class _Open:
    """A file that is being read."""

    listed: Listed
    spooled: IO[bytes]
    sha256: str
    size: int
    rows: Iterator[Line]
    row: int = 0


@dataclass
class FilesSource:
    """One pull from a shelf of files."""

    settings: FileSettings
    shelf: Shelf
    opening: Opening
    waiting: list[Listed] | None = None
    current: _Open | None = None
    left_out: set[str] = field(default_factory=set)

    def fetch(self, cursor: Cursor) -> Page:
        """Rows of the file at hand, or of the next one that is new or has changed."""
        if self.current is None:
            named = self._next(str(cursor.get("file", "")))
            if named is None:
                return Page((), {}, more=False, place="")
            try:
                self.current = self._begun(named, cursor)
            except (Broken, NoAnswer, NotAllowed) as broken:
                if getattr(broken, "wait", 0):  # it is the source that asks to be left alone, not one file that is bad
                    raise
                return Page((), {}, more=True, place=named.name, trouble=f"{named.name}: {broken}")
            if self.opening.window is None and self.opening.known.digest(self.current.sha256):
                return self._done((), repeated=True)
        held = self.current
        rows = tuple(islice(held.rows, self.opening.reach.rows))
        if len(rows) < self.opening.reach.rows:
            return self._done(rows)
        first, held.row = held.row + 1, held.row + len(rows)
        position = {"file": held.listed.name, "sha256": held.sha256, "row": held.row}
        return Page(
            rows, position, more=True, place=held.listed.name, first=first, file=self._read_so_far(held, done=False)
        )

    def close(self) -> None:
        """Let go of the copy."""
        if self.current is not None:
            self.current.spooled.close()
            self.current = None

    def _next(self, begun: str) -> Listed | None:
        if self.waiting is None:
            due = {one.name: one for one in self._due()}  # a list that names a file twice has it once
            oldest_last = sorted(due.values(), key=lambda one: (one.modified, one.name), reverse=True)
            self.waiting = sorted(oldest_last, key=lambda one: one.name == begun)  # the one that was begun goes on
        return self.waiting.pop() if self.waiting else None

    def _due(self) -> Iterator[Listed]:
        window, now = self.opening.window, datetime.now(UTC)
        for one in islice(self.shelf.listed(), MOST_FILES):
            if window is not None:
                if window.start <= one.modified < window.end:
                    yield one
            elif self._settled(now, one) and self.opening.known.stamp(one.name) != one.stamp:
                yield one

    def _settled(self, now: datetime, one: Listed) -> bool:
        """A file that was written to a moment ago may not be whole."""
        return (now - one.modified).total_seconds() >= self.settings.settle_seconds

    def _begun(self, named: Listed, cursor: Cursor) -> _Open:
        """The file copied, hashed, and read up to where an earlier pull had come, if it is still the same."""
        spooled = tempfile.TemporaryFile(dir=self.opening.reach.spool)  # noqa: SIM115 - closed with the source
        try:
            self.shelf.copy(named, spooled)
            sha256, size = _digest(spooled)
            rows = rows_of(
                spooled,
                named.name,
                self.settings.form,
                delimiter=self.settings.delimiter,
                limit=self.opening.reach.file_bytes,
            )
            held = _Open(named, spooled, sha256, size, rows)
            if cursor.get("file") == named.name and cursor.get("sha256") == sha256:
                held.row = sum(1 for _ in islice(rows, int(cursor.get("row", 0))))
            return held
        except BaseException:
            spooled.close()
            raise

    def _done(self, rows: tuple[Line, ...], *, repeated: bool = False) -> Page:
        held = self.current
        assert held is not None
        first, held.row = held.row + 1, held.row + len(rows)
        file = self._read_so_far(held, done=True, repeated=repeated)
        self.close()
        return Page(rows, {}, more=True, place=held.listed.name, first=first, file=file, reached=held.listed.modified)

    def _read_so_far(self, held: _Open, *, done: bool, repeated: bool = False) -> FileRead:
        return FileRead(held.listed.name, held.listed.stamp, held.sha256, held.size, held.row, done, repeated)


def _digest(file: IO[bytes]) -> tuple[str, int]:
    file.seek(0)
    digest, size = hashlib.sha256(), 0
    while chunk := file.read(1024 * 1024):
        digest.update(chunk)
        size += len(chunk)
    file.seek(0)
    return digest.hexdigest(), size


def rows_of(file: IO[bytes], name: str, form: str, *, delimiter: str, limit: int) -> Iterator[Line]:
    """The rows of a file; where it breaks, the last row says so."""
    found = SUFFIX.search(name)
    kind = form if form != "auto" else found[1].lower() if found else "ndjson"
    try:
        if kind == "parquet":
            yield from _parquet(file, limit)
            return
        encoding = streams.encoding_of(file.read(4))
        file.seek(0)
        chunks = streams.decoded(iter(lambda: file.read(streams.CHUNK), b""), encoding, limit=limit)
        if kind == "csv":
            yield from _csv(chunks, delimiter)
        else:
            shape, chunks = streams.guessed(chunks, name)
            if (form if form in {"ndjson", "json"} else shape) == "ndjson":
                yield from streams.lines(chunks)
            else:
                whole = streams.whole(streams.decoded(chunks, "", limit=MOST_ARRAY_BYTES))
                yield from streams.items(whole, most=MOST_IN_ARRAY)
    except BrokenStream as broken:
        yield Unreadable(f"{broken}; nothing from here on was read")


def _csv(chunks: Iterable[bytes], delimiter: str) -> Iterator[Line]:
    """Rows as objects of texts by the names of the first line; an empty cell is left out."""
    try:
        reader = csv.reader(_texts(chunks), delimiter=delimiter or ",", strict=True)
        names = next(reader, [])
        if len(set(names)) != len(names):
            raise BrokenStream("two columns have the same name")
        for cells in reader:
            if len(cells) > len(names):
                yield Unreadable("the row has more cells than there are names")
            elif any(cells):
                pairs = {name: cell for name, cell in zip(names, cells, strict=False) if cell != ""}
                yield fitting(json.dumps(pairs, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    except csv.Error as error:
        raise BrokenStream(f"not CSV: {error}") from None


def _texts(chunks: Iterable[bytes]) -> Iterator[str]:
    """Lines with their ends, as the csv module wants them."""
    held, first = b"", True
    for chunk in chunks:
        *whole, held = (held + chunk).split(b"\n")
        if len(held) > streams.LONGEST_LINE:
            raise BrokenStream("a line is too long for CSV")
        for line in whole:
            yield _text(line + b"\n", first)
            first = False
    if held:
        yield _text(held, first)


def _text(line: bytes, first: bool) -> str:
    try:
        return line.decode("utf-8-sig" if first else "utf-8")
    except UnicodeDecodeError:
        raise BrokenStream("not UTF-8") from None


def _parquet(file: IO[bytes], limit: int) -> Iterator[Line]:
    """Rows as objects; times without a zone are UTC."""
    produced = 0
    try:
        for batch in pq.ParquetFile(file).iter_batches(batch_size=1000):
            for row in batch.to_pylist():
                line = json.dumps({k: v for k, v in row.items() if v is not None}, default=_plain).encode()
                produced += len(line)
                if produced > limit:
                    raise BrokenStream(f"more than {limit:,} bytes in its rows")
                yield fitting(line)
    except (pa.ArrowException, OSError, ValueError, TypeError, OverflowError) as error:
        raise BrokenStream(f"not a Parquet file that can be read ({type(error).__name__})") from None


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return stamp_of(value if value.tzinfo else value.replace(tzinfo=UTC))
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):
        return value.hex()
    return str(value)
