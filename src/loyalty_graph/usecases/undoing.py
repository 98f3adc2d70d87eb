"""Undoing what was recorded, however it is named: a purchase, or a receipt nobody has claimed."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from loyalty_graph.purchases import service as purchases
from loyalty_graph.purchases.errors import ReceiptUnclaimedError
from loyalty_graph.usecases import receipt_voids, voids
from loyalty_graph.usecases.receipt_voids import ReceiptVoided, VoidReceipt
from loyalty_graph.usecases.refund_command import RefundRecorded, VoidPurchase


class PurchaseKey(NamedTuple):
    """A purchase of a member."""

    member_id: UUID
    purchase_id: UUID


class ReceiptName(NamedTuple):
    """A receipt, as the system that wrote it names it."""

    source: str
    external_id: str


@dataclass(frozen=True, slots=True)
class Undo:
    """What should never have been recorded, by either of its names."""

    caller: str
    idempotency_key: str
    named: PurchaseKey | ReceiptName
    reason: str = ""


async def undo(program_id: UUID, command: Undo, *, now: datetime) -> RefundRecorded | ReceiptVoided:
    """Void the purchase, or the receipt if nobody has claimed it.

    Raises:
        NotFoundError: No such receipt, member or purchase.
        ReceiptClaimedError: The receipt became somebody's purchase a moment before.
        LoyaltyError: What `voids.void` and `receipt_voids.void` refuse.
    """
    asked, named = (command.caller, command.idempotency_key), command.named
    try:
        key = named if isinstance(named, PurchaseKey) else await purchases.find(program_id, *named)
    except ReceiptUnclaimedError as unclaimed:
        receipt = VoidReceipt(*asked, unclaimed.receipt_id, command.reason)
        return await receipt_voids.void(program_id, receipt, now=now)
    return await voids.void(program_id, VoidPurchase(*asked, *key, command.reason), now=now)
