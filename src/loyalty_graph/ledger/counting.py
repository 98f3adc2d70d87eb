"""What counts for a tier beside what was bought and done: points brought along, or taken back."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from loyalty_graph.db.sets import Lookup, Row, fetch
from loyalty_graph.ledger.kinds import PART, Kind
from loyalty_graph.ledger.models import LotUseRow, TransferRow
from loyalty_graph.ledger.pending import cancellation

UNDONE = "entry:"
"""How the references of reversals of entries begin; the number of the entry follows."""
_OTHERWISE = (
    f"qualifying_points <> 0 and (kind = '{Kind.MIGRATE}'"
    f" or kind in ('{Kind.REVERSE}', '{Kind.CANCEL}') and reference like '{UNDONE}%'"
    f" or kind = '{Kind.CANCEL}' and reference like '{cancellation('')}%')"
)


async def counted_otherwise(
    program_id: UUID, member_ids: Sequence[UUID], *, recorded_by: datetime | None = None
) -> dict[UUID, list[tuple[datetime, int]]]:
    """Return what else counts of each member's points, on the day it counts for.

    That is what was brought along, and, below zero on the day of the entry that had earned it, what
    was taken back by hand. With `recorded_by` as it was known at that instant.
    """
    keys: list[Row] = [(one,) for one in member_ids]
    if recorded_by is not None:
        keys = [(one, recorded_by + datetime.resolution) for one in member_ids]
    [found] = await fetch(
        program_id,
        Lookup(
            TransferRow,
            ("member_id",),
            keys,
            ("sequence", "reference", "qualifying_points", "at"),
            where=_OTHERWISE,
            below=None if recorded_by is None else "recorded_at",
        ),
    )
    by_member = dict(zip(member_ids, found, strict=True))
    days = await _days_of_undone(program_id, by_member.items())
    return {
        member_id: [(days.get((member_id, one)) or at, points) for one, _, points, at in rows]
        for member_id, rows in by_member.items()
    }


async def _days_of_undone(
    program_id: UUID, found: Iterable[tuple[UUID, Sequence[Row]]]
) -> dict[tuple[UUID, int], datetime]:
    """Return when the entries were that others took back, by the sequences of these."""
    less = [(member_id, row) for member_id, rows in found for row in rows if row[2] < 0]
    keys = [(member_id, row[0]) for member_id, row in less]
    by = ("member_id", "sequence")
    [lots] = await fetch(program_id, Lookup(LotUseRow, by, keys, ("lot_sequence",), limit=1))
    undone = [
        (member_id, _entry_named(row[1]) or used[0][0])
        for (member_id, row), used in zip(less, lots, strict=True)
    ]
    [days] = await fetch(program_id, Lookup(TransferRow, by, undone, ("at",)))
    return {key: at for key, [(at,)] in zip(keys, days, strict=True)}


def _entry_named(reference: str) -> int | None:
    """Return the entry that a reference names; what was cancelled by hand names its lot instead."""
    if not reference.startswith(UNDONE):
        return None
    return int(reference.removeprefix(UNDONE).split(PART, maxsplit=1)[0])
