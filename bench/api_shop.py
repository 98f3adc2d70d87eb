"""The shop of the `api` and `live` suites: the grocer's programme with ten rewards, and buyers."""

import secrets
import tomllib
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from loyalty_graph.clock import utc_now
from loyalty_graph.config import Settings, bundled
from loyalty_graph.db import migrate, open_database
from loyalty_graph.identity import service as identity
from loyalty_graph.identity.development_issuer import sign_in
from loyalty_graph.identity.rules import TokenMode
from loyalty_graph.members.rules import Reference, ReferenceKind
from loyalty_graph.members.service import Profile
from loyalty_graph.purchases.rules import Line
from loyalty_graph.usecases import members, program_file, purchases

MEMBERS = 2_000
BUSY_MEMBERS = 500
ENTRIES = 12
BATCH = 500
REWARDS = 10
SIGNED_IN = 50
LINE = Line("GROCERY", 3, 1249)


@cache
def programme() -> program_file.ProgramFile:
    """Return the grocer's programme with as many rewards as the figures are to be about."""
    data = tomllib.loads(bundled("presets/corner-grocer.toml").read_text(encoding="utf-8"))
    data["rewards"] += [
        {
            "code": f"TOTE_{number}",
            "name": f"A tote bag, no. {number}",
            "kind": "CUSTOM",
            "cost_points": 100 * number,
        }
        for number in range(len(data["rewards"]), REWARDS)
    ]
    return program_file.check(data, name="the bench's programme")


async def fill(url: str, folder: str) -> dict[str, Any]:
    """Make a shop whose first members have bought something; return ids and tokens."""
    async with open_database(url):
        await migrate()
        now = utc_now()
        program = await program_file.load(programme(), now=now - timedelta(days=30))
        program_id = program.program_id
        enrolled = []
        for first in range(0, MEMBERS, BATCH):
            wanted = [
                members.Enrolment(Profile(external_id=f"m-{one}", first_name=f"Ada {one}"))
                for one in range(first, first + BATCH)
            ]
            # Ids of one moment have no order: those who buy come first, so that they share pages.
            joined = now - timedelta(days=ENTRIES + 1, seconds=-first)
            enrolled += await members.enrol(program_id, wanted, now=joined)
        ids = [member.id for member in enrolled]
        for day in range(ENTRIES):
            at = now - timedelta(days=ENTRIES - day)
            await purchases.record(program_id, _basket(ids[:BUSY_MEMBERS], day, at), now=at)
        token = await _token(program_id, now)
    busy = sorted(ids[:BUSY_MEMBERS])
    return {
        "token": token,
        "members": [str(one) for one in ids],
        "starts": [str(one) for one in busy[: BUSY_MEMBERS - 50]],
        "member_tokens": [_member_token(folder, one, now) for one in busy[:SIGNED_IN]],
    }


def _basket(ids: Sequence[UUID], day: int, at: datetime) -> list[purchases.RecordPurchase]:
    return [
        purchases.RecordPurchase(
            caller="partner:bench",
            idempotency_key=f"fill-{day}-{one}",
            member=Reference(ReferenceKind.ID, str(one)),
            source="till",
            external_id=f"fill-{day}-{one}",
            purchased_at=at,
            lines=(LINE,),
        )
        for one in ids
    ]


async def _token(program_id: UUID, now: datetime) -> str:
    partner = await identity.partner_named(program_id, "Bench", now=now)
    token = await identity.create_token(
        program_id,
        partner.id,
        name="bench",
        scopes=["admin"],
        mode=TokenMode.LIVE,
        randomness=secrets.token_bytes(32),
        now=now,
    )
    return token.text


def _member_token(folder: str, member_id: UUID, now: datetime) -> str:
    return sign_in(
        Settings(data_dir=Path(folder)),
        program=programme().program.slug,
        subject=str(member_id),
        now=now,
        life=timedelta(hours=1),
    )
