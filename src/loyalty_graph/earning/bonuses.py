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
from loyalty_graph.earning.outcomes import CARRY, Carry, Cut, CutKind, Outcome
from loyalty_graph.earning.pending import Pending
from loyalty_graph.earning.rule_settings import CapPeriod, CarriedRate, EarningRule, Offer, Step
from loyalty_graph.earning.rules import Granularity, Rounding
from loyalty_graph.earning.schedules import (
    Span,
    Windows,
    day_edges,
    is_open,
    microseconds,
)
from loyalty_graph.earning.vocabulary import PURCHASES

Effect: TypeAlias = Callable[[int, int], int]
"""From the amount that counts, and the points its lines earned, to points."""


Giving: TypeAlias = Callable[[int, int], Outcome | None]
"""The same to an outcome without limits, None without points."""

_FACT = re.compile(r"\bm\.(\w+)")


class Limit(NamedTuple):
    """A cap or a budget on a day, and the period it counts in."""

    kind: CutKind
    per: CapPeriod
    limit: int
    period: str


class Limits(NamedTuple):
    """What limits a rule on a day: its caps in their order, then its budget.

    `periods` are those its caps count in, `budget` that of its budget.
    """

    all: tuple[Limit, ...]
    periods: tuple[str, ...]
    budget: str | None


class Bonus:
    """A rule or an offer of one version, compiled."""

    def __init__(
        self,
        settings: EarningRule | Offer,
        zone: tzinfo,
        segments: Mapping[str, Any],
        vocabulary: Vocabulary = PURCHASES,
        *,
        pending: Pending | None = None,
    ) -> None:
        self.settings = settings
        self.code = settings.code
        self.name = settings.name
        self.is_offer = isinstance(settings, Offer)
        self.target = _together(_targets(settings, segments, vocabulary))
        self.condition = None if settings.when is None else read(settings.when, vocabulary)
        whole = [one for one in (self.target, self.condition) if one is not None]
        self.whole = _together(whole)
        self.facts = _facts(self.whole, vocabulary)
        self.holds = _compiled(self.whole, vocabulary)
        self.is_target = _compiled(self.target, vocabulary)
        self.matching: Callable[..., list[bool]] | None = None
        if settings.lines is not None:
            self.matching = compile_lines(read_line(settings.lines, vocabulary), vocabulary)
        self.effect = _effect(settings)
        self.pending = settings.pending or pending
        self.give = _giving(settings, self.effect, self.pending)
        rate = settings.rate
        self.carried_rate = rate if rate is not None and rate.carry else None
        self.multiplies = settings.multiplier is not None
        self.is_plain = not (self.is_offer or settings.lines or self.carried_rate)
        self.is_limited = bool(settings.caps) or settings.budget is not None
        self._zone = zone
        self._windows = None
        if (schedule := settings.schedule) is not None:
            self._windows = Windows(schedule.rrule, schedule.begins, schedule.length, zone)

    def counted(self, basket: Basket, line_points: Sequence[int]) -> tuple[int, int]:
        """Return the amount of the lines that count, and the points they earned.

        The points are left out where it gives none for them.
        """
        if self.matching is None:
            return basket.total_minor, sum(line_points)
        matching = self.matching(basket.member, basket)
        amount = sum(compress(basket.amounts, matching))
        return amount, sum(compress(line_points, matching)) if self.multiplies else 0

    def want(
        self, basket: Basket, line_points: Sequence[int], counters: MemberCounters
    ) -> Outcome | None:
        """Return what it would give for a basket for which it holds, None if that is nothing."""
        if self.is_offer and self.code not in basket.offers:
            return None
        amount, earned = self.counted(basket, line_points)
        if amount <= 0:
            return None
        if self.carried_rate is None:
            return self.give(amount, earned)
        points, carry = self.carried(amount, counters.carried(self.code))
        waits = self.pending
        return Outcome(self.code, self.name, points, points, (), waits, self.is_offer, carry=carry)

    def carried(self, amount: int, before: int) -> tuple[int, Carry]:
        """Return what a rate gives that carried so many minor units before, and carries then."""
        rate = self.carried_rate
        assert rate is not None, "asked only where a rate carries"
        steps = max(0, (before + amount) // rate.per_amount_minor)
        after = before + amount - steps * rate.per_amount_minor
        return steps * rate.points, Carry(before, after, amount)

    def spans(self, day: date, edges: Span) -> Sequence[Span] | None:
        """Return when it is open on a local day with these edges; None when it is all day."""
        settings = self.settings
        opens = edges[0] if settings.opens_at is None else microseconds(settings.opens_at)
        closes = edges[1] if settings.closes_at is None else microseconds(settings.closes_at)
        windows = [edges] if self._windows is None else self._windows.on(day)
        spans = [(max(start, opens), min(end, closes)) for start, end in windows]
        if any(start <= edges[0] and end >= edges[1] for start, end in spans):
            return None
        return [(start, end) for start, end in spans if start < end]

    def is_open(self, at: datetime) -> bool:
        """Return whether it is open at an instant, given in the programme's zone."""
        spans = self.spans(at.date(), day_edges(at.date(), self._zone))
        return spans is None or is_open(spans, microseconds(at))

    def limits(self, day: date) -> Limits | None:
        """Return what limits it on a local day, None when nothing does."""
        limits = [
            Limit(CutKind.POINTS, cap.per, cap.points, _period(cap.per, day))
            if cap.points is not None
            else Limit(CutKind.TIMES, cap.per, cap.times or 0, _period(cap.per, day))
            for cap in self.settings.caps
        ]
        periods = tuple(dict.fromkeys(cap.period for cap in limits if cap.period))
        given, budget = self.settings.budget, None
        if given is not None:
            budget = period_key(given.per, day)
            limits.append(Limit(CutKind.BUDGET, given.per, given.points, budget))
        return Limits(tuple(limits), periods, budget) if limits else None

    def periods(self, day: date) -> list[str]:
        """Return the periods of the counters it reads of a member on a local day."""
        limits = self.limits(day)
        periods = [] if limits is None else list(limits.periods)
        return periods if self.carried_rate is None else [*periods, CARRY]

    def limited(self, wanted: Outcome, limits: Limits, counters: MemberCounters) -> Outcome:
        """Return what it gives of what it would, within its caps and its budget."""
        code, name, asked, points, _, days, is_offer, _, _, carry = wanted
        cuts: tuple[Cut, ...] = ()
        for limit in limits.all:
            room = self._room(limit, points, counters)
            if room < points:
                cuts = (*cuts, Cut(limit.kind.value, limit.per.value, limit.limit, points - room))
                points = room
        of, budget = limits.periods, limits.budget
        return Outcome(code, name, asked, points, cuts, days, is_offer, of, budget, carry)

    def _room(self, limit: Limit, points: int, counters: MemberCounters) -> int:
        """Return how many points a limit leaves, at most those that are asked for."""
        if limit.kind is CutKind.BUDGET:
            return max(0, limit.limit - counters.budget_used(self.code, limit.period))
        if not limit.period:
            return limit.limit
        count = counters.count(self.code, limit.period)
        if limit.kind is CutKind.TIMES:
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


def _giving(settings: EarningRule | Offer, effect: Effect, pending: Pending | None) -> Giving:
    """Return what makes the outcomes of a rule; it is called for every purchase that it is for."""
    code, name = settings.code, settings.name
    is_offer = isinstance(settings, Offer)

    def give(amount: int, earned: int) -> Outcome | None:
        points = effect(amount, earned)
        if points <= 0:
            return None
        return Outcome(code, name, points, points, (), pending, is_offer)

    if settings.points is None:
        return give
    always = Outcome(code, name, settings.points, settings.points, (), pending, is_offer)
    return lambda _, __: always


def _effect(settings: EarningRule | Offer) -> Effect:
    if settings.rate is not None:
        return _at_rate(settings.rate)
    if settings.multiplier is not None:
        more = settings.multiplier - 1
        by, over = more.numerator, more.denominator
        return lambda _, earned: earned * by // over
    if settings.points is not None:
        points = settings.points
        return lambda _, __: points
    steps = settings.steps
    return lambda amount, _: reached(steps, amount)


def _at_rate(rate: CarriedRate) -> Effect:
    points, per = rate.points, rate.per_amount_minor
    if rate.rounding is not Rounding.FLOOR:
        return lambda amount, _: rate.points_for(amount)
    if rate.granularity is Granularity.STEP:
        return lambda amount, _: amount // per * points
    return lambda amount, _: amount * points // per


def reached(steps: tuple[Step, ...], amount: int) -> int:
    """Return the points of the highest step that an amount reaches."""
    return next((step.points for step in reversed(steps) if amount >= step.from_minor), 0)
