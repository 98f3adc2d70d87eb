"""The writes of refunds, and of purchases that were voided."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty_graph.db import assert_in_transaction
from loyalty_graph.db.sets import Insert, Update, Upsert, Write
from loyalty_graph.purchases.models import (
    MemberSummary,
    Purchase,
    PurchaseLine,
    Refund,
    RefundLine,
)
from loyalty_graph.purchases.rules import Line
from loyalty_graph.purchases.service import ADD
from loyalty_graph.purchases.states import PurchaseState


@dataclass(frozen=True, slots=True)
class Returned:
    """A refund that was decided.

    `quantities` maps line numbers to units that came back, `amounts` to what came back of each
    line, in minor units of the purchase's currency.

    What had been paid with money for what came back is `spend_minor` in the programme's currency.
    `pinned` takes the place of what was pinned with the purchase.
    """

    id: UUID
    member_id: UUID
    purchase_id: UUID
    external_id: str | None
    refunded_at: datetime
    recorded_at: datetime
    amount_minor: int
    due_points: int
    clawed_back_points: int
    shortfall_points: int
    returned_minor: int
    returned_points: int
    entry_sequence: int | None
    spend_minor: int
    is_void: bool
    quantities: Mapping[int, int]
    amounts: Mapping[int, int]
    lines_after: tuple[Line, ...]
    state: PurchaseState
    pinned: dict[str, Any] | None = None

    @property
    def numbers(self) -> list[int]:
        """Return the numbers of the lines of which something came back."""
        return sorted({*self.quantities, *self.amounts})


def refund_writes(returned: Sequence[Returned]) -> list[Write]:
    """Return what stores these refunds; each is of another purchase."""
    return [
        Insert(
            Refund, _REFUND, [tuple(getattr(one, name) for name in _REFUND) for one in returned]
        ),
        Insert(
            RefundLine,
            ("member_id", "refund_id", "number", "quantity", "amount_minor"),
            [
                (
                    one.member_id,
                    one.id,
                    number,
                    one.quantities.get(number, 0),
                    one.amounts.get(number, 0),
                )
                for one in returned
                for number in one.numbers
            ],
        ),
        Update(
            PurchaseLine,
            ("member_id", "purchase_id", "number"),
            ("refunded_quantity", "reduced_minor"),
            [
                (one.member_id, one.purchase_id, number, line.refunded, line.reduced_minor)
                for one in returned
                for number in one.numbers
                for line in (one.lines_after[number - 1],)
            ],
        ),
        Update(
            Purchase,
            ("member_id", "id"),
            ("pinned", "state"),
            [(one.member_id, one.purchase_id, one.pinned, one.state) for one in returned],
        ),
        _less_spend(returned),
    ]


_REFUND = (
    "id",
    "member_id",
    "purchase_id",
    "external_id",
    "refunded_at",
    "recorded_at",
    "amount_minor",
    "due_points",
    "clawed_back_points",
    "shortfall_points",
    "returned_minor",
    "returned_points",
    "entry_sequence",
    "spend_minor",
    "is_void",
)


def _less_spend(returned: Sequence[Returned]) -> Upsert:
    """Return what takes off members' summaries what came back, and what was voided."""
    less: dict[UUID, tuple[int, int]] = {}
    for one in returned:
        count, spend = less.get(one.member_id, (0, 0))
        less[one.member_id] = count - one.is_void, spend - one.spend_minor
    at = {one.member_id: one.refunded_at for one in returned}
    return Upsert(
        MemberSummary,
        ("member_id",),
        ("member_id", "purchase_count", "spend_minor", "last_purchase_at"),
        [(member_id, *moved, at[member_id]) for member_id, moved in sorted(less.items())],
        merge=ADD,
    )


async def forget_last(program_id: UUID, member_id: UUID) -> None:
    """Bring the day of the last purchase up to date after one was voided and stored as such.

    The member's account is locked.
    """
    assert_in_transaction()
    mine = Purchase.filter(program_id=program_id, member_id=member_id)
    last = await mine.exclude(state=PurchaseState.VOIDED).order_by("-purchased_at").first()
    summary = MemberSummary.filter(program_id=program_id, member_id=member_id)
    if last is None:
        await summary.delete()
    else:
        await summary.update(last_purchase_at=last.purchased_at)
