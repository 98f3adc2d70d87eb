"""Passes and the devices that hold them, in one line each, and the numbering step by hand."""

from datetime import datetime, timedelta
from uuid import UUID

from loyalty_graph import leases, outbox
from loyalty_graph.db import transaction
from loyalty_graph.db.sets import store
from loyalty_graph.members.models import Member
from loyalty_graph.outbox.numbering import NUMBERING
from loyalty_graph.wallet import service, tags
from loyalty_graph.wallet.apple.models import DeviceRow, RegistrationRow
from loyalty_graph.wallet.models import PassRow
from loyalty_graph.wallet.service import Platform
from loyalty_graph.wallet.tags import MARKS_MAX, Tagged
from tests.shop import NOON, Shop

CARDS = "pass.com.example.cards"
ISSUER = "3388000000012345678"


async def issue(
    shop: Shop, member: Member, platform: Platform = Platform.APPLE, *, now: datetime = NOON
) -> str:
    """Give a member a pass and return its serial."""
    return (await service.issue(shop.program_id, [member.id], platform, now=now))[member.id]


async def install(serial: str, *devices: str, pass_type: str = CARDS) -> None:
    """Let devices hold a pass and be told of its changes."""
    card = await PassRow.get(serial=serial)
    for device in devices:
        told = {"push_token": f"token of {device}", "token_told_at": NOON}
        await DeviceRow.get_or_create(told, pass_type=pass_type, device=device)
        await RegistrationRow.create(
            program_id=card.program_id,
            member_id=card.member_id,
            serial=serial,
            pass_type=pass_type,
            device=device,
            registered_at=NOON,
        )


@transaction
async def mark(shop: Shop, *members: Member, now: datetime = NOON) -> None:
    """Say that the cards of these members show something old."""
    await mark_ids(shop.program_id, [one.id for one in members], now=now)


async def mark_ids(program_id: UUID, member_ids: list[UUID], *, now: datetime) -> None:
    await store(program_id, [outbox.mark_cards(member_ids, now=now)])


@transaction
async def number(
    *, now: datetime = NOON, google_issuer: str | None = ISSUER, limit: int = MARKS_MAX
) -> Tagged:
    """Do the wallet's part of the numbering step."""
    lease = await leases.take(NUMBERING, UUID(int=99), now=now, life=timedelta(0))
    assert lease is not None
    assert await leases.lock(lease)
    return await tags.tag(now=now, google_issuer=google_issuer, limit=limit)
