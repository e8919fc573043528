"""The engines that detectors run on: DuckDB in the process, and a Spark cluster; what Ibis leaves different is here.

Detectors are Ibis expressions and see no engine. What they rely on beyond Ibis: results as Arrow with whole 64-bit
numbers, times in UTC, intermediate results that are worked out once, and text compared by its bytes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import ibis
import pyarrow as pa


class EngineError(Exception):
    """The engine that was asked for cannot be used here; the text says what is missing."""


class Engine(Protocol):
    """What a dataset asks of an engine."""

    def parquet(self, paths: Sequence[Path], name: str) -> Any:
        """Give the table of some Parquet files; columns are matched by name."""

    def empty(self, name: str, columns: pa.Schema) -> Any:
        """Give a table without rows."""

    def arrow(self, expression: Any) -> pa.Table:
        """Work an expression out and fetch the result."""

    def batches(self, expression: Any, rows: int) -> Iterator[pa.RecordBatch]:
        """Work an expression out and fetch the result piece by piece."""

    def keep(self, name: str, expression: Any) -> Any:
        """Give an expression's result as a table that is worked out once."""

    def drop(self, name: str) -> None:
        """Give up what was kept under this name, and its room; nothing asks for it any more."""

    def interrupt(self) -> None:
        """End what is being worked out, from another thread; it raises where it was asked for."""


class DuckDb:
    """DuckDB inside this process, with bounded memory, spilling to a folder."""

    def __init__(self, backend: Any) -> None:
        self.backend = backend

    def parquet(self, paths: Sequence[Path], name: str) -> Any:
        return self.backend.read_parquet([str(path) for path in paths], table_name=name, union_by_name=True)

    def empty(self, name: str, columns: pa.Schema) -> Any:
        return self.backend.create_table(name, schema=ibis.schema(columns), temp=True)

    def arrow(self, expression: Any) -> pa.Table:
        return self.backend.to_pyarrow(expression)

    def batches(self, expression: Any, rows: int) -> Iterator[pa.RecordBatch]:
        yield from self.backend.to_pyarrow_batches(expression, chunk_size=rows)

    def keep(self, name: str, expression: Any) -> Any:
        asked = f"{name}_asked"
        self.backend.create_view(asked, expression, overwrite=True)
        self.backend.con.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM {asked}")  # noqa: S608 - our own names
        return self.backend.table(name)

    def drop(self, name: str) -> None:
        self.backend.con.execute(f"DROP VIEW IF EXISTS {name}_asked")
        self.backend.con.execute(f"DROP TABLE IF EXISTS {name}")

    def interrupt(self) -> None:
        self.backend.con.interrupt()


class Spark:
    """A Spark session, local or on a cluster that reads the dataset's folder under the same path.

    Results come as Arrow: through pandas, as Ibis fetches them, a 64-bit number beside a null would lose its last bits.
    """

    def __init__(self, session: Any) -> None:
        self.session = session
        self.backend = ibis.pyspark.connect(session)
        self._kept: list[Any] = []
        self._number = count()

    def parquet(self, paths: Sequence[Path], name: str) -> Any:
        frame = self.session.read.option("mergeSchema", "true").parquet(*(str(path.resolve()) for path in paths))
        frame.createOrReplaceTempView(name)
        return self.backend.table(name)

    def empty(self, name: str, columns: pa.Schema) -> Any:
        self.session.createDataFrame(columns.empty_table()).createOrReplaceTempView(name)
        return self.backend.table(name)

    def arrow(self, expression: Any) -> pa.Table:
        table = expression.as_table()
        fetched = self._frame(table).toArrow()
        return fetched.cast(_as_fetched(table.schema().to_pyarrow()))

    def batches(self, expression: Any, rows: int) -> Iterator[pa.RecordBatch]:
        yield from self.arrow(expression).to_batches(max_chunksize=rows)

    def keep(self, name: str, expression: Any) -> Any:
        frame = self._frame(expression.as_table()).persist()
        self._kept.append(frame)
        frame.createOrReplaceTempView(name)
        return self.backend.table(name)

    def drop(self, name: str) -> None:
        """Nothing: what is kept is worked out when it is first asked for, and may be needed for that until the end."""

    def interrupt(self) -> None:
        self.session.sparkContext.cancelAllJobs()

    def close(self) -> None:
        """Give up what was kept; the session stays for the next dataset."""
        for frame in self._kept:
            frame.unpersist()

    def _frame(self, table: Any) -> Any:
        name = f"retort_asked_{next(self._number)}"
        self.backend.create_view(name, table, overwrite=True)
        return self.session.table(name)


def _as_fetched(columns: pa.Schema) -> pa.Schema:
    """Give the types as every engine fetches them: times in UTC, which Ibis does not say of Spark's."""
    kinds = {field.name: field.type for field in columns}
    return pa.schema([(n, pa.timestamp("us", "UTC") if pa.types.is_timestamp(k) else k) for n, k in kinds.items()])


@contextmanager
def duckdb_engine(root: Path, memory: str, threads: int) -> Iterator[DuckDb]:
    """Open DuckDB; it keeps to `memory` and spills to a folder under `root` that is removed afterwards."""
    with TemporaryDirectory(prefix=".spill-", dir=root if root.is_dir() else None) as spill:
        backend = ibis.duckdb.connect(memory_limit=memory, threads=threads, temp_directory=spill)
        try:
            backend.con.execute("SET TimeZone = 'UTC'")
            backend.con.execute("SET preserve_insertion_order = false")  # nothing relies on it, and it takes memory
            yield DuckDb(backend)
        finally:
            backend.disconnect()


@contextmanager
def spark_engine(options: Mapping[str, str]) -> Iterator[Spark]:
    """Open Spark, or take the session that is already there; `options` are Spark's own, `spark.master` among them.

    Raises `EngineError` when PySpark is not installed or no session comes up.
    """
    if find_spec("pyspark") is None:
        raise EngineError("Spark needs the packages of requirements-spark.txt, which are not installed.")
    from pyspark.sql import SparkSession

    logging.getLogger("py4j").setLevel(logging.ERROR)  # it tells of every connection that it closes

    fixed = {"spark.sql.session.timeZone": "UTC", "spark.sql.execution.arrow.pyspark.enabled": "true"}
    building = SparkSession.builder.appName("retort")
    quiet = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false", "spark.log.level": "ERROR"}
    for name, value in {**quiet, **options, **fixed}.items():
        building = building.config(name, value)
    try:
        session = building.getOrCreate()
    except Exception as error:  # Java that is absent or too old, a master that does not answer: each with its own class
        raise EngineError(f"No Spark session came up: {type(error).__name__}.") from error
    engine = Spark(session)
    try:
        yield engine
    finally:
        engine.close()
