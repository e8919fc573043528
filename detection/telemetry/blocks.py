"""Cuts a file, plain or packed, into blocks of whole lines: small enough to hold, large enough to hand to a helper."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from detection import streams
from detection.streams import LONGEST_LINE, BrokenStream

READ = 256 * 1024
BLOCK_BYTES = 2 * 1024 * 1024
BLOCK_LINES = 20_000
NO_LIMIT = 1 << 62
Line = bytes | None


@dataclass(frozen=True)
class Block:
    """Whole lines, the first of which has the number `first`. `too_long`: one line, longer than 1 MiB, left out."""

    first: int
    data: bytes
    too_long: bool = False
    longest: int = LONGEST_LINE

    def lines(self) -> list[Line]:
        """Give the lines without their ends; None for one that is longer than 1 MiB."""
        if self.too_long:
            return [None]
        lines: list[Line] = list(self.data.split(b"\n"))
        if not lines[-1]:
            lines.pop()
        if len(self.data) > self.longest:
            lines = [None if line is None or len(line) >= self.longest else line for line in lines]
        return lines


class Packed:
    """A file's bytes behind gzip, zstd or nothing. One that breaks ends there, and `truncated` says why."""

    def __init__(self, path: Path, longest: int = LONGEST_LINE) -> None:
        self.path = path
        self.longest = longest
        self.bytes_total = path.stat().st_size
        self.bytes_done = 0
        self.truncated: str | None = None

    def chunks(self) -> Iterator[bytes]:
        """The bytes, in pieces. Raises `OSError` when the file itself cannot be read."""
        with self.path.open("rb") as raw:
            encoding = streams.encoding_of(raw.read(4))
            raw.seek(0)
            try:
                yield from streams.decoded(self._counted(lambda: raw.read(READ)), encoding, limit=NO_LIMIT)
            except BrokenStream as broken:
                self.truncated = f"{encoding} stream is damaged or ends early: {broken}"

    def __iter__(self) -> Iterator[Block]:
        """The lines in blocks. A line that the end of a broken stream cuts off is left out."""
        return _blocks(self.chunks(), lambda: self.truncated is not None, self.longest)

    def _counted(self, read: Callable[[], bytes]) -> Iterator[bytes]:
        while chunk := read():
            self.bytes_done += len(chunk)
            yield chunk


def _blocks(chunks: Iterator[bytes], broken: Callable[[], bool], longest: int) -> Iterator[Block]:
    number, skipping = 1, False
    held: list[bytes] = []
    size = 0
    for chunk in chunks:
        if skipping:
            end = chunk.find(b"\n")
            if end < 0:
                continue
            chunk, skipping = chunk[end + 1 :], False
        held.append(chunk)
        size += len(chunk)
        if size < BLOCK_BYTES or (size < longest and b"\n" not in chunk):
            continue
        data = b"".join(held)
        end = data.rfind(b"\n") + 1
        for block in _bounded(number, data[:end], longest):
            yield block
            number = block.first + block.data.count(b"\n")
        held, size = [data[end:]], len(data) - end
        if size >= max(BLOCK_BYTES, longest):
            yield Block(number, b"", too_long=True)
            number, skipping, held, size = number + 1, True, [], 0
    if size and not broken():
        yield from _bounded(number, b"".join(held), longest)
    elif size:
        data = b"".join(held)
        yield from _bounded(number, data[: data.rfind(b"\n") + 1], longest)


def _bounded(first: int, data: bytes, longest: int) -> Iterator[Block]:
    """Give the lines in blocks of at most `BLOCK_LINES`."""
    count = data.count(b"\n")
    if count <= BLOCK_LINES:
        if data:
            yield Block(first, data, longest=longest)
        return
    ends = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == ord("\n"))[BLOCK_LINES - 1 :: BLOCK_LINES] + 1
    start = 0
    for end in [*ends.tolist(), len(data)]:
        if end > start:
            yield Block(first, data[start:end], longest=longest)
            first += BLOCK_LINES
        start = end
