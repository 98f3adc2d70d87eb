"""Which slots were not kept."""

import pytest

from bench.jobs import astray

SLOTS = [("a", "1"), ("a", "2"), ("b", "1")]


@pytest.mark.parametrize(
    ("done", "wrong"),
    [
        (SLOTS[::-1], 0),
        (SLOTS[1:], 1),
        ([*SLOTS, ("b", "1")], 1),
        ([*SLOTS, ("b", "1"), ("b", "1")], 1),
        ([*SLOTS, ("b", "2")], 1),
        ([("a", "1"), ("a", "1")], 3),
    ],
    ids=["all once", "missed", "twice", "thrice", "not a slot", "twice and two missed"],
)
def test_a_slot_is_done_exactly_once(done: list[tuple[str, str]], wrong: int):
    assert astray(SLOTS, done) == wrong
