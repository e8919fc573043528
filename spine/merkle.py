"""The Merkle tree of RFC 6962, section 2.1: roots, paths and consistency proofs, from lists or from stored nodes.

Hashes are 32 bytes. A complete node `(level, index)` covers leaves `index·2^level … (index+1)·2^level − 1`; level 0 is
the leaf hashes.
"""

import hashlib
from collections.abc import Callable, Sequence

Lookup = Callable[[int, int], bytes]
Nodes = dict[tuple[int, int], bytes]

EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf's bytes: `H(0x00 || data)`."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node: `H(0x01 || left || right)`."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """The Merkle tree hash over leaf hashes in order; of none, the hash of the empty string."""
    return append(_nothing_stored, 0, leaves)[1]


def inclusion_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The audit path of one of the leaf hashes, from the leaf upwards (section 2.1.1). Raises IndexError."""
    return path_at(index, len(leaves), in_memory(leaves))


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> list[bytes]:
    """The proof that the tree of the first `old_size` leaf hashes is a beginning of this one (section 2.1.2)."""
    return consistency_at(old_size, len(leaves), in_memory(leaves))


def in_memory(leaves: Sequence[bytes]) -> Lookup:
    """Every complete node over the leaf hashes, as a lookup."""
    nodes, _ = append(_nothing_stored, 0, leaves)
    return lambda level, index: nodes[level, index]


def append(stored: Lookup, size: int, leaves: Sequence[bytes]) -> tuple[Nodes, bytes]:
    """The complete nodes, level 0 included, that leaf hashes added to a tree of `size` bring, and the new root.

    Asks `stored` for at most two nodes per level of the tree.
    """
    nodes: Nodes = {(0, size + offset): leaf for offset, leaf in enumerate(leaves)}

    def get(level: int, index: int) -> bytes:
        found = nodes.get((level, index))
        return stored(level, index) if found is None else found

    new_size = size + len(leaves)
    level = 1
    while new_size >> level:
        for index in range(size >> level, new_size >> level):
            nodes[level, index] = node_hash(get(level - 1, 2 * index), get(level - 1, 2 * index + 1))
        level += 1
    return nodes, root_at(new_size, get)


def root_at(size: int, lookup: Lookup) -> bytes:
    """The root the tree had at `size`, from complete nodes; one lookup for each bit set in `size`."""
    return _range_hash(0, size, lookup) if size else EMPTY_ROOT


def path_at(index: int, size: int, lookup: Lookup) -> list[bytes]:
    """The audit path of leaf `index` in the tree of `size`, from complete nodes, O(log size). Raises IndexError."""
    if not 0 <= index < size:
        raise IndexError(f"no leaf {index} in a tree of {size}")
    path, start, end = [], 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_range_hash(middle, end, lookup))
            end = middle
        else:
            path.append(_range_hash(start, middle, lookup))
            start = middle
    return path[::-1]


def consistency_at(old_size: int, size: int, lookup: Lookup) -> list[bytes]:
    """The consistency proof between two sizes of one tree, from complete nodes, O(log size).

    Empty for equal sizes. Raises ValueError unless `0 < old_size <= size`: nothing can be said about an empty tree.
    """
    if not 0 < old_size <= size:
        raise ValueError(f"no consistency proof from {old_size} to {size}")
    proof, start, end = [], 0, size
    while end != old_size:
        middle = start + _split(end - start)
        if old_size <= middle:
            proof.append(_range_hash(middle, end, lookup))
            end = middle
        else:
            proof.append(_range_hash(start, middle, lookup))
            start = middle
    if start:  # otherwise the old tree is itself a complete node, and its root is known to the verifier
        proof.append(_range_hash(start, end, lookup))
    return proof[::-1]


def root_from_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that a leaf hash and its audit path lead to (RFC 9162, section 2.1.3.2).

    Raises ValueError when the tree of `size` has no such leaf, or the path is not exactly as long as it demands.
    """
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    position, last, value = index, size - 1, leaf
    for sibling in path:
        if last == 0 or len(sibling) != len(EMPTY_ROOT):
            raise ValueError("the path is longer than the tree demands, or a step is not 32 bytes")
        if position & 1 or position == last:
            value = node_hash(sibling, value)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            value = node_hash(value, sibling)
        position, last = position >> 1, last >> 1
    if last:
        raise ValueError("the path is shorter than the tree demands")
    return value


def is_included(leaf: bytes, index: int, size: int, path: Sequence[bytes], expected_root: bytes) -> bool:
    """Whether the path proves the leaf hash to stand at `index` in the tree with this size and root."""
    try:
        return root_from_path(leaf, index, size, path) == expected_root
    except ValueError:
        return False


def is_consistent(old_size: int, size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows the old tree to be a beginning of the new one (RFC 9162, section 2.1.4.2)."""
    if not 0 < old_size <= size or any(len(value) != len(EMPTY_ROOT) for value in proof):
        return False
    if old_size == size:
        return not proof and old_root == new_root
    steps = list(proof) if old_size & (old_size - 1) else [old_root, *proof]
    if not steps:
        return False
    position, last = old_size - 1, size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old, new = steps[0], steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new = node_hash(new, step)
        position, last = position >> 1, last >> 1
    return last == 0 and old == old_root and new == new_root


def _split(count: int) -> int:
    """The largest power of two smaller than `count`, which is at least 2."""
    return 1 << ((count - 1).bit_length() - 1)


def _range_hash(start: int, end: int, lookup: Lookup) -> bytes:
    """The hash over leaves `start … end − 1`, a range that RFC 6962's splitting of a tree produces."""
    count = end - start
    if not count & (count - 1):
        level = count.bit_length() - 1
        return lookup(level, start >> level)
    middle = start + _split(count)
    return node_hash(_range_hash(start, middle, lookup), _range_hash(middle, end, lookup))


def _nothing_stored(level: int, index: int) -> bytes:
    raise LookupError(f"no node at level {level}, index {index}")
