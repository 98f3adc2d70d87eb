from dataclasses import replace
from datetime import date
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_graph.benefits.rules import Multiplier
from loyalty_graph.earning.calculators import ProductTypeRewardCalculator
from loyalty_graph.earning.rules import POINTS_MAX, Granularity, Rounding
from loyalty_graph.earning.settings import EarningSettings
from loyalty_graph.errors import InvalidInputError, UnknownProductTypeError
from loyalty_graph.programs.exchange import Exchange
from loyalty_graph.purchases.rules import AMOUNT_MINOR_MAX, Line, bring_back
from tests.shop import GOLDEN, PROGRAM

SETTINGS = EarningSettings.model_validate(PROGRAM["earning"])
CALCULATOR = ProductTypeRewardCalculator(SETTINGS)


def settings(points: int = 1, per: int = 100, **changes: object) -> EarningSettings:
    rate = {"points": points, "per_amount_minor": per}
    return EarningSettings.model_validate({"default_rate": rate, **changes})


def test_the_golden_purchase_earns_108_points():
    calculation = CALCULATOR.calculate(GOLDEN)

    assert (calculation.points, calculation.line_points) == (108, (27, 74, 0, 7))


def test_five_partial_refunds_take_back_9_74_18_7_and_0():
    lines = list(GOLDEN)
    taken = []
    for number, units in ((1, 1), (2, 1), (1, 2), (4, 2), (3, 1)):
        after = bring_back(lines, {number: units})
        taken.append(CALCULATOR.calculate(lines).points - CALCULATOR.calculate(after).points)
        lines = after

    assert taken == [9, 74, 18, 7, 0]


def test_every_step_says_what_happened():
    [step, excluded] = CALCULATOR.calculate((Line("MUG", 1, 1499), Line("GIFT_CARD", 1, 5))).steps

    assert step == {
        "type": "MUG",
        "amount": 1499,
        "rate": [5, 100],
        "by": ["PRORATA", "FLOOR"],
        "points": 74,
    }
    assert excluded == {"type": "GIFT_CARD", "amount": 5, "excluded": True, "points": 0}


def test_a_type_without_a_rate_is_told_like_what_is_excluded():
    calculator = ProductTypeRewardCalculator(EarningSettings())

    [step] = calculator.calculate((Line("SOAP", 1, 150),)).steps

    assert step == {"type": "SOAP", "amount": 150, "excluded": True, "points": 0}


def test_lines_in_another_currency_earn_for_what_each_is_worth():
    exchange = Exchange("USD", "EUR", "0.9214", date(2026, 3, 2))
    lines = (Line("MUG", 1, 1000, tax_minor=190), Line("GIFT_CARD", 1, 5))
    lines = tuple(replace(line, exchange=exchange) for line in lines)
    taxed = ProductTypeRewardCalculator(SETTINGS.model_copy(update={"counts_tax": True}))

    net, gross = CALCULATOR.calculate(lines), taxed.calculate(lines)

    assert [(step["paid"], step["amount"]) for step in net.steps] == [
        ([1000, "USD", "0.9214"], 921),
        ([5, "USD", "0.9214"], 4),
    ]
    # 11.90 USD = 10.964... EUR: goods and tax are rounded down together.
    assert (gross.steps[0]["paid"], gross.steps[0]["amount"]) == ([1190, "USD", "0.9214"], 1096)
    assert (net.line_points, gross.line_points) == ((46, 0), (54, 0))


def test_each_line_is_rounded_by_itself():
    calculation = CALCULATOR.calculate((Line("TEA", 1, 199), Line("TEA", 1, 199)))

    assert (calculation.points, calculation.line_points) == (2, (1, 1))


def test_a_discount_earns_nothing():
    assert CALCULATOR.calculate((Line("MUG", 2, 1000, 500),)).points == 75


def test_unknown_types_are_refused_by_name_where_the_rules_say_so():
    calculator = ProductTypeRewardCalculator(SETTINGS)

    with pytest.raises(UnknownProductTypeError, match="SOAP is not known here; known are COFFEE, "):
        calculator.calculate((Line("TEA", 1, 100), Line("SOAP", 1, 100)))


def test_unknown_types_earn_at_the_default_rate_where_the_rules_say_so():
    calculator = ProductTypeRewardCalculator(settings(points=3))

    assert calculator.calculate((Line("SOAP", 1, 150),)).points == 4


def test_a_purchase_cannot_earn_more_than_a_ledger_holds():
    calculator = ProductTypeRewardCalculator(settings(points=2, per=1))
    most = Line("TEA", 1, POINTS_MAX // 2)

    assert calculator.calculate((most,)).points == POINTS_MAX
    with pytest.raises(InvalidInputError, match="would earn 1000000000000002 points") as refusal:
        calculator.calculate((most, Line("TEA", 1, 1)))
    assert refusal.value.field == "lines"


rates = st.fixed_dictionaries(
    {
        "points": st.integers(0, 50),
        "per_amount_minor": st.integers(1, 700),
        "granularity": st.sampled_from(Granularity),
        "rounding": st.sampled_from(Rounding),
    }
)
all_rules = st.builds(
    lambda default, coffee, mug: EarningSettings.model_validate(
        {
            "default_rate": default,
            "rates": [{**coffee, "product_types": ["COFFEE"]}, {**mug, "product_types": ["MUG"]}],
            "excluded_product_types": ["GIFT_CARD"],
        }
    ),
    rates,
    rates,
    rates,
)


@st.composite
def receipts(draw: st.DrawFn) -> list[Line]:
    kinds = st.sampled_from(["COFFEE", "MUG", "GIFT_CARD", "TEA"])
    lines = []
    for _ in range(draw(st.integers(1, 4))):
        quantity, unit = draw(st.integers(1, 6)), draw(st.integers(0, 5000))
        discount = draw(st.integers(0, quantity * unit))
        lines.append(Line(draw(kinds), quantity, unit, discount))
    return lines


@given(all_rules, receipts(), st.data())
def test_any_order_of_partial_refunds_takes_back_exactly_what_was_earned(
    rules: EarningSettings, lines: list[Line], data: st.DataObject
):
    calculator = ProductTypeRewardCalculator(rules)
    units = [number for number, line in enumerate(lines, 1) for _ in range(line.quantity)]
    earned = calculator.calculate(lines).points
    paid = sum(line.net_minor for line in lines)
    taken = returned = 0

    for number in data.draw(st.permutations(units)):
        after = bring_back(lines, {number: 1})
        due = calculator.calculate(lines).points - calculator.calculate(after).points
        amount = sum(line.net_minor for line in lines) - sum(line.net_minor for line in after)
        assert due >= 0
        assert amount >= 0
        taken, returned, lines = taken + due, returned + amount, after

    assert (taken, returned) == (earned, paid)


@given(all_rules)
def test_no_amount_is_too_large_to_be_exact(rules: EarningSettings):
    line = Line("COFFEE", 1, AMOUNT_MINOR_MAX // 100)
    rate = rules.rates[0]

    points = ProductTypeRewardCalculator(rules).calculate((line,)).points

    assert abs(points * rate.per_amount_minor - rate.points * line.unit_minor) <= (
        rate.per_amount_minor * max(1, rate.points)
    )


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(0, 5000)), min_size=1, max_size=4),
    st.lists(st.fractions(Fraction(1, 4), 4, max_denominator=20), max_size=2),
    st.randoms(use_true_random=False),
)
def test_refunds_of_multiplied_points_add_up_in_any_order(
    bought: list[tuple[int, int]], ratios: list[Fraction], chance: Random
):
    """I5 with a tier: unit by unit, exactly what was earned is taken back."""
    pinned = [Multiplier("TIER", "GOLD", ratio) for ratio in ratios]
    lines = [Line("COFFEE", quantity, unit) for quantity, unit in bought]
    units = [number for number, line in enumerate(lines, 1) for _ in range(line.quantity)]
    chance.shuffle(units)
    earned = worth = CALCULATOR.calculate(lines).times(pinned).points

    taken = []
    for number in units:
        lines = bring_back(lines, {number: 1})
        left = CALCULATOR.calculate(lines).times(pinned).points
        taken.append(worth - left)
        worth = left

    assert min(taken) >= 0
    assert sum(taken) == earned


def test_what_was_multiplied_is_explained_and_bounded():
    done = CALCULATOR.calculate([Line("COFFEE", 3, 450)])
    gold = [Multiplier("TIER", "GOLD", Fraction(5, 4), "Gold")]

    assert done.times([]) is done
    assert "multiplied" not in done.reckoning()
    assert done.times(gold).points == 33
    assert done.times(gold).reckoning() == {
        "steps": list(done.steps),
        "multiplied": {"from": 27, "by": [["TIER", "GOLD", "5/4", "Gold"]], "to": 33},
    }
    huge = CALCULATOR.calculate([Line("COFFEE", 1, 5 * 10**16)])
    with pytest.raises(InvalidInputError):
        huge.times(gold)
