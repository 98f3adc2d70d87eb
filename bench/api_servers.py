"""The two sides of the `api` suite, each a process of its own: our API, and plain Starlette.

`python -m bench.api_servers fill URL` makes a shop and prints what the requests need;
`python -m bench.api_servers ours|split|plain URL FOLDER` serves it and prints the port. The plain
side checks the token too and answers with the same JSON; its purchases call our use case.
"""

import asyncio
import hashlib
import json
import logging
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.api_split import split
from loyalty_graph.app import GATHERING, create_app
from loyalty_graph.clock import utc_now
from loyalty_graph.config import Settings, bundled
from loyalty_graph.db import Gatherer, migrate, open_database
from loyalty_graph.graphql.ids import decode_id, encode_id
from loyalty_graph.graphql.scalars import serialize_instant
from loyalty_graph.identity import service as identity
from loyalty_graph.identity.rules import TokenMode
from loyalty_graph.members.rules import Reference, ReferenceKind
from loyalty_graph.members.service import Profile
from loyalty_graph.money import Money
from loyalty_graph.purchases.rules import Line
from loyalty_graph.usecases import members, program_file, purchases

MEMBERS = 2_000
BUSY_MEMBERS = 500
ENTRIES = 12
BATCH = 500
LINE = Line("GROCERY", 3, 1249)
ENTRY_FIELDS = "sequence, kind, credit, points, balance_after, at"
MEMBERS_SQL = """
select id, number, first_name from member
where program_id = $1 and id >= $2 order by id limit 50"""
BALANCES_SQL = """
select a.member_id, a.balance_points,
  (select coalesce(sum(l.remaining_points), 0)::bigint from lot l
   where l.program_id = a.program_id and l.member_id = a.member_id
     and l.remaining_points > 0 and l.expires_at > $3)
from account a where a.program_id = $1 and a.member_id = any($2)"""
ENTRIES_SQL = f"""
select m.id, t.* from unnest($2::uuid[]) as m(id), lateral (
  select {ENTRY_FIELDS} from transfer t where t.program_id = $1 and t.member_id = m.id
  order by sequence desc limit 10) t"""  # noqa: S608 - names of our own columns
TOKEN_SQL = "select program_id, revoked_at, expires_at from api_token where token_sha256 = $1"  # noqa: S105


async def fill(url: str) -> dict[str, Any]:
    """Make a shop whose first members have bought something, and a token."""
    async with open_database(url):
        await migrate()
        now = utc_now()
        file = program_file.read(bundled("presets/corner-grocer.toml"))
        program = await program_file.load(file, now=now - timedelta(days=30))
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
    busy = sorted(ids[:BUSY_MEMBERS])
    return {
        "token": token.text,
        "members": [str(one) for one in ids],
        "starts": [str(one) for one in busy[: BUSY_MEMBERS - 50]],
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


class Plain:
    """What somebody would write who needs just these answers, fast."""

    def __init__(self, url: str) -> None:
        self.url = url
        dialect = "sqlite" if url.startswith("sqlite") else "postgres"
        self.buy = Gatherer(purchases.record_gathered, **GATHERING[dialect])
        self.pool: asyncpg.Pool | None = None

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        async with open_database(self.url), self.buy:
            if not self.url.startswith("sqlite"):
                self.pool = await asyncpg.create_pool(self.url, min_size=4, max_size=10)
            yield
            if self.pool is not None:
                await self.pool.close()

    async def page50(self, request: Request) -> Response:
        """Answer 50 members, what they have, and the newest ten entries of each."""
        assert self.pool is not None, "reads are measured on PostgreSQL"
        program_id = await self._program(request)
        rows = await self.pool.fetch(MEMBERS_SQL, program_id, UUID(request.query_params["from"]))
        nodes = await self._nodes(program_id, rows)
        return _json({"data": {"members": {"nodes": nodes}}})

    async def member(self, request: Request) -> Response:
        """Answer one member likewise."""
        assert self.pool is not None, "reads are measured on PostgreSQL"
        program_id = await self._program(request)
        key = UUID(request.query_params["id"])
        rows = await self.pool.fetch(MEMBERS_SQL.replace("50", "1"), program_id, key)
        [node] = await self._nodes(program_id, rows)
        return _json({"data": {"member": node}})

    async def _program(self, request: Request) -> UUID:
        assert self.pool is not None, "reads are measured on PostgreSQL"
        token = request.headers["authorization"].removeprefix("Bearer ")
        digest = hashlib.sha256(token.encode()).hexdigest()
        row = await self.pool.fetchrow(TOKEN_SQL, digest)
        assert row is not None, "the bench has a token"
        assert row["revoked_at"] is None, "which was not revoked"
        found: UUID = row["program_id"]
        return found

    async def _nodes(self, program_id: UUID, rows: Sequence[Any]) -> list[dict[str, Any]]:
        assert self.pool is not None, "reads are measured on PostgreSQL"
        ids = [row["id"] for row in rows]
        balances = await self.pool.fetch(BALANCES_SQL, program_id, ids, utc_now())
        entries: dict[UUID, list[dict[str, Any]]] = {one: [] for one in ids}
        for row in await self.pool.fetch(ENTRIES_SQL, program_id, ids):
            sign = 1 if row["credit"] == "MEMBER" else -1
            entries[row["id"]].append(
                {
                    "sequence": row["sequence"],
                    "kind": row["kind"],
                    "points": sign * row["points"],
                    "balanceAfter": row["balance_after"],
                    "at": serialize_instant(row["at"]),
                }
            )
        wallets = {row[0]: {"available": row[2], "balance": row[1]} for row in balances}
        return [
            {
                "id": encode_id("Member", row["id"]),
                "number": row["number"],
                "firstName": row["first_name"],
                "wallet": wallets[row["id"]],
                "entries": {"nodes": entries[row["id"]]},
            }
            for row in rows
        ]

    async def purchase(self, request: Request) -> Response:
        """Record a purchase with our own use case."""
        now = utc_now()
        token = request.headers["authorization"].removeprefix("Bearer ")
        viewer = await identity.viewer_for(token, now)
        assert viewer.program_id is not None, "the bench has a token"
        given = orjson.loads(await request.body())
        member_id = decode_id(given["member"]["id"], expected="Member").uuid()
        command = purchases.RecordPurchase(
            caller=f"partner:{viewer.partner_id}",
            idempotency_key=given["idempotencyKey"],
            member=Reference(ReferenceKind.ID, str(member_id)),
            source=given["source"],
            external_id=given["externalId"],
            purchased_at=now,
            lines=tuple(_line(line) for line in given["lines"]),
            is_dated=False,
        )
        done = await self.buy(purchases.RecordCall(viewer.program_id, command, now))
        answer = {"points": done.points, "balance": done.balance_points, "replayed": done.replayed}
        return _json({"data": {"recordPurchase": {"userErrors": [], **answer}}})


def _line(given: dict[str, Any]) -> Line:
    amount = Money.from_text(given["unitAmount"], "USD").minor
    return Line(given["productType"], given["quantity"], amount)


def _json(body: object) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")


def plain(url: str) -> Starlette:
    side = Plain(url)
    return Starlette(
        lifespan=side.lifespan,
        routes=[
            Route("/page50", side.page50),
            Route("/member", side.member),
            Route("/purchase", side.purchase, methods=["POST"]),
        ],
    )


async def serve(app: Starlette) -> None:
    """Serve until the process is stopped; both sides run under the same server."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, lifespan="off", access_log=False, log_level="warning")
    async with app.router.lifespan_context(app):
        print(listener.getsockname()[1], flush=True)
        await uvicorn.Server(config).serve(sockets=[listener])


SIDES: dict[str, Callable[[str, str], Starlette]] = {
    "ours": lambda url, folder: create_app(Settings(database_url=url, data_dir=Path(folder))),
    "split": lambda url, folder: split(Settings(database_url=url, data_dir=Path(folder))),
    "plain": lambda url, _folder: plain(url),
}


def main(words: list[str]) -> None:
    logging.basicConfig(level=logging.ERROR)
    if words[0] == "fill":
        print(json.dumps(asyncio.run(fill(words[1]))))
        return
    work: Awaitable[None] = serve(SIDES[words[0]](words[1], words[2]))
    loop = uvicorn.Config(plain).get_loop_factory()
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(work)  # type: ignore[arg-type] # it is a coroutine


if __name__ == "__main__":
    main(sys.argv[1:])
