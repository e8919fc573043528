"""Opens a normalised dataset for detectors: Ibis tables over Parquet, in DuckDB with bounded memory or in Spark."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.parquet as pq

from detection.records import Window
from detection.telemetry import cues, sketch
from detection.telemetry.columns import ACCOUNTS, EXCHANGES, MODELS, NETWORKS, schema
from detection.telemetry.engines import Engine, duckdb_engine, spark_engine


class Dataset:
    """The four tables of one telemetry source: `exchanges`, `accounts`, `networks`, `models`.

    A table without a file is there and empty; what a part lacks that is older than a column of ours is null. `columns`
    names the exchange columns that hold any value, `account_columns` the same for accounts. Use `open_dataset`, which
    closes the connection and its spill files.
    """

    def __init__(self, root: Path, engine: Engine) -> None:
        self.root = root
        self.engine = engine
        self._once: dict[Hashable, Any] = {}
        self.parts = tuple(sorted((root / "exchanges").glob("day=*/*.parquet")))
        self.exchanges = self._exchanges()
        self.accounts = self._side("accounts", ACCOUNTS)
        self.networks = self._side("networks", NETWORKS)
        self.models = self._side("models", MODELS)
        self.columns = frozenset(_filled(self.parts, EXCHANGES))
        self.account_columns = frozenset(_filled(self._file("accounts"), ACCOUNTS))

    def once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Give what `make` gives, worked out once while the dataset is open; nobody may change it."""
        if key not in self._once:
            self._once[key] = make()
        return self._once[key]

    def within(self, window: Window) -> Any:
        """Give the exchanges in the half-open window."""
        ts = self.exchanges.ts
        return self.exchanges.filter((ts >= ibis.timestamp(window.start)) & (ts < ibis.timestamp(window.end)))

    def span(self, *, before: datetime | None = None) -> Window | None:
        """Give the window that covers every row, or all before a time, to the microsecond; None when there is none."""
        rows = self.exchanges
        if before is not None:
            rows = rows.filter(rows.ts < ibis.timestamp(before))
        row = self.arrow(rows.aggregate(first=rows.ts.min(), last=rows.ts.max()))
        first, last = row["first"][0].as_py(), row["last"][0].as_py()
        return None if first is None else Window(first, last + timedelta(microseconds=1))

    def releases(self) -> Mapping[str, datetime]:
        """Give the release time of every model that has one."""
        table = self.arrow(self.models.select("model", "released_at"))
        return dict(zip(table["model"].to_pylist(), table["released_at"].to_pylist(), strict=True))

    def arrow(self, expression: Any) -> pa.Table:
        return self.engine.arrow(expression)

    def keep(self, name: str, expression: Any) -> Any:
        """Work an expression out once into a temporary table, for queries that would each work it out again."""
        return self.engine.keep(name, expression)

    def drop(self, name: str) -> None:
        """Give up a temporary table that nothing asks for any more."""
        self.engine.drop(name)

    def batches(self, expression: Any, rows: int = 50_000) -> Iterator[pa.RecordBatch]:
        """Stream the result of an expression without holding it whole."""
        yield from self.engine.batches(expression, rows)

    def _exchanges(self) -> Any:
        if not self.parts:
            return self.engine.empty("exchanges", _stored())
        read = self.engine.parquet(self.parts, "exchanges")
        older = {name: kind for name, kind in ibis.schema(_stored()).items() if name not in read.columns}
        return read.mutate(**{name: ibis.null(kind) for name, kind in older.items()}) if older else read

    def _side(self, name: str, columns: Mapping[str, pa.DataType]) -> Any:
        files = self._file(name)
        if not files:
            return self.engine.empty(name, schema(columns))
        return self.engine.parquet(files, name)

    def _file(self, name: str) -> tuple[Path, ...]:
        path = self.root / f"{name}.parquet"
        return (path,) if path.exists() else ()


@contextmanager
def open_dataset(
    root: Path, memory: str = "4GB", threads: int = 2, spark: Mapping[str, str] | None = None
) -> Iterator[Dataset]:
    """Open the dataset under `root` in DuckDB, which keeps to `memory`; with `spark`, in Spark with these options.

    Raises `engines.EngineError` when Spark is asked for and cannot be used.
    """
    opened = duckdb_engine(root, memory, threads) if spark is None else spark_engine(spark)
    with opened as engine:
        yield Dataset(root, engine)


def _stored() -> pa.Schema:
    return schema({**EXCHANGES, **sketch.COLUMNS, **cues.COLUMNS})


def _filled(parts: tuple[Path, ...], columns: Mapping[str, pa.DataType]) -> set[str]:
    """Name the columns that hold a value, from the statistics in the file footers alone."""
    found: set[str] = set()
    for part in parts:
        if len(found) == len(columns):
            break
        with pq.ParquetFile(part) as file:
            found |= filled_in(file.metadata, columns)
    return found


def filled_in(metadata: Any, columns: Mapping[str, pa.DataType]) -> set[str]:
    """Name the columns of a part that hold a value, from its footer."""
    found: set[str] = set()
    for group in range(metadata.num_row_groups):
        for place in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(place)
            name = chunk.path_in_schema.split(".")[0]
            if name in columns and name not in found:
                known = chunk.statistics is not None and chunk.statistics.has_null_count
                if not known or chunk.statistics.null_count < chunk.num_values:
                    found.add(name)
    return found
