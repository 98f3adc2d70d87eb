"""What a purchase earns under the rules in force when it was made, for whoever buys."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any, NamedTuple, Protocol

from loyalty_graph.benefits.rules import Multiplier
from loyalty_graph.earning.basket import Basket
from loyalty_graph.earning.calculators import Calculation
from loyalty_graph.earning.counters import NO_COUNTERS, MemberCounters
from loyalty_graph.earning.outcomes import Earned, Outcome, Total
from loyalty_graph.earning.pending import Pending
from loyalty_graph.earning.rule_book import RuleBook
from loyalty_graph.earning.upsell import Upsell, upsell
from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.purchases.rules import Line
from loyalty_graph.segments.facts import NOBODY, MemberFacts
from loyalty_graph.subscriptions.rules import SubscriptionPlan
from loyalty_graph.tiers.standing import Scheme
from loyalty_graph.usecases.memberships import multipliers as plan_multipliers
from loyalty_graph.usecases.purchase_command import Capped, RulePoints
from loyalty_graph.usecases.purchase_terms import Terms
from loyalty_graph.usecases.tiering import multipliers as tier_multipliers


class Receipt(Protocol):
    """What rules may ask of a purchase beside its lines and its time."""

    @property
    def source(self) -> str:
        """The system it came from."""

    @property
    def store(self) -> str | None:
        """Where it was made."""

    @property
    def channel(self) -> str:
        """How it was made."""

    @property
    def payment(self) -> str | None:
        """How it was paid."""


class Buyer(NamedTuple):
    """Whose purchase it is: what rules know of the member, what they gave so far, offers to use."""

    facts: MemberFacts = NOBODY
    counters: MemberCounters = NO_COUNTERS
    offers: frozenset[str] = frozenset()


_NO_LINES = Calculation(0, (), ())
SOMEBODY = Buyer()
"""Somebody of whom nothing is known; whoever buys where no rule asks."""


def multipliers(
    scheme: Scheme | None, tier: str | None, plan: SubscriptionPlan | None
) -> tuple[Multiplier, ...]:
    """Return by what a member's points are multiplied."""
    return (*tier_multipliers(scheme, tier), *plan_multipliers(plan))


def know_standing(
    facts: MemberFacts, scheme: Scheme | None, tier: str | None, plan: SubscriptionPlan | None
) -> None:
    """Add to what is known of a member the tier, among those of a version, and the plan."""
    facts.tier = tier
    rank = -1 if scheme is None else scheme.settings.rank(tier)
    facts.tier_rank = None if rank < 0 else rank
    facts.plan = None if plan is None else plan.code


def earned(
    terms: Terms,
    receipt: Receipt,
    lines: Sequence[Line],
    *,
    at: datetime,
    by: Sequence[Multiplier],
    buyer: Buyer,
) -> Earned:
    """Return what lines earn that were bought `at` a time, times `by` what the buyer has.

    Nothing is counted yet (see `MemberCounters.take`).

    Raises:
        UnknownProductTypeError: The rules refuse a product type they do not name.
        InvalidInputError: The points are more than one purchase may earn.
    """
    book = terms.book
    base = book.calculator.calculate(lines)
    if book.is_plain:
        calculation = base.times(by)
        return Earned(calculation.points, calculation)
    return book.decide(_bought(terms, receipt, lines, at, buyer), buyer.counters, base, by)


def upsells(
    terms: Terms,
    receipt: Receipt,
    lines: Sequence[Line],
    *,
    at: datetime,
    by: Sequence[Multiplier],
    buyer: Buyer,
) -> list[Upsell]:
    """Return what a little more in the basket would earn, the smallest amounts first."""
    book = terms.book
    if not book.bonuses:
        return []
    base = book.calculator.calculate(lines)
    return upsell(book, _bought(terms, receipt, lines, at, buyer), buyer.counters, base, by)


def _bought(
    terms: Terms, receipt: Receipt, lines: Sequence[Line], at: datetime, buyer: Buyer
) -> Basket:
    basket = basket_of(receipt, lines, terms.book, terms.version.settings, at=at)
    basket.member, basket.offers = buyer.facts, buyer.offers
    return basket


def basket_of(
    receipt: Receipt,
    lines: Sequence[Line],
    book: RuleBook,
    settings: ProgramSettings,
    *,
    at: datetime,
) -> Basket:
    """Return a purchase as rules see it, with what is left of its lines; whose, is not said."""
    exchange = lines[0].exchange
    return Basket(
        lines,
        book.calculator.amounts(lines),
        at.astimezone(settings.zone),
        channel=receipt.channel,
        source=receipt.source,
        store=receipt.store,
        store_labels=settings.labels_of(receipt.store),
        payment=receipt.payment,
        currency=settings.currency if exchange is None else exchange.currency,
    )


def by_rule(earned: Earned, terms: Terms, *, at: datetime) -> tuple[RulePoints, ...]:
    """Return what each rule gave, or would have but for its limits."""
    day = terms.local(at).date()
    return tuple(
        RulePoints(
            one.code,
            one.name,
            one.points,
            one.wanted,
            one.cuts,
            activates_at(terms.version.settings, at, wait) if wait is not None else None,
        )
        for one in earned.outcomes
        if one.wanted
        for wait in (_if_waiting(one.pending, day),)
    )


def parts(
    earned: Earned, day: date, *, pending: Pending | None = None
) -> list[tuple[Pending | None, Earned]]:
    """Return what can be spent at once (None), then what waits, the shortest wait first.

    What the lines earned on that local day waits as `pending` says, what rules gave as they say.
    """
    usual = _if_waiting(pending, day)
    if not earned.outcomes:
        return [(usual, earned)] if earned.points else []
    groups: dict[Pending | None, list[Outcome]] = {usual: []}
    for one in earned.outcomes:
        wait = _if_waiting(one.pending, day) if one.points else usual
        groups.setdefault(wait, []).append(one)
    found = []
    for wait, some in groups.items():
        bonus_points = sum(one.points for one in some)
        part = Earned(bonus_points, _NO_LINES, tuple(some))
        if wait == usual:
            points = earned.lines_points + bonus_points
            part = Earned(points, earned.calculation, tuple(some), total=earned.total)
        if part.points:
            found.append((wait, part))
    found.sort(key=lambda part: _order(part[0], day))
    return found


def _if_waiting(pending: Pending | None, day: date) -> Pending | None:
    """Return a wait, None where it is over on that day already."""
    return pending if pending is not None and pending.last_day(day) > day else None


def _order(pending: Pending | None, day: date) -> tuple[date, str]:
    return (day, "") if pending is None else (pending.last_day(day), pending.name)


def activates_at(settings: ProgramSettings, at: datetime, pending: Pending) -> datetime:
    """Return when points that wait can be spent at the latest: as that local day begins."""
    day = pending.last_day(at.astimezone(settings.zone).date())
    return datetime.combine(day, time(), settings.zone).astimezone(UTC)


def explanation(terms: Terms, earned: Earned) -> dict[str, Any]:
    """Return why a purchase earned its points, as JSON values."""
    return {"calculator": terms.book.calculator.name, **earned.reckoning()}


def pinned(earned: Earned, rules: Sequence[RulePoints]) -> dict[str, Any] | None:
    """Return what must be known again of a purchase, as JSON values; None when that is nothing.

    A refund asks for what the rules read; what they gave is told again to whoever asks.
    """
    given = {"given": [one.to_json() for one in rules]} if rules else {}
    return {**(earned.pinned() or {}), **given} or None


def given_by_rule(pinned: Mapping[str, Any]) -> list[RulePoints]:
    """Return what rules gave for a purchase when it was made, from what was pinned with it."""
    return [RulePoints.from_json(one) for one in pinned.get("given", ())]


def capped(pinned: Mapping[str, Any]) -> Capped | None:
    """Return what caps on all points left out of a purchase when it was made."""
    return Capped.of(Total.from_json(pinned["total"])) if "total" in pinned else None
