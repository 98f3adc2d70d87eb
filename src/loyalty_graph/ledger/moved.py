"""What became of lots that left one account for another: read, lot by lot."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from loyalty_graph.db.sets import Lookup, fetch
from loyalty_graph.ledger.joining import Moved, arrival
from loyalty_graph.ledger.kinds import Book, Kind
from loyalty_graph.ledger.models import LotUseRow, TransferRow
from loyalty_graph.ledger.pending import origin_of
from loyalty_graph.ledger.reversing import Origins


async def lots(program_id: UUID, merged_id: UUID, survivor_id: UUID) -> list[Moved]:
    """Return which lots of the survivor were which lots of a member merged into him.

    One lot may have arrived several times: what came back to it went the same way.
    """
    left: Any = (
        await TransferRow.filter(program_id=program_id, member_id=merged_id, kind=Kind.MERGE_OUT)
        .order_by("sequence")
        .values_list("sequence", "reference", "debit")
    )
    keys = [(merged_id, sequence) for sequence, *_ in left]
    by = ("member_id", "sequence")
    [uses] = await fetch(program_id, Lookup(LotUseRow, by, keys, ("lot_sequence",)))
    old = [
        (arrival(origin_of(reference), lot), lot, debit == Book.PENDING)
        for (_, reference, debit), rows in zip(left, uses, strict=True)
        for (lot,) in rows
    ]
    arrived = await _sequences(program_id, survivor_id, (reference for reference, *_ in old))
    return [
        Moved(arrived[reference], lot, was_pending)
        for reference, lot, was_pending in old
        if reference in arrived
    ]


async def _sequences(
    program_id: UUID, member_id: UUID, references: Iterable[str]
) -> dict[str, int]:
    keys = [(member_id, Kind.MERGE_IN, one) for one in dict.fromkeys(references)]
    by = ("member_id", "kind", "reference")
    [found] = await fetch(program_id, Lookup(TransferRow, by, keys, ("sequence",)))
    return {key[2]: rows[0][0] for key, rows in zip(keys, found, strict=True) if rows}


async def origins(
    program_id: UUID, merged_id: UUID, survivor_id: UUID, purchase_id: UUID
) -> Origins:
    """Return the survivor's lots that hold what a purchase of the other member had earned."""
    earned: Any = await TransferRow.filter(
        program_id=program_id,
        member_id=merged_id,
        kind__in=[Kind.EARN, Kind.EARN_PENDING],
        reference__startswith=str(purchase_id),
    ).values_list("sequence", flat=True)
    found = [
        one for one in await lots(program_id, merged_id, survivor_id) if one.old in set(earned)
    ]
    waited = {one.new for one in found if one.was_pending}
    return Origins(waited, {one.new for one in found})
