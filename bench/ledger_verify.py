"""How long `ledger verify` takes for a million transfers, with two processes.

The books are written as the service writes them; every member has 16 purchases with explanations
as the grocer's till makes them, and four redemptions. The limit is two minutes.
"""

import asyncio
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from bench.rows import Measured, Row, row
from bench.servers import postgres
from loyalty_graph.config import bundled
from loyalty_graph.db import migrate, open_database, transaction
from loyalty_graph.db.sets import store
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger import chain, reads, rules, service
from loyalty_graph.ledger.rules import ACTIVE, Account, Cause
from loyalty_graph.members.rules import Reference, ReferenceKind
from loyalty_graph.members.service import Profile
from loyalty_graph.purchases.rules import Line
from loyalty_graph.usecases import members, program_file, purchases

TRANSFERS = 1_000_000
OF_A_MEMBER = 20
MEMBERS_AT_ONCE = 500
LIMIT_S = 120
PROCESSES = 2
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
LINES = (Line("GROCERY", 3, 249), Line("PRODUCE", 1, 399), Line("BAKERY", 2, 120, 40))


def verified(transfers: int = TRANSFERS) -> list[Row]:
    """Verify on both databases; the figure is transfers per second against the limit's."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "bench.sqlite3"
        rows = [
            _measured(f"sqlite://{path}", "sqlite", f"SQLite {sqlite3.sqlite_version}", transfers)
        ]
    with postgres() as server:
        rows.append(_measured(server.database("ledger"), "pg", server.version, transfers))
    return rows


def _measured(url: str, name: str, version: str, transfers: int) -> Row:
    # Tortoise keeps the SQL of one database for as long as a process lives.
    subprocess.run([sys.executable, "-m", "bench.ledger_verify", url, str(transfers)], check=True)
    command = [sys.executable, "-m", "loyalty_graph", "ledger", "verify", "--json"]
    command += ["--processes", str(PROCESSES), "--database", url]
    begun, cpu_s = time.perf_counter(), _cpu_of_children_s()
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    took_s = time.perf_counter() - begun
    told = json.loads(done.stdout)
    assert (told["transfers"], told["differences"]) == (transfers, 0), "the books are in order"
    figure = row(
        "ledger.verify",
        f"{transfers}_{name}",
        Measured(transfers / took_s, "transfers/s"),
        against=f"{TRANSFERS} in {LIMIT_S} s",
        against_value=TRANSFERS / LIMIT_S,
        bar=1.0,
    )
    worked_s = round(_cpu_of_children_s() - cpu_s, 1)
    return {**figure, "seconds": round(took_s, 1), "cpu_seconds": worked_s, "server": version}


def _cpu_of_children_s() -> float:
    """Return what the processes started so far have worked; the server's work is not in it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


LONG_SUITES: dict[str, Callable[[], list[Row]]] = {"ledger.verify": verified}


async def _fill(url: str, transfers: int) -> None:
    """Make a programme and so many transfers of members who have nothing else."""
    async with open_database(url):
        await migrate()
        file = program_file.read(bundled("presets/corner-grocer.toml"))
        program_id = (await program_file.load(file, now=BEGIN)).program_id
        told = await _explanation(program_id)
        left = transfers - 1
        while left:
            many = min(MEMBERS_AT_ONCE, -(-left // OF_A_MEMBER))
            left -= await _write(program_id, many, left, told)


async def _explanation(program_id: UUID) -> dict[str, Any]:
    """Buy something; return how the entry is explained."""
    [member] = await members.enrol(program_id, [members.Enrolment(Profile())], now=BEGIN)
    command = purchases.RecordPurchase(
        caller="partner:bench",
        idempotency_key="first",
        member=Reference(ReferenceKind.ID, str(member.id)),
        source="till",
        external_id="first",
        purchased_at=BEGIN,
        lines=LINES,
    )
    [bought] = await purchases.record(program_id, [command], now=BEGIN)
    assert isinstance(bought, purchases.PurchaseRecorded), "the bench sells what can be bought"
    [entry] = (await reads.earnings(program_id, [member.id]))[member.id]
    assert entry.explanation is not None, "every purchase explains itself"
    return entry.explanation


@transaction
async def _write(program_id: UUID, many: int, transfers: int, told: dict[str, Any]) -> int:
    """Write the books of so many members, and no more than so many transfers; return how many."""
    accounts = []
    for _ in range(many):
        member_id = new_id(BEGIN)
        account = Account(member_id, ACTIVE, 0, 0, 0, 0, 0, 0, chain.genesis(program_id, member_id))
        for day in range(min(OF_A_MEMBER, transfers)):
            _post(account, BEGIN + timedelta(days=day), told)
        transfers -= len(account.posted)
        accounts.append(account)
    opened = service.open_accounts(program_id, [one.member_id for one in accounts])
    await store(program_id, [opened])
    await store(program_id, service.writes(accounts))
    return sum(len(one.posted) for one in accounts)


def _post(account: Account, at: datetime, told: dict[str, Any]) -> None:
    reference = str(new_id(at))
    cause = Cause(reference, at, at, "partner:bench", told, rule_version=1, salt=os.urandom(16))
    if account.sequence % 5 == 4:
        rules.redeem(account, 30, cause)
    else:
        rules.earn(account, 13, cause, expires_at=at + timedelta(days=700))


if __name__ == "__main__":
    asyncio.run(_fill(sys.argv[1], int(sys.argv[2])))
