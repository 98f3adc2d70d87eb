"""The nightly jobs over a million members, on PostgreSQL: pace, memory, and a kill on the way.

Each job is a process of its own. The first is killed when a part is done; the second does the rest
and is measured. What was then done, and how often, is counted in the database, and the books are
verified. `python -m bench.nightly fill URL COUNT` and `python -m bench.nightly JOB URL` are these
processes.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any, Self
from uuid import UUID

import asyncpg

from bench.nightly_fill import ONE_IN, TONIGHT, fill
from bench.rows import Measured, Row, row
from bench.servers import postgres
from bench.wallet_memory import resident
from loyalty_graph.db import open_database
from loyalty_graph.garbage import collected_rarely
from loyalty_graph.programs import service as programs
from loyalty_graph.usecases import expiry, renewals, scheduled, tier_reviews

MEMBERS = 1_000_000
KILLED_AT = 0.2
LOOK_EVERY_S = 0.5
SAMPLE_EVERY_S = 0.05
MEMORY_BAR = 1.1
MB = 1 << 20


@dataclass(frozen=True, slots=True)
class Night:
    """A job: what runs it, and the statements that tell how much it did.

    `done` counts what it does once for each member that is due; `members` counts whom it did it to.
    """

    run: Callable[[UUID], Awaitable[int]]
    done: str
    members: str


def _expire(program_id: UUID) -> Awaitable[int]:
    return expiry.run(program_id, now=TONIGHT)


def _review(program_id: UUID) -> Awaitable[int]:
    return tier_reviews.run(program_id, now=TONIGHT)


def _renew(program_id: UUID) -> Awaitable[int]:
    return renewals.run(program_id, billing=scheduled.billing(lambda: TONIGHT), now=TONIGHT)


def _counted(table: str, condition: str, by: str = "member_id") -> tuple[str, str]:
    """Return the statements that count rows, and whose they are."""
    rows = f"FROM {table} WHERE {condition}"
    return f"SELECT count(*) {rows}", f"SELECT count(DISTINCT {by}) {rows}"


NIGHTS = {
    "expiry": Night(_expire, *_counted("transfer", "kind = 'EXPIRE'")),
    "tiers": Night(_review, *_counted("tier_change", "kind <> 'OVERRIDDEN'")),
    "renewals": Night(_renew, *_counted("subscription_period", "number > 1")),
}


def nightly(members: int = MEMBERS) -> list[Row]:
    with postgres() as server:
        url = server.database("nightly")
        _run("fill", url, str(members))
        rows = [one for name in NIGHTS for one in _measured(name, url, members // ONE_IN)]
        command = [sys.executable, "-m", "loyalty_graph", "ledger", "verify", "--json"]
        told = subprocess.run([*command, "--database", url], stdout=subprocess.PIPE, check=True)
        assert json.loads(told.stdout)["differences"] == 0, "the books are in order"
        return [{**one, "server": server.version, "members": members} for one in rows]


LONG_SUITES: dict[str, Callable[[], list[Row]]] = {"nightly": nightly}


def _measured(name: str, url: str, due: int) -> list[Row]:
    """Let a job be killed on its way, and another process go on; return what that one cost."""
    night = NIGHTS[name]
    begun_with = _killed(name, url, due)
    told = json.loads(_run(name, url))
    done, members = _ask(url, night.done), _ask(url, night.members)
    pace = row(
        "nightly",
        name,
        Measured((due - begun_with) / told["seconds"], "members/s"),
        against="those for whom something is due",
        against_value=due,
        bar=None,
    )
    memory = row(
        "nightly",
        f"{name}_memory",
        Measured(told["peaks"][1] / MB, "MB at most in the second half"),
        against="MB at most in the first half",
        against_value=told["peaks"][0] / MB,
        bar=MEMORY_BAR,
    )
    resumed = row(
        "nightly",
        f"{name}_resumed",
        Measured(abs(due - members) + (done - members), "members left out or done twice"),
        against="members, killed when this many were done",
        against_value=begun_with,
        bar=None,
    )
    return [
        pace,
        # Less is better here.
        {**memory, "holds": memory["ratio"] <= MEMORY_BAR},
        {**resumed, "bar": 0, "holds": resumed["value"] == 0},
    ]


def _killed(name: str, url: str, due: int) -> int:
    """Kill a job when a part of its work is done; return how much."""
    with subprocess.Popen(_command(name, url), stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and _ask(url, NIGHTS[name].done) < KILLED_AT * due:
            time.sleep(LOOK_EVERY_S)
        process.kill()
        process.wait()
    return _ask(url, NIGHTS[name].done)


def _ask(url: str, statement: str) -> int:
    async def asked() -> int:
        connection = await asyncpg.connect(url)
        try:
            return int(await connection.fetchval(statement))
        finally:
            await connection.close()

    return asyncio.run(asked())


def _run(*words: str) -> str:
    done = subprocess.run(_command(*words), stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "bench.nightly", *words]


async def _work(name: str, url: str) -> dict[str, Any]:
    """Run a job to its end; return how long it took, and the memory of either half."""
    async with open_database(url):
        [program_id] = await programs.all_ids()
        with Memory() as memory:
            begun = time.perf_counter()
            await NIGHTS[name].run(program_id)
            seconds = time.perf_counter() - begun
    return {"seconds": seconds, "peaks": peaks(memory.seen)}


class Memory:
    """Notes how much memory the process has, while the block runs."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self._over = Event()
        self._thread = Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        self.seen.append(resident())
        while not self._over.wait(SAMPLE_EVERY_S):
            self.seen.append(resident())
        self.seen.append(resident())


def peaks(seen: list[int]) -> tuple[int, int]:
    """Return the most that was seen in the first half, and in the second."""
    middle = len(seen) // 2
    return max(seen[:middle]), max(seen[middle:])


async def _main(what: str, url: str, *words: str) -> None:
    if what == "fill":
        await fill(url, int(words[0]))
    else:
        with collected_rarely():
            print(json.dumps(await _work(what, url)))


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
