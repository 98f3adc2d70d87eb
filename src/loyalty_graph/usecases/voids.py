"""Voiding purchases: one that should never have been recorded is undone as a whole."""

from collections import Counter
from datetime import datetime
from uuid import UUID

from loyalty_graph.db import transaction
from loyalty_graph.purchases.returning import forget_last
from loyalty_graph.purchases.rules import bring_back
from loyalty_graph.purchases.states import PurchaseState
from loyalty_graph.rewards import service as rewards
from loyalty_graph.usecases import posting
from loyalty_graph.usecases.refund_command import RefundRecorded, VoidPurchase
from loyalty_graph.usecases.taking_back import ComesBack, all_that_is_left, load, open_case
from loyalty_graph.usecases.used_on_purchases import give_rewards_back

__all__ = ["VoidPurchase", "void"]


@posting.settling_conflicts
@transaction
async def void(program_id: UUID, command: VoidPurchase, *, now: datetime) -> RefundRecorded:
    """Undo a purchase of which nothing came back yet: it counts no more, for nothing.

    Everything it earned is taken back as by a refund of all of it, and what points and vouchers had
    paid is given back, as are the points of rewards that were used with it, unless the programme
    does not take these back. Unlike a refund it is no purchase of the member's any more: the next
    one is the first again, if this was it. Its receipt stays known, so it cannot be recorded once
    more.

    Raises:
        NotFoundError: No such member or purchase.
        InvalidInputError: The reason is too long.
        PurchaseVoidedError: It was voided before.
        PurchaseRefundedError: Some of it came back; the rest can be refunded.
        IdempotencyMismatchError: The key was used with other input.
    """
    posting.check_text(command.reason, field="reason")
    batch, tiering = await load(program_id, command, now=now)
    if (earlier := batch.earlier(0)) is not None:
        return RefundRecorded.replay(earlier)
    case = await open_case(batch, tiering, command)
    PurchaseState(case.purchase.state).check_voidable()
    quantities = all_that_is_left(case.lines)
    back = ComesBack(
        after=bring_back(case.lines, quantities),
        quantities=quantities,
        at=now,
        actor=command.caller,
        reason=command.reason,
        is_void=True,
    )
    returned = await give_rewards_back(
        batch, case.purchase, actor=command.caller, reason=command.reason
    )
    answer = await case.take_back(back)
    await forget_last(program_id, case.purchase.member_id)
    stock = Counter(one.reward for one in returned)
    await rewards.move_stock(program_id, {code: -times for code, times in stock.items()})
    return answer
