"""Rules and offers compiled: whether one holds for a basket, what it counts, what it gives."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, tzinfo
from itertools import compress
from typing import Any, NamedTuple, TypeAlias

from loyalty_graph.conditions.python import compile_lines, compile_python
from loyalty_graph.conditions.reading import read, read_line
from loyalty_graph.conditions.tree import AllOf, AnyOf, Comparison, Condition, Operator, terms_of
from loyalty_graph.conditions.vocabulary import Vocabulary
from loyalty_graph.earning.basket import Basket
from loyalty_graph.earning.counters import MemberCounters, period_key
from loyalty_graph.earning.outcomes import CARRY, Carry, Cut, Outcome
from loyalty_graph.earning.rule_settings import CapPeriod, CarriedRate, EarningRule, Offer, Step
from loyalty_graph.earning.schedules import Span, Windows, day_edges, instant_of, microseconds
from loyalty_graph.earning.vocabulary import PURCHASES

Effect: TypeAlias = Callable[[int, int], int]
"""From the amount that counts, and the points its lines earned, to points."""

_FACT = re.compile(r"\bm\.(\w+)")


class Limit(NamedTuple):
    """A cap or a budget on a day: `kind` POINTS, TIMES or BUDGET, and the period it counts in."""

    kind: str
    per: CapPeriod
    limit: int
    period: str


class Limits(NamedTuple):
    """What limits a rule on a day: its caps, in their order, and its budget."""

    caps: tuple[Limit, ...]
    budget: Limit | None
    periods: tuple[str, ...]


class Want(NamedTuple):
    """What a rule would give if nothing limited it, and the amount it counted."""

    bonus: "Bonus"
    points: int
    amount_minor: int
    carry: Carry | None


class Bonus:
    """A rule or an offer of one version, compiled."""

    def __init__(
        self,
        settings: EarningRule | Offer,
        zone: tzinfo,
        segments: Mapping[str, Any],
        vocabulary: Vocabulary = PURCHASES,
    ) -> None:
        self.settings = settings
        self.code = settings.code
        self.group = settings.group
        self.priority = settings.priority
        self.is_offer = isinstance(settings, Offer)
        self.target = _together(_targets(settings, segments, vocabulary))
        self.condition = None if settings.when is None else read(settings.when, vocabulary)
        whole = [one for one in (self.target, self.condition) if one is not None]
        self.whole = _together(whole)
        self.facts = _facts(self.whole, vocabulary)
        self.holds = _compiled(self.whole, vocabulary)
        self.is_target = _compiled(self.target, vocabulary)
        self._matching = None
        if settings.lines is not None:
            self._matching = compile_lines(read_line(settings.lines, vocabulary), vocabulary)
        self.effect = _effect(settings)
        rate = settings.rate
        self.carried_rate = rate if rate is not None and rate.carry else None
        self._zone = zone
        self._windows = None
        if (schedule := settings.schedule) is not None:
            self._windows = Windows(schedule.rrule, schedule.begins, schedule.length, zone)

    def want(self, basket: Basket, line_points: Sequence[int], carried: int) -> Want | None:
        """Return what it would give for a basket for which it holds; None if nothing counts.

        `carried` are the minor units that its rate carries for the member.
        """
        if self._matching is None:
            amount, points = basket.total_minor, sum(line_points)
        else:
            matching = self._matching(basket.member, basket)
            amount = sum(compress(basket.amounts, matching))
            points = sum(compress(line_points, matching))
        if amount <= 0:
            return None
        if self.carried_rate is not None:
            return self._carried(self.carried_rate, amount, carried)
        wanted = self.effect(amount, points)
        return Want(self, wanted, amount, None) if wanted > 0 else None

    def fixed(self) -> Want:
        """Return what it would give for an activity: always the same points."""
        return Want(self, self.effect(0, 0), 0, None)

    def _carried(self, rate: CarriedRate, amount: int, before: int) -> Want:
        steps = max(0, (before + amount) // rate.per_amount_minor)
        after = before + amount - steps * rate.per_amount_minor
        return Want(self, steps * rate.points, amount, Carry(before, after))

    def spans(self, day: date) -> list[Span] | None:
        """Return when it is open on a local day; None when it is open all day."""
        first, last = day_edges(day)
        whole = (self._instant(first), self._instant(last))
        settings = self.settings
        opens = whole[0] if settings.opens_at is None else microseconds(settings.opens_at)
        closes = whole[1] if settings.closes_at is None else microseconds(settings.closes_at)
        windows = [whole] if self._windows is None else self._windows.between(first, last)
        open_ = [(max(start, opens), min(end, closes)) for start, end in windows]
        if any(start <= whole[0] and end >= whole[1] for start, end in open_):
            return None
        return [(start, end) for start, end in open_ if start < end]

    def is_open(self, at: datetime) -> bool:
        """Return whether it is open at an instant, given in the programme's zone."""
        spans = self.spans(at.date())
        if spans is None:
            return True
        instant = microseconds(at)
        return any(start <= instant < end for start, end in spans)

    def _instant(self, wall: datetime) -> int:
        return microseconds(instant_of(wall, self._zone))

    def limits(self, day: date) -> Limits | None:
        """Return what limits it on a local day, None when nothing does."""
        caps = tuple(
            Limit("POINTS", cap.per, cap.points, _period(cap.per, day))
            if cap.points is not None
            else Limit("TIMES", cap.per, cap.times or 0, _period(cap.per, day))
            for cap in self.settings.caps
        )
        budget = self.settings.budget
        if not caps and budget is None:
            return None
        given = None
        if budget is not None:
            given = Limit("BUDGET", budget.per, budget.points, period_key(budget.per, day))
        return Limits(caps, given, tuple(dict.fromkeys(cap.period for cap in caps if cap.period)))

    def counted(self, day: date) -> list[str]:
        """Return the periods of the counters it reads of a member on a local day."""
        limits = self.limits(day)
        periods = [] if limits is None else list(limits.periods)
        return periods if self.carried_rate is None else [*periods, CARRY]

    def outcome(self, want: Want, limits: Limits | None, counters: MemberCounters) -> Outcome:
        """Return what it gives of what it would, within its caps and its budget."""
        settings, points = self.settings, want.points
        cuts: list[Cut] = []
        for limit in () if limits is None else (*limits.caps, limits.budget):
            if limit is None or not points:
                continue
            room = self._room(limit, points, counters)
            if room < points:
                cuts.append(Cut(limit.kind, limit.per.value, limit.limit, points - room))
                points = room
        return Outcome(
            self.code,
            settings.name,
            want.points,
            points,
            tuple(cuts),
            settings.pending_days,
            self.is_offer,
            want.amount_minor,
            () if limits is None else limits.periods,
            None if limits is None or limits.budget is None else limits.budget.period,
            want.carry,
        )

    def _room(self, limit: Limit, points: int, counters: MemberCounters) -> int:
        """Return how many points a limit leaves, at most those that are asked for."""
        if limit.kind == "BUDGET":
            return max(0, limit.limit - counters.budget_used(self.code, limit.period))
        if not limit.period:
            return limit.limit
        count = counters.count(self.code, limit.period)
        if limit.kind == "TIMES":
            return points if count.times < limit.limit else 0
        return max(0, limit.limit - count.points)


def _period(per: CapPeriod, day: date) -> str:
    """Return the name of a cap's period; none for a single purchase, which nothing counts."""
    return "" if per is CapPeriod.PURCHASE else period_key(per, day)


def _targets(
    settings: EarningRule | Offer, segments: Mapping[str, Any], vocabulary: Vocabulary
) -> list[Condition]:
    """Return what must hold of the member: tier, plan and segment, where they are named."""
    terms = vocabulary.terms
    found: list[Condition] = []
    if settings.tiers:
        found.append(Comparison(terms["tier.code"], Operator.IN, settings.tiers))
    if settings.plans:
        found.append(Comparison(terms["subscription.plan"], Operator.IN, settings.plans))
    if settings.segments:
        found.append(AnyOf(tuple(read(segments[code], vocabulary) for code in settings.segments)))
    return found


def _together(parts: list[Condition]) -> Condition | None:
    if len(parts) > 1:
        return AllOf(tuple(parts))
    return parts[0] if parts else None


def _compiled(condition: Condition | None, vocabulary: Vocabulary) -> Callable[..., bool]:
    return _always if condition is None else compile_python(condition, vocabulary)


def _always(*_: object) -> bool:
    return True


def _facts(condition: Condition | None, vocabulary: Vocabulary) -> frozenset[str]:
    """Return the attributes of a member's facts that a condition reads."""
    if condition is None:
        return frozenset()
    read_by = (vocabulary.terms.get(name) for name in terms_of(condition))
    return frozenset(
        fact for term in read_by if term is not None for fact in _FACT.findall(term.python)
    )


def _effect(settings: EarningRule | Offer) -> Effect:
    if settings.rate is not None:
        points_for = settings.rate.points_for
        return lambda amount, _: points_for(amount)
    if settings.multiplier is not None:
        more = settings.multiplier - 1
        by, per = more.numerator, more.denominator
        return lambda _, points: points * by // per
    if settings.points is not None:
        points = settings.points
        return lambda _, __: points
    steps = settings.steps
    return lambda amount, _: reached(steps, amount)


def reached(steps: tuple[Step, ...], amount: int) -> int:
    """Return the points of the highest step that an amount reaches."""
    return next((step.points for step in reversed(steps) if amount >= step.from_minor), 0)
