"""Reads the rows of an exchange set in their order, as leaf hashes, in one pass and constant memory.

Day by day, because rows of two days never change places: each day's rows are hashed as they are read, the few bytes the
order needs are set aside in a file, and DuckDB sorts that file, spilling to disk where memory does not suffice.
The form is docs/formats/exchange-set.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC
from itertools import groupby, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from detection.records import Window
from detection.telemetry import exchange_rows as form

BATCH_ROWS = 50_000
LONGEST_ANSWER = 1000
RECORD = np.dtype([("ts", ">i8"), ("tag", "V8"), ("leaf", "V32")])
_ASIDE = pa.schema(
    [
        ("us", pa.int64()),
        ("request_id", pa.string()),
        ("tag", pa.string()),
        ("input_tokens", pa.int64()),
        ("output_tokens", pa.int64()),
        ("stratum", pa.string()),
        ("leaf", pa.binary(32)),
    ]
)
# How a row is put in a stratum, as DuckDB says it. `account` takes the label given with each account.
STRATA: Mapping[str, str] = {
    "": "''",
    "day": "left(ts_text, 10)",
    "model": "model",
    "account": "label",
}
QUERY = (
    "SELECT * FROM exchanges WHERE ts >= $start AND ts < $end AND account_id IN ($accounts) "
    "ORDER BY ts, request_id, leaf"
)


@dataclass(frozen=True)
class Selection:
    """Which rows, and the set's key. `accounts` maps the provider's ids to a label, which only strata use."""

    window: Window
    accounts: Mapping[str, str]
    key: bytes = field(repr=False)


@dataclass(frozen=True)
class Batch:
    """Rows in their order: 48-byte records (time, tag, leaf hash), and beside them what else was asked."""

    records: np.ndarray[Any, Any]
    request_ids: pa.Array
    strata: pa.Array
    input_tokens: int
    output_tokens: int

    def __len__(self) -> int:
        return len(self.records)

    @property
    def leaves(self) -> bytes:
        """The leaf hashes, 32 bytes each."""
        return np.ascontiguousarray(self.records["leaf"]).tobytes()


def parts_of(root: Path, files: Sequence[str], window: Window) -> list[Path]:
    """The dataset's parts that can have rows of the window, of these source files (SHA-256) alone; in order of days.

    A part of a file that was never recorded, which a killed reader left, is none of them.
    """
    names = {sha256[:16] for sha256 in files}
    first, last = window.start.astimezone(UTC).date().isoformat(), window.end.astimezone(UTC).date().isoformat()
    parts = sorted((root / "exchanges").glob("day=*/*.parquet"))
    return [p for p in parts if first <= _day(p) <= last and p.name.partition("-")[0] in names]


def count_rows(parts: Sequence[Path], selection: Selection, memory: str = "1GB") -> int:
    """How many rows the selection has."""
    if not parts:
        return 0
    with _opened(parts[0].parent, selection, memory) as base:
        found = base.execute(f"SELECT count(*) FROM {_CHOSEN}", _values(parts, selection)).fetchone()  # noqa: S608 - our own text
    return int(found[0]) if found else 0


def ordered(
    parts: Sequence[Path],
    selection: Selection,
    *,
    strata: str = "",
    on_rows: Callable[[int], None] = lambda rows: None,
    memory: str = "1GB",
) -> Iterator[Batch]:
    """Every row of the selection in the set's order. `on_rows` is told how many were hashed so far and may raise.

    Memory holds a batch, DuckDB what `memory` says. Raises OSError or duckdb.Error when a part is gone or damaged.
    """
    hashed = 0
    for _, group in groupby(sorted(parts), key=_day):
        day = list(group)
        with (
            _opened(day[0].parent, selection, memory) as base,
            TemporaryDirectory(prefix=".set-", dir=_root(day)) as own,
        ):
            aside = Path(own) / "rows.parquet"
            with pq.ParquetWriter(aside, _ASIDE, compression="zstd", compression_level=1) as writer:
                for batch in _hashed(base, day, selection, strata):
                    writer.write_batch(batch)
                    hashed += len(batch)
                    on_rows(hashed)
            yield from _sorted(base, aside)


def rows_of(parts: Sequence[Path], selection: Selection, request_ids: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of these request ids as they stand in the dataset, `ts` in microseconds; at most a thousand."""
    if not parts or not request_ids:
        return []
    others = ", ".join(name for name in form.COLUMNS if name != "ts")
    with _opened(parts[0].parent, selection, "1GB") as base:
        base.register("wanted", pa.table({"request_id": pa.array(sorted(set(request_ids)), pa.string())}))
        text = f"SELECT epoch_us(ts) AS ts, {others} FROM {_WANTED} ORDER BY 1, request_id LIMIT {LONGEST_ANSWER}"  # noqa: S608 - our own text
        found: list[dict[str, Any]] = base.execute(text, _values(parts, selection)).to_arrow_table().to_pylist()
        return found


@dataclass(frozen=True)
class CanonicalRow:
    """One row in its canonical form, and the account it is of."""

    ts: int
    request_id: str
    account_id: str
    canonical: bytes


def canonical_rows_of(
    parts: Sequence[Path], selection: Selection, request_ids: Sequence[str]
) -> Iterator[CanonicalRow]:
    """The rows of these request ids in canonical form, in no order; nothing of their content is read out."""
    if not parts or not request_ids:
        return
    with _opened(parts[0].parent, selection, "1GB") as base:
        base.register("wanted", pa.table({"request_id": pa.array(sorted(set(request_ids)), pa.string())}))
        text = _prepared(f"epoch_us(ts) AS us, request_id, account_id, {form.canonical_sql()} AS canonical", _WANTED)
        answer = base.execute(text, {**_values(parts, selection), "key": selection.key.hex()})
        for batch in answer.to_arrow_reader(1000):
            for us, request_id, account_id, canonical in zip(*(c.to_pylist() for c in batch.columns), strict=True):
                yield CanonicalRow(us, request_id, account_id, canonical.encode())


def program_sha256() -> str:
    """The digest of the program text that makes rows and order: this file and the form's."""
    digest = hashlib.sha256()
    for path in (Path(__file__), Path(form.__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


_CHOSEN = "read_parquet($parts, union_by_name = true) JOIN chosen USING (account_id) WHERE ts >= $start AND ts < $end"
_WANTED = f"{_CHOSEN} AND request_id IN (SELECT request_id FROM wanted)"  # noqa: S608 - our own text


def _prepared(columns: str, rows: str) -> str:
    """A query whose columns may use the row's key."""
    keyed = f"SELECT *, {form.ROW_KEY} AS row_key FROM (SELECT *, {form.TS_TEXT} AS ts_text FROM {rows})"  # noqa: S608 - our own text
    return f"SELECT {columns} FROM ({keyed})"  # noqa: S608 - our own text


def _hashed(
    base: duckdb.DuckDBPyConnection, day: Sequence[Path], selection: Selection, strata: str
) -> Iterator[pa.RecordBatch]:
    """A day's rows in no order, each with its leaf hash."""
    text = _prepared(
        f"epoch_us(ts) AS us, request_id, {form.TAG} AS tag, coalesce(input_tokens, 0) AS input_tokens, "
        f"coalesce(output_tokens, 0) AS output_tokens, {STRATA[strata]} AS stratum, "
        f"{form.canonical_sql()} AS canonical",
        _CHOSEN,
    )
    answer = base.execute(text, {**_values(day, selection), "key": selection.key.hex()})
    for batch in answer.to_arrow_reader(BATCH_ROWS):
        plain = [batch.column(name) for name in _ASIDE.names[:-1]]
        yield pa.RecordBatch.from_arrays([*plain, _leaves(batch.column("canonical"))], schema=_ASIDE)


def _leaves(texts: pa.Array) -> pa.Array:
    """The leaf hash of each canonical text. hashlib is several times as quick at this as DuckDB's own function."""
    texts = texts.cast(pa.large_string()) if not pa.types.is_large_string(texts.type) else texts
    offsets = np.frombuffer(texts.buffers()[1], np.int64, len(texts) + 1, texts.offset * 8).tolist()
    whole = memoryview(texts.buffers()[2] or b"")
    digest = hashlib.sha256
    found = [digest(b"\x00" + whole[start:end]).digest() for start, end in pairwise(offsets)]
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(32), len(found), [None, pa.py_buffer(b"".join(found))])


def _sorted(base: duckdb.DuckDBPyConnection, aside: Path) -> Iterator[Batch]:
    text = (
        "SELECT us, unhex(tag) AS tag, leaf, request_id, stratum, input_tokens, output_tokens "
        "FROM read_parquet($aside) ORDER BY us, request_id, leaf"
    )
    for batch in base.execute(text, {"aside": str(aside)}).to_arrow_reader(BATCH_ROWS):
        if not len(batch):
            continue
        records = np.empty(len(batch), RECORD)
        records["ts"] = batch.column("us").to_numpy()
        records["tag"] = _fixed(batch.column("tag"), 8)
        records["leaf"] = _fixed(batch.column("leaf"), 32)
        tokens = [int(batch.column(name).to_numpy().sum()) for name in ("input_tokens", "output_tokens")]
        yield Batch(records, batch.column("request_id"), batch.column("stratum"), *tokens)


def _fixed(values: pa.Array, size: int) -> np.ndarray[Any, Any]:
    """Values that are all of one size as an array of that many bytes each."""
    values = values.cast(pa.binary(size))
    return np.frombuffer(values.buffers()[1], np.dtype((np.void, size)), len(values), values.offset * size)


@contextmanager
def _opened(day: Path, selection: Selection, memory: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB with the chosen accounts, spilling beside the dataset to a folder that is removed afterwards."""
    with TemporaryDirectory(prefix=".spill-", dir=day.parent.parent) as spill:
        config: dict[str, Any] = {
            "memory_limit": memory,
            "threads": 2,
            "temp_directory": spill,
            "preserve_insertion_order": False,
        }
        with duckdb.connect(config=config) as base:
            base.execute("SET TimeZone = 'UTC'")
            columns = {"account_id": list(selection.accounts), "label": list(selection.accounts.values())}
            base.register("given", pa.table({name: pa.array(col, pa.string()) for name, col in columns.items()}))
            base.execute("CREATE TEMP TABLE chosen AS SELECT * FROM given")
            yield base


def _values(parts: Sequence[Path], selection: Selection) -> dict[str, Any]:
    start, end = selection.window.start.astimezone(UTC), selection.window.end.astimezone(UTC)
    return {"parts": [str(part) for part in parts], "start": start, "end": end}


def _day(part: Path) -> str:
    return part.parent.name.partition("=")[2]


def _root(day: Sequence[Path]) -> Path:
    return day[0].parent.parent.parent
