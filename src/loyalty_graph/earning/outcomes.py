"""What bonus rules gave for a purchase or an activity: decided, explained, pinned for refunds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, Self

from loyalty_graph.earning.calculators import Calculation
from loyalty_graph.earning.pending import Pending

CARRY = "CARRY"
"""The period of the counter that keeps a rate's remainder: its points are minor units."""


TOTAL = "*"
"""What stands in the place of a rule's code where all points of purchases are counted."""


class CutKind(StrEnum):
    """What a limit is: of points or of times for a member, or of points for everybody.

    Those of a total count all points of purchases, not those of one rule.
    """

    POINTS = "POINTS"
    TIMES = "TIMES"
    BUDGET = "BUDGET"
    MEMBER_TOTAL = "MEMBER_TOTAL"
    PROGRAM_TOTAL = "PROGRAM_TOTAL"


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


class Total(NamedTuple):
    """What caps over all points of purchases left of one: of its `wanted` points, less the `cuts`.

    `lines` are what its lines keep, times what the member has; what its rules keep, their outcomes
    say. `periods` are those in which it counts for the member, `budgets` for all together.
    """

    wanted: int
    lines: int
    cuts: tuple[Cut, ...]
    periods: tuple[str, ...]
    budgets: tuple[str, ...]

    def to_json(self) -> list[Any]:
        """Return it as JSON values, to be pinned."""
        cuts = [list(cut) for cut in self.cuts]
        return [self.wanted, self.lines, cuts, list(self.periods), list(self.budgets)]

    @classmethod
    def from_json(cls, pinned: Sequence[Any]) -> Self:
        """Return what was pinned."""
        wanted, lines, cuts, periods, budgets = pinned
        told = tuple(Cut(*cut) for cut in cuts)
        return cls(wanted, lines, told, tuple(periods), tuple(budgets))

    def given_back(self, points: int) -> "list[GivenBack]":
        """Return what gives its caps room for so many points back."""
        for_all = [
            GivenBack(TOTAL, points, is_all=False, periods=(), budget=one) for one in self.budgets
        ]
        mine = GivenBack(TOTAL, points, is_all=False, periods=self.periods)
        return [mine, *for_all]


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
    says of an activity why rules for its kind gave nothing. `total` is there where caps limit all
    points of purchases.
    """

    points: int
    calculation: Calculation
    outcomes: tuple[Outcome, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    declined: Mapping[str, Declined] = field(default_factory=dict)
    total: Total | None = None

    @property
    def lines_points(self) -> int:
        """Return what the lines earned, times what the member has, within caps over everything."""
        return self.calculation.points if self.total is None else self.total.lines

    def reckoning(self) -> dict[str, Any]:
        """Return how the points came about, as JSON values."""
        told = [one.to_json() for one in self.outcomes if one.wanted]
        rules = {"rules": told} if told else {}
        return {**self.calculation.reckoning(), **rules, **self._capped()}

    def _capped(self) -> dict[str, Any]:
        if self.total is None or not self.total.cuts:
            return {}
        lines = [self.calculation.points, self.total.lines]
        cuts = [list(cut) for cut in self.total.cuts]
        return {"capped": {"wanted": self.total.wanted, "lines": lines, "cuts": cuts}}

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
        if self.total is not None:
            pins = {**pins, "total": self.total.to_json()}
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
    budget: str | None = None
    carry_minor: int = 0


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
    total = Total.from_json(pinned["total"]).periods if "total" in pinned else ()
    by_rule = [(one.code, period) for one in standing for period in one.counted]
    return [*by_rule, *((TOTAL, period) for period in total)]
