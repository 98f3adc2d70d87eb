"""Whether members may give each other points, how many, and what it costs."""

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

POINTS_MAX = 10**12
PERCENT = 100


class FeeRounding(StrEnum):
    """What becomes of the part of a point that a percentage leaves."""

    FLOOR = "FLOOR"
    NEAREST = "NEAREST"
    CEIL = "CEIL"


class TransferSettings(BaseModel):
    """What a member may give others: points of each transfer, and of all in a day and a year.

    The fee comes on top: fixed points, and a percentage of what is given. `keeps_dates` says that
    points end when they would have ended; otherwise they live as if they were earned anew.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_points: int = Field(default=1, ge=1, le=POINTS_MAX)
    max_points: int | None = Field(default=None, ge=1, le=POINTS_MAX)
    max_points_per_day: int | None = Field(default=None, ge=1, le=POINTS_MAX)
    max_points_per_year: int | None = Field(default=None, ge=1, le=POINTS_MAX)
    fee_points: int = Field(default=0, ge=0, le=POINTS_MAX)
    fee_percent: int = Field(default=0, ge=0, le=PERCENT)
    fee_rounding: FeeRounding = FeeRounding.CEIL
    keeps_dates: bool = True

    @model_validator(mode="after")
    def _allow_something(self) -> Self:
        for name in ("max_points", "max_points_per_day", "max_points_per_year"):
            most = getattr(self, name)
            if most is not None and most < self.min_points:
                raise ValueError(f"{name} {most} is below min_points {self.min_points}")
        return self

    def fee(self, points: int) -> int:
        """Return what giving these points costs beside them."""
        whole, rest = divmod(points * self.fee_percent, PERCENT)
        if self.fee_rounding is FeeRounding.CEIL:
            whole += rest > 0
        if self.fee_rounding is FeeRounding.NEAREST:
            whole += 2 * rest >= PERCENT
        return self.fee_points + whole
