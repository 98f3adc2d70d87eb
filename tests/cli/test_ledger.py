"""Auditing the books from outside, and deriving the projections again."""

import asyncio
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing

import asyncpg
import pytest

from loyalty_graph.db import open_database
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger.models import AccountRow, LotRow
from loyalty_graph.members.models import Member
from tests.cli.conftest import CommandLine
from tests.conftest import BACKEND
from tests.shop import NOON

DROPPED = {
    "sqlite": "DROP TRIGGER transfer_refuses_update",
    "postgres": "DROP TRIGGER transfer_refuses_change ON transfer",
}[BACKEND]


@pytest.fixture
def tamper(database_url: str) -> Callable[..., None]:
    """Changes the database from outside, as somebody with the database's own shell would."""

    async def on_postgres(statements: tuple[str, ...]) -> None:
        connection = await asyncpg.connect(database_url)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    def run(*statements: str) -> None:
        if BACKEND == "postgres":
            asyncio.run(on_postgres(statements))
            return
        path = database_url.removeprefix("sqlite://").partition("?")[0]
        if shell := shutil.which("sqlite3"):
            subprocess.run([shell, "-bail", path, ";".join(statements)], check=True)
            return
        with closing(sqlite3.connect(path)) as raw:
            for statement in statements:
                raw.execute(statement)
            raw.commit()

    return run


def test_books_in_order_are_called_so(call: CommandLine, ada: Member):
    done = call("ledger", "verify")

    assert (done.code, done.err) == (0, "")
    assert done.out == "✓ 2 accounts, 2 transfers, 0 differences\n"


@pytest.mark.parametrize("only", ["everybody", "the member"])
def test_one_changed_amount_is_found_with_member_and_sequence(
    call: CommandLine, ada: Member, tamper: Callable[..., None], only: str
):
    tamper(DROPPED, "UPDATE transfer SET points = points + 1 WHERE sequence = 2")
    chosen = [] if only == "everybody" else ["--member", ada.number]

    done = call("ledger", "verify", *chosen)
    as_json = call("ledger", "verify", "--json", *chosen)

    assert (done.code, as_json.code) == (1, 1)
    assert f"✗ member {ada.id}, sequence 2: " in done.out
    assert re.search(r"transfers, [1-9]\d* differences\n$", done.out)
    found = as_json.json
    assert found["differences"] == len(found["findings"]) > 0
    assert {(one["member"], one["sequence"]) for one in found["findings"]} >= {(str(ada.id), 2)}


def test_less_may_be_audited_and_by_more_processes(
    call: CommandLine, ada: Member, tamper: Callable[..., None]
):
    tamper(DROPPED, "UPDATE transfer SET text = 'a hat' WHERE sequence = 2")

    assert call("ledger", "verify", "--processes", 2).code == 1
    assert call("ledger", "verify", "--processes", 2, "--fast").out == (
        "✓ 2 accounts, 2 transfers, 0 differences\n"
    )
    assert call("ledger", "verify", "--since", "2026-03-02T13:00+00:00").code == 1
    assert call("ledger", "verify", "--since", "2026-03-03").out == (
        "✓ 0 accounts, 0 transfers, 0 differences\n"
    )


def test_the_other_members_books_are_still_in_order(
    call: CommandLine, ada: Member, tamper: Callable[..., None], database_url: str
):
    tamper(DROPPED, "UPDATE transfer SET points = points + 1 WHERE sequence = 2")

    async def other() -> Member:
        async with open_database(database_url):
            return await Member.exclude(id=ada.id).get()

    done = call("ledger", "verify", "--member", asyncio.run(other()).id)

    assert (done.code, done.out) == (0, "✓ 1 account, 0 transfers, 0 differences\n")


def test_a_changed_projection_is_found_and_mended(
    call: CommandLine, ada: Member, tamper: Callable[..., None], database_url: str
):
    tamper(
        "UPDATE account SET balance_points = 999 WHERE sequence = 2",
        "UPDATE lot SET remaining_points = 1 WHERE sequence = 1",
    )

    found = call("ledger", "verify")
    mended = call("ledger", "rebuild")
    again = call("ledger", "rebuild")

    assert found.code == 1
    assert (mended.code, mended.out) == (0, "✓ 2 rows differed and are mended.\n")
    assert (again.code, again.out) == (0, "✓ Nothing differed.\n")
    assert call("ledger", "verify").code == 0

    async def projections() -> tuple[int, int]:
        async with open_database(database_url):
            account = await AccountRow.get(member_id=ada.id)
            lot = await LotRow.get(member_id=ada.id, sequence=1)
            return account.balance_points, lot.remaining_points

    assert asyncio.run(projections()) == (216, 108)


@pytest.mark.parametrize(
    ("case", "words", "message"),
    [
        ("no such member", ["--member", str(new_id(NOON))], "NOT_FOUND There is no member"),
        ("no member at all", ["--member", "Ada"], "NOT_FOUND There is no member Ada"),
        ("no such programme", ["--program", "tea"], "NOT_FOUND There is no programme tea in this"),
        ("no moment", ["--since", "monday"], "INVALID_INPUT monday is no moment; write 2026-"),
        (
            "two choices",
            ["--since", "2026-03-03", "--member", "Ada"],
            "INVALID_INPUT --member and --since exclude each other.",
        ),
    ],
)
def test_what_is_not_there_cannot_be_audited(
    call: CommandLine, ada: Member, case: str, words: list[str], message: str
):
    done = call("ledger", "verify", *words)

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(message)
    assert done.err.count("\n") == 1


def test_an_empty_installation_says_so(
    call: CommandLine, database_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LOYALTY_DATABASE_URL", database_url)

    done = call("ledger", "verify")

    assert (done.code, done.err) == (
        1,
        "INVALID_INPUT There is no programme yet; apply a programme file first.\n",
    )
