"""Caps over all points of purchases: by member and for everybody."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from loyalty_graph.earning.counters import BudgetKey, Count, CounterKey, Counters
from loyalty_graph.earning.outcomes import TOTAL, Cut
from loyalty_graph.purchases.rules import Line
from tests.earning.books import ADA, NOON, Shop, book, by_rule, rule

TEN = Line("TEA", 1, 1000)
"""Ten points by itself."""
DAILY = {"points": 25, "per": "DAY"}
FOR_ALL = {"points": 40, "per": "MONTH", "scope": "PROGRAM"}


def capped(*caps: dict[str, Any], rules: tuple[dict[str, Any], ...] = ()) -> Shop:
    return Shop(book(*rules, caps=caps))


def test_at_the_cap_of_a_day_what_is_wanted_is_not_all_granted():
    shop = capped(DAILY)

    given = [shop.buy(TEN) for _ in range(4)]

    assert [one.points for one in given] == [10, 10, 5, 0]
    third = given[2]
    assert third.total is not None
    assert (third.total.wanted, third.total.lines) == (10, 5)
    assert third.total.cuts == (Cut("MEMBER_TOTAL", "DAY", 25, 5),)
    assert third.reckoning()["capped"] == {
        "wanted": 10,
        "lines": [10, 5],
        "cuts": [["MEMBER_TOTAL", "DAY", 25, 5]],
    }
    assert "capped" not in given[0].reckoning()
    assert shop.buy(TEN, at=NOON + timedelta(days=1)).points == 10


def test_what_just_fills_a_cap_is_given_whole():
    shop = capped({"points": 10, "per": "DAY"})

    earned = shop.buy(TEN)

    assert earned.points == 10
    assert "capped" not in earned.reckoning()


def test_what_is_too_much_is_taken_from_the_last_rule_first_and_then_from_the_lines():
    rules = (rule("FIRST", points=8), rule("LAST", points=9))
    shop = capped({"points": 20, "per": "PURCHASE"}, {"points": 25, "per": "EVER"}, rules=rules)

    one, other = shop.buy(TEN), shop.buy(TEN)

    assert (one.points, one.lines_points, by_rule(one)) == (20, 10, {"FIRST": 8, "LAST": 2})
    assert (other.points, other.lines_points, by_rule(other)) == (5, 5, {"FIRST": 0, "LAST": 0})
    assert other.total is not None
    assert other.total.cuts == (
        Cut("MEMBER_TOTAL", "PURCHASE", 20, 7),
        Cut("MEMBER_TOTAL", "EVER", 25, 15),
    )
    last = other.outcomes[1]
    assert last.cuts == (
        Cut("MEMBER_TOTAL", "PURCHASE", 20, 7),
        Cut("MEMBER_TOTAL", "EVER", 25, 2),
    )


def test_a_rule_counts_only_what_a_cap_on_everything_left_it():
    limited = rule("GIFT", points=10, caps=[{"times": 1, "per": "EVER"}], budget={"points": 10})
    shop = capped({"points": 10, "per": "DAY"}, rules=(limited,))

    first = shop.buy(TEN)
    second = shop.buy(TEN, at=NOON + timedelta(days=1))

    assert by_rule(first) == by_rule(second) == {"GIFT": 0}
    assert shop.counters.spent.get(BudgetKey("GIFT", "EVER"), 0) == 0
    assert shop.counters.changed.get(CounterKey(ADA, "GIFT", "EVER"), Count()) == Count()


def test_everybody_shares_the_cap_of_the_programme():
    shop = capped(FOR_ALL, DAILY)
    bob = shop.counters.of(UUID(int=9))
    for _ in range(3):
        shop.buy(TEN)

    earned = shop.book.decide(shop.basket([TEN] * 2), bob, shop.base([TEN] * 2))

    assert earned.points == 15
    assert earned.total is not None
    assert earned.total.cuts == (Cut("PROGRAM_TOTAL", "MONTH", 40, 5),)
    assert shop.counters.spent == {BudgetKey(TOTAL, "2026-11"): 25}


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
def test_a_purchase_earns_no_more_than_several_caps_of_one_period_allow(order: slice):
    caps = [FOR_ALL, {**FOR_ALL, "points": 15}]
    shop = capped(*caps[order])

    assert shop.book.budgets([NOON.date()]) == {(TOTAL, "2026-11"): 15}
    assert [shop.buy(TEN).points for _ in range(3)] == [10, 5, 0]


def test_a_refund_takes_what_no_longer_stands_and_gives_the_room_back():
    shop = capped(DAILY)
    shop.buy(TEN)
    big = [Line("TEA", 3, 1000)]
    earned = shop.buy(*big)

    states = [big, [Line("TEA", 3, 1000, refunded=1)], [Line("TEA", 3, 1000, refunded=3)]]
    first = shop.bring_back(earned.pinned(), states[0], states[1])
    second = shop.bring_back(first.pinned, states[1], states[2])

    assert earned.points == 15
    assert (first.due_points, second.due_points) == (0, 15)
    assert shop.counters.changed[CounterKey(ADA, TOTAL, "2026-11-22")].points == 10
    assert shop.buy(Line("TEA", 1, 9000)).points == 15


def test_a_refund_of_what_a_cap_had_cut_moves_no_counter():
    shop = capped({"points": 5, "per": "DAY"}, {**FOR_ALL, "points": 500})
    two = [Line("TEA", 2, 1000)]
    earned = shop.buy(*two)
    shop.counters = Counters({CounterKey(ADA, TOTAL, "2026-11-22"): Count(5)})

    worth = shop.bring_back(earned.pinned(), two, [Line("TEA", 2, 1000, refunded=1)])

    assert (earned.points, worth.due_points) == (5, 0)
    assert (shop.counters.changed, shop.counters.spent) == ({}, {})


def test_a_book_with_nothing_but_caps_knows_what_it_reads():
    shop = capped(DAILY, FOR_ALL)

    assert not shop.book.is_plain
    assert shop.book.has_budgets
    assert shop.book.counters([NOON.date()]) == {(TOTAL, "2026-11-22")}
    assert [capped(one).book.has_budgets for one in (DAILY, FOR_ALL)] == [False, True]


@pytest.mark.parametrize(
    ("cap", "message"),
    [
        ({"points": 0, "per": "DAY"}, "greater than or equal to 1"),
        ({"points": 1, "per": "HOUR"}, "DAY"),
        ({"points": 1, "per": "PURCHASE", "scope": "PROGRAM"}, "one member's"),
        ({"points": 1, "per": "DAY", "scope": "SHOP"}, "PROGRAM"),
    ],
)
def test_a_cap_that_makes_no_sense_is_refused(cap: dict[str, Any], message: str):
    with pytest.raises(ValidationError, match=message):
        capped(cap)
