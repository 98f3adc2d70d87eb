"""What waits, or waited, of what a purchase or an activity earned."""

from typing import Any
from uuid import UUID

from tortoise.functions import Sum

from loyalty_graph.ledger import reads
from loyalty_graph.ledger.kinds import PART, Book, Kind
from loyalty_graph.ledger.models import TransferRow
from loyalty_graph.ledger.pending import cancellation


async def entries(program_id: UUID, member_id: UUID, origin_id: UUID) -> list[reads.Entry]:
    """Return the entries by which a purchase or an activity earned points that wait, in order."""
    sequences: Any = (
        await TransferRow.filter(
            program_id=program_id,
            member_id=member_id,
            credit=Book.PENDING,
            reference__startswith=f"{origin_id}{PART}",
        )
        .order_by("sequence")
        .values_list("sequence", flat=True)
    )
    keys = [(member_id, sequence) for sequence in sequences]
    found = await reads.entries(program_id, keys)
    return [found[key] for key in keys]


async def cancelled(program_id: UUID, member_id: UUID, reference: str) -> int:
    """Return how many points were cancelled by hand: of an entry, by its reference.

    Given the id of a purchase or an activity, of everything that it earned.
    """
    rows: Any = (
        await TransferRow.filter(
            program_id=program_id,
            member_id=member_id,
            kind=Kind.CANCEL,
            reference__startswith=cancellation(reference),
        )
        .annotate(total=Sum("points"))
        .values("total")
    )
    return int(rows[0]["total"] or 0)
