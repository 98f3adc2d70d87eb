from collections.abc import Sequence
from datetime import timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_graph.benefits.rules import Multiplier
from loyalty_graph.earning.counters import CARRY, BudgetKey, Count, CounterKey, Counters
from loyalty_graph.earning.outcomes import GivenBack, Outcome, pinned_counters
from loyalty_graph.money import Money
from loyalty_graph.purchases.reductions import reduce, spread
from loyalty_graph.purchases.rules import Line, bring_back
from loyalty_graph.segments.facts import MemberFacts
from tests.earning.books import ADA, NOON, Shop, book, by_rule, rule

TEA = Line("TEA", 2, 750)
GOLD = MemberFacts(tier="GOLD", purchase_count=0)
FULL_TEN = {"points": 1, "per_amount_minor": 1000, "granularity": "STEP", "carry": True}
OF_ALL_KINDS = [
    rule("FIRST", points=100, when={"purchase": {"is_first": True}}),
    rule("OVER", points=40, when={"purchase": {"total_minor": {"at_least": 3000}}}),
    rule("UNDER", points=30, when={"purchase": {"total_minor": {"between": [1, 4000]}}}),
    rule("PAIR", points=20, when={"count_lines": {"at_most": 2}}),
    rule("RATE", rate={"points": 3, "per_amount_minor": 70}, lines={"quantity": {"at_most": 2}}),
    rule("TWICE", multiplier="7/3", tiers=["GOLD"], caps=[{"points": 25, "per": "DAY"}]),
    rule(
        "STAIRS",
        steps=[{"from_minor": 500, "points": 5}, {"from_minor": 2500, "points": 30}],
        budget={"points": 50, "per": "MONTH"},
        caps=[{"times": 2, "per": "WEEK"}],
    ),
    rule("CARRIED", rate=FULL_TEN, caps=[{"points": 4, "per": "EVER"}]),
    rule("GROUP_A", points=8, group="G"),
    rule("GROUP_B", multiplier="2", group="G", lines={"product_type": "TEA"}),
]
LINES = st.lists(
    st.builds(
        Line,
        st.sampled_from(["TEA", "MUG", "GIFT_CARD"]),
        st.integers(1, 4),
        st.integers(0, 1500),
        tax_minor=st.integers(0, 300),
    ),
    min_size=1,
    max_size=4,
)


CAPS = [{"points": 60, "per": "DAY"}, {"points": 150, "per": "MONTH", "scope": "PROGRAM"}]


def of_all_kinds(*caps: dict[str, Any]) -> Shop:
    more = {"excluded_product_types": ["GIFT_CARD"], "counts_tax": True, "caps": caps}
    return Shop(book(*OF_ALL_KINDS, **more))


def one_by_one(data: st.DataObject, lines: Sequence[Line]) -> list[list[Line]]:
    """Return the lines after each of some refunds, in any split and order, until none is left.

    They are by units, or by amount.
    """
    states = [list(lines)]
    while any(line.left for line in states[-1]):
        if (total := sum(one.net_minor for one in states[-1])) and data.draw(st.booleans()):
            amount = data.draw(st.integers(1, total))
            states.append(reduce(states[-1], spread(states[-1], Money(amount, "EUR"))))
            continue
        left = [number for number, line in enumerate(states[-1], 1) if line.left]
        number = data.draw(st.sampled_from(left))
        units = data.draw(st.integers(1, states[-1][number - 1].left))
        states.append(bring_back(states[-1], {number: units}))
    return states


@pytest.mark.parametrize("caps", [(), CAPS], ids=["without caps", "within caps"])
@given(LINES, st.data())
def test_refunds_in_any_split_and_order_take_back_exactly_what_was_earned(
    caps: Sequence[dict[str, Any]], lines: list[Line], data: st.DataObject
):
    shop = of_all_kinds(*caps)
    by = [Multiplier("TIER", "GOLD", Fraction(5, 4))]
    earned = shop.buy(*lines, by=by, member=GOLD)
    pinned, taken = earned.pinned(), []

    states = one_by_one(data, lines)
    for before, after in pairwise(states):
        worth = shop.bring_back(pinned, before, after)
        assert worth.due_points >= 0
        assert worth.points >= 0
        taken.append(worth.due_points)
        pinned = worth.pinned

    assert sum(taken) == earned.points
    assert pinned["rules"] == [] if "rules" in pinned else not earned.outcomes


@pytest.mark.parametrize("caps", [(), CAPS], ids=["without caps", "within caps"])
@given(st.lists(LINES, min_size=1, max_size=4), st.data())
def test_refunds_give_caps_and_budgets_exactly_their_room_back(
    caps: Sequence[dict[str, Any]], baskets: list[list[Line]], data: st.DataObject
):
    shop = of_all_kinds(*caps)
    bought = [(lines, shop.buy(*lines, member=GOLD).pinned()) for lines in baskets]

    for lines, pinned in data.draw(st.permutations(bought)):
        states = one_by_one(data, lines)
        for before, after in pairwise(states):
            pinned = shop.bring_back(pinned, before, after).pinned  # noqa: PLW2901 - the last one counts

    counts = shop.counters.changed.values()
    assert {(one.points, one.times) for one in counts} <= {(0, 0)}
    assert set(shop.counters.spent.values()) <= {0}


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=6), st.data())
def test_points_and_what_is_carried_are_always_what_was_paid(
    amounts: list[int], data: st.DataObject
):
    shop = Shop(book(rule(rate=FULL_TEN), default_rate=None))
    bought = [[Line("TEA", 1, one), Line("MUG", 1, one)] for one in amounts]
    bought = [(lines, shop.buy(*lines)) for lines in bought]
    points, paid = sum(one.points for _, one in bought), 2 * sum(amounts)

    for lines, earned in data.draw(st.lists(st.sampled_from(bought), unique_by=id)):
        number = data.draw(st.sampled_from([1, 2]))
        worth = shop.bring_back(earned.pinned(), lines, bring_back(lines, {number: 1}))
        points -= worth.due_points
        paid -= lines[0].unit_minor

    assert points * 1000 + shop.mine.carried("BONUS") == paid


def test_what_a_step_leaves_over_counts_next_time():
    shop = Shop(book(rule(rate=FULL_TEN), default_rate=None))

    points = [shop.buy(Line("TEA", 1, 1500)).points for _ in range(4)]

    assert points == [1, 2, 1, 2]


def test_what_earned_by_an_earlier_remainder_leaves_a_debt_when_that_comes_back():
    shop = Shop(book(rule(rate=FULL_TEN), default_rate=None))
    fifteen, five = [Line("TEA", 1, 1500)], [Line("TEA", 1, 500)]
    first, second = shop.buy(*fifteen), shop.buy(*five)

    worth = shop.bring_back(first.pinned(), fifteen, bring_back(fifteen, {1: 1}))
    third = shop.buy(*five)

    assert (first.points, second.points, worth.due_points) == (1, 1, 1)
    assert third.points == 0
    assert shop.counters.changed[ADA, "BONUS", CARRY] == Count(0)


def test_a_debt_larger_than_a_purchase_is_paid_off_by_it():
    shop = Shop(book(rule(rate=FULL_TEN), default_rate=None))
    nine, hundred = [Line("TEA", 1, 900)], [Line("TEA", 1, 100)]
    pinned = shop.buy(*nine).pinned()
    shop.buy(*hundred)
    shop.bring_back(pinned, nine, bring_back(nine, {1: 1}))

    earned = shop.buy(Line("TEA", 1, 300))

    assert earned.points == 0
    assert shop.mine.carried("BONUS") == -600


def test_what_was_carried_before_counts_again_with_what_is_left():
    shop = Shop(book(rule(rate=FULL_TEN), default_rate=None))
    shop.buy(Line("TEA", 1, 500))
    earned = shop.buy(TEA)

    worth = shop.bring_back(earned.pinned(), [TEA], bring_back([TEA], {1: 1}))

    assert (earned.points, worth.due_points) == (2, 1)
    assert shop.mine.carried("BONUS") == 250


@pytest.mark.parametrize("gives", [{"points": 50}, {"rate": FULL_TEN}])
def test_a_single_cent_that_is_left_keeps_what_it_earns(gives: dict[str, Any]):
    counters = Counters({CounterKey(ADA, "BONUS", CARRY): Count(999)})
    shop = Shop(book(rule(**gives), default_rate=None), counters)
    cents = [Line("TEA", 2, 1)]
    earned = shop.buy(*cents)

    one_left = bring_back(cents, {1: 1})
    first = shop.bring_back(earned.pinned(), cents, one_left)
    second = shop.bring_back(first.pinned, one_left, bring_back(one_left, {1: 1}))

    assert earned.points > 0
    assert (first.due_points, second.due_points) == (0, earned.points)


def test_what_earlier_versions_left_to_carry_is_not_kept_for_a_purchase_brought_back():
    counters = Counters({CounterKey(ADA, "BONUS", CARRY): Count(4900)})
    shop = Shop(book(rule(rate=FULL_TEN), default_rate=None), counters)
    hundred = [Line("TEA", 1, 100)]
    earned = shop.buy(*hundred)

    worth = shop.bring_back(earned.pinned(), hundred, bring_back(hundred, {1: 1}))

    assert (earned.points, worth.due_points) == (5, 5)
    assert shop.mine.carried("BONUS") == 4900


def test_what_is_carried_is_exact_however_large_a_purchase_is():
    step = 10**12 - 1
    shop = Shop(book(rule(rate={**FULL_TEN, "per_amount_minor": step}), default_rate=None))
    large = [Line("TEA", 1, 99_999 * step + 7)]
    earned = shop.buy(*large)
    carried = shop.mine.carried("BONUS")

    shop.bring_back(earned.pinned(), large, bring_back(large, {1: 1}))

    assert (earned.points, carried, shop.mine.carried("BONUS")) == (99_999, 7, 0)


def test_a_rule_still_counts_once_while_some_of_what_it_gave_stands():
    once = [{"times": 1, "per": "EVER"}]
    shop = Shop(book(rule(multiplier="3", caps=once)))
    four = [Line("TEA", 4, 1000)]
    earned = shop.buy(*four)

    two = bring_back(four, {1: 2})
    first = shop.bring_back(earned.pinned(), four, two)
    while_some = shop.buy(*four)
    shop.bring_back(first.pinned, two, bring_back(two, {1: 2}))

    assert (by_rule(earned), by_rule(while_some)) == ({"BONUS": 80}, {"BONUS": 0})
    assert by_rule(shop.buy(*four)) == {"BONUS": 80}


def test_what_was_only_carried_on_gives_no_time_back():
    shop = Shop(book(rule(rate=FULL_TEN, caps=[{"times": 1, "per": "EVER"}]), default_rate=None))
    five = [Line("TEA", 1, 500)]
    shop.buy(Line("TEA", 1, 1000))
    carried = shop.buy(*five)

    shop.bring_back(carried.pinned(), five, bring_back(five, {1: 1}))

    assert by_rule(carried) == by_rule(shop.buy(Line("TEA", 1, 1000))) == {"BONUS": 0}


def test_a_rule_that_no_longer_holds_takes_all_it_gave():
    shop = Shop(book(rule(when={"purchase": {"total_minor": {"at_least": 1000}}})))
    pinned = shop.buy(TEA).pinned()

    worth = shop.bring_back(pinned, [TEA], bring_back([TEA], {1: 1}))

    assert worth.due_points == 50 + 8
    assert worth.given_back == (GivenBack("BONUS", 50, is_all=True, periods=()),)
    assert worth.pinned["rules"] == []


def test_a_rule_that_gave_nothing_gives_nothing_at_a_refund():
    shop = Shop(book(rule(when={"purchase": {"total_minor": {"at_most": 1000}}})))
    earned = shop.buy(TEA)

    worth = shop.bring_back(earned.pinned(), [TEA], bring_back([TEA], {1: 1}))

    assert (earned.points, worth.points, worth.due_points) == (15, 7, 8)


def test_a_refund_asks_rules_what_they_knew_when_the_purchase_was_made():
    shop = Shop(book(rule(tiers=["GOLD"], multiplier="3")))
    pinned = shop.buy(TEA, member=GOLD).pinned()

    worth = shop.bring_back(pinned, [TEA], bring_back([TEA], {1: 1}))

    assert pinned == {
        "facts": {"tier": "GOLD"},
        "rules": [["BONUS", 30, 30, [], None]],
    }
    assert worth.points == 7 + 14
    assert worth.outcomes == (Outcome("BONUS", "Bonus", 14, 14),)
    assert worth.reckoning()["rules"] == [{"code": "BONUS", "name": "Bonus", "points": 14}]


def test_a_cap_has_room_again_on_the_day_it_was_used():
    cap, budget = {"points": 50, "per": "DAY"}, {"points": 1000, "per": "YEAR"}
    shop = Shop(book(rule(caps=[cap], budget=budget)))
    pinned = shop.buy(TEA).pinned()
    assert pinned is not None
    shop.bring_back(pinned, [TEA], bring_back([TEA], {1: 2}), at=NOON)

    again = [shop.buy(TEA, at=NOON + timedelta(hours=one)) for one in (1, 2)]

    assert [by_rule(one)["BONUS"] for one in again] == [50, 0]
    assert pinned_counters(pinned) == [("BONUS", "2026-11-22")]
    assert shop.counters.spent == {BudgetKey("BONUS", "2026"): 50}


@pytest.mark.parametrize(
    ("case", "pinned"),
    [("nothing was pinned", None), ("only the tier was", {"multipliers": []})],
)
def test_a_purchase_from_before_there_were_rules_comes_back_as_ever(
    case: str, pinned: dict[str, Any] | None
):
    shop = Shop(book(rule()))

    worth = shop.bring_back(pinned, [TEA], bring_back([TEA], {1: 1}))

    assert (worth.points_before, worth.points, worth.pinned) == (15, 7, pinned or {})
    assert Counters().changed == shop.counters.changed
    assert worth.reckoning() == {"steps": list(shop.base(bring_back([TEA], {1: 1})).steps)}
