"""What a backtest found: points by rule and month, who gains or loses, and why."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from heapq import nsmallest
from typing import Any
from uuid import UUID

LINES = "LINES"
MULTIPLIERS = "MULTIPLIERS"
CAPS = "CAPS"
REFUNDS = "REFUNDS"
NAMES = {
    LINES: "Points of the lines",
    MULTIPLIERS: "Tiers and memberships",
    CAPS: "Lines beyond the caps on all points",
    REFUNDS: "Refunds",
}
SHOWN_MEMBERS_MAX = 10


@dataclass(frozen=True, slots=True)
class RuleTotal:
    """What a rule would have given: points in all and by month (2017-03), before refunds.

    `purchases` are those it gave points for, `wanted` what it gave without caps and budgets.
    """

    code: str
    name: str
    points: int
    wanted: int
    purchases: int
    by_month: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class MemberChange:
    """A member whose points would have been others.

    Points are those earned, less those taken back by refunds. `rules` says what would have given
    them, `reasons` how much more or less that is than what really did (code -> points).
    """

    member_id: UUID
    number: str
    points_before: int
    points_after: int
    tier_before: str | None
    tier_after: str | None
    rules: Mapping[str, int]
    reasons: Mapping[str, int] = field(default_factory=dict)

    @property
    def difference(self) -> int:
        """Return how many points more it would have been, below zero when less."""
        return self.points_after - self.points_before


@dataclass(frozen=True, slots=True)
class PointCost:
    """What a point costs the programme: an exact ratio of minor units, and where it is from."""

    minor: Fraction
    source: str

    def of(self, points: int) -> int:
        """Return what points cost in minor units, rounded to the nearest."""
        return round(points * self.minor)


@dataclass(slots=True)
class Backtest:
    """What the purchases of a time would have earned under a proposed version.

    `before` is what really happened, `after` what the version would have done. `taken_back` are
    points that refunds took back. `outstanding_points` would be left at the end if nobody had spent
    any; `liability` are the balances of today, with what each member has more or less.
    `refused` are purchases that the version does not take, such as of an unknown product type.
    """

    since: datetime | None
    until: datetime | None
    cost: PointCost | None
    currency: str
    purchases: int = 0
    refunds: int = 0
    refused: int = 0
    points_before: int = 0
    points_after: int = 0
    taken_back_before: int = 0
    taken_back_after: int = 0
    outstanding_points: int = 0
    liability_before: int = 0
    liability_after: int = 0
    gaining: int = 0
    losing: int = 0
    unchanged: int = 0
    names: dict[str, str] = field(default_factory=lambda: dict(NAMES))
    rules: dict[str, RuleTotal] = field(default_factory=dict)
    months: dict[str, tuple[int, int]] = field(default_factory=dict)
    tier_moves: Counter[tuple[str | None, str | None]] = field(default_factory=Counter)
    most_changed: list[MemberChange] = field(default_factory=list)

    def covers(self, at: datetime) -> bool:
        """Return whether a purchase of that moment is reported."""
        return (self.since is None or self.since <= at) and (self.until is None or at < self.until)

    @property
    def members(self) -> int:
        """Return how many members bought something."""
        return self.gaining + self.losing + self.unchanged

    def add_member(self, change: MemberChange, *, balance: int) -> None:
        """Count what a member would have more or less; `balance` is the present one."""
        self.gaining += change.difference > 0
        self.losing += change.difference < 0
        self.unchanged += change.difference == 0
        if change.tier_before != change.tier_after:
            self.tier_moves[change.tier_before, change.tier_after] += 1
        self.liability_before += max(0, balance)
        self.liability_after += max(0, balance + change.difference)
        if change.difference:
            self.most_changed = nsmallest(
                SHOWN_MEMBERS_MAX,
                [*self.most_changed, change],
                key=lambda one: (-abs(one.difference), one.member_id),
            )

    def cost_minor(self, points: int) -> int | None:
        """Return what points cost, in minor units; None when nothing says what a point costs."""
        return None if self.cost is None else self.cost.of(points)

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {
            "from": self.since.isoformat() if self.since else None,
            "to": self.until.isoformat() if self.until else None,
            "purchases": self.purchases,
            "refunds": self.refunds,
            "refused": self.refused,
            "members": {
                "all": self.members,
                "gaining": self.gaining,
                "losing": self.losing,
                "unchanged": self.unchanged,
            },
            "points": self._pair(self.points_before, self.points_after),
            "taken_back": self._pair(self.taken_back_before, self.taken_back_after),
            "outstanding_points": self.outstanding_points,
            "liability": self._pair(self.liability_before, self.liability_after),
            "point_cost": self._cost_json(),
            "rules": [self._rule_json(one) for one in self.rules.values()],
            "months": [
                {"month": month, "before": before, "after": after}
                for month, (before, after) in sorted(self.months.items())
            ],
            "tier_moves": [
                {"from": before, "to": after, "members": members}
                for (before, after), members in sorted_moves(self.tier_moves.items())
            ],
            "most_changed": [_change_json(one) for one in self.most_changed],
        }

    def _pair(self, before: int, after: int) -> dict[str, Any]:
        return {
            "before": before,
            "after": after,
            "cost_before_minor": self.cost_minor(before),
            "cost_after_minor": self.cost_minor(after),
        }

    def _cost_json(self) -> dict[str, Any] | None:
        if self.cost is None:
            return None
        return {"minor": str(self.cost.minor), "currency": self.currency, "by": self.cost.source}

    def _rule_json(self, rule: RuleTotal) -> dict[str, Any]:
        return {
            "code": rule.code,
            "name": rule.name,
            "points": rule.points,
            "wanted": rule.wanted,
            "purchases": rule.purchases,
            "cost_minor": self.cost_minor(rule.points),
            "by_month": dict(sorted(rule.by_month.items())),
        }


Move = tuple[tuple[str | None, str | None], int]


def sorted_moves(moves: Iterable[Move]) -> list[Move]:
    """Return tier moves, those of most members first."""
    return sorted(moves, key=lambda one: (-one[1], one[0][0] or "", one[0][1] or ""))


def _change_json(change: MemberChange) -> dict[str, Any]:
    return {
        "member": str(change.member_id),
        "number": change.number,
        "before": change.points_before,
        "after": change.points_after,
        "tier_before": change.tier_before,
        "tier_after": change.tier_after,
        "reasons": dict(change.reasons),
    }
