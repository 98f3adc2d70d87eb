"""Recording refunds: what comes back is recomputed with the rules the purchase earned under."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from loyalty_graph.db import transaction
from loyalty_graph.errors import DuplicateRefundError, InvalidInputError
from loyalty_graph.money import Money
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.rules import check_offset
from loyalty_graph.purchases import service as purchases
from loyalty_graph.purchases.models import Purchase
from loyalty_graph.purchases.reductions import reduce, spread
from loyalty_graph.purchases.rules import Line, bring_back, check_external_id
from loyalty_graph.purchases.states import PurchaseState
from loyalty_graph.usecases import posting
from loyalty_graph.usecases.refund_command import RecordRefund, RefundRecorded
from loyalty_graph.usecases.taking_back import Case, ComesBack, all_that_is_left, load, open_case

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
        PurchaseVoidedError: The purchase was undone as a whole.
        RefundTooLargeError: More units than are left.
        RefundAmountTooLargeError: The amount is more than what is left cost.
        DuplicateRefundError: The purchase has a refund with this external id.
        IdempotencyMismatchError: The key was used with other input.
    """
    _check(command)
    batch, tiering = await load(program_id, command, now=now)
    if (earlier := batch.earlier(0)) is not None:
        return RefundRecorded.replay(earlier)
    case = await open_case(batch, tiering, command)
    await _check_times(program_id, command, case.purchase, now)
    command = command.not_before(case.purchase.purchased_at)
    await _check_new(program_id, command, case.purchase)
    PurchaseState(case.purchase.state).check_refundable()
    quantities = _brought_back(command, case.lines)
    back = ComesBack(
        after=_after(command, case, quantities),
        quantities=quantities,
        at=command.refunded_at,
        actor=command.caller,
        reason=command.reason,
        external_id=command.external_id,
    )
    return await case.take_back(back)


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
    if command.is_dated and command.refunded_at < purchase.purchased_at:
        raise InvalidInputError(
            f"The refund is dated before its purchase, {purchase.purchased_at.isoformat()}.",
            field="refundedAt",
        )


async def _check_new(program_id: UUID, command: RecordRefund, purchase: Purchase) -> None:
    if command.external_id and await purchases.is_brought_back(
        program_id, purchase, command.external_id
    ):
        raise DuplicateRefundError(command.external_id)


def _brought_back(command: RecordRefund, before: Sequence[Line]) -> Mapping[int, int]:
    """Return the units of each line that come back; none where it only becomes cheaper."""
    if command.amount_minor is not None:
        return {}
    if command.quantities is not None:
        return command.quantities
    if not (left := all_that_is_left(before)):
        raise InvalidInputError(
            "Nothing is left of this purchase: all of it was brought back.", field="purchase"
        )
    return left


def _after(command: RecordRefund, case: Case, quantities: Mapping[int, int]) -> list[Line]:
    if command.amount_minor is not None:
        amount = Money(command.amount_minor, case.purchase.currency)
        return reduce(case.lines, spread(case.lines, amount))
    return bring_back(case.lines, quantities)
