"""A Merkle tree (RFC 6962) that leaf hashes are poured into: root and nodes in one pass, whatever the number."""

import hashlib
from collections.abc import Callable, Iterable, Iterator

from spine import merkle

LEVEL = 10
RUN = 1 << LEVEL
HASH = 32
Read = Callable[[int, int], bytes]


class Growing:
    """Takes leaf hashes in order and keeps the complete nodes of level 10: 32 bytes for each 1,024 leaves."""

    def __init__(self) -> None:
        self.size = 0
        self.nodes = bytearray()
        self._waiting = bytearray()

    def add(self, leaves: bytes) -> None:
        """Take leaf hashes, 32 bytes each."""
        self.size += len(leaves) // HASH
        self._waiting += leaves
        whole = len(self._waiting) // (RUN * HASH) * RUN * HASH
        for start in range(0, whole, RUN * HASH):
            self.nodes += run_root(bytes(self._waiting[start : start + RUN * HASH]))
        del self._waiting[:whole]

    def root(self) -> bytes:
        """The root over everything taken so far."""
        tail = bytes(self._waiting)
        return merkle.root_at(self.size, _lookup(bytes(self.nodes), lambda start, end: tail))


def run_root(leaves: bytes) -> bytes:
    """The root over a power of two of leaf hashes."""
    digest = hashlib.sha256
    while len(leaves) > HASH:
        leaves = b"".join([digest(b"\x01" + leaves[at : at + 64]).digest() for at in range(0, len(leaves), 64)])
    return leaves


def path(index: int, size: int, nodes: bytes, read: Read) -> list[bytes]:
    """The audit path of a leaf from the nodes of level 10 and at most two runs of leaf hashes.

    `read` gives the leaf hashes from one index up to another, together. Raises IndexError when there is no such leaf.
    """
    return next(paths([index], size, nodes, read))


def paths(indices: Iterable[int], size: int, nodes: bytes, read: Read) -> Iterator[list[bytes]]:
    """The audit paths of several leaves, in the order they are asked for; rising indices read each run once."""
    lookup = _lookup(nodes, lambda start, end: read(start, min(end, size)))
    for index in indices:
        yield merkle.path_at(index, size, lookup)


def _lookup(nodes: bytes, read: Read) -> merkle.Lookup:
    """Complete nodes; those below level 10 from the leaves of their run, of which two are held: one, and the last."""
    runs: dict[int, tuple[bytes, merkle.Nodes]] = {}
    upper: merkle.Nodes = {}
    last = len(nodes) // HASH

    def of_run(run: int) -> tuple[bytes, merkle.Nodes]:
        if run not in runs:
            for left in runs.keys() - {last}:
                del runs[left]
            runs[run] = read(run << LEVEL, (run + 1) << LEVEL), {}
        return runs[run]

    def get(level: int, index: int) -> bytes:
        if level == LEVEL:
            return nodes[index * HASH : (index + 1) * HASH]
        leaves, known = (b"", upper) if level > LEVEL else of_run(index >> (LEVEL - level))
        if level == 0:
            return leaves[index % RUN * HASH : (index % RUN + 1) * HASH]
        if (level, index) not in known:
            known[level, index] = merkle.node_hash(get(level - 1, 2 * index), get(level - 1, 2 * index + 1))
        return known[level, index]

    return get
