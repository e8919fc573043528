"""Whether what is asked of a dataset could be asked of other engines: compiled to their SQL, never run there."""

from collections.abc import Iterator
from typing import Any

import pytest
from ibis import options
from ibis.backends.sql.compilers import BigQueryCompiler, ClickHouseCompiler, PySparkCompiler, SnowflakeCompiler
from ibis.common.exceptions import OperationNotDefinedError
from ibis.config import Config

from detection.telemetry.dataset import Dataset

COMPILERS = (PySparkCompiler, BigQueryCompiler, ClickHouseCompiler, SnowflakeCompiler)


class SparkOptions(Config):
    """What Ibis sets when its Spark backend is loaded, which needs Java; the compiler alone does not."""

    treat_nan_as_null: bool = False


class Watched(Dataset):
    """A dataset that has every expression compiled for other engines as well, and notes what they do not know."""

    asked: int
    unknown: set[tuple[str, str]]

    def arrow(self, expression: Any) -> Any:
        self._compile(expression)
        return super().arrow(expression)

    def keep(self, name: str, expression: Any) -> Any:
        self._compile(expression)
        return super().keep(name, expression)

    def batches(self, expression: Any, rows: int = 50_000) -> Iterator[Any]:
        self._compile(expression)
        return super().batches(expression, rows)

    def _compile(self, expression: Any) -> None:
        self.asked += 1
        for kind in COMPILERS:
            compiler = kind()
            try:
                assert compiler.to_sqlglot(expression.unbind()).sql(compiler.dialect)
            except OperationNotDefinedError as error:
                self.unknown.add((kind.__name__.removesuffix("Compiler"), str(error).split("'")[1]))


def watched(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """The dataset, watched from now on."""
    monkeypatch.setattr(options, "pyspark", SparkOptions())
    dataset.__class__ = Watched
    assert isinstance(dataset, Watched)
    dataset.asked, dataset.unknown = 0, set()
    return dataset
