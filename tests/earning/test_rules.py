"""Rates are exact; the first vectors are examples that other programmes publish."""

from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from loyalty_graph.earning.rules import Granularity, Rate, Rounding, round_points
from loyalty_graph.earning.settings import EarningSettings

rates = st.builds(
    Rate,
    points=st.integers(0, 10_000),
    per_amount_minor=st.integers(1, 10_000),
    granularity=st.sampled_from(Granularity),
    rounding=st.sampled_from(Rounding),
)
amounts = st.integers(0, 10**12)


@pytest.mark.parametrize(
    ("case", "points", "per", "amount", "step", "prorata"),
    [
        ("5 for $2.50, $3.00 spent", 5, 250, 300, 5, 6),
        ("100 for $10, $1 spent", 100, 1000, 100, 0, 10),
        ("1 for $10, $105 spent", 1, 1000, 10_500, 10, 10),
        ("nothing spent", 5, 250, 0, 0, 0),
        ("no points", 0, 100, 5000, 0, 0),
    ],
)
def test_steps_and_shares(case: str, points: int, per: int, amount: int, step: int, prorata: int):
    def earned(granularity: Granularity) -> int:
        return Rate(points=points, per_amount_minor=per, granularity=granularity).points_for(amount)

    assert (earned(Granularity.STEP), earned(Granularity.PRORATA)) == (step, prorata)


@pytest.mark.parametrize(
    ("numerator", "expected"),
    [
        (0, (0, 0, 0)),
        (1, (0, 0, 1)),
        (2, (0, 1, 1)),
        (3, (0, 1, 1)),
        (4, (1, 1, 1)),
        (6, (1, 2, 2)),
    ],
)
def test_quarters_are_rounded_as_named(numerator: int, expected: tuple[int, int, int]):
    rounded = tuple(
        round_points(numerator, 4, how) for how in (Rounding.FLOOR, Rounding.NEAREST, Rounding.CEIL)
    )

    assert rounded == expected


def test_thirds_are_rounded_to_the_nearest():
    assert [round_points(n, 3, Rounding.NEAREST) for n in range(7)] == [0, 0, 1, 1, 1, 2, 2]


def test_an_unfinished_step_is_rounded_too():
    def steps(rounding: Rounding) -> int:
        rate = Rate(
            points=10, per_amount_minor=500, granularity=Granularity.STEP, rounding=rounding
        )
        return rate.points_for(749)

    assert [steps(how) for how in Rounding] == [10, 10, 20]


@given(rates, amounts)
def test_points_are_the_exact_ratio_rounded_once(rate: Rate, amount: int):
    by_step = rate.granularity is Granularity.STEP
    exact = Fraction(amount * (1 if by_step else rate.points), rate.per_amount_minor)
    rounded = {
        Rounding.FLOOR: floor(exact),
        Rounding.NEAREST: floor(exact + Fraction(1, 2)),
        Rounding.CEIL: ceil(exact),
    }[rate.rounding]

    assert rate.points_for(amount) == rounded * (rate.points if by_step else 1)


@given(rates, amounts, amounts)
def test_a_larger_amount_never_earns_less(rate: Rate, one: int, other: int):
    less, more = sorted((one, other))

    assert rate.points_for(less) <= rate.points_for(more)


@given(rates, st.integers(0, 10**9))
def test_no_float_loses_a_point_of_a_large_amount(rate: Rate, steps: int):
    exact = Rate(points=rate.points, per_amount_minor=rate.per_amount_minor)

    assert exact.points_for(steps * rate.per_amount_minor) == steps * rate.points


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rates": [{"product_types": ["A", "A"], "points": 1, "per_amount_minor": 1}]}, "A has"),
        (
            {
                "rates": [{"product_types": ["A"], "points": 1, "per_amount_minor": 1}],
                "excluded_product_types": ["A"],
            },
            "A cannot have a rate and be excluded",
        ),
    ],
)
def test_rules_that_contradict_each_other_are_refused(settings: dict[str, object], message: str):
    default = {"points": 1, "per_amount_minor": 100}

    with pytest.raises(ValidationError, match=message):
        EarningSettings.model_validate({"default_rate": default, **settings})
