"""A shop with tiers, and what tests ask of its members."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from loyalty_graph.ledger.models import TransferRow
from loyalty_graph.members.models import Member
from loyalty_graph.outbox import FactRow
from loyalty_graph.purchases.rules import Line
from loyalty_graph.tiers import reads
from loyalty_graph.tiers.models import TierStanding
from loyalty_graph.tiers.reads import Status
from loyalty_graph.usecases import tier_overrides
from tests.shop import PROGRAM, Shop, by_id

BENEFITS: list[dict[str, Any]] = [
    {"code": "POST", "kind": "FREE_SHIPPING", "name": "Free shipping"},
    {"code": "REFILL", "kind": "FREE_REFILL", "name": "Free refill", "uses": 2, "per": "DAY"},
    {"code": "CAKE", "kind": "BIRTHDAY_GIFT", "name": "A cake", "uses": 1, "per": "YEAR"},
]
TIERS: dict[str, Any] = {
    "basis": "SPEND",
    "window": "CALENDAR_YEAR",
    "levels": [
        {"code": "BASE", "name": "Base", "entry": 0, "benefits": ["CAKE"]},
        {
            "code": "SILVER",
            "name": "Silver",
            "entry": 10_000,
            "keep": 8_000,
            "multiplier": "5/4",
            "benefits": ["REFILL"],
        },
        {
            "code": "GOLD",
            "name": "Gold",
            "entry": 30_000,
            "multiplier": "3/2",
            "benefits": ["POST", "REFILL"],
            "color": "rgb(212, 175, 55)",
        },
    ],
}


def with_tiers(**changes: Any) -> dict[str, Any]:
    """Return the bean club with tiers; `changes` are of its tiers."""
    return {**PROGRAM, "benefits": BENEFITS, "tiers": {**TIERS, **changes}}


def tea(amount_minor: int) -> tuple[Line, ...]:
    """Return a receipt of this amount; it earns a point for each full 100."""
    return (Line("TEA", 1, amount_minor),)


@dataclass(frozen=True)
class Watch:
    """What a shop knows of a member."""

    shop: Shop
    member: Member

    async def status(self, now: datetime | None = None) -> Status:
        at = now or self.shop.now
        found = await reads.statuses(self.shop.program_id, [self.member.id], now=at)
        return found[self.member.id]

    async def tier(self, now: datetime | None = None) -> str | None:
        at = now or self.shop.now
        found = await reads.tiers_of(self.shop.program_id, [self.member.id], now=at)
        return found.get(self.member.id)

    async def row(self) -> TierStanding:
        return await TierStanding.get(program_id=self.shop.program_id, member_id=self.member.id)

    async def history(self) -> list[tuple[str, str | None, str | None]]:
        found = await reads.history(self.shop.program_id, [self.member.id], limit=100)
        return [
            (one.kind, one.tier_before, one.tier_after) for one in reversed(found[self.member.id])
        ]

    async def facts(self) -> list[dict[str, Any]]:
        rows = await FactRow.filter(member_id=self.member.id, kind="tier.changed").order_by("id")
        return [row.payload for row in rows]

    async def newest_explanation(self) -> dict[str, Any]:
        row = await TransferRow.filter(member_id=self.member.id).order_by("-sequence").first()
        assert row is not None
        assert row.explanation is not None
        return row.explanation


def to_override(
    member: Member, tier: str | None, until: datetime | None, **changes: Any
) -> tier_overrides.OverrideTier:
    given: dict[str, Any] = {
        "caller": "partner:till",
        "idempotency_key": "override",
        "reason": "status match",
        **changes,
    }
    return tier_overrides.OverrideTier(member=by_id(member), tier=tier, until=until, **given)
