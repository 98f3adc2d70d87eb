"""Recording refunds: what comes back is recomputed with the rules the purchase earned under."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from loyalty_graph.db import transaction
from loyalty_graph.earning import service as earning
from loyalty_graph.earning.outcomes import Worth, pinned_counters
from loyalty_graph.earning.rule_book import RuleBook
from loyalty_graph.errors import DuplicateRefundError, InvalidInputError
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger import rules as ledger
from loyalty_graph.ledger import service as ledger_service
from loyalty_graph.ledger.reversing import Origins, claw_back
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.rules import check_offset
from loyalty_graph.purchases import service as purchases
from loyalty_graph.purchases.models import Purchase
from loyalty_graph.purchases.reductions import reduce, spread
from loyalty_graph.purchases.rules import Line, bring_back, check_external_id
from loyalty_graph.usecases import payments, posting, purchase_points
from loyalty_graph.usecases.bonuses import Bonuses
from loyalty_graph.usecases.refund_command import RecordRefund, RefundRecorded
from loyalty_graph.usecases.tiering import Tiering

__all__ = ["RecordRefund", "RefundRecorded", "record"]


@posting.settling_conflicts
@transaction
async def record(program_id: UUID, command: RecordRefund, *, now: datetime) -> RefundRecorded:
    """Record a refund and take back the points that its lines had earned.

    Points due are the purchase's points before less those after, both by the version of the rules
    it earned under: refunds in parts, in any order, take back exactly what was earned. Points that
    had paid for what came back are given back before.

    Raises:
        NotFoundError: No such member or purchase.
        InvalidInputError: Lines, quantities or time cannot be used.
        RefundTooLargeError: More units than are left.
        RefundAmountTooLargeError: The amount is more than what is left cost.
        DuplicateRefundError: The purchase has a refund with this external id.
        IdempotencyMismatchError: The key was used with other input.
    """
    _check(command)
    batch, tiering = await _load(program_id, command, now=now)
    if (earlier := batch.earlier(0)) is not None:
        return RefundRecorded.replay(earlier)
    account = batch.account(0, command.member)
    purchase, before = await purchases.load(program_id, command.member_id, command.purchase_id)
    await _check_times(program_id, command, purchase, now)
    await _check_new(program_id, command, purchase)
    return await _take_back(batch, tiering, account, purchase, before, command)


async def _take_back(
    batch: posting.Batch,
    tiering: Tiering,
    account: ledger.Account,
    purchase: Purchase,
    before: list[Line],
    command: RecordRefund,
) -> RefundRecorded:
    quantities = _brought_back(command, before)
    after = _after(command, before, quantities)
    book, worth = await _worth(batch.program_id, purchase, before, after, now=batch.now)
    bonuses = await _given_back(batch, purchase, book, worth)
    cause = _cause(command, purchase, worth, now=batch.now)
    paid_back = await payments.give_back(
        batch.program_id, account, purchase.id, before, after, cause
    )
    done = await _reverse(batch.program_id, account, purchase, worth.due_points, cause)
    returned = purchases.Returned(
        id=UUID(cause.reference),
        member_id=account.member_id,
        purchase_id=purchase.id,
        external_id=command.external_id,
        refunded_at=command.refunded_at,
        recorded_at=batch.now,
        amount_minor=_net(before) - _net(after),
        spend_minor=_spend(before) - _spend(after),
        due_points=worth.due_points,
        clawed_back_points=done.clawed_back,
        shortfall_points=done.shortfall,
        returned_minor=paid_back.amount_minor,
        returned_points=paid_back.points,
        entry_sequence=None if done.transfer is None else done.transfer.sequence,
        quantities=quantities,
        amounts=_amounts(before, after),
        lines_after=tuple(after),
        pinned=worth.pinned if worth.given_back else None,
    )
    _count(batch, tiering, purchase, returned)
    return await _store(batch, account, purchase, returned, bonuses)


async def _reverse(
    program_id: UUID, account: ledger.Account, purchase: Purchase, due: int, cause: ledger.Cause
) -> ledger.Reversal:
    """Take points back by the policy of the purchase's day."""
    version = await programs.in_force(program_id, purchase.purchased_at, now=cause.recorded_at)
    own = await ledger_service.origins(program_id, account, purchase.id)
    origins = own if purchase.entry_sequence is None else {*own, purchase.entry_sequence}
    policy = version.settings.points.clawback
    return claw_back(account, due, cause, origins=Origins(own, origins), policy=policy)


async def _load(
    program_id: UUID, command: RecordRefund, *, now: datetime
) -> tuple[posting.Batch, Tiering]:
    tiering = await Tiering.of(program_id, now=now)
    batch = await posting.load(
        program_id,
        [command],
        now=now,
        whole=[command.member_id],
        by_member=tiering.lookups,
    )
    await tiering.take(batch)
    return batch, tiering


def _check(command: RecordRefund) -> None:
    """Refuse what cannot be a refund whatever the database holds."""
    check_offset(command.refunded_at, field="refundedAt")
    posting.check_text(command.reason, field="reason")
    if command.external_id is not None:
        check_external_id(command.external_id)
    if command.amount_minor is not None and command.quantities is not None:
        raise InvalidInputError("Give an amount or lines, not both.", field="amount")


async def _check_times(
    program_id: UUID, command: RecordRefund, purchase: Purchase, now: datetime
) -> None:
    version = await programs.in_force(program_id, now, now=now)
    version.settings.check_time(command.refunded_at, now=now, field="refundedAt")
    if command.refunded_at < purchase.purchased_at:
        raise InvalidInputError(
            f"The refund is dated before its purchase, {purchase.purchased_at.isoformat()}.",
            field="refundedAt",
        )


async def _check_new(program_id: UUID, command: RecordRefund, purchase: Purchase) -> None:
    if command.external_id and await purchases.is_brought_back(
        program_id, purchase, command.external_id
    ):
        raise DuplicateRefundError(command.external_id)


def _brought_back(command: RecordRefund, before: list[Line]) -> Mapping[int, int]:
    """Return the units of each line that come back; none where it only becomes cheaper."""
    if command.amount_minor is not None:
        return {}
    return _all_that_is_left(before) if command.quantities is None else command.quantities


def _after(command: RecordRefund, before: list[Line], quantities: Mapping[int, int]) -> list[Line]:
    if command.amount_minor is not None:
        return reduce(before, spread(before, command.amount_minor))
    return bring_back(before, quantities)


def _amounts(before: list[Line], after: list[Line]) -> dict[int, int]:
    """Return what comes back of each line (line number from 1 -> minor units), where it does."""
    less = (one.net_minor - other.net_minor for one, other in zip(before, after, strict=True))
    return {number: amount for number, amount in enumerate(less, 1) if amount}


def _all_that_is_left(lines: list[Line]) -> dict[int, int]:
    left = {number: line.left for number, line in enumerate(lines, 1)}
    return {number: quantity for number, quantity in left.items() if quantity}


def _net(lines: list[Line]) -> int:
    return sum(line.net_minor for line in lines)


def _spend(lines: list[Line]) -> int:
    return sum(line.earning_minor for line in lines)


async def _worth(
    program_id: UUID, purchase: Purchase, before: list[Line], after: list[Line], *, now: datetime
) -> tuple[RuleBook, Worth]:
    """Return the rules the purchase earned under, and what it is worth by them."""
    version = await programs.numbered(program_id, purchase.rule_version, now=now)
    book = await earning.rule_book(version)
    at = purchase.purchased_at
    basket = purchase_points.basket_of(purchase, after, book, version.settings, at=at)
    calculate = book.calculator.calculate
    worth = book.worth(purchase.pinned or {}, basket, calculate(before), calculate(after))
    assert worth.due_points >= 0, "bringing goods back never earns points"
    return book, worth


async def _given_back(
    batch: posting.Batch, purchase: Purchase, book: RuleBook, worth: Worth
) -> Bonuses:
    """Give caps, budgets and offers back what is free again."""
    unused = {one.code for one in worth.given_back if one.is_all}
    counters = pinned_counters(purchase.pinned or {})
    bonuses = Bonuses(counters=counters, offers=book.needs.offers & unused)
    await bonuses.read_given(batch.program_id, purchase.member_id)
    bonuses.take_back(batch, purchase.member_id, worth.given_back)
    return bonuses


def _cause(
    command: RecordRefund, purchase: Purchase, worth: Worth, *, now: datetime
) -> ledger.Cause:
    """Return why points are taken back."""
    return ledger.Cause(
        reference=str(new_id(now)),
        at=command.refunded_at,
        recorded_at=now,
        actor=command.caller,
        explanation={
            "purchase": str(purchase.id),
            "before": worth.points_before,
            "after": worth.points,
            "due": worth.due_points,
            **worth.reckoning(),
        },
        text=command.reason,
        rule_version=purchase.rule_version,
        salt=posting.salt(),
    )


def _count(
    batch: posting.Batch, tiering: Tiering, purchase: Purchase, returned: purchases.Returned
) -> None:
    """Take what came back off what counts for the member's tier."""
    tiering.count(
        returned.member_id,
        spend_minor=-returned.spend_minor,
        points=-returned.due_points,
        at=purchase.purchased_at,
    )
    tiering.add_to(batch)


async def _store(
    batch: posting.Batch,
    account: ledger.Account,
    purchase: Purchase,
    returned: purchases.Returned,
    bonuses: Bonuses,
) -> RefundRecorded:
    answer = RefundRecorded(
        account.member_id,
        returned.purchase_id,
        returned.id,
        returned.amount_minor,
        returned.due_points,
        returned.clawed_back_points,
        returned.shortfall_points,
        account.balance,
        returned.entry_sequence,
        purchase.currency,
        returned.returned_minor,
        returned.returned_points,
    )
    batch.answer(0, answer.kept())
    batch.record(
        "purchase.refunded",
        account.member_id,
        purchase=str(returned.purchase_id),
        refund=str(returned.id),
        entry=returned.entry_sequence,
        clawedBack=returned.clawed_back_points,
        shortfall=returned.shortfall_points,
        returnedPoints=returned.returned_points,
        balance=account.balance,
    )
    batch.writes.extend(purchases.refund_writes([returned]))
    bonuses.add_to(batch)
    await batch.store()
    await bonuses.settle(batch.program_id)
    return answer
