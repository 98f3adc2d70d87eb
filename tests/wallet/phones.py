"""Simulated phones: told by pushes, they list what changed, fetch it, and remember what they saw.

They read as Apple's web service does: the pass's tag first, then what its card shows.
"""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from loyalty_graph.wallet import service
from loyalty_graph.wallet.apple.listing import changed
from loyalty_graph.wallet.models import PassRow
from tests.wallet.holding import CARDS


@dataclass
class Copy:
    """A pass as a phone has it."""

    tag: int
    points: int


@dataclass
class Phone:
    """A device, the passes it holds, and the newest state it knows of."""

    device: str
    since: int | None = None
    copies: dict[str, Copy] = field(default_factory=dict)
    told: int = 0

    async def hear(self, *, now: datetime) -> None:
        """Do what a push asks for: list what changed, and fetch each of it."""
        highest, serials = await changed(CARDS, self.device, since=self.since)
        assert highest >= (self.since or 0), "a tag went back"
        for serial in serials:
            await self._fetch(serial, now)
        self.since = highest
        self.told += 1

    async def _fetch(self, serial: str, now: datetime) -> None:
        card = await PassRow.get(serial=serial)
        known = self.copies.get(serial)
        # What changed between the list and the fetch is listed once more.
        assert known is None or card.update_tag >= known.tag, "a tag went back"
        faces = await service.faces(card.program_id, [card.member_id], now=now)
        self.copies[serial] = Copy(card.update_tag, faces[card.member_id].points_balance)


async def present(program_id: UUID, *, now: datetime) -> dict[str, Copy]:
    """Return what every copy should show."""
    cards = await PassRow.filter(program_id=program_id)
    faces = await service.faces(program_id, [card.member_id for card in cards], now=now)
    return {
        card.serial: Copy(card.update_tag, faces[card.member_id].points_balance) for card in cards
    }
