"""Receipts without a member: kept until somebody claims them, and found by their codes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tortoise.queryset import QuerySet

from loyalty_graph.db import assert_in_transaction
from loyalty_graph.db.sets import Insert, Lookup, Write, fetch
from loyalty_graph.purchases.errors import ClaimCodeUnknownError, PurchaseVoidedError
from loyalty_graph.purchases.models import PurchaseReference, UnclaimedReceipt
from loyalty_graph.purchases.rules import Line

NOBODY = UUID(int=0)
"""Whose receipt it is, in the directory, until it is claimed."""

_RECEIPT = (
    "id",
    "source",
    "external_id",
    "receipt",
    "purchased_at",
    "recorded_at",
    "expires_at",
    "purchase_id",
    "voided_at",
)


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt as it is kept; `receipt` are its particulars as JSON values."""

    id: UUID
    source: str
    external_id: str
    receipt: dict[str, Any]
    purchased_at: datetime
    recorded_at: datetime
    expires_at: datetime
    purchase_id: UUID | None = None
    voided_at: datetime | None = None

    @property
    def lines(self) -> tuple[Line, ...]:
        """Return its lines."""
        return tuple(_line(line) for line in self.receipt["lines"])


def lines_as_json(lines: Sequence[Line]) -> list[list[Any]]:
    """Return lines of a receipt as JSON values, for `Receipt.lines` to read."""
    return [
        [
            line.product_type,
            line.quantity,
            line.unit_minor,
            line.discount_minor,
            line.tax_minor,
            line.sku,
            list(line.labels),
        ]
        for line in lines
    ]


def _line(kept: Sequence[Any]) -> Line:
    kind, quantity, unit, discount, tax, sku, labels = kept
    return Line(kind, quantity, unit, discount, tax, sku, labels=tuple(labels))


def writes(receipt: Receipt, *, code_hash: bytes) -> list[Write]:
    """Return what keeps a receipt that nobody has claimed; its name is taken from then on."""
    row = tuple(getattr(receipt, name) for name in _RECEIPT)
    return [
        Insert(UnclaimedReceipt, (*_RECEIPT, "code_hash"), [(*row, code_hash)]),
        Insert(
            PurchaseReference,
            ("source", "external_id", "member_id", "purchase_id"),
            [(receipt.source, receipt.external_id, NOBODY, receipt.id)],
        ),
    ]


async def find(program_id: UUID, code_hash: bytes) -> Receipt:
    """Return the receipt with this code.

    Raises:
        ClaimCodeUnknownError: There is none.
    """
    lookup = Lookup(UnclaimedReceipt, ("code_hash",), [(code_hash,)], _RECEIPT)
    [[rows]] = await fetch(program_id, lookup)
    if not rows:
        raise ClaimCodeUnknownError
    return Receipt(*rows[0])


def by_id(receipt_id: UUID) -> Lookup:
    """Return the look-up of what makes up a `Receipt`."""
    return Lookup(UnclaimedReceipt, ("id",), [(receipt_id,)], _RECEIPT)


async def hand_over(program_id: UUID, receipt: Receipt) -> bool:
    """Free a receipt's name for the purchase that is recorded from it; whoever comes second waits.

    Returns False when another one has taken it.
    """
    assert_in_transaction()
    return bool(
        await PurchaseReference.filter(
            program_id=program_id,
            source=receipt.source,
            external_id=receipt.external_id,
            member_id=NOBODY,
        ).delete()
    )


async def claimed(program_id: UUID, receipt_id: UUID, purchase_id: UUID) -> None:
    """Write down which purchase was recorded from a receipt.

    Raises:
        PurchaseVoidedError: It was voided a moment before.
    """
    assert_in_transaction()
    if not await _open(program_id, receipt_id).update(purchase_id=purchase_id):
        raise PurchaseVoidedError(field="code")


async def void(program_id: UUID, receipt_id: UUID, *, now: datetime) -> bool:
    """Let nobody claim a receipt any more; False when it was claimed or voided before."""
    assert_in_transaction()
    return bool(await _open(program_id, receipt_id).update(voided_at=now))


def _open(program_id: UUID, receipt_id: UUID) -> QuerySet[UnclaimedReceipt]:
    return UnclaimedReceipt.filter(
        program_id=program_id, id=receipt_id, purchase_id=None, voided_at=None
    )
