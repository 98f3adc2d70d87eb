from fractions import Fraction
from typing import Any

import pytest

from loyalty_graph.benefits.rules import Multiplier
from loyalty_graph.earning.counters import CARRY, Count, CounterKey, Counters
from loyalty_graph.earning.upsell import Upsell, upsell
from loyalty_graph.purchases.rules import Line
from tests.earning.books import ADA, Shop, book, rule

STEP = {"points": 3, "per_amount_minor": 1000, "granularity": "STEP"}
TEA = Line("TEA", 1, 1750)


def told(shop: Shop, *lines: Line) -> list[Upsell]:
    return upsell(shop.book, shop.basket(lines), shop.mine, shop.base(lines))


@pytest.mark.parametrize(
    ("case", "given", "expected"),
    [
        (
            "a total to reach",
            {"points": 40, "when": {"purchase": {"total_minor": {"at_least": 2000}}}},
            [(250, 40)],
        ),
        (
            "a total to pass",
            {"points": 40, "when": {"purchase": {"total_minor": {"more_than": 2000}}}},
            [(251, 40)],
        ),
        (
            "a total between two",
            {"points": 40, "when": {"purchase": {"total_minor": {"between": [2000, 2500]}}}},
            [(250, 40)],
        ),
        (
            "a total to meet",
            {"points": 40, "when": {"purchase": {"total_minor": 3500}}},
            [(1750, 40)],
        ),
        (
            "a total that is more than twice the basket",
            {"points": 40, "when": {"purchase": {"total_minor": {"at_least": 3501}}}},
            [],
        ),
        (
            "a total that is already too large",
            {"points": 40, "when": {"purchase": {"total_minor": {"at_most": 1750}}}},
            [],
        ),
        (
            "steps",
            {"steps": [{"from_minor": at, "points": at // 100} for at in (1000, 2000, 3000)]},
            [(250, 10), (1250, 20)],
        ),
        (
            "a single point more",
            {"points": 1, "when": {"purchase": {"total_minor": {"at_least": 2000}}}},
            [(250, 1)],
        ),
        ("the next full step", {"rate": STEP}, [(250, 3)]),
        (
            "the next half of an odd step",
            {"rate": {**STEP, "per_amount_minor": 1001, "rounding": "NEAREST"}},
            [(753, 3)],
        ),
        ("the next half step", {"rate": {**STEP, "rounding": "NEAREST"}}, [(750, 3)]),
        ("the next step begun", {"rate": {**STEP, "rounding": "CEIL"}}, [(251, 3)]),
        ("every cent counts anyway", {"rate": {"points": 1, "per_amount_minor": 9}}, []),
        ("no total at all", {"points": 40, "when": {"purchase": {"line_count": 2}}}, []),
        ("some lines only", {"rate": STEP, "lines": {"product_type": "TEA"}}, []),
    ],
)
def test_the_smallest_amount_that_unlocks_more_is_told(
    case: str, given: dict[str, Any], expected: list[tuple[int, int]]
):
    shop = Shop(book(rule(**given)))

    found = told(shop, TEA)

    assert found == [Upsell(add, extra, ("BONUS",)) for add, extra in expected]


def test_what_is_carried_makes_the_next_step_nearer():
    shop = Shop(book(rule(rate={**STEP, "carry": True})))
    shop.buy(Line("TEA", 1, 150))

    assert told(shop, TEA) == [Upsell(100, 3, ("BONUS",))]


def test_what_a_cap_would_take_is_not_promised():
    when = {"purchase": {"total_minor": {"at_least": 2000}}}
    shop = Shop(book(rule(points=40, when=when, caps=[{"points": 50, "per": "DAY"}])))
    shop.buy(Line("TEA", 1, 2000))
    first = told(shop, TEA)
    shop.buy(Line("TEA", 1, 2000))

    assert first == [Upsell(250, 10, ("BONUS",))]
    assert told(shop, TEA) == []


def test_three_amounts_at_most_are_told_each_for_more_than_the_one_before():
    steps = [{"from_minor": 1800 + 100 * one, "points": 10 + one} for one in range(5)]
    less = {"purchase": {"total_minor": {"at_least": 1850}}}
    shop = Shop(
        book(rule(steps=steps), rule("LESS", points=1, when=less, group="G"), rule("G", group="G"))
    )

    assert told(shop, TEA) == [
        Upsell(50, 10, ("BONUS",)),
        Upsell(150, 11, ("BONUS",)),
        Upsell(250, 12, ("BONUS",)),
    ]


def test_what_is_excluded_is_not_counted_towards_it():
    when = {"purchase": {"total_minor": {"at_least": 2000}}}
    shop = Shop(book(rule(points=40, when=when), excluded_product_types=["GIFT_CARD"]))

    assert told(shop, TEA, Line("GIFT_CARD", 1, 5000)) == [Upsell(250, 40, ("BONUS",))]


def test_a_rate_that_carries_no_more_counts_nothing_of_before():
    counters = Counters({CounterKey(ADA, "BONUS", CARRY): Count(150)})

    assert told(Shop(book(rule(rate=STEP)), counters), TEA) == [Upsell(250, 3, ("BONUS",))]


@pytest.mark.parametrize(
    "when",
    [
        {"purchase": {"line_count": {"at_least": 2000}}},
        {"purchase": {"total_minor": {"at_most": 2000}}},
    ],
)
def test_only_amounts_that_unlock_something_are_tried(when: dict[str, Any]):
    each_cent = rule("EACH", rate={"points": 1, "per_amount_minor": 9})

    assert told(Shop(book(rule(points=1, when=when), each_cent)), TEA) == []


def test_what_tier_and_plan_multiply_leaves_less_room_within_a_cap_on_everything():
    when = {"purchase": {"total_minor": {"at_least": 2000}}}
    caps = [{"points": 60, "per": "PURCHASE"}]
    shop = Shop(book(rule(points=40, when=when), caps=caps))
    gold = Multiplier("TIER", "GOLD", Fraction(3, 2))
    basket, base = shop.basket([TEA]), shop.base([TEA])

    found = upsell(shop.book, basket, shop.mine, base, [gold])

    assert found == [Upsell(250, 60 - 25, ("BONUS",))]
