"""Counting what rules gave: caps per member and period, carried remainders, budgets; in memory."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import NamedTuple
from uuid import UUID

from loyalty_graph.earning.outcomes import CARRY, TOTAL, GivenBack, Outcome, Total
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


class Count(NamedTuple):
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
    assert per is not CapPeriod.PURCHASE, "what is capped for each purchase is not counted"
    if per is CapPeriod.DAY:
        return day.isoformat()
    if per is CapPeriod.WEEK:
        year, week, _ = day.isocalendar()
        return f"{year}-W{week:02}"
    if per is CapPeriod.MONTH:
        return f"{day.year:04}-{day.month:02}"
    return f"{day.year:04}" if per is CapPeriod.YEAR else per.value


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
        self._counts: dict[UUID, dict[tuple[str, str], Count]] = {}
        for key, count in (counts or {}).items():
            self._of(key.member_id)[key.rule, key.period] = count
        self._budgets = {(rule, period): used for (rule, period), used in (budgets or {}).items()}
        self.changed: dict[CounterKey, Count] = {}
        self.spent: dict[BudgetKey, int] = {}

    def of(self, member_id: UUID) -> "MemberCounters":
        """Return the counts as one member's purchases are decided by them."""
        return MemberCounters(self, member_id, self._of(member_id))

    def _of(self, member_id: UUID) -> dict[tuple[str, str], Count]:
        return self._counts.setdefault(member_id, {})

    def used(self, rule: str, period: str) -> int:
        """Return the points that a rule's budget has given in a period."""
        return self._budgets.get((rule, period), 0)

    def spend(self, rule: str, period: str, points: int) -> None:
        """Take points from a budget; below zero gives them back."""
        if points:
            key = BudgetKey(rule, period)
            self._budgets[key] = self._budgets.get(key, 0) + points
            self.spent[key] = self.spent.get(key, 0) + points


class MemberCounters:
    """The counters as one member's purchases and activities are decided by them."""

    __slots__ = ("_counters", "_counts", "_member_id")

    def __init__(
        self, counters: Counters, member_id: UUID, counts: dict[tuple[str, str], Count]
    ) -> None:
        self._counters = counters
        self._member_id = member_id
        self._counts = counts

    def count(self, rule: str, period: str) -> Count:
        """Return what a rule gave the member in a period."""
        return self._counts.get((rule, period), NOTHING)

    def carried(self, rule: str) -> int:
        """Return the minor units that a rule's rate carries for the member."""
        return self.count(rule, CARRY).points

    def budget_used(self, rule: str, period: str) -> int:
        """Return the points that a rule's budget has given to all members in a period."""
        return self._counters.used(rule, period)

    def take(self, outcomes: Iterable[Outcome]) -> None:
        """Count what rules gave for a purchase or an activity that is being recorded."""
        for one in outcomes:
            if one.periods:
                self._add(one.code, one.periods, points=one.points, times=1 if one.points else 0)
            if one.budget is not None:
                self._counters.spend(one.code, one.budget, one.points)
            if one.carry is not None:
                self._carry(one.code, one.carry.after - one.carry.before)

    def take_total(self, points: int, total: Total | None) -> None:
        """Count all points of a purchase that is being recorded, where caps limit them."""
        if total is not None and points:
            self._add(TOTAL, total.periods, points=points, times=0)
            for period in total.budgets:
                self._counters.spend(TOTAL, period, points)

    def give_back(self, given_back: Iterable[GivenBack]) -> None:
        """Give caps and budgets their room back, in the periods it was taken from."""
        for one in given_back:
            self._add(one.code, one.periods, points=-one.points, times=-1 if one.is_all else 0)
            self._carry(one.code, one.carry_minor)
            if one.budget is not None:
                self._counters.spend(one.code, one.budget, -one.points)

    def _add(self, rule: str, periods: Iterable[str], *, points: int, times: int) -> None:
        if points or times:
            for period in periods:
                before = self.count(rule, period)
                after = Count(max(0, before.points + points), max(0, before.times + times))
                self._keep(rule, period, after)

    def _carry(self, rule: str, minor: int) -> None:
        if minor:
            self._keep(rule, CARRY, Count(self.carried(rule) + minor))

    def _keep(self, rule: str, period: str, count: Count) -> None:
        self._counts[rule, period] = count
        self._counters.changed[CounterKey(self._member_id, rule, period)] = count


NO_COUNTERS = Counters().of(UUID(int=0))
"""Where nothing was counted, such as for somebody who is no member."""
