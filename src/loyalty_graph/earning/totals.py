"""Caps over all points of purchases: what they leave of one that has been reckoned."""

from collections.abc import Sequence
from datetime import date

from loyalty_graph.earning.bonuses import Limit
from loyalty_graph.earning.counters import MemberCounters, period_key
from loyalty_graph.earning.outcomes import TOTAL, Cut, CutKind, Outcome, Total
from loyalty_graph.earning.rule_settings import CapPeriod, CapScope, TotalCap

KINDS = {CapScope.MEMBER: CutKind.MEMBER_TOTAL, CapScope.PROGRAM: CutKind.PROGRAM_TOTAL}


class TotalCaps:
    """The caps of one version over all points of purchases."""

    def __init__(self, caps: Sequence[TotalCap]) -> None:
        self._caps = caps
        self.has_budgets = any(one.scope is CapScope.PROGRAM for one in caps)

    def __bool__(self) -> bool:
        """Return whether there are any."""
        return bool(self._caps)

    def periods(self, day: date) -> list[str]:
        """Return the periods of a member's counters that a purchase on a local day moves."""
        mine = (one.period for one in self._limits(day) if one.kind is CutKind.MEMBER_TOTAL)
        return [period for period in dict.fromkeys(mine) if period]

    def budgets(self, day: date) -> dict[str, int]:
        """Return what all members together may earn: period -> points."""
        found: dict[str, int] = {}
        for one in self._limits(day):
            if one.kind is CutKind.PROGRAM_TOTAL:
                found[one.period] = min(one.limit, found.get(one.period, one.limit))
        return found

    def cap(
        self, lines: int, outcomes: list[Outcome], counters: MemberCounters, day: date
    ) -> tuple[list[Outcome], Total]:
        """Return the outcomes, and all else, within the caps of a local day.

        What is too much is taken from the rules, from the last one first, and then from the lines.
        """
        wanted = points = lines + sum(one.points for one in outcomes)
        cuts: list[Cut] = []
        for limit in self._limits(day):
            room = _room(limit, counters)
            if points > room:
                cuts.append(Cut(limit.kind.value, limit.per.value, limit.limit, points - room))
                points = room
                lines, outcomes = _less(lines, outcomes, cuts[-1])
        mine, for_all = tuple(self.periods(day)), tuple(self.budgets(day))
        return outcomes, Total(wanted, lines, tuple(cuts), mine, for_all)

    def _limits(self, day: date) -> list[Limit]:
        return [
            Limit(KINDS[one.scope], one.per, one.points, _period(one, day)) for one in self._caps
        ]


def _period(cap: TotalCap, day: date) -> str:
    return "" if cap.per is CapPeriod.PURCHASE else period_key(cap.per, day)


def _room(limit: Limit, counters: MemberCounters) -> int:
    if limit.kind is CutKind.PROGRAM_TOTAL:
        return max(0, limit.limit - counters.budget_used(TOTAL, limit.period))
    if not limit.period:
        return limit.limit
    return max(0, limit.limit - counters.count(TOTAL, limit.period).points)


def _less(lines: int, outcomes: list[Outcome], cut: Cut) -> tuple[int, list[Outcome]]:
    """Return the lines' points and the outcomes without what a cap took."""
    missing, kept = cut.taken, list(outcomes)
    for place in reversed(range(len(kept))):
        one = kept[place]
        if taken := min(one.points, missing):
            told = (*one.cuts, cut._replace(taken=taken))
            kept[place] = one._replace(points=one.points - taken, cuts=told)
            missing -= taken
    return lines - missing, kept
