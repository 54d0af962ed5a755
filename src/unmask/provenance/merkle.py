"""Merkle tree hashes, inclusion proofs and consistency proofs over a growing list.

Functions ask for the hash of a complete subtree by (level, index): level 0 are the leaves, the
subtree (level, index) covers the 2^level leaves from index * 2^level on. Such a hash never changes
once its leaves are there, so it can be stored and a proof costs the square of log n look-ups.

Source: RFC 9162, section 2.1 (the same tree as RFC 6962): 2.1.1 hashes, 2.1.3 inclusion, 2.1.4
consistency.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

Node = Callable[[int, int], bytes]
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """Hash of one entry; its first byte differs from a node's, so neither passes for the other."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def completed_nodes(size: int, leaf: bytes, node: Node) -> list[tuple[int, int, bytes]]:
    """What to store when a leaf is added: the leaf and every subtree that it completes.

    Args:
        size: Leaves before.
        leaf: Hash of the new one.
        node: Hashes stored so far.

    Returns:
        (level, index, hash) of each, from the leaf up.
    """
    made = [(0, size, leaf)]
    level, index, value = made[0]
    while index & 1:
        value = node_hash(node(level, index - 1), value)
        level, index = level + 1, index >> 1
        made.append((level, index, value))
    return made


def root(size: int, node: Node) -> bytes:
    """Hash of the tree over the first ``size`` entries."""
    return _range_hash(0, size, node) if size else EMPTY_ROOT


def inclusion_path(index: int, size: int, node: Node) -> list[bytes]:
    """Hashes that lead from entry ``index`` to the root over ``size`` entries, lowest first."""
    _check(0 <= index < size, f"entry {index} of {size}")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_range_hash(middle, end, node))
            end = middle
        else:
            path.append(_range_hash(start, middle, node))
            start = middle
    return path[::-1]


def consistency_path(first: int, second: int, node: Node) -> list[bytes]:
    """Hashes that show that the first tree is the beginning of the second."""
    _check(0 < first <= second, f"{first} entries before {second}")
    path: list[bytes] = []
    start, end = 0, second
    whole = True  # the subtree at hand is the first tree itself, whose root the verifier knows
    while first != end:
        middle = start + _split(end - start)
        if first <= middle:
            path.append(_range_hash(middle, end, node))
            end = middle
        else:
            path.append(_range_hash(start, middle, node))
            start, whole = middle, False
    if not whole:
        path.append(_range_hash(start, end, node))
    return path[::-1]


def root_of_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that an inclusion path leads to, or None where it has the wrong length.

    Source: RFC 9162, section 2.1.3.2.
    """
    if not 0 <= index < size:
        return None
    at, last, value = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return None
        if at & 1 or at == last:
            value = node_hash(sibling, value)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            value = node_hash(value, sibling)
        at, last = at >> 1, last >> 1
    return value if last == 0 else None


def is_consistent(
    first: int, second: int, first_root: bytes, second_root: bytes, path: Sequence[bytes]
) -> bool:
    """Whether a consistency path shows that nothing of the first tree was changed or removed.

    Source: RFC 9162, section 2.1.4.2.
    """
    if first == second:
        return not path and first_root == second_root
    if not 0 < first < second or not path:
        return False
    # A first tree that is one complete subtree is not repeated in the path.
    steps = [first_root, *path] if first & (first - 1) == 0 else list(path)
    at, last = first - 1, second - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    older = newer = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            older, newer = node_hash(step, older), node_hash(step, newer)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            newer = node_hash(newer, step)
        at, last = at >> 1, last >> 1
    return last == 0 and older == first_root and newer == second_root


def _range_hash(start: int, end: int, node: Node) -> bytes:
    """Hash of the subtree over entries start..end; its left parts are complete subtrees."""
    count = end - start
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        return node(level, start >> level)
    middle = start + _split(count)
    return node_hash(_range_hash(start, middle, node), _range_hash(middle, end, node))


def _split(count: int) -> int:
    """The largest power of two below ``count``."""
    return 1 << ((count - 1).bit_length() - 1)


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(f"a proof was asked for {what}")
