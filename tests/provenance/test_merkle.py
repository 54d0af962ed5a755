"""The tree against the recursive definitions of RFC 9162, written here as they stand there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.provenance import merkle

Node = Callable[[int, int], bytes]


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def split(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def mth(entries: list[bytes]) -> bytes:
    """RFC 9162, 2.1.1."""
    if not entries:
        return sha(b"")
    if len(entries) == 1:
        return sha(b"\x00" + entries[0])
    k = split(len(entries))
    return sha(b"\x01" + mth(entries[:k]) + mth(entries[k:]))


def path(m: int, entries: list[bytes]) -> list[bytes]:
    """RFC 9162, 2.1.3.1."""
    if len(entries) == 1:
        return []
    k = split(len(entries))
    if m < k:
        return [*path(m, entries[:k]), mth(entries[k:])]
    return [*path(m - k, entries[k:]), mth(entries[:k])]


def subproof(m: int, entries: list[bytes], whole: bool) -> list[bytes]:
    """RFC 9162, 2.1.4.1."""
    if m == len(entries):
        return [] if whole else [mth(entries)]
    k = split(len(entries))
    if m <= k:
        return [*subproof(m, entries[:k], whole), mth(entries[k:])]
    return [*subproof(m - k, entries[k:], False), mth(entries[:k])]


def stored(entries: list[bytes]) -> Node:
    nodes: dict[tuple[int, int], bytes] = {}

    def node(level: int, index: int) -> bytes:
        return nodes[level, index]

    for size, entry in enumerate(entries):
        for level, index, value in merkle.completed_nodes(size, merkle.leaf_hash(entry), node):
            assert (level, index) not in nodes
            nodes[level, index] = value
    return node


many = st.lists(st.binary(max_size=6), min_size=1, max_size=70)


def test_the_hashes_that_certificate_transparency_tests_with() -> None:
    # Known answers of RFC 6962's reference tree over eight inputs.
    inputs = [bytes.fromhex(one) for one in ("", "00", "10", "2021", "3031", "40414243",
              "5051525354555657", "606162636465666768696a6b6c6d6e6f")]  # fmt: skip
    node = stored(inputs)
    assert merkle.root(0, node).hex().startswith("e3b0c44298fc1c14")
    assert merkle.root(1, node).hex() == (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    )
    assert merkle.root(8, node).hex() == (
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    )


@given(many)
@settings(max_examples=60, deadline=None)
def test_roots_and_proofs_are_those_of_the_definition(entries: list[bytes]) -> None:
    node = stored(entries)
    size = len(entries)
    assert merkle.root(size, node) == mth(entries)
    for index in {0, size // 2, size - 1}:
        proof = merkle.inclusion_path(index, size, node)
        assert proof == path(index, entries)
        leaf = merkle.leaf_hash(entries[index])
        assert merkle.root_of_inclusion(leaf, index, size, proof) == mth(entries)
    for first in {1, (size + 1) // 2, size}:
        proof = merkle.consistency_path(first, size, node)
        assert proof == subproof(first, entries, True)
        assert merkle.is_consistent(first, size, mth(entries[:first]), mth(entries), proof)


@given(many, st.data())
@settings(max_examples=60, deadline=None)
def test_no_altered_proof_holds(entries: list[bytes], data: st.DataObject) -> None:
    node, size, root = stored(entries), len(entries), mth(entries)
    index = data.draw(st.integers(0, size - 1))
    leaf, proof = merkle.leaf_hash(entries[index]), merkle.inclusion_path(index, size, node)
    other = merkle.leaf_hash(b"something else")
    assert merkle.root_of_inclusion(other, index, size, proof) != root
    assert merkle.root_of_inclusion(leaf, index, size, [*proof, other]) != root
    assert merkle.root_of_inclusion(leaf, size, size, proof) is None
    if proof:
        assert merkle.root_of_inclusion(leaf, index, size, proof[:-1]) != root
        at = data.draw(st.integers(0, len(proof) - 1))
        assert (
            merkle.root_of_inclusion(leaf, index, size, [*proof[:at], other, *proof[at + 1 :]])
            != root
        )
    if size > 1:
        first = data.draw(st.integers(1, size - 1))
        shown = merkle.consistency_path(first, size, node)
        changed = mth([b"rewritten", *entries[1:first]])
        if entries[0] != b"rewritten":
            assert not merkle.is_consistent(first, size, changed, root, shown)
        assert not merkle.is_consistent(first, size, mth(entries[:first]), other, shown)
        assert not merkle.is_consistent(first, size, mth(entries[:first]), root, shown[:-1])


def test_every_small_tree_proves_every_pair() -> None:
    entries = [bytes([n]) for n in range(18)]
    for size in range(1, len(entries) + 1):
        node = stored(entries[:size])
        for first in range(1, size + 1):
            proof = merkle.consistency_path(first, size, node)
            assert merkle.is_consistent(
                first, size, mth(entries[:first]), mth(entries[:size]), proof
            )


@pytest.mark.parametrize(("first", "second"), [(0, 3), (4, 3)])
def test_what_cannot_be_proved_is_refused(first: int, second: int) -> None:
    node = stored([b"a", b"b", b"c"])
    with pytest.raises(ValueError, match="proof"):
        merkle.consistency_path(first, second, node)
    with pytest.raises(ValueError, match="proof"):
        merkle.inclusion_path(second, second, node)
