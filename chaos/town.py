"""A town: a database, the processes that serve it, its tills, and the phones of its customers."""

import asyncio
import json
from collections import Counter as Multiset
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from time import monotonic

import orjson

from chaos.audit import Auditor
from chaos.deeds import Deed
from chaos.findings import Round
from chaos.processes import Program, StartError, run
from chaos.proxy import HOST, Proxy
from chaos.servers import PostgresServer, SqliteFile, Valkey
from chaos.tills import Counter, Till
from chaos.wallets import Wallets

PROGRAM = "chaos"
LATE_S, WRONG_S = 15.0, 60.0
LOOK_EVERY_S = 0.05
NOTES_MAX = 20


class SkippedError(Exception):
    """A trouble that cannot be made here; the message says why."""


Trouble = Callable[["Town"], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Size:
    """How large a town is, and how much is traded in a round.

    Attributes:
        members: Customers, each with two cards.
        tills: How many trade at once.
        before, after: Deeds that are done before the trouble begins, and after it is over.
        think_s: How long a till waits between two deeds at most.
    """

    members: int
    tills: int
    before: int
    after: int
    think_s: float


SHORT = Size(members=4, tills=4, before=20, after=20, think_s=0.15)
LONG = Size(members=20, tills=8, before=150, after=150, think_s=0.04)


@dataclass
class Town:
    """What troubles are made to.

    Attributes:
        storage: Its database.
        apis: The processes that serve it.
        workers: The others; on SQLite the API does their work.
        valkey: What carries nudges; None on SQLite.
        street: The way from the tills to the API.
        wire: The way from the API to the server of the database; None on SQLite.
        environment: The settings of its processes.
        chance: Chooses what happens.
        folder: Where it keeps what is no database.
    """

    storage: SqliteFile | PostgresServer
    apis: Sequence[Program]
    workers: Sequence[Program]
    valkey: Valkey | None
    street: Proxy
    wire: Proxy | None
    environment: dict[str, str]
    size: Size
    chance: Random
    counter: Counter
    wallets: Wallets
    auditor: Auditor
    folder: Path
    _tills: list[Till] = field(default_factory=list)

    @property
    def programs(self) -> list[Program]:
        """Return all its processes."""
        return [*self.apis, *self.workers]

    @property
    def server(self) -> PostgresServer:
        """Return the server of its database, where it has one."""
        assert isinstance(self.storage, PostgresServer), "this trouble is made to PostgreSQL"
        return self.storage

    @property
    def deeds(self) -> list[Deed]:
        """Return what was asked for in the present round."""
        return [deed for till in self._tills for deed in till.done]

    async def traded(self, more: int) -> None:
        """Wait until so many more deeds were answered."""
        goal = self._answered() + more
        while self._answered() < goal:
            await asyncio.sleep(LOOK_EVERY_S)

    async def refused(self, times: int) -> None:
        """Wait until tills were told so often to try again."""
        goal = len(self.counter.failures) + times
        while len(self.counter.failures) < goal:
            await asyncio.sleep(LOOK_EVERY_S)

    async def abandon(self, part: float) -> None:
        """Send this part of a request, and go away without waiting for an answer."""
        till = self.chance.choice(self._tills)
        body = orjson.dumps(till.leave().query)
        head = (
            "POST /graphql HTTP/1.1",
            f"Host: {HOST}",
            f"Authorization: {self.counter.client.headers['authorization']}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        )
        request = "\r\n".join([*head, "", ""]).encode() + body
        _, writer = await asyncio.open_connection(HOST, self.street.port)
        writer.write(request[: int(len(request) * part)])
        await writer.drain()
        await asyncio.sleep(self.chance.random() * self.size.think_s)
        writer.close()

    def _answered(self) -> int:
        return sum(deed.answer is not None for deed in self.deeds)

    async def play(self, name: str, trouble: Trouble, *, seed: int, limit_s: float) -> Round:
        """Let tills trade while something goes wrong; return what came of it."""
        found, begun = Round(name, self.storage.dialect, seed), monotonic()
        self.chance.seed(f"{seed} {name}")
        self.counter.failures.clear()
        self.counter.faults.clear()
        self.wallets.troubles.clear()
        self._tills = [self._till(f"{name}-{seed}-{number}") for number in range(self.size.tills)]
        stop = asyncio.Event()
        trading = [asyncio.create_task(till.trade(stop)) for till in self._tills]
        try:
            async with asyncio.timeout(limit_s):
                await self.traded(self.size.before)
                await self._make(trouble, found)
                await self._all_run()
                await self.traded(self.size.after)
                stop.set()
                await asyncio.gather(*trading)
                await self._audit(found)
        except TimeoutError:
            found.is_over = False
            found.notes.append(f"not over after {limit_s:.0f} s; {self._answered()} deeds answered")
        finally:
            for task in trading:
                task.cancel()
            await asyncio.gather(*trading, return_exceptions=True)
        found.faults = len(self.counter.faults)
        found.notes += self.counter.faults[:NOTES_MAX]
        found.retries = dict(Multiset(self.counter.failures))
        found.seconds = monotonic() - begun
        return found

    async def _make(self, trouble: Trouble, found: Round) -> None:
        """Make a trouble; what it finds by itself is a note."""
        try:
            await trouble(self)
        except SkippedError as reason:
            found.skipped = str(reason)
        except (AssertionError, StartError) as fault:
            found.notes.append(str(fault))

    def _till(self, name: str) -> Till:
        seed = self.chance.random()
        return Till(name, self.counter, self.auditor.members, Random(seed), self.size.think_s)

    async def _all_run(self) -> None:
        """Heal every line, set every clock, and start again what does not run."""
        for one in self.programs:
            one.move_clock(timedelta())
        for line in filter(None, (self.street, self.wire)):
            await line.heal()
        await asyncio.gather(*(one.start() for one in self.programs if not one.is_running))

    async def _audit(self, found: Round) -> None:
        """Wait until the cards have followed and all is quiet; then hold the books against it."""
        begun = monotonic()
        balances = await self.auditor.balances()
        late: list[str] = []
        while wrong := self.wallets.wrong(balances):
            waited = monotonic() - begun
            if waited > LATE_S and not late:
                late = wrong
            if waited > WRONG_S:
                break
            await asyncio.sleep(LOOK_EVERY_S)
            balances = await self.auditor.balances()
        found.counts.wrong_cards += len(wrong)
        found.counts.late_cards += len(late) - len(wrong)
        found.notes += wrong
        if wrong:
            found.notes += sorted(set(self.wallets.troubles))
        left = [deed for till in self._tills for deed in till.left]
        await self.auditor.bring_to_an_end(left)
        await self._quiet()
        await self.auditor.check([*self.deeds, *left], found)

    async def _quiet(self) -> None:
        """Wait until nothing waits for the worker any more."""
        with suppress(TimeoutError):
            async with asyncio.timeout(WRONG_S):
                while await self.auditor.halves():
                    await asyncio.sleep(LOOK_EVERY_S)

    async def verify(self) -> int:
        """Audit the ledger with the command for it; return how many differences it found."""
        words = ("ledger", "verify", "--json", "--program", PROGRAM)
        told = await asyncio.to_thread(run, *words, environment=self.environment, statuses=(0, 1))
        return len(json.loads(told)["findings"])
