"""The tree against the definition of RFC 9162, section 2.1, written down as it stands there."""

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_graph.ledger.merkle import Tree, leaf_hash, root_by_path

LEAVES = st.lists(st.binary(max_size=4), max_size=40)


def by_definition(contents: Sequence[bytes]) -> bytes:
    if not contents:
        return hashlib.sha256().digest()
    if len(contents) == 1:
        return hashlib.sha256(b"\x00" + contents[0]).digest()
    half = 1 << (len(contents) - 1).bit_length() - 1
    left, right = by_definition(contents[:half]), by_definition(contents[half:])
    return hashlib.sha256(b"\x01" + left + right).digest()


@given(LEAVES)
def test_the_root_is_that_of_the_rfc(contents: list[bytes]):
    assert Tree(map(leaf_hash, contents)).root == by_definition(contents)


@given(st.data())
def test_leaves_may_change_and_follow_in_any_portions(data: st.DataObject):
    contents: list[bytes] = []
    tree = Tree()
    for _ in range(data.draw(st.integers(0, 5))):
        changes = {
            place: b"new"
            for place in data.draw(st.sets(st.integers(0, 60)))
            if place < len(contents)
        }
        more = data.draw(LEAVES)
        changes |= {len(contents) + n: one for n, one in enumerate(more)}
        contents += more
        for place, one in changes.items():
            contents[place] = one
        tree.put({place: leaf_hash(one) for place, one in changes.items()})

    assert tree.root == by_definition(contents)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13])
def test_every_leafs_path_leads_to_the_root_and_to_no_other_place(size: int):
    leaves = [leaf_hash(bytes([n])) for n in range(size)]
    tree = Tree(leaves)

    for place, leaf in enumerate(leaves):
        path = tree.path(place)
        reached = [root_by_path(leaf, other, size, path) == tree.root for other in range(size)]
        assert reached == [other == place for other in range(size)]


@pytest.mark.parametrize("path", [[], [b"1" * 32, b"2" * 32]])
def test_a_path_of_another_length_leads_nowhere(path: list[bytes]):
    assert root_by_path(leaf_hash(b"a"), 0, 2, path) is None
