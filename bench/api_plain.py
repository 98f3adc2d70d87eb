"""What somebody would write who needs just the answers of the `api` suite, fast.

Starlette and asyncpg, rows straight into JSON. Tokens are checked here too. A purchase calls our
use case and the home screen our reads, since what they decide is not the API's doing.
"""

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import jwt
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.api_home import home_screen
from bench.api_shop import programme
from loyalty_graph.app import GATHERING
from loyalty_graph.clock import utc_now
from loyalty_graph.db import Gatherer, open_database
from loyalty_graph.graphql.ids import decode_id, encode_id
from loyalty_graph.graphql.scalars import serialize_instant
from loyalty_graph.identity import service as identity
from loyalty_graph.identity.development_issuer import AUDIENCE, ISSUER, JWKS_FILE
from loyalty_graph.members.rules import Reference, ReferenceKind
from loyalty_graph.money import Money
from loyalty_graph.programs import service as programs
from loyalty_graph.purchases.rules import Line
from loyalty_graph.rewards.rules import RewardSettings
from loyalty_graph.usecases import purchases

ENTRY_FIELDS = "sequence, kind, credit, points, balance_after, at"
MEMBERS_SQL = """
select m.id, m.number, m.first_name, coalesce(s.override, s.earned) as tier, s.amounts
from member m join tier_standing s on s.program_id = m.program_id and s.member_id = m.id
where m.program_id = $1 and m.id >= $2 order by m.id limit 50"""
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
STOCK_SQL = "select reward, taken from reward_stock where program_id = $1"
HAD_SQL = """
select reward, count(*) from redemption where program_id = $1 and member_id = $2
  and (state in ('HELD', 'ISSUED') and coalesce(held_until, expires_at, $3) >= $3
       or state = 'USED') group by reward"""
TOKEN_SQL = "select program_id, revoked_at, expires_at from api_token where token_sha256 = $1"  # noqa: S105 - SQL


class Plain:
    """The endpoints and the connections they use."""

    def __init__(self, url: str, folder: str) -> None:
        self.url, self.folder = url, folder
        dialect = "sqlite" if url.startswith("sqlite") else "postgres"
        self.buy = Gatherer(purchases.record_gathered, **GATHERING[dialect])
        self._pool: asyncpg.Pool | None = None

    @property
    def pool(self) -> asyncpg.Pool:
        assert self._pool is not None, "reads are measured on PostgreSQL"
        return self._pool

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        async with open_database(self.url), self.buy:
            if not self.url.startswith("sqlite"):
                self._pool = await asyncpg.create_pool(self.url, min_size=4, max_size=10)
            yield
            if self._pool is not None:
                await self._pool.close()

    async def page50(self, request: Request) -> Response:
        """Answer 50 members, their tiers, what they have, and the newest ten entries of each."""
        program_id = await self._program(request)
        rows = await self.pool.fetch(MEMBERS_SQL, program_id, UUID(request.query_params["from"]))
        nodes = await self._nodes(program_id, rows)
        return _json({"data": {"members": {"nodes": nodes}}})

    async def member(self, request: Request) -> Response:
        """Answer one member likewise."""
        program_id = await self._program(request)
        row = await self._one(program_id, UUID(request.query_params["id"]))
        [node] = await self._nodes(program_id, [row])
        return _json({"data": {"member": node}})

    async def member_rewards(self, request: Request) -> Response:
        """Answer one member, the tier, and ten rewards with what is in the way of each."""
        program_id, now = await self._program(request), utc_now()
        row = await self._one(program_id, UUID(request.query_params["id"]))
        [balance] = await self.pool.fetch(BALANCES_SQL, program_id, [row["id"]], now)
        taken = dict(await self.pool.fetch(STOCK_SQL, program_id))
        had = dict(await self.pool.fetch(HAD_SQL, program_id, row["id"], now))
        offers = [
            _offer(one, row["tier"], balance[2], taken, had)
            for one in sorted(
                programme().rewards,
                key=lambda one: one.tier_costs.get(row["tier"], one.cost_points),
            )
        ]
        return _json({"data": {"member": {**_named(row), "availableRewards": offers}}})

    async def home_screen(self, request: Request) -> Response:
        """Answer all that an app shows first, to the member who asks."""
        text = request.headers["authorization"].removeprefix("Bearer ")
        keys = jwt.PyJWKSet.from_json((Path(self.folder) / JWKS_FILE).read_text())
        claims = jwt.decode(text, keys.keys[0], ["EdDSA"], audience=AUDIENCE, issuer=ISSUER)
        program_id = await programs.find(claims["program"])
        return _json({"data": await home_screen(program_id, UUID(claims["sub"]), utc_now())})

    async def _program(self, request: Request) -> UUID:
        token = request.headers["authorization"].removeprefix("Bearer ")
        digest = hashlib.sha256(token.encode()).hexdigest()
        row = await self.pool.fetchrow(TOKEN_SQL, digest)
        assert row is not None, "the bench has a token"
        assert row["revoked_at"] is None, "which was not revoked"
        found: UUID = row["program_id"]
        return found

    async def _one(self, program_id: UUID, member_id: UUID) -> asyncpg.Record:
        [row] = await self.pool.fetch(MEMBERS_SQL.replace("50", "1"), program_id, member_id)
        return row

    async def _nodes(self, program_id: UUID, rows: Sequence[Any]) -> list[dict[str, Any]]:
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
            {**_named(row), "wallet": wallets[row["id"]], "entries": {"nodes": entries[row["id"]]}}
            for row in rows
        ]

    async def purchase(self, request: Request) -> Response:
        """Record a purchase with our own use case."""
        now = utc_now()
        token = request.headers["authorization"].removeprefix("Bearer ")
        viewer = await identity.viewer_for(token, now)
        assert viewer.program_id is not None, "the bench has a token"
        given = orjson.loads(await request.body())
        command = _command(given, f"partner:{viewer.partner_id}", now)
        done = await self.buy(purchases.RecordCall(viewer.program_id, command, now))
        answer = {"points": done.points, "balance": done.balance_points, "replayed": done.replayed}
        return _json({"data": {"recordPurchase": {"userErrors": [], **answer}}})


def _named(row: Any) -> dict[str, Any]:
    return {
        "id": encode_id("Member", row["id"]),
        "number": row["number"],
        "firstName": row["first_name"],
        "tier": _tier(row["tier"], orjson.loads(row["amounts"])),
    }


def _tier(code: str, amounts: dict[str, int]) -> dict[str, Any]:
    settings, zone = programme().tiers, programme().program.zone
    assert settings is not None, "the grocer has tiers"
    level, following = settings.level(code), settings.above(code)
    spent = amounts.get(str(utc_now().astimezone(zone).year), 0)
    progress = min(100, spent * 100 // following.entry) if following else 100
    assert level is not None, "everybody has a tier at the grocer's"
    return {"tier": {"code": level.code, "name": level.name}, "progress": progress}


def _offer(
    one: RewardSettings, tier: str, available: int, taken: dict[str, int], had: dict[str, int]
) -> dict[str, Any]:
    cost = one.tier_costs.get(tier, one.cost_points)
    limit = one.limit_per_member
    obstacles = {
        "OTHER_TIER": bool(one.tiers) and tier not in one.tiers,
        "LIMIT_REACHED": limit is not None and had.get(one.code, 0) >= limit,
        "SOLD_OUT": one.stock is not None and taken.get(one.code, 0) >= one.stock,
        "POINTS_SHORT": available < cost,
    }
    return {
        "reward": {"code": one.code, "name": one.name},
        "cost": cost,
        "pointsShort": max(0, cost - available),
        "reasons": [name for name, stands in obstacles.items() if stands],
    }


def _command(given: dict[str, Any], caller: str, now: datetime) -> purchases.RecordPurchase:
    member_id = decode_id(given["member"]["id"], expected="Member").uuid()
    return purchases.RecordPurchase(
        caller=caller,
        idempotency_key=given["idempotencyKey"],
        member=Reference(ReferenceKind.ID, str(member_id)),
        source=given["source"],
        external_id=given["externalId"],
        purchased_at=now,
        lines=tuple(_line(line) for line in given["lines"]),
        is_dated=False,
    )


def _line(given: dict[str, Any]) -> Line:
    amount = Money.from_text(given["unitAmount"], "USD").minor
    return Line(given["productType"], given["quantity"], amount)


def _json(body: object) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")


def plain(url: str, folder: str) -> Starlette:
    """Return the application of these endpoints."""
    side = Plain(url, folder)
    return Starlette(
        lifespan=side.lifespan,
        routes=[
            Route("/page50", side.page50),
            Route("/member", side.member),
            Route("/member_rewards", side.member_rewards),
            Route("/home_screen", side.home_screen),
            Route("/purchase", side.purchase, methods=["POST"]),
        ],
    )
