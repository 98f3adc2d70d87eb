"""A version's bonus rules, compiled once: what they give for a purchase, in a fixed order."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, tzinfo
from itertools import chain, compress
from types import SimpleNamespace
from typing import Any, NamedTuple

from loyalty_graph.benefits.rules import Multiplier
from loyalty_graph.conditions.python import compile_all
from loyalty_graph.conditions.tree import AnyOf, Not
from loyalty_graph.earning.basket import Basket, Occasion
from loyalty_graph.earning.bonuses import Bonus, Limits
from loyalty_graph.earning.calculators import Calculation, ProductTypeRewardCalculator
from loyalty_graph.earning.counters import MemberCounters
from loyalty_graph.earning.outcomes import (
    TOTAL,
    Declined,
    Earned,
    GivenBack,
    Outcome,
    Standing,
    Total,
    Worth,
)
from loyalty_graph.earning.rule_settings import EarningRule, Offer, Stacking
from loyalty_graph.earning.rules import check_points
from loyalty_graph.earning.schedules import Span, day_edges, is_open, microseconds
from loyalty_graph.earning.settings import EarningSettings
from loyalty_graph.earning.totals import TotalCaps
from loyalty_graph.earning.vocabulary import ACTIVITIES, PURCHASES
from loyalty_graph.purchases.rules import ActivityKind

DAYS_KEPT = 400
"""For so many days a book remembers what is open; a batch rarely reaches further back."""


ALWAYS = Not(AnyOf(()))
"""What holds of everything: not any of nothing."""
NO_LINES = Calculation(0, (), ())
"""What the lines of an activity earn: it has none."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a book reads beside the basket: attributes of `MemberFacts`, and codes of offers."""

    facts: frozenset[str]
    offers: frozenset[str]


class _Day(NamedTuple):
    """A local day: when each rule is open, None all day; and what limits the rules with limits."""

    rules: Sequence[tuple[Bonus, Sequence[Span] | None]]
    limits: Mapping[str, Limits]

    @property
    def open(self) -> Iterator[Bonus]:
        """Go through the rules that are open at some time of the day."""
        return (bonus for bonus, spans in self.rules if spans is None or spans)


class RuleBook:
    """The rules and offers of one version of a programme.

    Points come about in this order: the lines at their rates; times tier and plan; the bonus rules
    beside them, from the lines' points before those multipliers; of each group the best; all of
    them or only the best (`stacking`); caps of the member; budgets; caps over all points. A book
    that `is_plain` knows only rates.
    """

    def __init__(
        self,
        settings: EarningSettings,
        zone: tzinfo,
        *,
        segments: Mapping[str, Any] | None = None,
    ) -> None:
        """Compile the rules.

        Args:
            settings: How the version earns; its conditions were checked when it was read.
            zone: The programme's time zone; the moments of baskets are in it.
            segments: The conditions of the segments that rules name, by code.
        """
        self.calculator = ProductTypeRewardCalculator(settings)
        self._zone = zone
        self.stacking = settings.stacking
        bought = [one for one in settings.rules if one.on == "PURCHASE"]
        given: tuple[EarningRule | Offer, ...] = (*bought, *settings.offers)
        self.pending = settings.pending
        self.bonuses = [Bonus(one, zone, segments or {}, pending=settings.pending) for one in given]
        self._totals = TotalCaps(settings.caps)
        self.is_plain = not (self.bonuses or self._totals)
        self.has_budgets = self._totals.has_budgets or any(
            one.settings.budget for one in self.bonuses
        )
        self._special = {one.code for one in self.bonuses if one.facts or one.is_limited}
        whole = [ALWAYS if one.whole is None else one.whole for one in self.bonuses]
        self._held = compile_all(whole, PURCHASES)
        self._excludes = bool(
            settings.excluded_product_types or settings.excluded_skus or settings.excluded_labels
        )
        everything = (*settings.rules, *settings.offers)
        self._groups = {one.code: (one.group, one.priority) for one in everything if one.group}
        self._days: dict[date, _Day] = {}
        self._deeds: dict[ActivityKind, list[Bonus]] = {}
        for one in settings.rules:
            if one.on != "PURCHASE":
                deed = Bonus(one, zone, segments or {}, ACTIVITIES)
                self._deeds.setdefault(one.on, []).append(deed)
        every = [*self.bonuses, *chain.from_iterable(self._deeds.values())]
        self._by_code = {one.code: one for one in every}
        self.needs = Needs(
            frozenset(fact for bonus in every for fact in bonus.facts),
            frozenset(one.code for one in settings.offers),
        )

    def counters(self, days: Collection[date]) -> set[tuple[str, str]]:
        """Return the (rule, period) of a member's counters that purchases on these days read."""
        by_rule = {
            (bonus.code, period)
            for day in days
            for bonus in self._on(day).open
            for period in bonus.periods(day)
        }
        return by_rule | {(TOTAL, period) for day in days for period in self._totals.periods(day)}

    def budgets(self, days: Collection[date]) -> dict[tuple[str, str], int]:
        """Return the budgets that purchases on these days read: (rule, period) -> points."""
        by_rule = {
            (bonus.code, limits.budget): limits.all[-1].limit
            for day in days
            for bonus in self._on(day).open
            if (limits := bonus.limits(day)) is not None and limits.budget is not None
        }
        return by_rule | {
            (TOTAL, period): limit
            for day in days
            for period, limit in self._totals.budgets(day).items()
        }

    def decide(
        self,
        basket: Basket,
        counters: MemberCounters,
        base: Calculation,
        multipliers: Sequence[Multiplier] = (),
    ) -> Earned:
        """Return what a purchase earns; nothing is counted yet (see `MemberCounters.take`).

        `base` are the lines' points from the book's calculator, for the basket's amounts;
        `multipliers` those of the member's tier and plan.

        Raises:
            InvalidInputError: The points are more than one purchase may earn.
        """
        calculation = base.times(multipliers)
        if self.is_plain:
            return Earned(calculation.points, calculation)
        wanted = self.wanted(self.counting(basket), counters, base)
        limits = self._on(basket.at.date()).limits
        outcomes = self._chosen(wanted)
        facts: dict[str, Any] = {}
        for place, one in enumerate(outcomes):
            if one.code in self._special:
                bonus = self._by_code[one.code]
                for fact in bonus.facts:
                    facts[fact] = getattr(basket.member, fact)
                if one.code in limits:
                    outcomes[place] = bonus.limited(one, limits[one.code], counters)
        lines, total = calculation.points, None
        check_points(lines + sum([one.points for one in outcomes]))
        if self._totals:
            day = basket.at.date()
            outcomes, total = self._totals.cap(lines, outcomes, counters, day)
            lines = total.lines
        points = lines + sum([one.points for one in outcomes])
        return Earned(points, calculation, tuple(outcomes), facts, total=total)

    def counting(self, basket: Basket) -> Basket:
        """Return the basket with no amount where its lines are excluded from earning."""
        if not self._excludes:
            return basket
        amounts = [
            0 if amount and self.calculator.excludes(line) else amount
            for line, amount in basket.rows
        ]
        return basket if amounts == basket.amounts else replace(basket, amounts=amounts)

    def wanted(self, basket: Basket, counters: MemberCounters, base: Calculation) -> list[Outcome]:
        """Return what each rule would give, in the programme's order, before any is left out."""
        found: list[Outcome] = []
        line_points, amount = base.line_points, basket.total_minor
        if amount <= 0:
            return found
        earned, instant = sum(line_points), microseconds(basket.at)
        held = self._held(basket.member, basket)
        for bonus, spans in compress(self._on(basket.at.date()).rules, held):
            if spans is not None and not is_open(spans, instant):
                continue
            if bonus.is_plain:
                one = bonus.give(amount, earned)
            else:
                one = bonus.want(basket, line_points, counters)
            if one is not None:
                found.append(one)
        return found

    def decide_activity(self, occasion: Occasion, counters: MemberCounters) -> Earned:
        """Return what an activity earns; nothing is counted yet (see `MemberCounters.take`)."""
        declined: dict[str, Declined] = {}
        wanted: list[Outcome] = []
        for bonus in self._for_kind(occasion.kind):
            if (reason := _reason(bonus, occasion)) is not None:
                declined[bonus.code] = reason
            elif bonus.code not in occasion.hindered:
                wanted += filter(None, [bonus.give(0, 0)])
        chosen = {one.code for one in self._chosen(wanted)}
        declined |= {one.code: Declined.ANOTHER_RULE for one in wanted if one.code not in chosen}
        day = occasion.at.date()
        outcomes = [self._within(one, day, counters) for one in wanted if one.code in chosen]
        points = sum(one.points for one in outcomes)
        return Earned(points, NO_LINES, tuple(outcomes), declined=declined)

    def _within(self, wanted: Outcome, day: date, counters: MemberCounters) -> Outcome:
        bonus = self._by_code[wanted.code]
        limits = bonus.limits(day)
        return wanted if limits is None else bonus.limited(wanted, limits, counters)

    def activity_counters(self, kind: ActivityKind, day: date) -> set[tuple[str, str]]:
        """Return the (rule, period) of a member's counters that an activity on a day reads."""
        return {(one.code, period) for one in self._for_kind(kind) for period in one.periods(day)}

    def activity_budgets(self, kind: ActivityKind, day: date) -> dict[tuple[str, str], int]:
        """Return the budgets that an activity on a day reads: (rule, period) -> points."""
        limits = [(one.code, one.limits(day)) for one in self._for_kind(kind)]
        return {
            (code, one.budget): one.all[-1].limit
            for code, one in limits
            if one is not None and one.budget is not None
        }

    def _for_kind(self, kind: ActivityKind) -> list[Bonus]:
        return self._deeds.get(kind, [])

    def _on(self, day: date) -> _Day:
        """Return how each rule is open and limited on a local day."""
        known = self._days.get(day)
        if known is None:
            while len(self._days) >= DAYS_KEPT:
                del self._days[next(iter(self._days))]
            edges = day_edges(day, self._zone)
            limits = {one.code: one.limits(day) for one in self.bonuses}
            known = self._days[day] = _Day(
                [(one, one.spans(day, edges)) for one in self.bonuses],
                {code: one for code, one in limits.items() if one is not None},
            )
        return known

    def _chosen(self, wanted: list[Outcome]) -> list[Outcome]:
        """Return what is left of the rules: the best of each group, then all or only the best."""
        left = self._best_of_groups(wanted) if self._groups else wanted
        if self.stacking is Stacking.BEST and left:
            return [max(left, key=_points)]
        return left

    def _best_of_groups(self, wanted: list[Outcome]) -> list[Outcome]:
        grouped = [one for one in wanted if one.code in self._groups]
        if len(grouped) < 2:  # noqa: PLR2004 - one alone has nothing to be better than
            return wanted
        best: dict[str, tuple[int, int, str]] = {}
        for one in grouped:
            group, priority = self._groups[one.code]
            if (priority, one.points) > best.get(group, (-1, 0, ""))[:2]:
                best[group] = priority, one.points, one.code
        kept = {code for _, _, code in best.values()}
        return [one for one in wanted if one.code in kept or one.code not in self._groups]

    def worth(
        self, pinned: Mapping[str, Any], basket: Basket, before: Calculation, after: Calculation
    ) -> Worth:
        """Return what a purchase is worth of which some lines came back.

        Each rule that gave points is asked again about what is left, with the facts of then; it
        gives at most what still stands of it, and nothing once nothing is left. Rules that gave
        nothing then give nothing now. So refunds in any split and order take back exactly what was
        earned.

        Args:
            pinned: What was pinned with the purchase, or came of its last refund.
            basket: The purchase with what is left after this refund; whose, need not be said.
            before: The lines' points before this refund, without multipliers.
            after: The lines' points after it, without multipliers.
        """
        multipliers = [Multiplier.from_json(one) for one in pinned.get("multipliers", ())]
        standing = [Standing.from_json(one) for one in pinned.get("rules", ())]
        now = self._stands_on(standing, pinned, basket, after)
        kept = [one for one in now if not one.is_over]
        was, calculation = before.times(multipliers).points, after.times(multipliers)
        left, given_back = calculation.points, [*map(self._given_back, standing, now)]
        still = {**pinned, "rules": [one.to_json() for one in kept]} if standing else dict(pinned)
        points_before = was + sum(one.points for one in standing)
        points = left + sum(one.points for one in now)
        if "total" in pinned:
            total = Total.from_json(pinned["total"])
            lines = min(total.lines, left)
            points_before, points = points_before - was + total.lines, points - left + lines
            given_back += total.given_back(points_before - points)
            still["total"] = total._replace(lines=lines).to_json()
        told = tuple(self._told(one) for one in kept)
        return Worth(points_before, points, calculation, told, tuple(given_back), still)

    def _stands_on(
        self,
        standing: Sequence[Standing],
        pinned: Mapping[str, Any],
        basket: Basket,
        after: Calculation,
    ) -> list[Standing]:
        """Return what still stands of each rule."""
        if not standing:
            return []
        counted = self.counting(basket)
        live = [bool(line.left) for line in basket.lines]
        facts: Any = SimpleNamespace(**pinned["facts"])
        left = replace(
            counted,
            lines=list(compress(counted.lines, live)),
            amounts=list(compress(counted.amounts, live)),
            member=facts,
        )
        points = list(compress(after.line_points, live))
        return [self._stands(one, left, points) for one in standing]

    def _stands(self, standing: Standing, left: Basket, line_points: Sequence[int]) -> Standing:
        bonus = self._by_code[standing.code]
        holds = bonus.holds(left.member, left)
        amount, earned = bonus.counted(left, line_points) if holds else (0, 0)
        carried, wanted = None, bonus.effect(amount, earned) if amount > 0 else 0
        if standing.carried is not None:
            before, counted = standing.carried
            amount = min(amount, counted)
            carried = before, amount
            wanted = bonus.carried(amount, before)[0] if amount > 0 else 0
        wanted = min(standing.wanted, wanted)
        points = min(standing.points, wanted)
        return replace(standing, wanted=wanted, points=points, carried=carried)

    def _given_back(self, before: Standing, after: Standing) -> GivenBack:
        """Return what comes back of a rule.

        Points of a rate that carries, times its step, and what it carries are together the amount
        that it counted, over all purchases and refunds.
        """
        carry_minor = 0
        if before.carried is not None and after.carried is not None:
            rate = self._by_code[before.code].settings.rate
            assert rate is not None, "only rates carry"
            steps = (before.wanted - after.wanted) // rate.points
            carry_minor = steps * rate.per_amount_minor - before.carried[1] + after.carried[1]
        return GivenBack(
            before.code,
            before.points - after.points,
            before.points > 0 and not after.points,
            before.periods,
            before.budget,
            carry_minor,
        )

    def _told(self, standing: Standing) -> Outcome:
        name = self._by_code[standing.code].name
        return Outcome(standing.code, name, standing.points, standing.points)


def _reason(bonus: Bonus, occasion: Occasion) -> Declined | None:
    """Return why a rule gives nothing for an activity, None when it may give something."""
    if not bonus.is_open(occasion.at):
        return Declined.NOT_OPEN
    if not bonus.is_target(occasion.member, occasion):
        return Declined.NOT_FOR_MEMBER
    return None if bonus.holds(occasion.member, occasion) else Declined.CONDITION


def _points(wanted: Outcome) -> int:
    return wanted.points
