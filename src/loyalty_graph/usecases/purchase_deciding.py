"""Deciding one purchase of a batch: what it earns, the entries that follow, and its answer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from loyalty_graph.earning.outcomes import Earned
from loyalty_graph.errors import DuplicatePurchaseError
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger import rules as ledger
from loyalty_graph.ledger import sliding
from loyalty_graph.ledger.room import check_room
from loyalty_graph.purchases import service as purchases
from loyalty_graph.usecases import entering, payments, posting, purchase_points
from loyalty_graph.usecases.bonuses import Bonuses
from loyalty_graph.usecases.exchanging import Exchanges, Priced
from loyalty_graph.usecases.issuing import Issuing
from loyalty_graph.usecases.memberships import Memberships
from loyalty_graph.usecases.purchase_command import (
    Capped,
    PurchaseRecorded,
    RecordPurchase,
    RulePoints,
)
from loyalty_graph.usecases.purchase_terms import Terms
from loyalty_graph.usecases.spending import Spending
from loyalty_graph.usecases.tiering import Tiering


@dataclass(frozen=True, slots=True)
class Progress:
    """What a batch has come to so far: receipts that are known, purchases, what members have."""

    known: set[tuple[str, str]]
    decided: list[purchases.Recorded]
    tiering: Tiering
    memberships: Memberships
    bonuses: Bonuses
    exchanges: Exchanges
    issuing: Issuing
    spending: Spending


def priced(command: RecordPurchase, terms: Terms) -> Priced:
    """Return what a purchase's exchange rate depends on."""
    return Priced(command.currency, terms.version.settings, command.purchased_at)


def decide(
    batch: posting.Batch,
    place: int,
    command: RecordPurchase,
    terms: Terms,
    so_far: Progress,
) -> PurchaseRecorded:
    """Record one purchase of the batch, or return the first answer to a retry.

    Raises:
        LoyaltyError: It cannot be recorded; nothing of it is.
    """
    if (earlier := batch.earlier(place)) is not None:
        return PurchaseRecorded.replay(earlier)
    if command.claimed is None:
        terms.present.check_time(command.purchased_at, now=batch.now, field="purchasedAt")
    account = batch.account(place, command.member)
    ledger.check_active(account, earning=True)
    if (command.source, command.external_id) in so_far.known:
        raise DuplicatePurchaseError(command.source, command.external_id)
    lines = so_far.exchanges.converted(command.lines, priced(command, terms))
    paid = payments.paid_lines(terms.version.settings, lines, command.pay_points)
    bought = command if paid is command.lines else replace(command, lines=paid)
    currency = terms.version.settings.currency
    so_far.spending.check(account.member_id, paid, currency=currency)
    earned = _earned(batch, account, bought, terms, so_far)
    check_room(account, earned.points)
    so_far.issuing.check(command, earned.points)
    rules = purchase_points.by_rule(earned, terms, at=command.purchased_at)
    recorded = _credit(batch, account, bought, terms, earned, rules)
    so_far.issuing.count(command, earned.points)
    so_far.bonuses.gave(batch, account.member_id, earned.outcomes)
    so_far.bonuses.gave_in_all(account.member_id, earned)
    so_far.spending.count(account.member_id, recorded.spend_minor)
    so_far.bonuses.bought(
        account.member_id, spend_minor=recorded.spend_minor, at=command.purchased_at
    )
    so_far.known.add((command.source, command.external_id))
    so_far.decided.append(recorded)
    so_far.tiering.count(
        account.member_id,
        spend_minor=recorded.spend_minor,
        points=recorded.points,
        at=command.purchased_at,
    )
    return _answer(batch, place, account, recorded, (rules, Capped.of(earned.total)))


def _earned(
    batch: posting.Batch,
    account: ledger.Account,
    command: RecordPurchase,
    terms: Terms,
    so_far: Progress,
) -> Earned:
    """Return what it earns as the batch has it by now."""
    at = command.purchased_at
    tier = so_far.tiering.tier_at(account.member_id, at)
    plan = so_far.memberships.plan_at(account.member_id, at)
    buyer = purchase_points.SOMEBODY
    if not terms.book.is_plain:
        facts = so_far.bonuses.facts(account, at=terms.local(at), now=batch.now)
        purchase_points.know_standing(facts, terms.scheme, tier, plan)
        buyer = purchase_points.Buyer(
            facts,
            so_far.bonuses.counters(account.member_id),
            so_far.bonuses.offers(account.member_id, at),
        )
    by = purchase_points.multipliers(terms.scheme, tier, plan)
    return purchase_points.earned(terms, command, command.lines, at=at, by=by, buyer=buyer)


def _credit(
    batch: posting.Batch,
    account: ledger.Account,
    command: RecordPurchase,
    terms: Terms,
    earned: Earned,
    rules: Sequence[RulePoints],
) -> purchases.Recorded:
    purchase_id = new_id(batch.now)
    payments.pay(
        account,
        purchase_id,
        command.lines,
        at=command.purchased_at,
        now=batch.now,
        actor=command.caller,
        rule_version=terms.version.number,
    )
    entries = _enter(batch, account, command, terms, earned, purchase_id)
    sliding.slide(account, sliding.PURCHASE, command.purchased_at, now=batch.now)
    return purchases.Recorded(
        id=purchase_id,
        member_id=account.member_id,
        source=command.source,
        external_id=command.external_id,
        store=command.store,
        channel=command.channel,
        purchased_at=command.purchased_at,
        recorded_at=batch.now,
        currency=command.currency or terms.version.settings.currency,
        lines=command.lines,
        line_points=earned.calculation.line_points,
        points=earned.points,
        entry_sequence=entries[0].sequence if entries else None,
        rule_version=terms.version.number,
        payment=command.payment,
        pinned=purchase_points.pinned(earned, rules),
    )


def _enter(
    batch: posting.Batch,
    account: ledger.Account,
    command: RecordPurchase,
    terms: Terms,
    earned: Earned,
    purchase_id: UUID,
) -> list[ledger.Transfer]:
    """Credit the points that can be spent at once, then those that wait."""
    at = command.purchased_at

    def cause(part: Earned) -> ledger.Cause:
        return ledger.Cause(
            reference=str(purchase_id),
            at=at,
            recorded_at=batch.now,
            actor=command.caller,
            explanation=purchase_points.explanation(terms, part),
            rule_version=terms.version.number,
            salt=posting.salt(),
        )

    parts = purchase_points.parts(earned, terms.local(at).date(), pending=terms.book.pending)
    return entering.enter(account, parts, cause, terms.version.settings)


def _answer(
    batch: posting.Batch,
    place: int,
    account: ledger.Account,
    recorded: purchases.Recorded,
    told: tuple[tuple[RulePoints, ...], Capped | None],
) -> PurchaseRecorded:
    answer = PurchaseRecorded(
        account.member_id,
        recorded.id,
        recorded.points,
        account.balance,
        recorded.entry_sequence,
        recorded.paid_points,
        recorded.paid_minor,
        *told,
    )
    batch.answer(place, answer.kept())
    batch.record(
        "purchase.recorded",
        account.member_id,
        purchase=str(recorded.id),
        entry=recorded.entry_sequence,
        points=recorded.points,
        paidPoints=recorded.paid_points,
        balance=account.balance,
    )
    return answer
