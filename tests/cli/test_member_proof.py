"""A member's proof, checked by the example, which knows nothing of us."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from loyalty_graph.clock import utc_now
from loyalty_graph.db import connection, open_database
from loyalty_graph.members.models import Member
from loyalty_graph.usecases import erasing
from tests.cli.conftest import CommandLine
from tests.conftest import BACKEND
from tests.shop import DAY, Shop, by_id, open_shop

CHECK = Path(__file__).parents[2] / "examples" / "check_proof.py"
UNGUARDED = {
    "sqlite": "DROP TRIGGER transfer_refuses_update",
    "postgres": "DROP TRIGGER transfer_refuses_change ON transfer",
}[BACKEND]
ERASED = "UPDATE transfer SET text = '', actor = '', explanation = NULL, salt = substr(salt, 1, 0)"


@pytest.fixture
def busy(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Member:
    """Among five members one with 1 EARN 108, 2 REDEEM 60 for something private, 3 EARN 108."""
    monkeypatch.setenv("LOYALTY_DATABASE_URL", database_url)

    async def make() -> Member:
        async with open_database(database_url):
            shop: Shop = await open_shop()
            await shop.enrol()
            member = await shop.enrol(first_name="Ada", email="ada@example.com")
            for _ in range(3):
                await shop.buy(await shop.enrol())
            await shop.buy(member)
            await shop.redeem(member, 60, text="for Grace, with “love”\n\x7f")
            await shop.later(DAY).buy(member)
            return member

    return asyncio.run(make())


@pytest.fixture
def write(database_url: str) -> Callable[[str], None]:
    """Changes entries as somebody with the database's own shell would."""

    async def run(statement: str) -> None:
        async with open_database(database_url):
            await connection().execute_script(f"{UNGUARDED};{statement}")

    return lambda statement: asyncio.run(run(statement))


def check(*files: Path) -> tuple[int, str, str]:
    words = [sys.executable, CHECK, *files]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def proof(call: CommandLine, busy: Member, tmp_path: Path) -> Path:
    """Her proof, and beside it the checkpoint that was published."""
    file = tmp_path / "proof.json"
    assert call("ledger", "checkpoint", "--publish", tmp_path / "kept.json").code == 0
    done = call("ledger", "proof", busy.number, "-o", file)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"✓ {file}: 3 entries, place 2 of 5 under checkpoint 1\n"
    return file


def test_an_outsider_works_out_history_balance_and_place(proof: Path):
    told = orjson.loads(proof.read_bytes())
    kept = orjson.loads((proof.parent / "kept.json").read_bytes())

    code, out, err = check(proof)
    with_kept = check(proof, proof.parent / "kept.json")

    assert (code, err) == (0, "")
    assert out == (
        f"✓ 3 entries, 156 points, under checkpoint 1 of {kept['at']},"
        f" signed by {kept['public_key']}\n"
    )
    assert with_kept == (code, out, err)
    assert [one["covered"]["kind"] for one in told["entries"]] == ["EARN", "REDEEM", "EARN"]
    assert told["entries"][1]["details"]["said"]["text"] == "for Grace, with “love”\n\x7f"


def test_the_proof_of_an_erased_person_still_holds_and_names_nobody(
    call: CommandLine, busy: Member, proof: Path, database_url: str
):
    async def erase() -> None:
        async with open_database(database_url):
            command = erasing.EraseMember("staff", "erase", by_id(busy), b"secret")
            await erasing.erase(busy.program_id, command, now=utc_now())

    asyncio.run(erase())

    done = call("ledger", "proof", busy.id, "-o", proof, "--checkpoint", 1)

    text = proof.read_text()
    assert done.code == 0
    assert check(proof, proof.parent / "kept.json")[0] == 0
    assert call("ledger", "verify", "--checkpoint", proof.parent / "kept.json").code == 0
    assert [one["details"] for one in orjson.loads(text)["entries"]] == [None, None, None]
    assert not any(word in text for word in ("Ada", "Grace", "ada@", "partner:till", busy.number))


def test_what_came_after_the_checkpoint_is_not_part_of_it(
    call: CommandLine, busy: Member, proof: Path
):
    call("purchase", busy.number, "9.99")
    call("ledger", "checkpoint")

    now = call("ledger", "proof", busy.number, "-o", proof.parent / "now.json")
    then = call("ledger", "proof", busy.number, "-o", proof.parent / "then.json", "--checkpoint", 1)

    assert "under checkpoint 2" in now.out
    assert "under checkpoint 1" in then.out
    assert (proof.parent / "then.json").read_bytes() == proof.read_bytes()
    assert check(proof.parent / "now.json")[0] == 0
    assert check(proof.parent / "now.json", proof.parent / "kept.json") == (
        1,
        "",
        "✗ This is not the checkpoint that you have kept.\n",
    )


def test_who_bought_nothing_has_a_proof_of_nothing(
    call: CommandLine, proof: Path, database_url: str
):
    async def first() -> str:
        async with open_database(database_url):
            [member] = await Member.all().order_by("id").limit(1)
            return str(member.id)

    done = call("ledger", "proof", asyncio.run(first()), "-o", proof)

    assert done.out.startswith(f"✓ {proof}: 0 entries, place 1 of 5")
    assert check(proof)[1].startswith("✓ 0 entries, 0 points, under checkpoint 1")


def changed(told: Any, *path: Any, value: Any) -> None:
    *to, last = path
    for step in to:
        told = told[step]
    told[last] = value


@pytest.mark.parametrize(
    ("case", "path", "value", "message"),
    [
        ("an amount", ["entries", 0, "covered", "points"], 9, "The entries add up to 57 points."),
        ("a date", ["entries", 0, "covered", "at"], "2020", "These entries are not what"),
        ("a text", ["entries", 1, "details", "said", "text"], "x", "What entry 2 says was ch"),
        ("an order", ["entries", 1, "covered", "sequence"], 3, "Entry 2 is missing."),
        ("the balance", ["balance"], 999, "The entries add up to 156 points."),
        ("the place", ["place"], 2, "These entries are not what the checkpoint covers."),
        ("a short path", ["path"], [], "The path to the root is too short."),
        ("another member", ["member"], "0" * 32, "These entries are not what the checkpoint"),
        ("another programme", ["checkpoint", "program"], "0" * 32, "These entries are not what"),
        ("the signature", ["checkpoint", "at"], "2020", "The checkpoint's signature does not fit"),
    ],
)
def test_a_proof_that_was_changed_is_refused(
    proof: Path, case: str, path: list[Any], value: Any, message: str
):
    told = orjson.loads(proof.read_bytes())
    changed(told, *path, value=value)
    proof.write_bytes(orjson.dumps(told))

    code, out, err = check(proof)

    assert (code, out) == (1, "")
    assert err.startswith(f"✗ {message}")


def test_no_proof_is_written_of_what_was_changed_after_it_was_signed(
    call: CommandLine, busy: Member, proof: Path, write: Callable[[str], None]
):
    before = proof.read_bytes()
    write("UPDATE transfer SET points = points + 1 WHERE sequence = 3")

    done = call("ledger", "proof", busy.number, "-o", proof)

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("LEDGER_DIFFERS This member's entries are not those that were")
    assert proof.read_bytes() == before


@pytest.mark.parametrize(
    ("case", "words", "message"),
    [
        ("nobody", ["Grace"], "NOT_FOUND There is no member Grace in this programme.\n"),
        ("no checkpoint", ["ada@example.com"], "NO_CHECKPOINT This member is in no checkpoint "),
        (
            "no such checkpoint",
            ["ada@example.com", "--checkpoint", "3"],
            "NOT_FOUND There is no checkpoint 3 in this programme.\n",
        ),
    ],
)
def test_what_cannot_be_proven_is_one_line(
    call: CommandLine, busy: Member, tmp_path: Path, case: str, words: list[str], message: str
):
    file = tmp_path / "proof.json"

    done = call("ledger", "proof", *words, "-o", file)

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(message)
    assert not file.exists()


def test_who_joined_after_the_checkpoint_has_none(
    call: CommandLine, busy: Member, proof: Path, database_url: str
):
    async def join() -> str:
        async with open_database(database_url):
            return (await Shop(busy.program_id, utc_now()).enrol()).number

    done = call("ledger", "proof", asyncio.run(join()))

    assert done.err.startswith("NO_CHECKPOINT ")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "✗ This cannot be read: "),
        ("no JSON", "✗ This cannot be read: "),
        ("[]", "✗ {} is no proof.\n"),
        ('{"checkpoint": {}}', "✗ {} is no proof.\n"),
    ],
)
def test_what_is_no_proof_is_one_line_to_the_outsider_too(
    tmp_path: Path, content: str | None, told: str
):
    file = tmp_path / "some.json"
    if content is not None:
        file.write_text(content)

    code, out, err = check(file)

    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(told.format(file))


def test_the_outsider_is_told_what_to_hand_in():
    assert check() == (1, "", "✗ Say which: python3 check_proof.py proof.json [kept.json]\n")
