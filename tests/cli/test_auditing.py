"""The audit log on the command line, as an operator reads it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from loyalty_graph.db import open_database
from loyalty_graph.members.models import Member
from loyalty_graph.usecases import adjustments, membership
from tests.cli.conftest import CommandLine
from tests.shop import DAY, NOON, by_id


@pytest.fixture
def told(call: CommandLine, ada: Member) -> None:
    """Somebody of the staff and a partner have tokens, and Ada was locked and unlocked."""
    assert call("token", "staff", "Mona", "--role", "MANAGER").code == 0
    assert call("token", "create", "Kiosk", "--scope", "members:read").code == 0
    assert call("member", "lock", ada.number, "--reason", "[odd] baskets", "--may-earn").code == 0
    assert call("member", "unlock", ada.number, "--reason", "All is well").code == 0


def kinds(call: CommandLine, *words: object) -> list[str]:
    rows: list[dict[str, Any]] = call("audit", *words, "--json").json
    return [row["kind"] for row in rows]


@pytest.mark.usefixtures("told")
def test_it_says_who_changed_what_from_what_to_what_and_why(call: CommandLine, ada: Member):
    done = call("audit", "--member", ada.number)

    lines = [line[18:] for line in done.out.splitlines()]
    whom = f"member {ada.number}  by the command line"
    assert done.code == 0
    assert lines == [
        f"member.status_changed      {whom}  “All is well”",
        "status SUSPENDED → ACTIVE",
        f"member.status_changed      {whom}  “[odd] baskets”",
        "status ACTIVE → SUSPENDED",
        f"member.enrolled            {whom}",
        "status ACTIVE",
    ]
    assert done.out.splitlines()[-2].startswith("2026-03-02 12:00  ")


@pytest.mark.usefixtures("told")
def test_programs_read_all_of_it(call: CommandLine, ada: Member):
    newest, *_ = call("audit", "--json").json

    assert {name: newest[name] for name in newest if name not in {"id", "at"}} == {
        "member_id": str(ada.id),
        "kind": "member.status_changed",
        "actor": "cli",
        "by": "the command line",
        "about": "",
        "before": {"status": "SUSPENDED", "mayEarn": True},
        "after": {"status": "ACTIVE", "mayEarn": True},
        "reason": "All is well",
    }


@pytest.mark.usefixtures("told")
def test_it_is_read_for_one_thing_since_a_moment_and_so_many(call: CommandLine):
    tokens = kinds(call, "--about", "token")
    [newest, _] = call("audit", "--about", "token", "--json").json
    some = call("audit", "--limit", 2)

    assert tokens == ["token.created", "token.created"]
    assert kinds(call, "--about", newest["about"]) == ["token.created"]
    assert f"token …{newest['about'][-8:]}" in call("audit", "--about", "token").out
    assert "member.enrolled" not in kinds(call, "--since", "2026-03-03")
    assert kinds(call, "--since", "2999-01-01") == []
    assert len(some.out.splitlines()) == 4
    assert some.err == "There may be more: --limit 4 shows them.\n"


@pytest.mark.usefixtures("told")
def test_it_is_read_for_whoever_did_it(call: CommandLine):
    [staff] = call("audit", "--about", "staff", "--json").json
    who = staff["about"]

    assert len(kinds(call, "--actor", "cli")) == len(kinds(call))
    assert kinds(call, "--actor", "Mona") == kinds(call, "--actor", who) == []
    assert call("audit", "--actor", "Mona").err == "Nothing like that was changed.\n"


@pytest.mark.usefixtures("told")
def test_what_was_made_and_is_gone_is_told_by_what_it_was(call: CommandLine):
    [made, _] = call("audit", "--about", "token", "--json").json
    assert call("token", "revoke", made["about"].removeprefix("token:")).code == 0

    gone, was, made_by, *_ = (
        line[18:] for line in call("audit", "--about", "token").out.splitlines()
    )

    assert gone.startswith("token.revoked")
    assert was == "name was cli"
    assert made_by.startswith("token.created")
    assert "scopes members:read" in call("audit", "--about", made["about"]).out
    assert "name Mona, scopes none\n" in call("audit", "--about", "token").out


def test_points_and_what_was_not_known_are_told_in_words(
    call: CommandLine, ada: Member, database_url: str
):
    async def change() -> None:
        async with open_database(database_url):
            email, moment = {"email": "ada@example.org"}, NOON + DAY
            who, whose = by_id(ada), ada.program_id
            await membership.update(whose, who, email, now=moment, by="partner:demo")
            gift = adjustments.AdjustPoints(f"staff:{ada.id}", "g", who, 1000, "A gift")
            await adjustments.adjust(whose, gift, now=moment)

    asyncio.run(change())

    given, points, told, email, *_ = call("audit", "--member", ada.number).out.splitlines()
    assert given.endswith(f"by staff …{str(ada.id)[-8:]}  “A gift”")
    assert "balance 216 → 1,216" in points
    assert told.endswith("by partner demo")
    assert email.strip() == "email nothing → ada@example.org"


def test_a_file_that_is_imported_stands_there_once(call: CommandLine, ada: Member, tmp_path: Path):
    rates, balances = tmp_path / "ecb.csv", tmp_path / "old.csv"
    rates.write_text("day,currency,rate\n2026-03-02,USD,0.9\n2026-03-02,CHF,1.05\n")
    balances.write_text("external_id,points,expires_at\nold-1,100,2036-06-30\nold-2,50,never\n")

    for _ in range(2):
        assert call("rates", "import", rates).code == 0
    assert call("balances", "import", balances, "--source", "crm").code == 0
    assert call("balances", "import", balances, "--dry-run").code == 0
    rows = call("audit", "--actor", "cli", "--json").json

    told = {row["kind"]: row["after"] for row in rows if row["about"]}
    done = [row["kind"] for row in rows if row["kind"].endswith((".imported", ".import_begun"))]
    assert done == ["balances.import_begun", "rates.imported"]
    assert told["rates.imported"] == {"file": str(rates), "added": 2, "changed": 0}
    begun = told["balances.import_begun"]
    assert begun == {"import": begun["import"], "source": "crm", "rows": 2}
    assert [row["kind"] for row in rows].count("member.enrolled") == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--actor", "X"],
            "NOT_FOUND There is no partner and nobody of the staff called X in this programme.\n",
        ),
        (["--member", "Grace"], "NOT_FOUND There is no member Grace in this programme.\n"),
        (
            ["--since", "yesterday"],
            "INVALID_INPUT yesterday is no moment; write 2026-11-01 or 2026-11-01T08:00+01:00.\n",
        ),
    ],
)
def test_what_cannot_be_asked_is_one_line(
    call: CommandLine, ada: Member, words: list[str], message: str
):
    done = call("audit", *words)

    assert (done.code, done.out, done.err) == (1, "", message)
