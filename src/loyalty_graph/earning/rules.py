"""Exact rates: how an amount becomes whole points, with the rounding named."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from loyalty_graph.errors import InvalidInputError

POINTS_MAX = 10**15
"""What one purchase may earn: sums of it stay within 64 bits."""


class Granularity(StrEnum):
    """STEP counts whole steps of the amount; PRORATA counts every minor unit, then rounds."""

    STEP = "STEP"
    PRORATA = "PRORATA"


class Rounding(StrEnum):
    """How a fraction of a point is rounded; NEAREST rounds halves up."""

    FLOOR = "FLOOR"
    NEAREST = "NEAREST"
    CEIL = "CEIL"


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rate(_Settings):
    """`points` for each `per_amount_minor` minor units: an exact ratio, never a decimal fraction.

    `rounding` says what becomes of a part of a point (PRORATA) or of an unfinished step (STEP).
    """

    points: int = Field(ge=0, le=1_000_000)
    per_amount_minor: int = Field(ge=1, le=10**12)
    granularity: Granularity = Granularity.PRORATA
    rounding: Rounding = Rounding.FLOOR

    def points_for(self, amount_minor: int) -> int:
        """Return the whole points for an amount that is not below zero."""
        if self.granularity is Granularity.STEP:
            steps = round_points(amount_minor, self.per_amount_minor, self.rounding)
            return steps * self.points
        return round_points(amount_minor * self.points, self.per_amount_minor, self.rounding)


def check_points(points: int) -> None:
    """Refuse points beyond what one purchase may earn.

    Raises:
        InvalidInputError: They are more.
    """
    if points > POINTS_MAX:
        raise InvalidInputError(
            f"This would earn {points} points; a purchase earns at most {POINTS_MAX}.",
            field="lines",
        )


def round_points(numerator: int, denominator: int, rounding: Rounding) -> int:
    """Return numerator / denominator as a whole number; neither is below zero."""
    whole, rest = divmod(numerator, denominator)
    if rounding is Rounding.CEIL:
        return whole + (rest > 0)
    if rounding is Rounding.NEAREST:
        return whole + (2 * rest >= denominator)
    return whole
