"""The demo's replay of all baskets with full durability: speed, whether it keeps it, and memory.

Each database is measured in a process of its own, because Tortoise keeps the SQL of one, and the
peak of a process's memory never falls again. SQLite's page cache is memory it was told to use.
"""

import asyncio
import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

from bench.rows import Measured, Row, row
from bench.servers import postgres
from loyalty_graph.config import bundled
from loyalty_graph.db import migrate, open_database
from loyalty_graph.db.sqlite import CACHE_MB
from loyalty_graph.earning.settings import EarningSettings
from loyalty_graph.rewards.codes import Codes
from loyalty_graph.sandbox.baskets import instant_of, load_baskets
from loyalty_graph.sandbox.chance import Chance
from loyalty_graph.sandbox.demo import BASKETS
from loyalty_graph.sandbox.presets import USUAL, preset_file
from loyalty_graph.sandbox.replay import Replay
from loyalty_graph.usecases import backtest, program_file
from loyalty_graph.usecases.program_file import ProgramFile

TODAY = date(2026, 11, 22)
SEED = 1
KEY_BYTES = 32
MEMORY_MB = 200
STEADY_BAR = 0.4
BACKTEST_BAR = 2.0  # half of the replay's time
RULES = """
[[rules]]
code = "WEEKEND_FRESH"
name = "Fresh at weekends"
when = { time = { weekday = ["SATURDAY", "SUNDAY"] } }
lines = { product_type = ["PRODUCE", "BAKERY"] }
multiplier = "2"
caps = [{ points = 100, per = "MONTH" }]

[[rules]]
code = "BIG_BASKET"
name = "Big basket"
steps = [{ from_minor = 5000, points = 20 }, { from_minor = 10000, points = 60 }]

[[rules]]
code = "WELCOME"
name = "First purchase"
when = { purchase = { is_first = true } }
points = 100

[[rules]]
code = "FUEL_AND_FOOD"
name = "Fuel with groceries"
when = { all = [
  { any_line = { product_type = "FUEL" } },
  { any_line = { product_type = "GROCERY" } },
] }
points = 10
"""
AIMS = {"sqlite": 3_000, "postgres": 5_000}


def on_sqlite() -> list[Row]:
    with tempfile.TemporaryDirectory() as scratch:
        measured = in_own_process(f"sqlite://{Path(scratch) / 'replay.sqlite3'}")
    server = f"SQLite {sqlite3.sqlite_version}, synchronous=FULL"
    tried = row(
        "programme",
        "backtest",
        Measured(measured["backtest_rate"], "purchases/s tried with four rules more"),
        against="replay.sqlite of the same baskets",
        against_value=measured["rate"],
        bar=BACKTEST_BAR,
    )
    return [*rows("sqlite", measured, server, cache_mb=CACHE_MB), tried]


def on_postgres() -> list[Row]:
    with postgres() as server:
        measured = in_own_process(server.database("replay"))
        return rows("postgres", measured, server.version, cache_mb=0)


LONG_SUITES: dict[str, Callable[[], list[Row]]] = {
    "replay": lambda: [*on_sqlite(), *on_postgres()],
}


def rows(name: str, measured: dict[str, Any], server: str, *, cache_mb: int) -> list[Row]:
    tenths: list[float] = measured["tenths"]
    memory = measured["peak_mb"] - cache_mb
    figures = [
        row(
            "replay",
            name,
            Measured(measured["rate"], "purchases/s"),
            against="the aim",
            against_value=AIMS[name],
            bar=None,
        ),
        row(
            "replay",
            f"{name}_steady",
            Measured(tenths[-1], "purchases/s, last tenth"),
            against="the first tenth",
            against_value=tenths[0],
            bar=STEADY_BAR,
        ),
        row(
            "replay",
            f"{name}_memory",
            Measured(MEMORY_MB, "MB allowed beside the page cache"),
            against="peak memory less the page cache",
            against_value=memory,
            bar=1.0,
        ),
    ]
    return [{**figure, "server": server, "purchases": measured["purchases"]} for figure in figures]


def in_own_process(url: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.replay", url]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def replay(url: str) -> dict[str, Any]:
    """Replay everything into an empty database; return what was measured."""
    async with open_database(url):
        await migrate()
        file = program_file.read(preset_file(USUAL))
        zone = file.program.zone
        baskets = load_baskets(bundled(BASKETS)).ending_before(TODAY)
        opening = instant_of(baskets.first_date, 0, zone)
        sandbox = file.model_copy(update={"program": file.program.as_sandbox()})
        program = await program_file.load(sandbox, now=opening)
        pace = Pace(len(baskets))
        replay = Replay(program.program_id, baskets, zone, Chance(SEED), Codes(bytes(KEY_BYTES)))
        await replay.run(TODAY, progress=pace.note)
        measured = {
            "purchases": len(baskets),
            "rate": len(baskets) / (time.perf_counter() - pace.begun),
            "tenths": pace.tenths(),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
        return {**measured, "backtest_rate": await backtested(program.program_id, sandbox)}


async def backtested(program_id: UUID, file: ProgramFile) -> float:
    """Return how many purchases are tried in a second under the same file with rules."""
    rules = tomllib.loads(RULES)["rules"]
    earning = EarningSettings.model_validate(
        {**file.earning.model_dump(mode="json"), "rules": rules}
    )
    proposed = file.model_copy(update={"earning": earning})
    now = datetime.combine(TODAY, time_of_day(), tzinfo=UTC)
    begun = time.perf_counter()
    report = await backtest.run(program_id, proposed, since=None, until=None, now=now)
    return report.purchases / (time.perf_counter() - begun)


class Pace:
    """When how many baskets were done."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.begun = time.perf_counter()
        self.seen = [(0, self.begun)]

    def note(self, done: int) -> None:
        self.seen.append((done, time.perf_counter()))

    def tenths(self) -> list[float]:
        """Return the baskets per second of each tenth, to the day."""
        edges = [
            next(one for one in self.seen if one[0] >= self.total * tenth // 10)
            for tenth in range(11)
        ]
        return [(done - before) / (end - start) for (before, start), (done, end) in pairwise(edges)]


if __name__ == "__main__":
    print(json.dumps(asyncio.run(replay(sys.argv[1]))))
