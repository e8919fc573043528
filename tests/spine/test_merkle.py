"""The tree against its definition up to 256 leaves, published vectors, and an independent implementation."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree, InvalidProof, verify_consistency

from spine import merkle

SIZES = range(257)
LEAVES = [merkle.leaf_hash(f"entry {number}".encode()) for number in range(256)]

# The test vectors of the certificate-transparency project's reference implementation of RFC 6962.
PUBLISHED_INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
PUBLISHED_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
PUBLISHED_PATH_OF_0_IN_8 = [
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
]


def naive_root(leaves):
    """Section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = max(1 << power for power in range(9) if 1 << power < len(leaves))
    return hashlib.sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


def naive_path(index, leaves):
    """Section 2.1.1, word for word."""
    if len(leaves) == 1:
        return []
    k = max(1 << power for power in range(9) if 1 << power < len(leaves))
    if index < k:
        return [*naive_path(index, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(index - k, leaves[k:]), naive_root(leaves[:k])]


def naive_consistency(old, leaves, known=True):
    """Section 2.1.2, word for word."""
    if old == len(leaves):
        return [] if known else [naive_root(leaves)]
    k = max(1 << power for power in range(9) if 1 << power < len(leaves))
    if old <= k:
        return [*naive_consistency(old, leaves[:k], known), naive_root(leaves[k:])]
    return [*naive_consistency(old - k, leaves[k:], False), naive_root(leaves[:k])]


@pytest.fixture(scope="module")
def roots():
    return [merkle.root(LEAVES[:size]) for size in SIZES]


def test_root_of_published_inputs_is_the_published_root():
    leaves = [merkle.leaf_hash(bytes.fromhex(text)) for text in PUBLISHED_INPUTS]
    assert [merkle.root(leaves[:size]).hex() for size in range(1, 9)] == PUBLISHED_ROOTS
    assert [step.hex() for step in merkle.inclusion_path(leaves, 0)] == PUBLISHED_PATH_OF_0_IN_8


def test_root_of_nothing_is_the_hash_of_the_empty_string():
    assert merkle.root([]) == hashlib.sha256(b"").digest()


def test_root_at_every_size_follows_the_definition(roots):
    assert roots == [naive_root(LEAVES[:size]) for size in SIZES]


def test_root_and_paths_agree_with_an_independent_implementation(roots):
    tree = InmemoryTree.init_from_entries([f"entry {number}".encode() for number in range(256)])
    assert roots[1:] == [tree.get_root(size) for size in range(1, 257)]
    path = tree.prove_inclusion(101, 200).path  # counts from 1, begins with the leaf itself
    assert path == [LEAVES[100], *merkle.inclusion_path(LEAVES[:200], 100)]


def test_every_pair_of_sizes_up_to_256_is_consistent_to_an_independent_implementation_too(roots):
    tree = InmemoryTree.init_from_entries([f"entry {number}".encode() for number in range(256)])
    for new in range(1, 257):
        for old in range(1, new + 1):
            verify_consistency(roots[old], roots[new], tree.prove_consistency(old, new))
    with pytest.raises(InvalidProof):
        verify_consistency(roots[99], roots[256], tree.prove_consistency(100, 256))


def test_stored_nodes_give_every_root_and_path_of_every_earlier_size(roots):
    lookup = merkle.in_memory(LEAVES)
    assert [merkle.root_at(size, lookup) for size in SIZES] == roots
    for size in (1, 2, 3, 7, 8, 100, 255, 256):
        paths = [merkle.path_at(index, size, lookup) for index in range(size)]
        assert paths == [naive_path(index, LEAVES[:size]) for index in range(size)]


def test_every_inclusion_path_up_to_256_leads_to_its_root_and_no_other(roots):
    lookup = merkle.in_memory(LEAVES)
    for size in SIZES[1:]:
        for index in range(size):
            path = merkle.path_at(index, size, lookup)
            assert merkle.root_from_path(LEAVES[index], index, size, path) == roots[size]
            assert not merkle.is_included(LEAVES[index], index, size, path, roots[size - 1])


def test_path_lookups_grow_with_the_logarithm():
    asked = []
    lookup = merkle.in_memory(LEAVES)
    merkle.path_at(77, 255, lambda level, index: asked.append((level, index)) or lookup(level, index))
    assert len(asked) <= 2 * 8


def test_path_too_long_too_short_moved_or_bent_is_refused(roots):
    lookup = merkle.in_memory(LEAVES)
    for size in (1, 2, 3, 6, 7, 64, 65, 200):
        for index in range(size):
            path = merkle.path_at(index, size, lookup)
            wrong = [[*path, LEAVES[0]], [LEAVES[0], *path], [*path, b""]]
            wrong += [path[:-1], path[1:], [path[0][:31], *path[1:]]] if path else []
            assert not any(merkle.is_included(LEAVES[index], index, size, bent, roots[size]) for bent in wrong)
            assert not merkle.is_included(LEAVES[index], (index + 1) % size, size, path, roots[size]) or size == 1
            assert not merkle.is_included(LEAVES[index - 1], index, size, path, roots[size]) or size == 1


@pytest.mark.parametrize(("index", "size"), [(-1, 4), (4, 4), (0, 0)])
def test_path_of_a_leaf_that_is_not_there_is_refused(index, size):
    with pytest.raises(IndexError):
        merkle.path_at(index, size, merkle.in_memory(LEAVES))
    assert not merkle.is_included(LEAVES[0], index, size, [], LEAVES[0])


def test_every_consistency_proof_up_to_256_follows_the_definition_and_holds(roots):
    lookup = merkle.in_memory(LEAVES)
    for size in SIZES[1:]:
        for old in range(1, size + 1):
            proof = merkle.consistency_at(old, size, lookup)
            assert merkle.is_consistent(old, size, roots[old], roots[size], proof)
            forged = merkle.is_consistent(old, size, roots[old - 1], roots[size], proof)
            assert not forged
    for size in (1, 2, 7, 8, 100, 256):
        proofs = [merkle.consistency_proof(LEAVES[:size], old) for old in range(1, size + 1)]
        assert proofs == [naive_consistency(old, LEAVES[:size]) for old in range(1, size + 1)]


def test_consistency_with_a_rewritten_history_is_refused_for_every_old_size(roots):
    forked = [merkle.leaf_hash(b"another beginning"), *LEAVES[1:]]
    new_root = merkle.root(forked)
    for old in range(1, 256):
        proof = merkle.consistency_proof(forked, old)
        assert not merkle.is_consistent(old, 256, roots[old], new_root, proof)


def test_consistency_proof_bent_or_of_impossible_sizes_is_refused(roots):
    for old, size in ((1, 2), (3, 7), (4, 8), (6, 8), (100, 201)):
        proof = merkle.consistency_proof(LEAVES[:size], old)
        for bent in ([*proof, LEAVES[0]], [LEAVES[0], *proof], proof[:-1], proof[1:], [*proof[:-1], b"short"], []):
            assert not merkle.is_consistent(old, size, roots[old], roots[size], bent)
    assert not merkle.is_consistent(3, 3, roots[3], roots[3], [LEAVES[0]])
    assert not merkle.is_consistent(3, 3, roots[3], roots[4], [])
    assert not merkle.is_consistent(0, 3, roots[0], roots[3], [])
    assert not merkle.is_consistent(5, 3, roots[5], roots[3], [])
    for old, size in ((0, 3), (4, 3)):
        with pytest.raises(ValueError, match="no consistency proof"):
            merkle.consistency_at(old, size, merkle.in_memory(LEAVES))


@given(st.lists(st.integers(0, 40), max_size=8))
def test_tree_grown_in_batches_equals_the_tree_made_at_once(batches):
    stored: dict[tuple[int, int], bytes] = {}
    size = 0

    def lookup(level, index):
        return stored[level, index]

    for count in batches:
        leaves = [merkle.leaf_hash(b"%d" % number) for number in range(size, size + count)]
        added, root = merkle.append(lookup, size, leaves)
        assert not stored.keys() & added.keys()
        stored.update(added)
        size += count
        assert root == merkle.root([merkle.leaf_hash(b"%d" % number) for number in range(size)])


def test_append_asks_for_few_stored_nodes():
    asked = []
    lookup = merkle.in_memory(LEAVES)
    merkle.append(lambda level, index: asked.append((level, index)) or lookup(level, index), 255, LEAVES[:1])
    assert len(asked) <= 2 * 9
