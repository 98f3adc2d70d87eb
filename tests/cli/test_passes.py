"""Building, verifying and showing pass files."""

import asyncio
import json
import re
from pathlib import Path

import pytest

from loyalty_graph.db import open_database
from loyalty_graph.members.models import Member
from loyalty_graph.wallet.apple import logs
from tests.cli.conftest import CommandLine
from tests.shop import NOON
from tests.wallet.making import changed


@pytest.fixture
def card(call: CommandLine, ada: Member, tmp_path: Path) -> Path:
    """A pass file of a member with 216 points."""
    path = tmp_path / "ada.pkpass"
    assert call("pass", "build", ada.number, "-o", path).code == 0
    return path


def test_a_built_card_holds_every_check(call: CommandLine, ada: Member, tmp_path: Path):
    path = tmp_path / "ada.pkpass"

    built = call("pass", "build", ada.id, "--output", path)
    verified = call("pass", "verify", path)

    assert built.out == f"✓ {path}, {path.stat().st_size:,} bytes\n"
    assert built.err.startswith("Signed by the development CA: phones will not add it.")
    assert (verified.code, verified.err) == (0, "")
    assert re.fullmatch(r"(✓ [a-z ]+\n){11}", verified.out)
    assert call("pass", "verify", path, "--json").json["passed"] is True


def test_a_card_is_shown_with_what_it_says_of_itself(call: CommandLine, card: Path):
    done = call("pass", "show", card)
    as_json = call("pass", "show", card, "--json").json

    assert (done.code, done.err) == (0, "")
    assert "  beans            216\n" in done.out
    assert "(development CA)" in done.out
    assert re.search(r"^  pass\.json +[\d,]+ bytes$", done.out, re.MULTILINE)
    assert as_json["card"]["storeCard"]["primaryFields"][0]["value"] == "216"
    assert as_json["development"] is True


def test_a_changed_card_is_found_out(call: CommandLine, card: Path):
    text = json.dumps({"formatVersion": 1, "storeCard": {"headerFields": [7], "backFields": 7}})
    card.write_bytes(changed(card.read_bytes(), {"pass.json": text.encode()}))

    done = call("pass", "verify", card)

    assert done.code == 1
    assert "✗ sums: pass.json was changed: " in done.out
    failed = [one["name"] for one in call("pass", "verify", card, "--json").json["checks"]]
    assert "sums" in failed
    assert call("pass", "show", card).code == 0, "whatever it says of itself can be shown"


def test_a_card_is_not_trusted_under_another_root(
    call: CommandLine, card: Path, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LOYALTY_DATA_DIR", str(tmp_path / "other"))
    made = call("pass", "verify", card)
    own = call("pass", "verify", card, "--root", data_dir / "development-ca" / "root.pem")
    wrong = call("pass", "verify", card, "--root", data_dir / "development-ca" / "certificate.pem")

    assert (made.code, made.err) == (
        1,
        "INVALID_INPUT There is no development CA here; name the root with --root.\n",
    )
    assert not (tmp_path / "other").exists()
    assert own.code == 0
    assert wrong.code == 1
    assert "✗ chain: " in wrong.out


@pytest.mark.parametrize(
    ("case", "content", "shown", "verified"),
    [
        ("missing", None, "cannot be read: No such file or directory.", "cannot be read: No su"),
        ("no pass", b"Dear Ada", "is no pass file: the archive is damaged", "✗ archive: the archi"),
        ("empty", b"", "is no pass file: the archive is damaged", "✗ archive: the archive is dam"),
        ("cut", 2000, "is no pass file: the archive is damaged", "✗ archive: the archive is dam"),
    ],
)
def test_a_file_that_is_no_whole_pass_is_refused(
    call: CommandLine,
    card: Path,
    *,
    case: str,
    content: bytes | int | None,
    shown: str,
    verified: str,
):
    if content is None:
        card.unlink()
    else:
        data = card.read_bytes()[:content] if isinstance(content, int) else content
        card.write_bytes(data)

    show, verify = call("pass", "show", card), call("pass", "verify", card)

    assert (show.code, verify.code) == (1, 1)
    assert shown in show.err
    assert verified in verify.out + verify.err
    assert "Traceback" not in show.err + verify.err


@pytest.mark.parametrize(
    ("case", "words", "message"),
    [
        ("nobody", ["932301534058"], "INVALID_INPUT"),
        ("no member", [f"{0:032}"], "NOT_FOUND There is no member"),
        ("no folder", ["ADA", "-o", "NOWHERE"], "cannot be written: No such file or dir"),
    ],
)
def test_what_cannot_be_built_is_refused(
    call: CommandLine,
    ada: Member,
    tmp_path: Path,
    *,
    case: str,
    words: list[str],
    message: str,
):
    places = {"ADA": ada.number, "NOWHERE": tmp_path / "absent" / "ada.pkpass"}

    done = call("pass", "build", *[places.get(word, word) for word in words])

    assert (done.code, done.out) == (1, "")
    assert message in done.err
    assert not list(tmp_path.glob("**/*.pkpass"))


def test_what_phones_said_is_shown_and_searched(call: CommandLine, database_url: str, ada: Member):
    async def say() -> None:
        async with open_database(database_url):
            await logs.keep(["No network", "Unchanged [bold]pass[/]"], now=NOON)

    asyncio.run(say())

    assert call("pass", "logs").out == (
        "2026-03-02 12:00:00 No network\n2026-03-02 12:00:00 Unchanged [bold]pass[/]\n"
    )
    assert call("pass", "logs", "network").out == "2026-03-02 12:00:00 No network\n"
    assert call("pass", "logs", "other").out == "No phone said anything like it.\n"
