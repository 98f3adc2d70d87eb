"""Single purchases of concurrent callers, each durable before it is answered.

A purchase is the whole use case: key, receipt, three lines, transfer with its hash, lot, fact, card
mark, summaries. The callers' calls are gathered; on PostgreSQL they are held against pgbench's
TPC-B on the same server, on SQLite against the same calls without gathering. The programme is the
grocer's (presets/corner-grocer.toml): its tiers are counted with every purchase, nobody has a plan.
"""

import asyncio
import random
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import uvicorn
from tortoise.backends.base.executor import EXECUTOR_CACHE

from bench.rows import Measured, Row, alternate, row
from bench.servers import TPCB_SCALE, postgres
from loyalty_graph.app import GATHERING
from loyalty_graph.clock import utc_now
from loyalty_graph.config import bundled
from loyalty_graph.db import Gatherer, migrate, open_database
from loyalty_graph.errors import LoyaltyError
from loyalty_graph.garbage import collected_rarely
from loyalty_graph.members.rules import Reference, ReferenceKind
from loyalty_graph.members.service import Profile
from loyalty_graph.purchases.rules import Line
from loyalty_graph.usecases import members, program_file, purchases

MEMBERS = 10_000
ENROL_AT_ONCE = 500
ROUND_S = 1.5
WARM_UP_S = 1.5
POSTGRES_BARS = {64: 1.8, 16: 0.7, 1: 0.4}
SQLITE_BAR = 2.5
SQLITE_CALLERS = 64
LINES = (Line("GROCERY", 3, 249), Line("PRODUCE", 1, 399), Line("BAKERY", 2, 120, 40))

Buy = Callable[[purchases.RecordPurchase], Awaitable[purchases.PurchaseRecorded]]
Town = tuple[UUID, list[Reference]]
"""A programme and its members."""


def against_tpcb() -> list[Row]:
    """Gathered purchases against TPC-B at the same number of clients, taking turns."""
    rows = []
    with postgres() as server, Shop.open(server.database("ledger")) as shop:
        server.prepare_tpcb()
        for callers, bar in POSTGRES_BARS.items():
            shop.gathered(callers, seconds=WARM_UP_S)
            ours, theirs = alternate(
                lambda callers=callers: shop.gathered(callers),
                lambda callers=callers: server.tpcb_rate(callers, seconds=round(ROUND_S)),
            )
            figure = row(
                "ledger",
                f"single_pg_{callers}",
                Measured(ours, "purchases/s"),
                against=f"pgbench TPC-B, {callers} clients, scale {TPCB_SCALE}, prepared",
                against_value=theirs,
                bar=bar,
            )
            rows.append({**figure, "server": server.version})
    return rows


def against_ungathered() -> list[Row]:
    """Gathered purchases on SQLite against the same callers with a transaction each."""
    with (
        tempfile.TemporaryDirectory() as scratch,
        Shop.open(f"sqlite://{Path(scratch) / 'bench.sqlite3'}") as shop,
    ):
        shop.gathered(SQLITE_CALLERS, seconds=WARM_UP_S)
        ours, theirs = alternate(
            lambda: shop.gathered(SQLITE_CALLERS), lambda: shop.one_by_one(SQLITE_CALLERS)
        )
    figure = row(
        "ledger",
        f"single_sqlite_{SQLITE_CALLERS}",
        Measured(ours, "purchases/s"),
        against="the same without gathering",
        against_value=theirs,
        bar=SQLITE_BAR,
    )
    return [{**figure, "server": f"SQLite {sqlite3.sqlite_version}"}]


SUITES: dict[str, Callable[[], list[Row]]] = {
    "ledger": lambda: [*against_tpcb(), *against_ungathered()],
}


@dataclass(slots=True)
class Shop:
    """An open database with a programme and its members, and callers that buy."""

    runner: asyncio.Runner
    program_id: UUID
    members: list[Reference]
    numbers: "count[int]"
    chance: random.Random
    dialect: str

    @classmethod
    @contextmanager
    def open(
        cls,
        url: str,
        fill: Callable[[], Coroutine[Any, Any, Town]] | None = None,
        numbers: "count[int] | None" = None,
    ) -> Iterator["Shop"]:
        """Open a database, and fill it unless `fill` says what is in it.

        One that was open before goes on with its receipts' `numbers`.
        """
        # Tortoise keeps the SQL that it wrote for another database.
        EXECUTOR_CACHE.clear()
        # As the server runs.
        loop = uvicorn.Config("").get_loop_factory()
        with collected_rarely(), asyncio.Runner(loop_factory=loop) as runner:
            database = open_database(url)
            runner.run(database.__aenter__())
            try:
                program_id, found = runner.run((fill or filled)())
                chance = random.Random(1)  # noqa: S311 - no secret
                dialect = "sqlite" if url.startswith("sqlite") else "postgres"
                yield cls(runner, program_id, found, numbers or count(), chance, dialect)
            finally:
                runner.run(database.__aexit__(None, None, None))

    def gathered(
        self,
        callers: int,
        *,
        seconds: float = ROUND_S,
        buyers: Sequence[Reference] | None = None,
    ) -> float:
        """Return the purchases per second of so many callers whose calls are gathered.

        They buy for any of the `buyers`, or of all members.
        """
        return self.runner.run(self._gathered(callers, seconds, buyers or self.members))

    async def _gathered(self, callers: int, seconds: float, buyers: Sequence[Reference]) -> float:
        async with Gatherer(self._record, **GATHERING[self.dialect]) as buy:
            return await self._rate(buy, callers, seconds, buyers)

    async def _record(
        self, commands: list[purchases.RecordPurchase]
    ) -> list[purchases.PurchaseRecorded | LoyaltyError]:
        return await purchases.record(self.program_id, commands, now=utc_now())

    def one_by_one(self, callers: int) -> float:
        """Return the purchases per second of so many callers with a transaction each."""
        return self.runner.run(self._rate(self._record_one, callers, ROUND_S, self.members))

    async def _record_one(self, command: purchases.RecordPurchase) -> purchases.PurchaseRecorded:
        [answer] = await purchases.record(self.program_id, [command], now=utc_now())
        assert isinstance(answer, purchases.PurchaseRecorded), "the bench sells what can be bought"
        return answer

    async def _rate(
        self, buy: Buy, callers: int, seconds: float, buyers: Sequence[Reference]
    ) -> float:
        done = 0

        async def call() -> None:
            nonlocal done
            while time.perf_counter() < end:
                await buy(self.receipt(self.chance.choice(buyers)))
                done += 1

        begun = time.perf_counter()
        end = begun + seconds
        await asyncio.gather(*(call() for _ in range(callers)))
        return done / (time.perf_counter() - begun)

    def receipt(self, buyer: Reference) -> purchases.RecordPurchase:
        """Return the member's next purchase."""
        number = next(self.numbers)
        return purchases.RecordPurchase(
            caller="partner:bench",
            idempotency_key=f"key-{self.chance.getrandbits(64):016x}-{number}",
            member=buyer,
            source="till",
            external_id=f"receipt-{number}",
            purchased_at=utc_now() - timedelta(seconds=1),
            lines=LINES,
            store="store-1",
        )


async def filled(many: int = MEMBERS) -> Town:
    """Make the schema, the programme and so many members."""
    await migrate()
    now = datetime(2026, 1, 1, tzinfo=UTC)
    program = await program_file.load(
        program_file.read(bundled("presets/corner-grocer.toml")), now=now
    )
    found: list[Reference] = []
    for first in range(0, many, ENROL_AT_ONCE):
        wanted = [
            members.Enrolment(Profile(external_id=f"member-{number}"))
            for number in range(first, min(many, first + ENROL_AT_ONCE))
        ]
        enrolled = await members.enrol(program.program_id, wanted, now=utc_now())
        found += [Reference(ReferenceKind.ID, str(member.id)) for member in enrolled]
    return program.program_id, found
