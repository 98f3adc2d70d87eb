"""A programme's tiers as its file says them: basis, window, thresholds, what each tier gives."""

from collections.abc import Sequence
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from loyalty_graph.benefits.rules import Code, Grant, GrantSource, Multiplier, Ratio
from loyalty_graph.programs.rules import Color

LEVELS_MAX = 20
GRACE_DAYS_MAX = 366
THRESHOLD_MAX = 10**15


class Basis(StrEnum):
    """What is counted: money spent, net of discounts and refunds, or points earned by purchases."""

    SPEND = "SPEND"
    QUALIFYING_POINTS = "QUALIFYING_POINTS"


class Window(StrEnum):
    """Over which time it is counted, in the programme's time zone."""

    CALENDAR_YEAR = "CALENDAR_YEAR"
    ROLLING_12_MONTHS = "ROLLING_12_MONTHS"


class Downgrade(StrEnum):
    """Where a member falls who did not keep the tier."""

    NONE = "NONE"
    ONE_STEP = "ONE_STEP"
    TO_EARNED = "TO_EARNED"


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TierLevel(_Settings):
    """A tier: reached with `entry`, kept with `keep` in the next window.

    Both are minor units of the currency (SPEND) or points (QUALIFYING_POINTS).
    """

    code: Code
    name: str = Field(min_length=1, max_length=40)
    entry: int = Field(ge=0, le=THRESHOLD_MAX)
    keep: int = Field(ge=0, le=THRESHOLD_MAX)
    multiplier: Ratio = Fraction(1)
    benefits: tuple[Code, ...] = Field(default=(), max_length=LEVELS_MAX)
    color: Color | None = None

    @model_validator(mode="before")
    @classmethod
    def _keep_like_entry(cls, given: Any) -> Any:
        if isinstance(given, dict) and "keep" not in given and "entry" in given:
            return {**given, "keep": given["entry"]}
        return given


class TierSettings(_Settings):
    """A programme's tiers, the lowest first.

    Who has not reached the lowest has none; an `entry` of 0 makes it everybody's.
    """

    basis: Basis
    window: Window
    downgrade: Downgrade = Downgrade.ONE_STEP
    grace_days: int = Field(default=0, ge=0, le=GRACE_DAYS_MAX)
    levels: tuple[TierLevel, ...] = Field(min_length=1, max_length=LEVELS_MAX)

    @model_validator(mode="after")
    def _ascend(self) -> Self:
        for name in ("code", "name"):
            _say_once(name, [getattr(level, name) for level in self.levels])
        for place, level in enumerate(self.levels):
            here = f"levels[{place}] ({level.code})"
            if level.keep > level.entry:
                raise ValueError(f"{here}: keep {level.keep} is above its entry {level.entry}")
            if len(set(level.benefits)) < len(level.benefits):
                raise ValueError(f"{here}: a benefit stands twice")
        for place, (lower, upper) in enumerate(pairwise(self.levels), 1):
            here, below = f"levels[{place}] ({upper.code})", f"levels[{place - 1}] ({lower.code})"
            if upper.entry <= lower.entry:
                raise ValueError(
                    f"{here}: entry {upper.entry} is not above {lower.entry} of {below}"
                )
            if upper.keep < lower.keep:
                raise ValueError(f"{here}: keep {upper.keep} is below {lower.keep} of {below}")
        return self

    def rank(self, code: str | None) -> int:
        """Return a tier's place from 0, the lowest; -1 for none and for one that is no more."""
        return -1 if code is None else self._ranks.get(code, -1)

    @cached_property
    def _ranks(self) -> dict[str, int]:
        return {level.code: place for place, level in enumerate(self.levels)}

    def level(self, code: str | None) -> TierLevel | None:
        """Return the tier of a code, or None when there is no such tier."""
        rank = self.rank(code)
        return None if rank < 0 else self.levels[rank]

    def above(self, code: str | None) -> TierLevel | None:
        """Return the tier after that of a code, or None when that is the highest."""
        rank = self.rank(code) + 1
        return self.levels[rank] if rank < len(self.levels) else None

    def reached(self, value: int) -> str | None:
        """Return the highest tier whose entry a value meets."""
        return self._highest([level for level in self.levels if level.entry <= value])

    def kept(self, value: int, *, below: str) -> str | None:
        """Return the highest tier under another whose keep threshold a value meets."""
        lower = self.levels[: self.rank(below)]
        return self._highest([level for level in lower if level.keep <= value])

    @staticmethod
    def _highest(levels: Sequence[TierLevel]) -> str | None:
        return levels[-1].code if levels else None

    def multipliers(self, code: str | None) -> tuple[Multiplier, ...]:
        """Return by what a member of this tier earns more; nothing where it makes no difference."""
        level = self.level(code)
        if level is None or level.multiplier == 1:
            return ()
        return (Multiplier(GrantSource.TIER, level.code, level.multiplier, level.name),)

    def grants(self, code: str | None) -> list[Grant]:
        """Return what a tier grants, for as long as the member has it."""
        level = self.level(code)
        if level is None:
            return []
        return [Grant(benefit, GrantSource.TIER, level.code, None) for benefit in level.benefits]


def _say_once(name: str, values: Sequence[str]) -> None:
    for place, value in enumerate(values):
        if value in values[:place]:
            first = values.index(value)
            raise ValueError(f"levels[{place}].{name}: {value} stands at levels[{first}] too")
