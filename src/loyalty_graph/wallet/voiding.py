"""Making passes void, and having all their copies fetched again."""

from datetime import datetime
from uuid import UUID

from loyalty_graph import outbox
from loyalty_graph.db import transaction
from loyalty_graph.db.sets import store
from loyalty_graph.errors import NotFoundError
from loyalty_graph.wallet.models import PassRow
from loyalty_graph.wallet.service import Platform, fact_of


@transaction
async def void(
    program_id: UUID, member_id: UUID, serial: str, *, now: datetime, by: str = ""
) -> None:
    """Make a pass good for nothing, for good; its copies turn grey. Again, it changes nothing.

    Raises:
        NotFoundError: The member has no such pass.
    """
    platform = await _platform(program_id, member_id, serial)
    wanted = PassRow.filter(program_id=program_id, member_id=member_id, serial=serial)
    # A change that began later may have been numbered before: this one is to be numbered as well.
    if await wanted.filter(voided_at__isnull=True).update(voided_at=now, changed_at=now):
        told = fact_of("pass.voided", member_id, serial, platform, now=now, by=by)
        marks = outbox.mark_cards([member_id], now=now)
        await store(program_id, [outbox.facts([told]), marks])


@transaction
async def void_all(program_id: UUID, member_id: UUID, *, now: datetime) -> None:
    """Make whatever passes a member has good for nothing, for good."""
    wanted = PassRow.filter(program_id=program_id, member_id=member_id, voided_at__isnull=True)
    for serial in await wanted.order_by("platform").values_list("serial", flat=True):
        await void(program_id, member_id, str(serial), now=now)


@transaction
async def refresh(
    program_id: UUID, member_id: UUID, serial: str, *, now: datetime, by: str = ""
) -> None:
    """Have every copy of a pass fetched again, and with it those of the member's other passes.

    Raises:
        NotFoundError: The member has no such pass.
    """
    platform = await _platform(program_id, member_id, serial)
    told = fact_of("pass.refreshed", member_id, serial, platform, now=now, by=by)
    await store(program_id, [outbox.facts([told]), outbox.mark_cards([member_id], now=now)])


async def _platform(program_id: UUID, member_id: UUID, serial: str) -> Platform:
    row = await PassRow.get_or_none(program_id=program_id, member_id=member_id, serial=serial)
    if row is None:
        raise NotFoundError("pass", serial, field="passId")
    return Platform(row.platform)
