"""A version's bonus rules, compiled once: what they give for a purchase, in a fixed order."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, tzinfo
from itertools import chain, compress
from types import SimpleNamespace
from typing import Any, NamedTuple

from loyalty_graph.benefits.rules import Multiplier
from loyalty_graph.conditions.python import compile_all
from loyalty_graph.earning.basket import Basket, Occasion
from loyalty_graph.earning.bonuses import Bonus, Limits, Want
from loyalty_graph.earning.calculators import Calculation, ProductTypeRewardCalculator
from loyalty_graph.earning.counters import MemberCounters
from loyalty_graph.earning.outcomes import Declined, Earned, GivenBack, Outcome, Standing, Worth
from loyalty_graph.earning.rule_settings import EarningRule, Offer, Stacking
from loyalty_graph.earning.rules import check_points
from loyalty_graph.earning.schedules import Span, microseconds
from loyalty_graph.earning.settings import EarningSettings
from loyalty_graph.earning.vocabulary import ACTIVITIES, PURCHASES
from loyalty_graph.purchases.rules import ActivityKind

DAYS_KEPT = 400
"""For so many days a book remembers what is open; a batch rarely reaches further back."""


NO_LINES = Calculation(0, (), ())
"""What the lines of an activity earn: it has none."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a book reads beside the basket: attributes of `MemberFacts`, and codes of offers."""

    facts: frozenset[str]
    offers: frozenset[str]


class _Candidate(NamedTuple):
    """A rule that is open on a day: `spans` say when, None all day; `limits` what limits it."""

    bonus: Bonus
    place: int
    spans: list[Span] | None
    limits: Limits | None


class RuleBook:
    """The rules and offers of one version of a programme.

    Points come about in this order: the lines at their rates; times tier and plan; the bonus rules
    beside them, from the lines' points before those multipliers; of each group the best; all of
    them or only the best (`stacking`); caps of the member; budgets.
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
        self.stacking = settings.stacking
        bought = [one for one in settings.rules if one.on == "PURCHASE"]
        given: tuple[EarningRule | Offer, ...] = (*bought, *settings.offers)
        self.bonuses = [Bonus(one, zone, segments or {}) for one in given]
        self._by_code = {one.code: one for one in self.bonuses}
        self._conditional = [one for one in self.bonuses if one.whole is not None]
        self._held = _which_hold(self._conditional)
        self._excludes = bool(
            settings.excluded_product_types or settings.excluded_skus or settings.excluded_labels
        )
        self._days: dict[date, list[_Candidate]] = {}
        self._deeds: dict[ActivityKind, list[Bonus]] = {}
        for one in settings.rules:
            if one.on != "PURCHASE":
                deed = Bonus(one, zone, segments or {}, ACTIVITIES)
                self._deeds.setdefault(one.on, []).append(deed)
        every = [*self.bonuses, *chain.from_iterable(self._deeds.values())]
        self.needs = Needs(
            frozenset(fact for bonus in every for fact in bonus.facts),
            frozenset(one.code for one in settings.offers),
        )

    def counters(self, days: Iterable[date]) -> set[tuple[str, str]]:
        """Return the (rule, period) of a member's counters that purchases on these days read."""
        return {
            (one.bonus.code, period)
            for day in days
            for one in self._open_on(day)
            for period in one.bonus.counted(day)
        }

    def budgets(self, days: Iterable[date]) -> dict[tuple[str, str], int]:
        """Return the budgets that purchases on these days read: (rule, period) -> points."""
        return {
            (one.bonus.code, one.limits.budget.period): one.limits.budget.limit
            for day in days
            for one in self._open_on(day)
            if one.limits is not None and one.limits.budget is not None
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
        if not self.bonuses:
            return Earned(calculation.points, calculation)
        wanted = self.wanted(self.counting(basket), counters, base)
        outcomes = tuple(
            want.bonus.outcome(want, limits, counters) for want, limits in self._chosen(wanted)
        )
        points = calculation.points + sum(one.points for one in outcomes)
        check_points(points)
        facts = {
            fact: getattr(basket.member, fact)
            for one in outcomes
            for fact in self._by_code[one.code].facts
        }
        return Earned(points, calculation, outcomes, facts)

    def counting(self, basket: Basket) -> Basket:
        """Return the basket with no amount where its lines are excluded from earning."""
        if not self._excludes:
            return basket
        excluded = list(map(self.calculator.excludes, basket.lines))
        if not any(excluded):
            return basket
        amounts = [
            0 if out else amount for out, amount in zip(excluded, basket.amounts, strict=True)
        ]
        return replace(basket, amounts=amounts)

    def wanted(
        self, basket: Basket, counters: MemberCounters, base: Calculation
    ) -> list[tuple[Want, Limits | None]]:
        """Return what each rule would give, in the programme's order, before any is left out."""
        held = self._held(basket.member, basket)
        instant = microseconds(basket.at)
        found = []
        for bonus, place, spans, limits in self._open_on(basket.at.date()):
            if place >= 0 and not held[place]:
                continue
            if spans is not None and not any(start <= instant < end for start, end in spans):
                continue
            if bonus.is_offer and bonus.code not in basket.offers:
                continue
            carried = 0 if bonus.carried_rate is None else counters.carried(bonus.code)
            want = bonus.want(basket, base.line_points, carried)
            if want is not None:
                found.append((want, limits))
        return found

    def decide_activity(self, occasion: Occasion, counters: MemberCounters) -> Earned:
        """Return what an activity earns; nothing is counted yet (see `MemberCounters.take`)."""
        declined: dict[str, Declined] = {}
        wanted: list[tuple[Want, Limits | None]] = []
        for bonus in self._for_kind(occasion.kind):
            if (reason := _reason(bonus, occasion)) is not None:
                declined[bonus.code] = reason
            elif bonus.code not in occasion.hindered:
                wanted.append((bonus.fixed(), bonus.limits(occasion.at.date())))
        chosen = self._chosen(wanted)
        outcomes = tuple(want.bonus.outcome(want, limits, counters) for want, limits in chosen)
        gave = {one.code for one in outcomes}
        for want, _ in wanted:
            if want.bonus.code not in gave:
                declined[want.bonus.code] = Declined.ANOTHER_RULE
        points = sum(one.points for one in outcomes)
        return Earned(points, NO_LINES, outcomes, declined=declined)

    def activity_counters(self, kind: ActivityKind, day: date) -> set[tuple[str, str]]:
        """Return the (rule, period) of a member's counters that an activity on a day reads."""
        return {(one.code, period) for one in self._for_kind(kind) for period in one.counted(day)}

    def activity_budgets(self, kind: ActivityKind, day: date) -> dict[tuple[str, str], int]:
        """Return the budgets that an activity on a day reads: (rule, period) -> points."""
        limits = [(one.code, one.limits(day)) for one in self._for_kind(kind)]
        return {
            (code, one.budget.period): one.budget.limit
            for code, one in limits
            if one is not None and one.budget is not None
        }

    def _for_kind(self, kind: ActivityKind) -> list[Bonus]:
        return self._deeds.get(kind, [])

    def _open_on(self, day: date) -> list[_Candidate]:
        """Return the rules that are open at some time of a local day."""
        known = self._days.get(day)
        if known is None:
            places = {one.code: place for place, one in enumerate(self._conditional)}
            spans = [(one, one.spans(day)) for one in self.bonuses]
            known = [
                _Candidate(one, places.get(one.code, -1), when, one.limits(day))
                for one, when in spans
                if when != []
            ]
            while len(self._days) >= DAYS_KEPT:
                del self._days[next(iter(self._days))]
            self._days[day] = known
        return known

    def _chosen(self, wanted: list[tuple[Want, Limits | None]]) -> list[tuple[Want, Limits | None]]:
        """Return what is left of the rules: the best of each group, then all or only the best."""
        best: dict[str, Want] = {}
        for want, _ in wanted:
            group = want.bonus.group
            if group is not None and (group not in best or _rank(want) > _rank(best[group])):
                best[group] = want
        left = [
            one for one in wanted if (group := one[0].bonus.group) is None or one[0] is best[group]
        ]
        if self.stacking is Stacking.BEST and left:
            return [max(left, key=lambda one: one[0].points)]
        return left

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
        kept = [one for one in now if one.amount_minor]
        was, calculation = before.times(multipliers), after.times(multipliers)
        return Worth(
            was.points + sum(one.points for one in standing),
            calculation.points + sum(one.points for one in now),
            calculation,
            tuple(self._told(one) for one in kept),
            tuple(self._given_back(*both) for both in zip(standing, now, strict=True)),
            {**pinned, "rules": [one.to_json() for one in kept]} if standing else dict(pinned),
        )

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
        want = None
        if bonus.holds(left.member, left):
            want = bonus.want(left, line_points, standing.carried or 0)
        if want is None:
            return replace(standing, wanted=0, points=0, amount_minor=0)
        wanted = min(standing.wanted, want.points)
        return replace(
            standing,
            wanted=wanted,
            points=min(standing.points, wanted),
            amount_minor=min(standing.amount_minor, want.amount_minor),
        )

    def _given_back(self, before: Standing, after: Standing) -> GivenBack:
        """Return what comes back of a rule.

        Points of a rate that carries, times its step, and what it carries are together the amount
        that it counted, over all purchases and refunds.
        """
        rate, carry_minor = self._by_code[before.code].carried_rate, 0
        if rate is not None:
            steps = (before.wanted - after.wanted) // rate.points
            carry_minor = steps * rate.per_amount_minor - before.amount_minor + after.amount_minor
        return GivenBack(
            before.code,
            before.points - after.points,
            before.points > 0 and not after.points,
            before.periods,
            before.budget,
            carry_minor,
        )

    def _told(self, standing: Standing) -> Outcome:
        name = self._by_code[standing.code].settings.name
        return Outcome(standing.code, name, standing.points, standing.points)


def _reason(bonus: Bonus, occasion: Occasion) -> Declined | None:
    """Return why a rule gives nothing for an activity, None when it may give something."""
    if not bonus.is_open(occasion.at):
        return Declined.NOT_OPEN
    if not bonus.is_target(occasion.member, occasion):
        return Declined.NOT_FOR_MEMBER
    return None if bonus.holds(occasion.member, occasion) else Declined.CONDITION


def _rank(want: Want) -> tuple[int, int]:
    return want.bonus.priority, want.points


def _which_hold(bonuses: Sequence[Bonus]) -> Callable[..., tuple[bool, ...]]:
    """Return one function that says which rules hold, for those that have conditions."""
    conditions = [one.whole for one in bonuses if one.whole is not None]
    return compile_all(conditions, PURCHASES) if conditions else lambda *_: ()
