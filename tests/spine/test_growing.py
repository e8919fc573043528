"""A tree that leaves are poured into has the root and the paths of the tree of all of them."""

from hashlib import sha256

import pytest

from spine import growing, merkle
from spine.growing import HASH, RUN, Growing

SIZES = [0, 1, 2, 3, 1023, 1024, 1025, 2047, 2048, 2049, 3072, 5000, 9 * 1024 + 1]


def leaves(size: int) -> list[bytes]:
    return [sha256(b"%d" % number).digest() for number in range(size)]


def poured(found: list[bytes], pieces: int) -> Growing:
    tree = Growing()
    for start in range(0, len(found), pieces):
        tree.add(b"".join(found[start : start + pieces]))
    return tree


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("pieces", [1, 700, 1024, 4096])
def test_root_and_nodes_are_those_of_the_whole_tree(size: int, pieces: int) -> None:
    found = leaves(size)
    tree = poured(found, pieces)
    runs = [merkle.root(found[start : start + RUN]) for start in range(0, size // RUN * RUN, RUN)]
    assert (tree.size, tree.root(), bytes(tree.nodes)) == (size, merkle.root(found), b"".join(runs))


@pytest.mark.parametrize("size", SIZES[1:])
def test_paths_are_those_of_the_whole_tree_and_read_two_runs_at_most(size: int) -> None:
    found = leaves(size)
    tree, known = poured(found, 999), merkle.in_memory(found)
    for index in sorted({0, 1, size // 3, size // 2, size - 2, size - 1} & set(range(size))):
        asked: list[int] = []

        def read(start: int, end: int, asked: list[int] = asked) -> bytes:
            asked.append(end - start)
            return b"".join(found[start:end])

        made = growing.path(index, size, bytes(tree.nodes), read)
        assert made == merkle.path_at(index, size, known)
        assert len(asked) <= 2
        assert max(asked, default=0) <= RUN


@pytest.mark.parametrize("size", SIZES[1:])
def test_many_paths_read_each_run_once(size: int) -> None:
    found = leaves(size)
    tree, known = poured(found, 999), merkle.in_memory(found)
    asked: list[int] = []

    def read(start: int, end: int) -> bytes:
        asked.append(start)
        return b"".join(found[start:end])

    indices = sorted({*range(0, size, 37), size - 1})
    assert list(growing.paths(indices, size, bytes(tree.nodes), read)) == [
        merkle.path_at(index, size, known) for index in indices
    ]
    assert len(asked) == len(set(asked))


def test_a_leaf_that_is_not_there_has_no_path() -> None:
    with pytest.raises(IndexError):
        growing.path(3, 3, b"", lambda start, end: b"\x00" * HASH * 3)
