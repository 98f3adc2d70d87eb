"""What a benefit is, who grants it, how often it is used; by how much points are multiplied."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import Annotated, Any, Self

from dateutil.relativedelta import relativedelta
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

RATIO_MAX = 100
BENEFITS_MAX = 100
_RATIO = re.compile(r"([1-9]\d{0,3})(?:/([1-9]\d{0,3}))?")


def _ratio(given: Any) -> Fraction:
    match = _RATIO.fullmatch(given) if isinstance(given, str) else None
    if match is None or Fraction(given) > RATIO_MAX:
        raise ValueError(f'{given!r} is no ratio; write "5/4" or "2", at most "{RATIO_MAX}"')
    return Fraction(given)


Ratio = Annotated[Fraction, BeforeValidator(_ratio), PlainSerializer(str)]
"""An exact ratio, written "5/4" or "2" in a programme file."""

Code = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$", max_length=30)]
"""How the parts of a programme file name each other."""


class BenefitKind(StrEnum):
    """What a member gets."""

    FREE_SHIPPING = "FREE_SHIPPING"
    EARLY_ACCESS = "EARLY_ACCESS"
    MEMBER_PRICE = "MEMBER_PRICE"
    CONTENT = "CONTENT"
    BIRTHDAY_GIFT = "BIRTHDAY_GIFT"
    EXPRESS_DELIVERY = "EXPRESS_DELIVERY"
    FREE_REFILL = "FREE_REFILL"
    CUSTOM = "CUSTOM"


class UsePeriod(StrEnum):
    """After which the uses of a benefit begin anew, in the programme's time zone."""

    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"
    YEAR = "YEAR"


class Benefit(BaseModel):
    """A benefit as the programme file defines it; without `uses` nobody counts them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: Code
    kind: BenefitKind
    name: str = Field(min_length=1, max_length=60)
    description: str = Field(default="", max_length=400)
    uses: int | None = Field(default=None, ge=1, le=1000)
    per: UsePeriod | None = None

    @model_validator(mode="after")
    def _count_both_or_neither(self) -> Self:
        if (self.uses is None) != (self.per is None):
            raise ValueError("uses and per go together: how often, and in which period")
        if self.uses is None and self.kind in {BenefitKind.FREE_REFILL, BenefitKind.BIRTHDAY_GIFT}:
            raise ValueError(f"{self.kind} is counted; say uses and per")
        return self


class GrantSource(StrEnum):
    """Whence a member has a benefit, or points are multiplied."""

    TIER = "TIER"
    SUBSCRIPTION = "SUBSCRIPTION"


@dataclass(frozen=True, slots=True)
class Grant:
    """A benefit that a member has: from a tier or a subscription (`source`) of this `code`.

    `until` is when it ends if nothing changes, None when that is open.
    """

    benefit: str
    source: str
    code: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Multiplier:
    """A ratio by which a purchase earns more or less, from a tier or a subscription of `code`.

    `name` is what people call that; the code stands in for it where it is empty.
    """

    source: str
    code: str
    ratio: Fraction
    name: str = ""

    def to_json(self) -> list[str]:
        """Return the multiplier as JSON values, to be pinned where it was used."""
        return [self.source, self.code, str(self.ratio), self.name or self.code]

    @classmethod
    def from_json(cls, pinned: Sequence[str]) -> Self:
        """Return a multiplier that was pinned."""
        source, code, ratio, name = pinned
        return cls(source, code, Fraction(ratio), name)


def multiplied(points: int, multipliers: Sequence[Multiplier]) -> int:
    """Return the points times all ratios, rounded down once at the end."""
    product = Fraction(points)
    for one in multipliers:
        product *= one.ratio
    return product.numerator // product.denominator


def period_start(per: UsePeriod, day: date) -> date:
    """Return the first day of the period that a day lies in; weeks begin on Monday."""
    if per is UsePeriod.DAY:
        return day
    if per is UsePeriod.WEEK:
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if per is UsePeriod.MONTH else day.replace(month=1, day=1)


def next_period(per: UsePeriod, day: date) -> date:
    """Return the first day of the period after the one that a day lies in."""
    steps = {
        UsePeriod.DAY: relativedelta(days=1),
        UsePeriod.WEEK: relativedelta(weeks=1),
        UsePeriod.MONTH: relativedelta(months=1),
        UsePeriod.YEAR: relativedelta(years=1),
    }
    return period_start(per, day) + steps[per]


def is_in_season(benefit: Benefit, *, birthday: date | None, today: date) -> bool:
    """Return whether a benefit can be used on a day: a gift only in the birthday's month."""
    if benefit.kind is not BenefitKind.BIRTHDAY_GIFT:
        return True
    return birthday is not None and birthday.month == today.month
