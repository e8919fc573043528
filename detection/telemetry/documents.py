"""Reads lines of JSON documents of somebody else's making: each is mapped to rows of the normalised columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from detection.records import BadLine
from detection.telemetry.blocks import Block
from detection.telemetry.columns import EXCHANGES, REQUIRED, UnfitError, schema
from detection.telemetry.fitting import fit
from detection.telemetry.ndjson import MOST_UNKNOWN, Rows, count_unknown, decoded, openings, quickly_decoded

DEEPEST_QUICK = 64


@dataclass(frozen=True)
class Mapped:
    """A row that a document holds, with where in it (empty: it is the whole), and names that were not understood."""

    row: dict[str, Any]
    where: str = ""
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Skipped:
    """Something in a document that is no exchange: what, counted by kind."""

    what: str


Mapper = Callable[[dict[str, Any]], Iterator[Mapped | Skipped]]


def read_documents(block: Block, mapper: Mapper) -> Rows:
    """Read a block of lines, each a JSON document. A mapper raises `UnfitError` for a document it cannot follow.

    A line has one reason at most, of the first of its rows that is not kept; the count is of rows.
    """
    found: list[tuple[int, Mapped]] = []
    bad: dict[int, str] = {}
    refused = 0
    unknown: dict[str, int] = {}
    for place, line in enumerate(block.lines()):
        try:
            if line is None:
                raise UnfitError("line is too long")
            exact = openings(line) > DEEPEST_QUICK or b"\\u0000" in line
            document = decoded(line) if exact else quickly_decoded(line)
            for one in mapper(document) if document is not None else ():
                if isinstance(one, Skipped):
                    count_unknown(unknown, {f"({one.what})": 1})
                    continue
                if any(isinstance(value, str) and "\0" in value for value in one.row.values()):
                    raise UnfitError("line holds a NUL character")
                found.append((place, one))
                count_unknown(unknown, dict.fromkeys(one.unknown[:MOST_UNKNOWN], 1))
        except UnfitError as error:
            refused += 1
            bad.setdefault(place, str(error))
    rows = [one.row for _, one in found]
    arrays, misfits = fit(rows, EXCHANGES, REQUIRED, {name for row in rows for name in row})
    batch = pa.RecordBatch.from_arrays(arrays, schema=schema(EXCHANGES))
    for at, reason in sorted(misfits.items()):
        place, one = found[at]
        refused += 1
        bad.setdefault(place, f"{one.where}: {reason}" if one.where else reason)
    if misfits:
        batch = batch.take(pa.array([at for at in range(len(rows)) if at not in misfits], pa.int64()))
    lines = [BadLine(block.first + place, reason) for place, reason in sorted(bad.items())]
    return Rows(batch, lines, unknown, further_bad=refused - len(lines))


def texts_of(content: Any) -> str:
    """Give the text of a message's content, whichever of the usual shapes it has; parts are joined by line breaks."""
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        return ""
    parts = [part if isinstance(part, str) else _part(part) for part in content]
    return "\n".join(part for part in parts if part)


def _part(part: Any) -> str:
    if not isinstance(part, dict):
        return ""
    value = part.get("text", part.get("content"))
    return value if isinstance(value, str) else ""


def last_turn(messages: Any, system: str, content: str = "content") -> str | None:
    """Give what was asked: the instructions of the system, then the last message of the user; None without either."""
    if not isinstance(messages, list):
        return system or None
    turns = [one for one in messages if isinstance(one, dict)]
    instructed = [texts_of(one.get(content)) for one in turns if one.get("role") in ("system", "developer")]
    asked = [texts_of(one.get(content)) for one in turns if one.get("role") == "user"]
    return "\n\n".join(text for text in (system, *instructed, *asked[-1:]) if text) or None


def present(row: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is absent."""
    return {name: value for name, value in row.items() if value is not None}
