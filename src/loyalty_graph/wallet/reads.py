"""The passes that were issued, many members at once."""

from collections.abc import Sequence
from uuid import UUID

from loyalty_graph.wallet.models import PassRow as Card

__all__ = ["Card", "passes"]


async def passes(program_id: UUID, member_ids: Sequence[UUID]) -> dict[UUID, list[Card]]:
    """Return each member's passes, one for each platform at most."""
    found: dict[UUID, list[Card]] = {member_id: [] for member_id in member_ids}
    rows = Card.filter(program_id=program_id, member_id__in=list(member_ids))
    for row in await rows.order_by("platform"):
        found[row.member_id].append(row)
    return found
