"""Deciding one purchase of a batch: what it earns, the entries that follow, and its answer."""

from dataclasses import dataclass, replace
from typing import Any

from loyalty_graph.earning.calculators import Calculation, RewardCalculator
from loyalty_graph.errors import DuplicatePurchaseError
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger import rules as ledger
from loyalty_graph.purchases import service as purchases
from loyalty_graph.usecases import memberships, payments, posting
from loyalty_graph.usecases.memberships import Memberships
from loyalty_graph.usecases.purchase_command import PurchaseRecorded, RecordPurchase
from loyalty_graph.usecases.purchase_terms import Terms
from loyalty_graph.usecases.tiering import Tiering, multipliers


@dataclass(frozen=True, slots=True)
class Progress:
    """What a batch has come to so far: receipts that are known, purchases, what members have."""

    known: set[tuple[str, str]]
    decided: list[purchases.Recorded]
    tiering: Tiering
    memberships: Memberships


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
    terms.present.check_time(command.purchased_at, now=batch.now, field="purchasedAt")
    account = batch.account(place, command.member)
    ledger.check_active(account)
    if (command.source, command.external_id) in so_far.known:
        raise DuplicatePurchaseError(command.source, command.external_id)
    paid = payments.paid_lines(terms.version.settings, command.lines, command.pay_points)
    calculation = terms.calculator.calculate(paid)
    tier = so_far.tiering.tier_at(account.member_id, command.purchased_at)
    plan = so_far.memberships.plan_at(account.member_id, command.purchased_at)
    calculation = calculation.times(
        (*multipliers(terms.scheme, tier), *memberships.multipliers(plan))
    )
    bought = replace(command, lines=paid) if command.pay_points else command
    recorded = _credit(batch, account, bought, terms, calculation)
    so_far.known.add((command.source, command.external_id))
    so_far.decided.append(recorded)
    so_far.tiering.count(
        account.member_id,
        spend_minor=recorded.spend_minor,
        points=recorded.points,
        at=command.purchased_at,
    )
    return _answer(batch, place, account, recorded)


def _credit(
    batch: posting.Batch,
    account: ledger.Account,
    command: RecordPurchase,
    terms: Terms,
    calculation: Calculation,
) -> purchases.Recorded:
    purchase_id = new_id(batch.now)
    entry_sequence = None
    payments.pay(
        account,
        purchase_id,
        command.lines,
        at=command.purchased_at,
        now=batch.now,
        actor=command.caller,
        rule_version=terms.version.number,
    )
    if calculation.points:
        cause = ledger.Cause(
            reference=str(purchase_id),
            at=command.purchased_at,
            recorded_at=batch.now,
            actor=command.caller,
            explanation=explanation(terms.calculator, calculation),
            rule_version=terms.version.number,
            salt=posting.salt(),
        )
        expires_at = terms.version.settings.expires_at(command.purchased_at)
        entry_sequence = ledger.earn(
            account, calculation.points, cause, expires_at=expires_at
        ).sequence
    return purchases.Recorded(
        id=purchase_id,
        member_id=account.member_id,
        source=command.source,
        external_id=command.external_id,
        store=command.store,
        channel=command.channel,
        purchased_at=command.purchased_at,
        recorded_at=batch.now,
        currency=terms.version.settings.currency,
        lines=command.lines,
        line_points=calculation.line_points,
        points=calculation.points,
        entry_sequence=entry_sequence,
        rule_version=terms.version.number,
        payment=command.payment,
        pinned=calculation.pinned(),
    )


def explanation(calculator: RewardCalculator, calculation: Calculation) -> dict[str, Any]:
    """Return why a purchase earned its points, as JSON values."""
    return {"calculator": calculator.name, **calculation.reckoning()}


def _answer(
    batch: posting.Batch,
    place: int,
    account: ledger.Account,
    recorded: purchases.Recorded,
) -> PurchaseRecorded:
    answer = PurchaseRecorded(
        account.member_id,
        recorded.id,
        recorded.points,
        account.balance,
        recorded.entry_sequence,
        recorded.paid_points,
        recorded.paid_minor,
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
