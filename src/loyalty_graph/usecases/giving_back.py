"""Giving points back to the lots they came from, of many members at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from loyalty_graph.ledger import returning
from loyalty_graph.ledger import rules as ledger
from loyalty_graph.ledger import service as ledger_service
from loyalty_graph.ledger.kinds import Book, Kind

_TAKING = (Kind.HOLD, Kind.REDEEM)


@dataclass(frozen=True, slots=True)
class GivingBack:
    """Points that come back, and why: `points` of what was taken under a reference, or all.

    Those that are still set aside (`is_held`) are released; what was spent is spent no more.
    """

    member_id: UUID
    cause: ledger.Cause
    is_held: bool
    points: int | None = None

    @property
    def taken_as(self) -> tuple[UUID, str]:
        """Return whose points were taken, and under which reference."""
        return self.member_id, self.cause.reference


async def give_back(
    program_id: UUID, accounts: Mapping[UUID, ledger.Account], wanted: Sequence[GivingBack]
) -> list[ledger.Transfer]:
    """Give points back, a part of them to the lots that live longest.

    The accounts are locked. Returns the transfer of each, in order.
    """
    keys = [
        (member_id, kind, reference)
        for member_id, reference in (one.taken_as for one in wanted)
        for kind in _TAKING
    ]
    taken = await ledger_service.all_taken_by(program_id, accounts, keys)
    by_reference = {(member_id, reference): one for (member_id, _, reference), one in taken.items()}
    members = sorted({one.member_id for one in wanted})
    history = await ledger_service.forgiveness(program_id, members)
    transfers = []
    for one in wanted:
        took = by_reference[one.taken_as]
        forgiven = returning.forgiven_after(history[one.member_id], took.sequence)
        undo = returning.release if one.is_held else returning.unredeem
        uses = took.uses
        if one.points is not None:
            uses = returning.part_of(uses, one.points, returned=0)
        posted = undo(accounts[one.member_id], uses, one.cause, forgiven=forgiven)
        history[one.member_id] += [
            (transfer.sequence, -transfer.points)
            for transfer in posted
            if transfer.credit is Book.FORGIVEN
        ]
        transfers.append(posted[0])
    return transfers
