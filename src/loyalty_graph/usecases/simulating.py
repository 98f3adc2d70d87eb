"""What a purchase would earn, asked before it is made; nothing is written."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty_graph.benefits.rules import Multiplier
from loyalty_graph.earning.upsell import Upsell
from loyalty_graph.members import service as members
from loyalty_graph.members.rules import Reference
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.exchange import Exchange
from loyalty_graph.programs.rules import check_moment
from loyalty_graph.purchases.rules import (
    Channel,
    Line,
    check_lines,
    check_payment,
    check_source,
    check_store,
)
from loyalty_graph.segments.facts import MemberFacts
from loyalty_graph.segments.loading import facts_of
from loyalty_graph.subscriptions import reads as subscriptions
from loyalty_graph.tiers import reads as tier_reads
from loyalty_graph.usecases import payments, purchase_points
from loyalty_graph.usecases.bonuses import Bonuses
from loyalty_graph.usecases.exchanging import Exchanges, Priced, check_currency
from loyalty_graph.usecases.purchase_command import RulePoints
from loyalty_graph.usecases.purchase_points import SOMEBODY, Buyer
from loyalty_graph.usecases.purchase_terms import Terms, terms_of

NOBODY_ID = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Basket:
    """What would be bought, and how; at most `pay_points` would pay a part of it.

    Amounts are in `currency`, the programme's if it is None.
    """

    lines: tuple[Line, ...]
    purchased_at: datetime
    source: str = ""
    store: str | None = None
    channel: Channel = Channel.POS
    payment: str | None = None
    pay_points: int = 0
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a purchase would earn, and until when; nothing was written.

    `line_points` stand beside the lines; `rules` say what bonus rules would give, `upsells` what a
    little more in the basket would earn.
    """

    version: programs.Version
    lines: tuple[Line, ...]
    line_points: tuple[int, ...]
    points: int
    explanation: dict[str, Any]
    expires_at: datetime
    rules: tuple[RulePoints, ...]
    upsells: Sequence[Upsell]

    @property
    def exchange(self) -> Exchange | None:
        """Return how amounts are converted to the programme's currency, if they are."""
        return self.lines[0].exchange


async def simulate(
    program_id: UUID, basket: Basket, *, now: datetime, member: Reference | None = None
) -> Simulation:
    """Return what a basket would earn under the rules in force when it would be bought.

    With a `member` it earns what his tier, his paid membership and what rules know of him earn,
    within the caps that he has left.

    Raises:
        NotFoundError: No such member.
        InvalidInputError: The lines, the time or the points to pay with cannot be a purchase's.
        PaymentTooLargeError: Points pay less of a purchase.
        UnknownProductTypeError: The programme refuses a product type.
        RateMissingError: No exchange rate is known for the day.
    """
    at = basket.purchased_at
    check_moment(at, now=now, field="purchasedAt")
    terms = await terms_of(program_id, at, now)
    terms.present.check_time(at, now=now, field="purchasedAt")
    check_lines(basket.lines)
    check_currency(basket.currency)
    _check_names(basket)
    payments.check_points(basket.pay_points)
    lines = await _exchanged(program_id, basket, terms)
    paid = payments.paid_lines(terms.version.settings, lines, basket.pay_points)
    by, buyer = await _buyer(program_id, terms, member, at=at, now=now)
    earned = purchase_points.earned(terms, basket, paid, at=at, by=by, buyer=buyer)
    return Simulation(
        terms.version,
        paid,
        earned.calculation.line_points,
        earned.points,
        purchase_points.explanation(terms, earned),
        terms.version.settings.expires_at(at),
        purchase_points.by_rule(earned, terms, at=at),
        purchase_points.upsells(terms, basket, paid, at=at, by=by, buyer=buyer),
    )


async def _exchanged(program_id: UUID, basket: Basket, terms: Terms) -> tuple[Line, ...]:
    priced = Priced(basket.currency, terms.version.settings, basket.purchased_at)
    return (await Exchanges.of(program_id, [priced])).converted(basket.lines, priced)


def _check_names(basket: Basket) -> None:
    if basket.source:
        check_source(basket.source)
    if basket.store is not None:
        check_store(basket.store)
    if basket.payment is not None:
        check_payment(basket.payment)


async def _buyer(
    program_id: UUID, terms: Terms, member: Reference | None, *, at: datetime, now: datetime
) -> tuple[Sequence[Multiplier], Buyer]:
    """Return by what the points of who buys are multiplied, and what rules ask of him.

    Nobody has an account to count in, but budgets are used up for everybody.
    """
    bonuses = Bonuses.of({at: terms}, lock=False)
    if member is None:
        await bonuses.read_given(program_id, NOBODY_ID)
        return (), Buyer(MemberFacts(at=terms.local(at)), bonuses.counters(NOBODY_ID))
    member_id = (await members.find(program_id, member)).id
    tier = await tier_reads.tier_at(program_id, member_id, at, now=now)
    plans = await subscriptions.plans_at(program_id, [member_id], now=now, at=at)
    plan = plans.get(member_id)
    by = purchase_points.multipliers(terms.scheme, tier, plan)
    if terms.book.is_plain:
        return by, SOMEBODY
    zone = terms.version.settings.zone
    facts = (await facts_of(program_id, [member_id], at=at, now=now, zone=zone))[member_id]
    purchase_points.know_standing(facts, terms.scheme, tier, plan)
    await bonuses.read_given(program_id, member_id)
    return by, Buyer(facts, bonuses.counters(member_id), bonuses.offers(member_id, at))
