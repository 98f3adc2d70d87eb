"""What conditions mean, by the functions they become."""

from datetime import date
from typing import Any

import pytest

from loyalty_graph.conditions.python import compile_all, compile_lines, compile_python
from loyalty_graph.conditions.reading import read, read_line
from tests.conditions.vocabularies import GUESTS, Dish, Guest, Table

SOUP = Dish("SOUP", 450, ("VEGAN", "HOT"))
FISH = Dish("FISH", 1450, ("HOT",), pieces=2)
WINE = Dish("WINE", 900)


def holds(data: Any, guest: Guest | None = None, table: Table | None = None) -> bool:
    return compile_python(read(data, GUESTS), GUESTS)(guest or Guest(), table or Table())


@pytest.mark.parametrize(
    ("compared", "held"),
    [
        (3, {3}),
        ([1, 3], {1, 3}),
        ({"is": 3}, {3}),
        ({"is_not": 3}, {1, 2, 4, 5}),
        ({"in": [2, 9]}, {2}),
        ({"not_in": [2, 9]}, {1, 3, 4, 5}),
        ({"at_least": 4}, {4, 5}),
        ({"more_than": 4}, {5}),
        ({"at_most": 2}, {1, 2}),
        ({"less_than": 2}, {1}),
        ({"between": [2, 4]}, {2, 3, 4}),
        ({"at_least": 2, "less_than": 4}, {2, 3}),
        ({"is_set": True}, {1, 2, 3, 4, 5}),
        ({"is_set": False}, set()),
    ],
    ids=str,
)
@pytest.mark.parametrize("term", ["visits", "seen"])
def test_numbers_are_compared(term: str, compared: Any, held: set[int]):
    guests = [Guest(visits=number, seen=number) for number in (1, 2, 3, 4, 5)]

    found = {guest.visits for guest in guests if holds({"guest": {term: compared}}, guest)}

    assert found == held


@pytest.mark.parametrize(
    "compared",
    [
        3,
        [1, 3],
        {"is_not": 3},
        {"not_in": [1]},
        {"at_least": 0},
        {"at_most": 9},
        {"more_than": 0},
        {"less_than": 9},
        {"between": [0, 9]},
        {"is_set": True},
    ],
    ids=str,
)
def test_a_comparison_with_what_is_not_known_is_false_and_not_of_it_true(compared: Any):
    stranger = Guest(seen=None)

    assert not holds({"guest": {"seen": compared}}, stranger)
    assert holds({"not": {"guest": {"seen": compared}}}, stranger)


def test_what_is_not_known_can_be_asked_for():
    assert holds({"guest": {"seen": {"is_set": False}}}, Guest(seen=None))
    assert not holds({"guest": {"seen": {"is_set": False}}}, Guest(seen=0))


@pytest.mark.parametrize(
    ("compared", "known", "held"),
    [
        (True, "is_regular", {True}),
        (False, "is_regular", {False}),
        ({"is_not": True}, "is_regular", {False}),
        (True, "is_asleep", {True}),
        (False, "is_asleep", {False}),
        ({"is_not": True}, "is_asleep", {False}),
        ({"is_set": False}, "is_asleep", {None}),
    ],
    ids=str,
)
def test_flags_are_compared(compared: Any, known: str, held: set[bool | None]):
    found = {
        value
        for value in (True, False, None)
        if holds({"guest": {known: compared}}, Guest(**{known: value}))
    }

    assert found == held


def test_days_are_compared_whether_written_as_text_or_as_a_day():
    young = Guest(born=date(2008, 2, 29))

    assert holds({"guest": {"born": {"at_least": "2008-02-29"}}}, young)
    assert holds({"guest": {"born": {"between": [date(2008, 1, 1), "2008-03-01"]}}}, young)
    assert not holds({"guest": {"born": {"less_than": date(2008, 2, 29)}}}, young)


def test_texts_are_compared_as_they_are_written():
    upstairs = Guest(room="O'Hara \\ 2\" {x}")

    assert holds({"guest": {"room": "O'Hara \\ 2\" {x}"}}, upstairs)
    assert not holds({"guest": {"room": {"is_not": "O'Hara \\ 2\" {x}"}}}, upstairs)
    assert holds({"guest": {"room": {"not_in": ["__import__('os')"]}}}, upstairs)


def test_every_entry_of_a_table_must_hold():
    wanted = {"guest": {"visits": {"at_least": 2}}, "table": {"place": "TERRACE"}}

    assert holds(wanted, Guest(visits=2), Table("TERRACE"))
    assert not holds(wanted, Guest(visits=2), Table("INSIDE"))
    assert not holds(wanted, Guest(visits=1), Table("TERRACE"))


def test_conditions_are_combined():
    wanted = {
        "any": [{"table": {"place": "TERRACE"}}, {"guest": {"is_regular": True}}],
        "all": [{"guest": {"visits": {"at_least": 1}}}, {"guest": {"visits": {"at_most": 5}}}],
        "not": {"guest": {"visits": 3}},
    }

    assert holds(wanted, Guest(visits=1), Table("TERRACE"))
    assert holds(wanted, Guest(visits=5, is_regular=True))
    assert not holds(wanted, Guest(visits=5))
    assert not holds(wanted, Guest(visits=3), Table("TERRACE"))
    assert not holds(wanted, Guest(visits=6), Table("TERRACE"))


@pytest.mark.parametrize(
    ("asked", "held"),
    [
        ({"any_line": {"kind": "FISH"}}, True),
        ({"any_line": {"kind": "FISH", "pieces": 1}}, False),
        ({"all_lines": {"labels": {"has": "HOT"}}}, False),
        ({"all_lines": {"kind": ["SOUP", "FISH", "WINE"]}}, True),
        ({"count_lines": {"is": 3}}, True),
        ({"count_lines": {"where": {"labels": {"has": "HOT"}}, "more_than": 2}}, False),
        ({"count_lines": {"where": {"labels": {"has": "HOT"}}, "between": [1, 2]}}, True),
        ({"sum_lines": {"of": "price_minor", "at_least": 2800}}, True),
        ({"sum_lines": {"of": "price_minor", "more_than": 2800}}, False),
        ({"sum_lines": {"of": "pieces", "where": {"kind": "FISH"}, "is": 2}}, True),
        ({"any_line": {"labels": {"has_any": ["COLD", "VEGAN"]}}}, True),
        ({"any_line": {"labels": {"has_all": ["HOT", "VEGAN"]}}}, True),
        ({"any_line": {"labels": {"has_all": ["COLD", "VEGAN"]}}}, False),
        ({"count_lines": {"where": {"labels": {"is_set": True}}, "is": 2}}, True),
        ({"count_lines": {"where": {"labels": {"is_set": False}}, "is": 1}}, True),
        (
            {"any_line": {"any": [{"kind": "CAKE"}, {"not": {"price_minor": {"less_than": 900}}}]}},
            True,
        ),
    ],
    ids=str,
)
def test_lines_are_looked_at_together(asked: Any, *, held: bool):
    assert holds(asked, table=Table(dishes=[SOUP, FISH, WINE])) is held


def test_without_lines_every_line_is_so_and_none_is():
    assert holds({"all_lines": {"kind": "SOUP"}})
    assert not holds({"any_line": {"kind": "SOUP"}})
    assert holds({"sum_lines": {"of": "price_minor", "is": 0}})


def test_many_conditions_are_answered_at_once():
    wanted = [
        read({"guest": {"visits": {"at_least": 2}}}, GUESTS),
        read({"any_line": {"kind": "SOUP"}}, GUESTS),
        read({"guest": {"seen": {"at_most": 3}}}, GUESTS),
    ]

    answers = compile_all(wanted, GUESTS)

    assert answers(Guest(visits=2), Table(dishes=[SOUP])) == (True, True, False)
    assert answers(Guest(seen=1), Table(dishes=[WINE])) == (False, False, True)


def test_lines_are_told_one_by_one():
    hot = read_line({"labels": {"has": "HOT"}, "not": {"kind": "FISH"}}, GUESTS)

    assert compile_lines(hot, GUESTS)(Guest(), Table(dishes=[SOUP, FISH, WINE])) == [
        True,
        False,
        False,
    ]
