"""Small telemetry for tests: rows, files of rows, and a dataset made of them."""

import gzip
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from detection.records import Ingested, rfc3339
from detection.telemetry.adapters import add_side_table, add_telemetry, file_sha256
from detection.telemetry.dataset import Dataset, open_dataset

START = datetime(2026, 3, 2, tzinfo=UTC)


def row(number: int, account: str = "acct_a", hours: float = 0, **columns: Any) -> dict[str, Any]:
    """An exchange `hours` after the start; `columns` are added or replace."""
    at = START + timedelta(hours=hours, seconds=number / 1000)
    return {"request_id": f"r{number}", "ts": rfc3339(at), "account_id": account, "model": "birch-1"} | columns


def file_of(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    """Write rows as NDJSON, packed when the name ends in .gz."""
    data = "".join(json.dumps(one) + "\n" for one in rows).encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    return path


def added(path: Path, root: Path) -> Ingested:
    return add_telemetry(path, root, sha256=file_sha256(path))


@contextmanager
def dataset_of(folder: Path, rows: Iterable[dict[str, Any]], **side: Iterable[dict[str, Any]]) -> Iterator[Dataset]:
    """Open a dataset made of rows and side tables by name."""
    root = folder / "dataset"
    added(file_of(folder / "rows.ndjson", rows), root)
    for kind, entries in side.items():
        add_side_table(kind, file_of(folder / f"{kind}.ndjson", entries), root)
    with open_dataset(root) as dataset:
        yield dataset
