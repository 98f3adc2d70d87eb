"""Where a purchase stands: what of it came back, and whether it counts at all."""

from collections.abc import Sequence
from enum import StrEnum

from loyalty_graph.purchases.errors import PurchaseRefundedError, PurchaseVoidedError
from loyalty_graph.purchases.rules import Line


class PurchaseState(StrEnum):
    """Where a purchase stands."""

    RECORDED = "RECORDED"
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED"
    REFUNDED = "REFUNDED"
    VOIDED = "VOIDED"

    def check_refundable(self) -> None:
        """Refuse a refund of a purchase that was undone.

        Raises:
            PurchaseVoidedError: It was voided.
        """
        if self is PurchaseState.VOIDED:
            raise PurchaseVoidedError

    def check_voidable(self) -> None:
        """Refuse to undo a purchase that cannot be undone as a whole.

        Raises:
            PurchaseVoidedError: It was voided before.
            PurchaseRefundedError: Some of it came back.
        """
        self.check_refundable()
        if self is not PurchaseState.RECORDED:
            raise PurchaseRefundedError


def state_after(lines: Sequence[Line], *, is_void: bool) -> PurchaseState:
    """Return where a purchase stands after something of it came back.

    Nothing is left to refund once all units came back, or everything that they cost.
    """
    if is_void:
        return PurchaseState.VOIDED
    became_free = any(line.reduced_minor for line in lines) and not any(
        line.net_minor for line in lines
    )
    if became_free or not any(line.left for line in lines):
        return PurchaseState.REFUNDED
    return PurchaseState.PARTIALLY_REFUNDED
