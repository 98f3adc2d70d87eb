"""Which lots entries used, as their explanations tell it, many entries at once."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from loyalty_graph.ledger import lots
from loyalty_graph.ledger.kinds import Kind
from loyalty_graph.ledger.lots import Lot, LotKey, Use
from loyalty_graph.ledger.reads import Entry
from loyalty_graph.usecases.lot_words import Source, Used

USES_MAX = 1_000
"""How many lots of one entry are told of; `LedgerEntry.lots` has them all."""


async def used(program_id: UUID, entries: Sequence[Entry]) -> list[Used]:
    """Return what each of these entries did with lots, in order."""
    keys = [(one.member_id, one.sequence) for one in entries]
    uses = await lots.uses_of_entries(program_id, keys, limit=USES_MAX)
    wanted = {(use.member_id, use.lot_sequence) for mine in uses.values() for use in mine}
    known = await lots.lots(program_id, sorted(wanted))
    return [
        _used(entry, [use for use in uses[key] if use.points > 0], known)
        for entry, key in zip(entries, keys, strict=True)
    ]


def _used(entry: Entry, taken: Sequence[Use], known: Mapping[LotKey, Lot]) -> Used:
    points = sum(use.points for use in taken)
    if entry.kind is Kind.ACTIVATE or any(one.lot_sequence == entry.sequence for one in taken):
        # Points that came in, and of which some were owed: those left their own lot at once.
        return Used(debt=points)
    is_clawed_back = entry.kind is Kind.REVERSE and entry.points < 0
    return Used(
        sources=[_source(use, known[use.member_id, use.lot_sequence]) for use in taken],
        missing=-entry.points - points if is_clawed_back else 0,
    )


def _source(use: Use, lot: Lot) -> Source:
    return Source(use.lot_sequence, use.points, lot.earned_at, lot.expires_at)
