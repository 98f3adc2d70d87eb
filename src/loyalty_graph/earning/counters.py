"""Counting what rules gave: caps per member and period, carried remainders, budgets; in memory."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import NamedTuple
from uuid import UUID

from loyalty_graph.earning.outcomes import CARRY, GivenBack, Outcome
from loyalty_graph.earning.rule_settings import CapPeriod


class CounterKey(NamedTuple):
    """Whose count it is, of which rule or offer, in which period (or `CARRY`)."""

    member_id: UUID
    rule: str
    period: str


class BudgetKey(NamedTuple):
    """Which rule's budget, in which period."""

    rule: str
    period: str


@dataclass(frozen=True, slots=True)
class Count:
    """What a rule gave a member in a period: points, and how often it counted.

    In the row of `CARRY` the points are minor units that no step was given for yet; below zero
    after refunds of purchases that earned by what earlier ones had left over.
    """

    points: int = 0
    times: int = 0


NOTHING = Count()


def period_key(per: CapPeriod, day: date) -> str:
    """Return the name of the period a local day lies in: 2026-11-22, 2026-W47, 2026-11, 2026, EVER.

    Weeks are those of ISO 8601: they begin on Monday, and belong to the year of their Thursday.
    """
    match per:
        case CapPeriod.DAY:
            return day.isoformat()
        case CapPeriod.WEEK:
            year, week, _ = day.isocalendar()
            return f"{year}-W{week:02}"
        case CapPeriod.MONTH:
            return f"{day.year:04}-{day.month:02}"
        case CapPeriod.YEAR:
            return f"{day.year:04}"
        case CapPeriod.EVER:
            return per.value
        case CapPeriod.PURCHASE:
            raise AssertionError("what is capped for each purchase is not counted")


class Counters:
    """The counts of a batch's members, and the budgets, as they stand while it is decided.

    What was not handed in stands at zero. `changed` are the counts that differ from what was handed
    in, to be stored; `spent` what each budget gave in all, below zero where points came back.
    """

    def __init__(
        self,
        counts: Mapping[CounterKey, Count] | None = None,
        budgets: Mapping[BudgetKey, int] | None = None,
    ) -> None:
        self._counts = dict(counts or {})
        self._budgets = dict(budgets or {})
        self.changed: dict[CounterKey, Count] = {}
        self.spent: dict[BudgetKey, int] = {}

    def of(self, member_id: UUID) -> "MemberCounters":
        """Return the counts as one member's purchases are decided by them."""
        return MemberCounters(self, member_id)

    def count(self, key: CounterKey) -> Count:
        """Return a count."""
        return self._counts.get(key, NOTHING)

    def used(self, key: BudgetKey) -> int:
        """Return the points a budget has given."""
        return self._budgets.get(key, 0)

    def add(self, key: CounterKey, *, points: int, times: int) -> None:
        """Add to a count; below zero takes from it."""
        before = self.count(key)
        if key.period == CARRY:
            after = replace(before, points=before.points + points)
        else:
            after = Count(max(0, before.points + points), max(0, before.times + times))
        if after != before:
            self._counts[key] = self.changed[key] = after

    def spend(self, key: BudgetKey, points: int) -> None:
        """Take points from a budget; below zero gives them back."""
        if points:
            self._budgets[key] = self.used(key) + points
            self.spent[key] = self.spent.get(key, 0) + points


class MemberCounters:
    """The counters as one member's purchases and activities are decided by them."""

    __slots__ = ("_counters", "_member_id")

    def __init__(self, counters: Counters, member_id: UUID) -> None:
        self._counters = counters
        self._member_id = member_id

    def count(self, rule: str, period: str) -> Count:
        """Return what a rule gave the member in a period."""
        return self._counters.count(CounterKey(self._member_id, rule, period))

    def carried(self, rule: str) -> int:
        """Return the minor units that a rule's rate carries for the member."""
        return self.count(rule, CARRY).points

    def budget_used(self, rule: str, period: str) -> int:
        """Return the points that a rule's budget has given to all members in a period."""
        return self._counters.used(BudgetKey(rule, period))

    def take(self, outcomes: Iterable[Outcome]) -> None:
        """Count what rules gave for a purchase or an activity that is being recorded."""
        for one in outcomes:
            times = 1 if one.points else 0
            self._add(one.code, one.periods, points=one.points, times=times)
            self._carry(one.code, 0 if one.carry is None else one.carry.after - one.carry.before)
            if one.budget is not None:
                self._counters.spend(BudgetKey(one.code, one.budget), one.points)

    def give_back(self, given_back: Iterable[GivenBack]) -> None:
        """Give caps and budgets their room back, in the periods it was taken from."""
        for one in given_back:
            times = -1 if one.is_all else 0
            self._add(one.code, one.periods, points=-one.points, times=times)
            self._carry(one.code, one.carry_minor)
            if one.budget is not None:
                self._counters.spend(BudgetKey(one.code, one.budget), -one.points)

    def _add(self, rule: str, periods: Iterable[str], *, points: int, times: int) -> None:
        for period in periods:
            self._counters.add(
                CounterKey(self._member_id, rule, period), points=points, times=times
            )

    def _carry(self, rule: str, minor: int) -> None:
        if minor:
            self._counters.add(CounterKey(self._member_id, rule, CARRY), points=minor, times=0)


NO_COUNTERS = Counters().of(UUID(int=0))
"""Where nothing was counted, such as for somebody who is no member."""
