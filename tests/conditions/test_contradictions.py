"""Conditions that can never be true are found, with the place and the reason."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_graph.conditions.contradictions import impossible
from loyalty_graph.conditions.python import compile_python
from loyalty_graph.conditions.reading import read
from tests.conditions.vocabularies import GUESTS, Guest, Table


def fault_of(data: Any) -> tuple[str, str] | None:
    fault = impossible(read(data, GUESTS))
    return fault and (".".join(map(str, fault.path)), fault.message)


@pytest.mark.parametrize(
    ("condition", "place", "message"),
    [
        (
            {"guest": {"visits": {"at_least": 10, "at_most": 5}}},
            "guest.visits.at_most",
            "this can never be true: guest.visits at_least 10 and at_most 5 exclude each other",
        ),
        (
            {"guest": {"visits": {"between": [9, 3]}}},
            "guest.visits.between",
            "this can never be true: 9 is above 3",
        ),
        (
            {"guest": {"visits": -1}},
            "guest.visits",
            "this can never be true: guest.visits is at least 0 and at most 1000",
        ),
        (
            {"guest": {"visits": {"more_than": 1000}}},
            "guest.visits.more_than",
            "this can never be true: guest.visits is at least 0 and at most 1000",
        ),
        (
            {"guest": {"visits": {"between": [3, 4], "not_in": [3, 4]}}},
            "guest.visits.not_in",
            "this can never be true: guest.visits between 3, 4 and not_in 3, 4 exclude each other",
        ),
        (
            {"all": [{"guest": {"room": "A"}}, {"guest": {"room": {"in": ["B", "C"]}}}]},
            "all.1.guest.room.in",
            "this can never be true: guest.room is A and in B, C exclude each other",
        ),
        (
            {"table": {"place": {"not_in": ["TERRACE", "INSIDE"]}}},
            "table.place.not_in",
            "this can never be true: table.place has other values",
        ),
        (
            {"guest": {"is_asleep": {"is": True, "is_not": True}}},
            "guest.is_asleep.is_not",
            "this can never be true: guest.is_asleep is true and is_not true exclude each other",
        ),
        (
            {"guest": {"visits": {"is_set": False}}},
            "guest.visits.is_set",
            "this can never be true: guest.visits is always known",
        ),
        (
            {"guest": {"room": {"is": "A", "is_set": False}}},
            "guest.room.is_set",
            "this can never be true: guest.room is A and is_set false exclude each other",
        ),
        (
            {"guest": {"born": {"more_than": "2000-01-01", "less_than": "2000-01-02"}}},
            "guest.born.less_than",
            None,
        ),
        (
            {"guest": {"visits": {"at_least": 3}}, "not": {"guest": {"visits": {"at_least": 3}}}},
            "not.guest.visits.at_least",
            "this can never be true: guest.visits at_least 3 and less_than 3 exclude each other",
        ),
        (
            {
                "guest": {"visits": 4},
                "any": [{"guest": {"visits": 5}}, {"guest": {"visits": {"less_than": 2}}}],
            },
            "any.0.guest.visits",
            "this can never be true: guest.visits is 4 and is 5 exclude each other",
        ),
        (
            {
                "guest": {"visits": {"between": [3, 4]}},
                "not": {"guest": {"visits": {"between": [2, 5]}}},
            },
            "not.guest.visits.between",
            None,
        ),
        (
            {"not": {"any": [{"guest": {"visits": {"at_least": 0}}}, {"guest": {"seen": 3}}]}},
            "not.any.0.guest.visits.at_least",
            None,
        ),
        ({"any_line": {"pieces": {"less_than": 0}}}, "any_line.pieces.less_than", None),
        (
            {"not": {"all_lines": {"pieces": {"at_least": 0}}}},
            "not.all_lines.pieces.at_least",
            None,
        ),
        (
            {"count_lines": {"where": {"kind": "A"}, "at_least": 2, "less_than": 2}},
            "count_lines.less_than",
            "this can never be true: count_lines at_least 2 and less_than 2 exclude each other",
        ),
        ({"count_lines": {"at_most": -1}}, "count_lines.at_most", None),
        (
            {"sum_lines": {"of": "price_minor", "where": {"pieces": -1}, "at_least": 1}},
            "sum_lines.at_least",
            "this can never be true: price_minor is at least 0 and at most 0",
        ),
        (
            {"not": {"sum_lines": {"of": "price_minor", "at_least": 0}}},
            "not.sum_lines.at_least",
            None,
        ),
        (
            {
                "guest": {"room": {"in": ["A", "B"]}},
                "all": [{"guest": {"room": {"is_not": "A"}}}, {"guest": {"room": {"is_not": "B"}}}],
            },
            "all.1.guest.room.is_not",
            "this can never be true with the rest of guest.room",
        ),
    ],
    ids=str,
)
def test_what_can_never_be_true_is_found(condition: Any, place: str, message: str | None):
    found = fault_of(condition)

    assert found is not None
    assert found[0] == place
    assert message is None or found[1] == message


@pytest.mark.parametrize(
    "condition",
    [
        {"guest": {"visits": {"at_least": 5, "at_most": 5}}},
        {"guest": {"visits": {"between": [3, 5], "not_in": [3, 4]}}},
        {"guest": {"seen": {"at_least": 3}}, "not": {"guest": {"visits": 3}}},
        {"guest": {"seen": {"is_set": False}}, "not": {"guest": {"seen": {"at_least": -9}}}},
        {"guest": {"seen": {"is_set": False}}, "not": {"guest": {"seen": {"between": [1, 2]}}}},
        {"not": {"guest": {"room": {"is_set": True}}}},
        {"any": [{"guest": {"visits": -1}}, {"guest": {"visits": 1}}]},
        {
            "guest": {"visits": 3},
            "not": {"all": [{"guest": {"visits": 3}}, {"guest": {"seen": 1}}]},
        },
        {"not": {"not": {"guest": {"visits": 1}}}},
        {"any_line": {"labels": {"has": "A"}, "not": {"labels": {"has": "A"}}}},
        {"not": {"any_line": {"kind": "A"}}},
        {"all_lines": {"pieces": -1}},
        {
            "sum_lines": {"of": "price_minor", "where": {"kind": "A"}, "at_least": 9},
            "count_lines": {"where": {"kind": "A"}, "is": 1},
        },
        {"not": {"count_lines": {"between": [2, 3]}}},
        {"guest": {"room": {"in": ["A", "B"], "is_not": "A"}}},
        {"table": {"place": {"is_not": "TERRACE"}}},
        {"guest": {"is_regular": {"is_not": True}}},
    ],
    ids=str,
)
def test_what_can_be_true_is_let_through(condition: Any):
    assert fault_of(condition) is None


def comparisons(term: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    compared = st.one_of(
        st.tuples(st.sampled_from(["is", "is_not", "at_least", "at_most"]), values),
        st.tuples(st.sampled_from(["more_than", "less_than"]), values),
        st.tuples(st.sampled_from(["in", "not_in"]), st.lists(values, min_size=1, max_size=3)),
        st.tuples(st.just("between"), st.lists(values, min_size=2, max_size=2)),
        st.tuples(st.just("is_set"), st.booleans()),
    )
    return compared.map(lambda one: {"guest": {term: {one[0]: one[1]}}})


NUMBERS = st.integers(0, 3)
LEAVES = comparisons("visits", NUMBERS) | comparisons("seen", NUMBERS)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"all": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=8,
)


@given(CONDITIONS)
def test_what_is_called_impossible_holds_for_nobody(data: Any):
    condition = read(data, GUESTS)
    holds = compile_python(condition, GUESTS)
    guests = [Guest(visits, seen) for visits in range(5) for seen in (None, 0, 1, 2, 3, 4)]

    found = [guest for guest in guests if holds(guest, Table())]

    assert not (impossible(condition) and found)
