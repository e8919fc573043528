"""From a piece of a file to rows ready to be stored: read by its adapter, sketched, bad lines counted.

Runs in the program that stores, or in helpers beside it (`helpers`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from detection.records import BadLine
from detection.telemetry import cues, sketch
from detection.telemetry.columns import EXCHANGES, schema
from detection.telemetry.ndjson import Rows
from detection.telemetry.sketching import sketch_batch

KEPT_BAD_LINES = 1000  # of a piece; the count is exact
STORED = schema({**EXCHANGES, **sketch.COLUMNS, **cues.COLUMNS})


@dataclass(frozen=True)
class Made:
    """What a piece came to: rows as they are stored, as an Arrow stream, and what was left out."""

    stream: bytes
    bad: int
    first_bad: tuple[BadLine, ...]
    unknown: dict[str, int]

    def batch(self) -> pa.RecordBatch:
        with pa.ipc.open_stream(self.stream) as reader:
            return reader.read_next_batch()


def make(read: Callable[[Any], Rows], piece: Any) -> Made:
    """Read a piece and sketch its rows."""
    rows = read(piece)
    prompts = rows.batch["prompt"]
    arrays = [*rows.batch.columns, *sketch_batch(prompts), *cues.cue_batch(prompts)]
    batch = pa.RecordBatch.from_arrays(arrays, schema=STORED)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, STORED) as writer:
        writer.write_batch(batch)
    stream: bytes = sink.getvalue().to_pybytes()
    return Made(stream, len(rows.bad) + rows.further_bad, tuple(rows.bad[:KEPT_BAD_LINES]), rows.unknown)
