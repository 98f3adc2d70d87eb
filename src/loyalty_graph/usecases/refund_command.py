"""What refunds and voids are recorded by: what a till says of them, and the answer it gets."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty_graph.idempotency import Claim, claim
from loyalty_graph.members.rules import Reference, ReferenceKind


@dataclass(frozen=True, slots=True)
class RecordRefund:
    """Units of a purchase's lines (line number from 1 -> units) that were brought back.

    Instead, what is left may become cheaper by `amount_minor`, in minor units of the purchase's
    currency. Without either everything that is left is brought back. When its caller gave no time,
    `is_dated` is False and `refunded_at` is the request's moment, which another try cannot repeat.
    """

    caller: str
    idempotency_key: str
    member_id: UUID
    purchase_id: UUID
    refunded_at: datetime
    quantities: Mapping[int, int] | None = None
    amount_minor: int | None = None
    external_id: str | None = None
    reason: str = ""
    is_dated: bool = True

    @property
    def member(self) -> Reference:
        """Whose points move."""
        return Reference(ReferenceKind.ID, str(self.member_id))

    def not_before(self, purchased_at: datetime) -> "RecordRefund":
        """Return the same; where its caller gave no time, it is not from before the purchase.

        The till that made the purchase may have had a clock some minutes ahead of ours.
        """
        if self.is_dated:
            return self
        return replace(self, refunded_at=max(self.refunded_at, purchased_at))

    @property
    def claim(self) -> Claim:
        """The wish to count once."""
        lines = None if self.quantities is None else sorted(self.quantities.items())
        given = {
            "refundPurchase": [self.member_id, self.purchase_id],
            "refund": [
                self.external_id,
                self.refunded_at if self.is_dated else None,
                self.reason,
            ],
            "lines": lines,
            "amount": self.amount_minor,
        }
        return claim(self.caller, self.idempotency_key, given)


@dataclass(frozen=True, slots=True)
class VoidPurchase:
    """A purchase that should never have been recorded."""

    caller: str
    idempotency_key: str
    member_id: UUID
    purchase_id: UUID
    reason: str = ""

    @property
    def member(self) -> Reference:
        """Whose points move."""
        return Reference(ReferenceKind.ID, str(self.member_id))

    @property
    def claim(self) -> Claim:
        """The wish to count once."""
        given = {"voidPurchase": [self.member_id, self.purchase_id, self.reason]}
        return claim(self.caller, self.idempotency_key, given)


@dataclass(frozen=True, slots=True)
class RefundRecorded:
    """The answer: points due, those taken back, and those that could not be.

    Of the amount, `returned_minor` had been paid with `returned_points`: these came back. Amounts
    are in the purchase's `currency`. `vouchers_minor`, in the programme's currency, had been paid
    with vouchers, and is on them again.
    """

    member_id: UUID
    purchase_id: UUID
    refund_id: UUID
    amount_minor: int
    due_points: int
    clawed_back_points: int
    shortfall_points: int
    balance_points: int
    entry_sequence: int | None
    currency: str
    returned_minor: int = 0
    returned_points: int = 0
    vouchers_minor: int = 0
    replayed: bool = False

    def kept(self) -> dict[str, Any]:
        """Return the answer as it is kept for retries."""
        return {
            "ids": [str(self.member_id), str(self.purchase_id), str(self.refund_id)],
            "amount": self.amount_minor,
            "points": [self.due_points, self.clawed_back_points, self.shortfall_points],
            "balance": self.balance_points,
            "entry": self.entry_sequence,
            "returned": [self.returned_minor, self.returned_points],
            "currency": self.currency,
            "vouchers": self.vouchers_minor,
        }

    @classmethod
    def replay(cls, kept: dict[str, Any]) -> "RefundRecorded":
        """Return the first answer to a retry."""
        member_id, purchase_id, refund_id = map(UUID, kept["ids"])
        due, clawed_back, shortfall = kept["points"]
        returned_minor, returned_points = kept["returned"]
        return cls(
            member_id,
            purchase_id,
            refund_id,
            amount_minor=kept["amount"],
            due_points=due,
            clawed_back_points=clawed_back,
            shortfall_points=shortfall,
            balance_points=kept["balance"],
            entry_sequence=kept["entry"],
            currency=kept["currency"],
            returned_minor=returned_minor,
            returned_points=returned_points,
            vouchers_minor=kept["vouchers"],
            replayed=True,
        )
