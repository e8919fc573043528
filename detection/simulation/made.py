"""What the generator leaves behind."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Made:
    """Where the files are and how much is in them; `telemetry` is a folder when there is a file for each day.

    `truth` is for scoring alone.
    """

    telemetry: Path
    accounts: Path
    networks: Path
    models: Path
    truth: Path
    rows: int


def write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write a side table as NDJSON."""
    with path.open("w") as file:
        for row in rows:
            file.write(json.dumps(row, separators=(",", ":")) + "\n")
