"""The two files a set keeps in the vault: leaves, 48 bytes a row in order, and nodes, 32 bytes for 1,024 rows."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import numpy as np

from detection.telemetry.exchange_set import RECORD
from spine import growing, vault

BLOCK_ROWS = 65_536
Records = np.ndarray[Any, Any]


class Leaves:
    """Random access to a set's leaves; a read touches only the rows asked for."""

    def __init__(self, stream: IO[bytes], count: int) -> None:
        self.stream = stream
        self.count = count

    def records(self, start: int, end: int) -> Records:
        """The records from one index up to another. Raises vault.Missing when the file is shorter than it says."""
        self.stream.seek(start * RECORD.itemsize)
        raw = self.stream.read((end - start) * RECORD.itemsize)
        if len(raw) != (end - start) * RECORD.itemsize:
            raise vault.Missing("the set's leaves in the vault are cut short")
        return np.frombuffer(raw, RECORD)

    def hashes(self, start: int, end: int) -> bytes:
        """The leaf hashes from one index up to another, together."""
        return np.ascontiguousarray(self.records(start, end)["leaf"]).tobytes()

    def blocks(self) -> Iterator[Records]:
        """All records in order, some at a time."""
        for start in range(0, self.count, BLOCK_ROWS):
            yield self.records(start, min(start + BLOCK_ROWS, self.count))

    def find(self, microseconds: int, leaf: bytes) -> int | None:
        """The first index of the row with this time and leaf hash; None when the set has no such row."""
        low, high = 0, self.count
        while low < high:
            middle = (low + high) // 2
            if int(self.records(middle, middle + 1)["ts"][0]) < microseconds:
                low = middle + 1
            else:
                high = middle
        for start in range(low, self.count, BLOCK_ROWS):
            block = self.records(start, min(start + BLOCK_ROWS, self.count))
            same = block["ts"] == microseconds
            for place in np.flatnonzero(same).tolist():
                if block["leaf"][place].tobytes() == leaf:
                    return int(start + place)
            if not same[-1]:
                return None
        return None


@contextmanager
def opened(leaves_sha256: str, count: int) -> Iterator[Leaves]:
    """A set's leaves. Raises vault.Missing."""
    with vault.open_blob(leaves_sha256) as stream:
        yield Leaves(stream, count)


def path(index: int, leaves: Leaves, nodes_sha256: str) -> list[bytes]:
    """The audit path of the row at an index. Raises vault.Missing, IndexError."""
    return growing.path(index, leaves.count, vault.read(nodes_sha256), leaves.hashes)


def paths(indices: Iterable[int], leaves: Leaves, nodes_sha256: str) -> dict[int, list[bytes]]:
    """The audit paths of the rows at these indices. Raises vault.Missing, IndexError."""
    rising = sorted(set(indices))
    found = growing.paths(rising, leaves.count, vault.read(nodes_sha256), leaves.hashes)
    return dict(zip(rising, found, strict=True))
