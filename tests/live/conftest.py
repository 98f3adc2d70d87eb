from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from loyalty_graph.clock import utc_now
from loyalty_graph.config import Settings
from loyalty_graph.identity import service as identity
from loyalty_graph.identity.development_issuer import sign_in
from loyalty_graph.identity.rules import TokenMode
from loyalty_graph.identity.service import NewToken
from loyalty_graph.members.models import Member
from tests.shop import PROGRAM, Shop, open_shop

READ = ("members:read",)


@pytest.fixture
def settings(database_url: str, data_dir: Path) -> Settings:
    return Settings(database_url=database_url, data_dir=data_dir)


@pytest.fixture(params=["websocket", "sse"])
def protocol(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@dataclass
class Stage:
    """The shop of a running server, with its clock on now."""

    settings: Settings
    shops: list[Shop] = field(default_factory=list)

    async def open(self, data: Mapping[str, Any] = PROGRAM) -> Shop:
        self.shops.append(await open_shop(dict(data), now=utc_now()))
        return self.shop

    @property
    def shop(self) -> Shop:
        return self.shops[0].at(utc_now())

    async def partner_token(self, *scopes: str, randomness: bytes = bytes(32)) -> NewToken:
        partner = await identity.partner_named(self.shop.program_id, "App", now=utc_now())
        return await identity.create_token(
            self.shop.program_id,
            partner.id,
            name="app",
            scopes=scopes or READ,
            mode=TokenMode.LIVE,
            randomness=randomness,
            now=utc_now(),
        )

    def member_token(self, member: Member, *, life: timedelta = timedelta(hours=1)) -> str:
        return sign_in(
            self.settings, program="bean-club", subject=str(member.id), now=utc_now(), life=life
        )


@pytest.fixture
def stage(settings: Settings) -> Stage:
    return Stage(settings)
