"""A stand-in for Google's desk, which makes links without asking Google."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import cast
from uuid import UUID

import pytest

from loyalty_graph.config import Settings
from loyalty_graph.errors import NotFoundError
from loyalty_graph.wallet.desk import PassDesk, open_desk
from loyalty_graph.wallet.google.desk import GoogleDesk
from loyalty_graph.wallet.models import PassRow
from loyalty_graph.wallet.service import Platform
from tests.shop import NOON


@dataclass(eq=False)
class Google:
    """Google's desk: it makes links, unless it cannot, and keeps what it was asked for."""

    answers: bool = True
    asked: list[Sequence[str]] = field(default_factory=list)

    async def save_urls(
        self, program_id: UUID, serials: Sequence[str], *, now: datetime
    ) -> dict[str, str | None]:
        assert now == NOON
        self.asked.append(serials)
        rows = await PassRow.filter(program_id=program_id, platform=Platform.GOOGLE)
        return {
            row.serial: f"https://pay.example/save/{row.serial}" if self.answers else None
            for row in rows
            if row.serial in serials
        }

    async def save_url(self, program_id: UUID, serial: str, *, now: datetime) -> str | None:
        found = await self.save_urls(program_id, [serial], now=now)
        if serial not in found:
            raise NotFoundError("pass", serial)
        return found[serial]

    async def close(self) -> None:
        """There are no connections."""


def stand_in(monkeypatch: pytest.MonkeyPatch) -> Google:
    """Let every application that starts from now on have this desk."""
    google = Google()

    def opened(settings: Settings, *, now: datetime) -> PassDesk:
        return replace(open_desk(settings, now=now), google=cast("GoogleDesk", google))

    monkeypatch.setattr("loyalty_graph.app.open_desk", opened)
    return google
