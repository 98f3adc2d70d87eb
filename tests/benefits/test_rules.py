from datetime import date
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from loyalty_graph.benefits.rules import (
    Benefit,
    BenefitKind,
    Multiplier,
    UsePeriod,
    is_in_season,
    multiplied,
    next_period,
    period_start,
)

RATIOS = st.fractions(min_value=Fraction(1, 100), max_value=100, max_denominator=100)
LEAP_DAY = date(2028, 2, 29)


def benefit(**changes: Any) -> Benefit:
    given = {"code": "POST", "kind": "FREE_SHIPPING", "name": "Free shipping"}
    return Benefit.model_validate({**given, **changes})


def times(*ratios: Fraction) -> list[Multiplier]:
    return [Multiplier("TIER", "GOLD", ratio) for ratio in ratios]


@pytest.mark.parametrize(
    ("case", "points", "ratios", "expected"),
    [
        ("nothing multiplies", 9, [], 9),
        ("rounded down", 9, [Fraction(5, 4)], 11),
        ("rounded once", 3, [Fraction(3, 2), Fraction(3, 2)], 6),
        ("less", 9, [Fraction(1, 2)], 4),
        ("beyond 53 bits", 10**15 + 1, [Fraction(3, 1)], 3 * 10**15 + 3),
    ],
)
def test_ratios_multiply_exactly(case: str, points: int, ratios: list[Fraction], expected: int):
    assert multiplied(points, times(*ratios)) == expected


@given(st.integers(0, 10**12), st.integers(0, 10**6), st.lists(RATIOS, max_size=3))
def test_fewer_points_never_become_more(points: int, fewer: int, ratios: list[Fraction]):
    less = max(0, points - fewer)

    assert multiplied(less, times(*ratios)) <= multiplied(points, times(*ratios))


def test_a_multiplier_survives_being_pinned():
    one = Multiplier("SUBSCRIPTION", "PLUS", Fraction(5, 4))

    assert one.to_json() == ["SUBSCRIPTION", "PLUS", "5/4", "PLUS"]
    assert Multiplier.from_json(one.to_json()) == Multiplier(*one.to_json()[:2], one.ratio, "PLUS")


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"uses": 2}, id="uses without a period"),
        pytest.param({"per": "DAY"}, id="a period without uses"),
        pytest.param({"uses": 0, "per": "DAY"}, id="no uses"),
        pytest.param({"kind": "BIRTHDAY_GIFT"}, id="a gift without end"),
        pytest.param({"kind": "FREE_LUNCH"}, id="an unknown kind"),
        pytest.param({"code": "post"}, id="a small code"),
    ],
)
def test_benefits_that_cannot_be_are_refused(changes: dict[str, Any]):
    with pytest.raises(ValidationError):
        benefit(**changes)


@pytest.mark.parametrize(
    ("per", "day", "start", "following"),
    [
        ("DAY", LEAP_DAY, LEAP_DAY, date(2028, 3, 1)),
        ("WEEK", date(2027, 1, 1), date(2026, 12, 28), date(2027, 1, 4)),
        ("WEEK", date(2026, 12, 28), date(2026, 12, 28), date(2027, 1, 4)),
        ("MONTH", LEAP_DAY, date(2028, 2, 1), date(2028, 3, 1)),
        ("MONTH", date(2026, 12, 31), date(2026, 12, 1), date(2027, 1, 1)),
        ("YEAR", LEAP_DAY, date(2028, 1, 1), date(2029, 1, 1)),
    ],
)
def test_periods_are_those_of_the_calendar(per: str, day: date, start: date, following: date):
    assert period_start(UsePeriod(per), day) == start
    assert next_period(UsePeriod(per), day) == following


def test_a_birthday_gift_is_given_in_the_month_of_the_birthday():
    cake = benefit(kind=BenefitKind.BIRTHDAY_GIFT, uses=1, per="YEAR")
    february, march = date(2027, 2, 1), date(2027, 3, 1)

    assert is_in_season(cake, birthday=LEAP_DAY, today=february)
    assert not is_in_season(cake, birthday=LEAP_DAY, today=march)
    assert not is_in_season(cake, birthday=None, today=february)
    assert is_in_season(benefit(), birthday=None, today=march)
