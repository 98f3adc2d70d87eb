"""Faults that users of other engines reported about rules, caps and multipliers: not here."""

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_graph.purchases.rules import Line, bring_back, pay_with_points
from tests.earning.books import Shop, book, by_rule, rule

STAR = {"points": 1, "per_amount_minor": 5000, "granularity": "STEP"}


def test_who_brings_everything_back_keeps_no_bonus():
    shop = Shop(book(rule(multiplier="3"), rule("FIRST", points=100)))
    lines = [Line("TEA", 3, 999)]
    earned = shop.buy(*lines)

    worth = shop.bring_back(earned.pinned(), lines, bring_back(lines, {1: 3}))

    assert (earned.points, worth.due_points, worth.points) == (29 + 58 + 100, 187, 0)


def test_thirty_and_twenty_make_the_star_for_fifty():
    shop = Shop(book(rule(rate={**STAR, "carry": True}), default_rate=None))

    assert [shop.buy(Line("TEA", 1, amount)).points for amount in (3000, 2000)] == [0, 1]


def test_without_carrying_each_purchase_stands_alone():
    shop = Shop(book(rule(rate=STAR), default_rate=None))

    assert [shop.buy(Line("TEA", 1, amount)).points for amount in (3000, 2000)] == [0, 0]


@pytest.mark.parametrize(
    ("case", "gives", "amounts", "points"),
    [
        ("three tenths", {"rate": {"points": 10, "per_amount_minor": 1}}, [10, 20], 300),
        ("thirds", {"multiplier": "4/3"}, [100, 100, 100], 1),
        ("seven fifths of 5", {"multiplier": "7/5"}, [500], 2),
        ("a fraction below one", {"rate": {"points": 1, "per_amount_minor": 3}}, [1, 1], 0),
    ],
)
def test_no_point_comes_or_goes_by_rounding_money(
    case: str, gives: dict[str, Any], amounts: list[int], points: int
):
    shop = Shop(book(rule(**gives)))

    earned = shop.buy(*(Line("TEA", 1, amount) for amount in amounts))

    assert sum(by_rule(earned).values()) == points


def test_points_earn_no_points():
    shop = Shop(
        book(rule(rate={"points": 1, "per_amount_minor": 10}), rule("TWICE", multiplier="2"))
    )
    lines = [Line("TEA", 1, 1000), Line("MUG", 1, 1000)]

    whole = shop.buy(*lines)
    half_paid = shop.buy(*pay_with_points(lines, 100, 1000))
    all_paid = shop.buy(*pay_with_points(lines, 200, 2000))

    assert [by_rule(one) for one in (whole, half_paid, all_paid)] == [
        {"BONUS": 200, "TWICE": 20},
        {"BONUS": 100, "TWICE": 10},
        {},
    ]


def test_what_is_over_a_cap_is_left_out_and_the_rest_is_given():
    shop = Shop(book(rule(points=80, caps=[{"points": 100, "per": "MONTH"}])))

    assert [by_rule(shop.buy(Line("TEA", 1, 100)))["BONUS"] for _ in range(3)] == [80, 20, 0]


def test_two_multipliers_add_and_never_multiply_each_other():
    shop = Shop(book(rule("A", multiplier="2"), rule("B", multiplier="3")))

    assert by_rule(shop.buy(Line("TEA", 1, 1000))) == {"A": 10, "B": 20}


def test_the_order_in_the_file_decides_only_between_equals():
    rules = [
        rule("A", points=30, group="G"),
        rule("B", points=40, group="G"),
        rule("C", points=10, priority=5, group="G"),
        rule("D", multiplier="2"),
    ]

    earned = [by_rule(Shop(book(*some)).buy(Line("TEA", 1, 1000))) for some in permutations(rules)]

    assert all(one == {"C": 10, "D": 10} for one in earned)


@given(
    st.lists(
        st.tuples(st.integers(1, 200), st.integers(1, 120), st.integers(1, 150)),
        min_size=1,
        max_size=5,
    ),
    st.lists(st.integers(0, 3), min_size=1, max_size=12),
    st.sampled_from(["SUM", "BEST"]),
)
def test_caps_and_budgets_are_never_exceeded(
    rules: list[tuple[int, int, int]], days: list[int], stacking: str
):
    shop = Shop(
        book(
            *(
                rule(
                    f"R{place}",
                    points=points,
                    caps=[{"points": cap, "per": "DAY"}],
                    budget={"points": budget},
                )
                for place, (points, cap, budget) in enumerate(rules)
            ),
            stacking=stacking,
        )
    )

    given_points = [by_rule(shop.buy(Line("TEA", 1, 100 * (1 + day)))) for day in days]

    for place, (points, cap, budget) in enumerate(rules):
        of_rule = [one.get(f"R{place}", 0) for one in given_points]
        assert sum(of_rule) <= min(cap, budget)
        assert all(0 <= one <= points for one in of_rule)
        assert shop.counters.spent.get((f"R{place}", "EVER"), 0) == sum(of_rule)
