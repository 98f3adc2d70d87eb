import pytest
from pydantic import ValidationError

from loyalty_graph.programs.transfers import FeeRounding, TransferSettings


@pytest.mark.parametrize(
    ("case", "points", "fixed", "percent", "rounding", "fee"),
    [
        ("nothing", 100, 0, 0, FeeRounding.CEIL, 0),
        ("fixed points", 100, 7, 0, FeeRounding.CEIL, 7),
        ("a whole percentage", 100, 0, 5, FeeRounding.CEIL, 5),
        ("a part is rounded up", 101, 0, 5, FeeRounding.CEIL, 6),
        ("or down", 119, 0, 5, FeeRounding.FLOOR, 5),
        ("or to the nearest", 109, 0, 5, FeeRounding.NEAREST, 5),
        ("and half a point up", 110, 0, 5, FeeRounding.NEAREST, 6),
        ("both together", 101, 7, 5, FeeRounding.CEIL, 13),
        ("beyond what a float holds", 10**12 - 1, 0, 50, FeeRounding.FLOOR, 499_999_999_999),
    ],
)
def test_the_fee_is_exact(
    case: str, points: int, fixed: int, percent: int, rounding: FeeRounding, fee: int
):
    terms = TransferSettings(fee_points=fixed, fee_percent=percent, fee_rounding=rounding)

    assert terms.fee(points) == fee


@pytest.mark.parametrize("name", ["max_points", "max_points_per_day", "max_points_per_year"])
def test_limits_under_which_nothing_can_be_given_are_refused(name: str):
    with pytest.raises(ValidationError, match=f"{name} 99 is below min_points 100"):
        TransferSettings.model_validate({"min_points": 100, name: 99})
