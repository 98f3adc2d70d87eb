"""What bonus rules gave for a purchase or an activity: decided, explained, pinned for refunds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, Self

from loyalty_graph.earning.calculators import Calculation
from loyalty_graph.earning.pending import Pending

CARRY = "CARRY"
"""The period of the counter that keeps a rate's remainder: its points are minor units."""


class CutKind(StrEnum):
    """What a limit is: of points or of times for a member, or of points for everybody."""

    POINTS = "POINTS"
    TIMES = "TIMES"
    BUDGET = "BUDGET"


class Cut(NamedTuple):
    """What a limit left out: `taken` points, by a cap of `limit` points or times, or a budget.

    `per` is the period the limit is for.
    """

    kind: str
    per: str
    limit: int
    taken: int


class Carry(NamedTuple):
    """What a rate carried before and after, and the amount it counted, in minor units."""

    before: int
    after: int
    amount_minor: int


class Outcome(NamedTuple):
    """What one rule or offer gave: `points` of the `wanted` ones, less what limits cut.

    `periods` are those its caps count in,
    `budget` that of its budget. Points are usable after `pending`. A rate that carries may
    have an outcome without points, for what it carries on.
    """

    code: str
    name: str
    wanted: int
    points: int
    cuts: tuple[Cut, ...] = ()
    pending: Pending | None = None
    is_offer: bool = False
    periods: tuple[str, ...] = ()
    budget: str | None = None
    carry: Carry | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the outcome as it stands in an explanation."""
        told: dict[str, Any] = {"code": self.code, "name": self.name, "points": self.points}
        if self.cuts:
            told |= {"wanted": self.wanted, "cuts": [list(cut) for cut in self.cuts]}
        if self.pending is not None:
            told["pending"] = self.pending.told()
        return told


class Declined(StrEnum):
    """Why a rule gave nothing for an activity."""

    NOT_OPEN = "NOT_OPEN"
    NOT_FOR_MEMBER = "NOT_FOR_MEMBER"
    CONDITION = "CONDITION"
    ANOTHER_RULE = "ANOTHER_RULE"


@dataclass(slots=True)
class Earned:
    """What a purchase or an activity earned: the lines' points, and what rules added.

    `points` is everything. `facts` are what the rules read of the member, to be pinned. `declined`
    says of an activity why rules for its kind gave nothing.
    """

    points: int
    calculation: Calculation
    outcomes: tuple[Outcome, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    declined: Mapping[str, Declined] = field(default_factory=dict)

    def reckoning(self) -> dict[str, Any]:
        """Return how the points came about, as JSON values."""
        told = [one.to_json() for one in self.outcomes if one.wanted]
        return {**self.calculation.reckoning(), **({"rules": told} if told else {})}

    def pinned(self) -> dict[str, Any] | None:
        """Return what a refund must know again, as JSON values; None when that is nothing."""
        pins = self.calculation.pinned() or {}
        if any(one.points or one.carry is not None for one in self.outcomes):
            standing = [
                Standing.of(one).to_json()
                for one in self.outcomes
                if one.points or one.carry is not None
            ]
            pins = {**pins, "facts": dict(self.facts), "rules": standing}
        return pins or None


@dataclass(frozen=True, slots=True)
class Standing:
    """What still stands of an outcome while its purchase is brought back in parts.

    `carried` is, for a rate that carries, what it carried before the purchase, and the amount that
    still counts.
    """

    code: str
    wanted: int
    points: int
    periods: tuple[str, ...]
    budget: str | None
    carried: tuple[int, int] | None

    @property
    def is_over(self) -> bool:
        """Return whether nothing of it is left."""
        return not self.wanted and (self.carried is None or not self.carried[1])

    @classmethod
    def of(cls, one: Outcome) -> Self:
        """Return an outcome of which everything stands."""
        carried = None if one.carry is None else (one.carry.before, one.carry.amount_minor)
        limits = one.periods, one.budget
        return cls(one.code, one.wanted, one.points, *limits, carried)

    @property
    def counted(self) -> tuple[str, ...]:
        """Return the periods of the member's counters that it moved."""
        return self.periods if self.carried is None else (*self.periods, CARRY)

    def to_json(self) -> list[Any]:
        """Return it as JSON values."""
        limits = list(self.periods), self.budget
        told = [self.code, self.wanted, self.points, *limits]
        return told if self.carried is None else [*told, list(self.carried)]

    @classmethod
    def from_json(cls, pinned: Sequence[Any]) -> Self:
        """Return what was pinned."""
        code, wanted, points, periods, budget, *carried = pinned
        before = (carried[0][0], carried[0][1]) if carried else None
        return cls(code, wanted, points, tuple(periods), budget, before)


class GivenBack(NamedTuple):
    """What a refund gives back to a rule's caps and budget, in the periods it was taken from.

    `is_all` says that nothing stands any more, so that it counts one time less. `carry_minor` is
    added to what the rate carries.
    """

    code: str
    points: int
    is_all: bool
    periods: tuple[str, ...]
    budget: str | None
    carry_minor: int


@dataclass(frozen=True, slots=True)
class Worth:
    """What a purchase is worth after a refund.

    `points` is everything, `points_before` what it was worth until now. `pinned` takes the place of
    what was pinned, and `given_back` goes back to the counters.
    """

    points_before: int
    points: int
    calculation: Calculation
    outcomes: tuple[Outcome, ...]
    given_back: tuple[GivenBack, ...]
    pinned: dict[str, Any]

    @property
    def due_points(self) -> int:
        """Return the points to take back."""
        return self.points_before - self.points

    def reckoning(self) -> dict[str, Any]:
        """Return how the points that are left came about, as JSON values."""
        told = [one.to_json() for one in self.outcomes if one.points]
        return {**self.calculation.reckoning(), **({"rules": told} if told else {})}


def pinned_counters(pinned: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the (rule, period) of the member's counters that a refund moves."""
    standing = [Standing.from_json(one) for one in pinned.get("rules", ())]
    return [(one.code, period) for one in standing for period in one.counted]
