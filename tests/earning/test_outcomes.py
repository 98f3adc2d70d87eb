"""What is pinned with a purchase for its refunds, and told of how its points came about."""

import json
from typing import Any

import pytest

from loyalty_graph.earning.outcomes import CARRY, TOTAL, Total, pinned_counters
from loyalty_graph.purchases.rules import Line
from tests.earning.books import Shop, book, rule

TEA = Line("TEA", 2, 750)
DAILY = {"points": 500, "per": "DAY"}
FULL_TEN = {"points": 1, "per_amount_minor": 1000, "granularity": "STEP", "carry": True}


@pytest.mark.parametrize(
    ("rules", "caps", "counters"),
    [
        pytest.param([], [], [], id="nothing counts"),
        pytest.param([rule()], [], [], id="a rule without caps"),
        pytest.param([rule(caps=[DAILY])], [], [("BONUS", "2026-11-22")], id="a capped rule"),
        pytest.param([rule(rate=FULL_TEN)], [], [("BONUS", CARRY)], id="a rate that carries"),
        pytest.param([], [DAILY], [(TOTAL, "2026-11-22")], id="a cap on everything"),
        pytest.param(
            [rule(caps=[DAILY])],
            [DAILY, {"points": 900, "per": "EVER"}],
            [("BONUS", "2026-11-22"), (TOTAL, "2026-11-22"), (TOTAL, "EVER")],
            id="all of them",
        ),
    ],
)
def test_a_refund_moves_the_counters_that_the_purchase_moved(
    rules: list[dict[str, Any]], caps: list[dict[str, Any]], counters: list[tuple[str, str]]
):
    earned = Shop(book(*rules, caps=caps)).buy(TEA)

    assert pinned_counters(earned.pinned() or {}) == counters


def test_what_caps_on_everything_left_is_pinned_whole():
    earned = Shop(book(caps=[{"points": 10, "per": "DAY"}])).buy(TEA)

    pinned = earned.pinned() or {}

    assert earned.total is not None
    assert (earned.total.wanted, earned.points) == (15, 10)
    assert Total.from_json(json.loads(json.dumps(pinned["total"]))) == earned.total


def test_only_rules_that_would_have_given_something_are_told():
    shop = Shop(book(rule("CARRIED", rate=FULL_TEN)))
    four = [Line("TEA", 1, 400)]

    told = [shop.buy(*four).reckoning() for _ in range(3)]

    steps = list(shop.base(four).steps)
    given = [{"code": "CARRIED", "name": "Carried", "points": 1}]
    assert told == [{"steps": steps}, {"steps": steps}, {"steps": steps, "rules": given}]
