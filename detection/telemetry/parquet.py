"""Reads Parquet files with the normalised columns (docs/formats/telemetry.md)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from detection.telemetry.ndjson import Rows
from detection.telemetry.tables import fitted_table

PIECE_ROWS = 8192
LARGEST_GROUP = 2 * 1024 * 1024 * 1024  # bytes of a row group, unpacked: what must be held to read it


@dataclass(frozen=True)
class Slice:
    """Some rows as an Arrow stream; the first has the number `first`, counted from 1."""

    first: int
    stream: bytes


class ParquetPieces:
    """A file's rows in slices. Raises `OSError` when it is no Parquet file that can be read, also one cut off.

    The footer stands at the end: of a file that was cut off nothing can be read. Of one damaged in the middle, the row
    groups before the damage stand, and `truncated` says so.
    """

    def __init__(self, path: Path) -> None:
        self.bytes_total = path.stat().st_size
        self.bytes_done = 0
        self.truncated: str | None = None
        try:
            self._file = pq.ParquetFile(path)
        except (pa.ArrowException, OSError) as error:
            raise OSError(f"{path.name} is no Parquet file that can be read, or was cut off") from error

    def __iter__(self) -> Iterator[Slice]:
        first, groups = 1, self._file.metadata.num_row_groups
        with self._file:
            for group in range(groups):
                if self._file.metadata.row_group(group).total_byte_size > LARGEST_GROUP:
                    self.truncated = f"row group {group + 1} of {groups} is too large to hold; nothing from there on"
                    return
                try:
                    for batch in self._file.iter_batches(PIECE_ROWS, row_groups=[group]):
                        yield Slice(first, _stream(batch))
                        first += len(batch)
                except (pa.ArrowException, OSError):
                    self.truncated = f"row group {group + 1} of {groups} cannot be read; nothing from there on was"
                    return
                self.bytes_done = self.bytes_total * (group + 1) // groups


def _stream(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    made: bytes = sink.getvalue().to_pybytes()
    return made


def read(piece: Slice) -> Rows:
    """Read some rows."""
    with pa.ipc.open_stream(piece.stream) as reader:
        return fitted_table(reader.read_all(), piece.first)
