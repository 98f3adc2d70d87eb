"""A million receipts imported from a file, against COPY of the rows they leave behind.

The import is `purchases import` as the command line calls it, in a process of its own. Then each
table with rows is copied, as bytes that PostgreSQL wrote itself, into a bare one with the same
indexes: no triggers, nothing decided. `python -m bench.ledger_import fill|run URL FILE [COUNT]`
are the processes of this suite.
"""

import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from bench.nightly import MB, MEMORY_BAR, Memory, peaks
from bench.rows import Measured, Row, row
from bench.servers import postgres
from loyalty_graph.clock import utc_now
from loyalty_graph.config import bundled
from loyalty_graph.db import migrate, open_database
from loyalty_graph.garbage import collected_rarely
from loyalty_graph.members.service import Profile
from loyalty_graph.programs import service as programs
from loyalty_graph.usecases import balances, members, program_file, purchase_import
from loyalty_graph.usecases.balance_rows import BalanceFormat

RECEIPTS = 1_000_000
MEMBERS = 10_000
ENROL_AT_ONCE = 500
DAYS = 50
PRODUCT_TYPES = ("GROCERY", "PRODUCE", "BAKERY", "DELI", "NUTRITION")
# What a corner shop has on its shelves.
ARTICLES = 2_000
LINES = 3
DISCOUNTED = 0.1
TABLES = "SELECT relname FROM pg_stat_user_tables WHERE schemaname = 'public' ORDER BY relname"


def imported(receipts: int = RECEIPTS) -> list[Row]:
    with postgres() as server, tempfile.TemporaryDirectory() as scratch:
        url, path = server.database("import"), str(Path(scratch) / "receipts.jsonl")
        _run("fill", url, path, str(receipts))
        told = json.loads(_run("run", url, path))
        copied_s = asyncio.run(_copied(url, Path(scratch) / "rows"))
        assert told["recorded"] == receipts, "the bench sells what can be bought"
        pace = row(
            "ledger",
            "import_pg",
            Measured(receipts / told["seconds"], "purchases/s, three lines each"),
            against="COPY of the rows into bare tables with the same indexes",
            against_value=receipts / copied_s,
            bar=None,
        )
        memory = row(
            "ledger",
            "import_memory",
            Measured(told["peaks"][1] / MB, "MB at most in the second half"),
            against="MB at most in the first half",
            against_value=told["peaks"][0] / MB,
            bar=MEMORY_BAR,
        )
        # Less is better here.
        flat = {**memory, "holds": memory["ratio"] <= MEMORY_BAR}
        return [{**one, "server": server.version, "receipts": receipts} for one in (pace, flat)]


LONG_SUITES: dict[str, Callable[[], list[Row]]] = {"ledger.import": imported}


async def _copied(url: str, rows: Path) -> float:
    """Copy the rows of all tables into bare ones; return the seconds of the way in."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("CREATE SCHEMA bare")
        seconds = 0.0
        for (name,) in await connection.fetch(TABLES):
            await connection.execute(
                f'CREATE TABLE bare."{name}" (LIKE public."{name}" INCLUDING INDEXES)'
            )
            await connection.copy_from_table(name, output=rows, format="binary")
            begun = time.perf_counter()
            await connection.copy_to_table(name, schema_name="bare", source=rows, format="binary")
            seconds += time.perf_counter() - begun
        return seconds
    finally:
        await connection.close()


def receipts(count: int, *, begin: datetime) -> Iterator[dict[str, Any]]:
    """Yield receipts of members by chance, in the order of their days."""
    chance = random.Random(1)  # noqa: S311 - no secret
    for number in range(count):
        yield {
            "receipt": f"r-{number}",
            "external_id": f"member-{chance.randrange(MEMBERS)}",
            "purchased_at": (begin + timedelta(days=DAYS) * number / count).isoformat(),
            "store": "store-1",
            "lines": [_line(chance) for _ in range(LINES)],
        }


def _line(chance: random.Random) -> dict[str, Any]:
    article, quantity = chance.randrange(ARTICLES), chance.choice((1, 1, 1, 2, 3))
    line = {
        "product_type": PRODUCT_TYPES[article % len(PRODUCT_TYPES)],
        "quantity": quantity,
        "unit_amount": f"{1 + article % 17}.{article % 100:02}",
        "sku": f"article-{article}",
    }
    return line | ({"discount": "0.40"} if chance.random() < DISCOUNTED else {})


async def _enrol(url: str, begin: datetime) -> None:
    async with open_database(url):
        await migrate()
        file = program_file.read(bundled("presets/corner-grocer.toml"))
        program = await program_file.load(file, now=begin)
        for first in range(0, MEMBERS, ENROL_AT_ONCE):
            numbers = range(first, first + ENROL_AT_ONCE)
            wanted = [members.Enrolment(Profile(external_id=f"member-{one}")) for one in numbers]
            await members.enrol(program.program_id, wanted, now=begin)


async def _import(url: str, path: str) -> dict[str, Any]:
    """Import the file; return how long it took, and the memory of either half."""
    file = balances.BalanceFile("bench", BalanceFormat.JSONL, Path(path).open)
    async with open_database(url):
        [program_id] = await programs.all_ids()
        with Memory() as memory:
            begun = time.perf_counter()
            done = await purchase_import.import_file(
                program_id, file, caller="cli", now=utc_now(), tell=lambda *_: None
            )
            seconds = time.perf_counter() - begun
    return {"seconds": seconds, "peaks": peaks(memory.seen), "recorded": done.recorded}


def _run(*words: str) -> str:
    command = [sys.executable, "-m", "bench.ledger_import", *words]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def _main(what: str, url: str, path: str, count: str = "0") -> None:
    if what == "run":
        with collected_rarely():
            print(json.dumps(asyncio.run(_import(url, path))))
        return
    begin = utc_now() - timedelta(days=DAYS + 1)
    asyncio.run(_enrol(url, begin))
    with Path(path).open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(one) + "\n" for one in receipts(int(count), begin=begin))


if __name__ == "__main__":
    _main(*sys.argv[1:])
