"""The home screen as a plain endpoint answers it: our reads, written out by hand."""

from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty_graph.graphql.ids import encode_id
from loyalty_graph.graphql.scalars import serialize_instant
from loyalty_graph.ledger import reads as ledger
from loyalty_graph.members import reads as members
from loyalty_graph.members.models import Member
from loyalty_graph.money import Money
from loyalty_graph.paging import Cursor
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.tiers import reads as tiers
from loyalty_graph.usecases import entitlements, explanations, reward_offers
from loyalty_graph.usecases.writing import Writing, writing_of
from loyalty_graph.wallet.locales import known_locale

PAGE = 10
ENTRIES = Cursor("entries", (int,))


async def home_screen(program_id: UUID, member_id: UUID, now: datetime) -> dict[str, Any]:
    """Return what examples/home-screen.graphql asks for; the bench's members have no card yet."""
    settings = (await programs.in_force(program_id, now, now=now)).settings
    member = (await members.members(program_id, [member_id]))[member_id]
    status = (await tiers.statuses(program_id, [member_id], now=now))[member_id]
    return {
        "program": {
            "name": settings.name,
            "pointName": settings.points.unit_one,
            "pointNamePlural": settings.points.unit_other,
        },
        "me": {
            "number": member.number,
            "firstName": member.first_name,
            "lastName": member.last_name,
            "wallet": await _wallet(program_id, member_id, now),
            "tier": _tier(status, settings),
            "entitlements": await _entitlements(program_id, member_id, now),
            "subscription": None,
            "availableRewards": await _offers(program_id, member_id, now),
            "passes": [],
            "cardUrl": None,
            "entries": await _entries(member, settings),
        },
    }


async def _wallet(program_id: UUID, member_id: UUID, now: datetime) -> dict[str, Any]:
    balance = (await ledger.balances(program_id, [member_id], now=now))[member_id]
    ends = (await ledger.expirations(program_id, [member_id], now=now))[member_id]
    return {
        "available": balance.available,
        "debt": max(0, -balance.balance),
        "neverExpiring": balance.lasting,
        "expirations": [
            {"points": one.points, "expiresAt": serialize_instant(one.expires_at)} for one in ends
        ],
    }


def _tier(status: tiers.Status, settings: ProgramSettings) -> dict[str, Any]:
    following, falls_at, missing = status.next, status.outlook.falls_at, status.outlook.missing
    return {
        "tier": None
        if status.level is None
        else {"name": status.level.name, "color": status.level.color},
        "progress": min(100, status.value * 100 // following.entry) if following else 100,
        "next": {"name": following.name} if following else None,
        "amountToNext": _money(status.missing, settings.currency) if following else None,
        "pointsToNext": None,
        "risk": falls_at
        and {
            "at": serialize_instant(falls_at),
            "amountToKeep": _money(missing, settings.currency) if missing else None,
            "pointsToKeep": None,
        },
    }


def _money(minor: int, currency: str) -> dict[str, Any]:
    return {"amount": Money(minor, currency).to_text(), "currencyCode": currency}


async def _entitlements(program_id: UUID, member_id: UUID, now: datetime) -> list[dict[str, Any]]:
    found = await entitlements.entitlements(program_id, [member_id], now=now)
    return [
        {
            "benefit": {
                "code": one.benefit.code,
                "name": one.benefit.name,
                "description": one.benefit.description,
            },
            "left": one.left,
            "renewsAt": one.renews_at and serialize_instant(one.renews_at),
        }
        for one in found[member_id]
    ]


async def _offers(program_id: UUID, member_id: UUID, now: datetime) -> list[dict[str, Any]]:
    found = await reward_offers.offers(program_id, [member_id], now=now)
    return [
        {
            "reward": {
                "code": one.shelf.reward.code,
                "name": one.shelf.reward.name,
                "imageUrl": one.shelf.reward.image_url,
            },
            "cost": one.offer.cost,
            "pointsShort": one.offer.points_short,
            "reasons": list(one.offer.obstacles),
        }
        for one in found[member_id]
    ]


async def _entries(member: Member, settings: ProgramSettings) -> dict[str, Any]:
    found = await ledger.newest_entries(member.program_id, [member.id], limit=PAGE + 1)
    rows, writing = found[member.id], writing_of(known_locale(member.locale))
    page = rows[:PAGE]
    return {
        "nodes": [_entry(one, settings, writing) for one in page],
        "pageInfo": {
            "endCursor": ENTRIES.encode((page[-1].sequence,)) if page else None,
            "hasNextPage": len(rows) > PAGE,
        },
    }


def _entry(one: ledger.Entry, settings: ProgramSettings, writing: Writing) -> dict[str, Any]:
    told = explanations.explain_entry(one, settings, writing)
    return {
        "id": encode_id("LedgerEntry", one.member_id, one.sequence),
        "kind": one.kind,
        "points": one.points,
        "balanceAfter": one.balance_after,
        "at": serialize_instant(one.at),
        "explanation": told
        and {"summary": told.summary, "steps": [{"text": step.text} for step in told.steps]},
    }
