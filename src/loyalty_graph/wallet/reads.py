"""The passes that were issued, many members at once."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from loyalty_graph.wallet.models import PassRow as Card

__all__ = ["Card", "passes", "voided"]


async def passes(program_id: UUID, member_ids: Sequence[UUID]) -> dict[UUID, list[Card]]:
    """Return each member's pass on each platform; the newest one, where all of them are void."""
    rows = await Card.filter(program_id=program_id, member_id__in=list(member_ids))
    rows.sort(key=lambda row: (row.voided_at is None, row.issued_at, row.serial))
    newest = {(row.member_id, row.platform): row for row in rows}
    found: dict[UUID, list[Card]] = {member_id: [] for member_id in member_ids}
    for (member_id, _), row in sorted(newest.items()):
        found[member_id].append(row)
    return found


async def voided(program_id: UUID, serials: Mapping[UUID, str]) -> list[UUID]:
    """Return the members whose pass with this serial (member id -> serial) is void."""
    rows = await Card.filter(
        program_id=program_id, member_id__in=list(serials), voided_at__isnull=False
    )
    return [row.member_id for row in rows if serials[row.member_id] == row.serial]
