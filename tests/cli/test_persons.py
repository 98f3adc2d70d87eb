"""Locking, exporting and forgetting the person behind a member."""

import io
from pathlib import Path

import orjson
import pytest

from loyalty_graph.members.models import Member
from tests.cli.conftest import CommandLine


def test_who_is_locked_is_shown_so_until_unlocked(call: CommandLine, ada: Member):
    locked = call("member", "lock", ada.number, "--reason", "A [lost] card")
    shown = call("member", "show", ada.number).out.splitlines()
    earning = call("member", "lock", ada.number, "--reason", "Found it", "--may-earn")
    lock = call("member", "show", ada.number, "--json").json["lock"]
    back = call("member", "unlock", ada.number, "--reason", "All is well")

    assert locked.out == f"✓ Member {ada.number} is locked: neither earns nor spends.\n"
    assert shown[:2] == [
        f"{ada.number}  suspended  216 points to spend",
        "  locked: cannot earn or spend. A [lost] card",
    ]
    assert earning.out == f"✓ Member {ada.number} is locked: earns, but cannot spend.\n"
    assert lock == {"reason": "Found it", "may_earn": True}
    assert back.out == f"✓ Member {ada.number} may earn and spend again.\n"
    assert call("member", "show", ada.number, "--json").json["lock"] is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("unlock", "ada", "--reason", "x"), "INVALID_INPUT The member is not locked.\n"),
        (
            ("lock", "ada", "--reason", " "),
            "INVALID_INPUT A lock needs a reason, and so does its end.\n",
        ),
        (
            ("lock", "Grace", "--reason", "x"),
            "NOT_FOUND There is no member Grace in this programme.\n",
        ),
        (("export", "Grace"), "NOT_FOUND There is no member Grace in this programme.\n"),
        (("erase", "Grace"), "NOT_FOUND There is no member Grace in this programme.\n"),
        (("erase", "Grace", "--yes"), "NOT_FOUND There is no member Grace in this programme.\n"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    call: CommandLine, ada: Member, words: tuple[str, ...], message: str
):
    done = call("member", *(ada.number if word == "ada" else word for word in words))

    assert (done.code, done.out, done.err) == (1, "", message)


def test_a_lock_without_a_reason_says_what_is_missing(call: CommandLine, ada: Member):
    done = call("member", "lock", ada.number)

    assert (done.code, done.out) == (2, "")
    assert "Missing option '--reason'" in done.err


def test_all_that_is_kept_is_written_for_the_member_alone(
    call: CommandLine, ada: Member, tmp_path: Path
):
    file = tmp_path / "ada.json"
    file.write_text("old")
    file.chmod(0o644)

    done = call("member", "export", ada.number, "-o", file)
    here = call("member", "export", ada.number).json

    data = orjson.loads(file.read_bytes())
    rows = sum(map(len, data["tables"].values()))
    assert done.out == (
        f"✓ {file}: all that is kept of the member, {rows} rows of {len(data['tables'])} tables.\n"
    )
    assert file.stat().st_mode & 0o777 == 0o600
    assert data["member"] == here["member"] == str(ada.id)
    assert [row["number"] for row in data["tables"]["member"]] == [ada.number]
    assert [row["points"] for row in here["tables"]["transfer"]] == [108, 108]


def test_an_export_that_cannot_be_written_says_so(call: CommandLine, ada: Member, tmp_path: Path):
    done = call("member", "export", ada.number, "-o", tmp_path / "no" / "ada.json")

    assert done.code == 1
    assert done.err == (
        f"INVALID_INPUT {tmp_path}/no/ada.json cannot be written: No such file or directory.\n"
    )


@pytest.mark.parametrize(("case", "answer"), [("no", "n\n"), ("nothing", "\n"), ("end", "")])
def test_nobody_is_forgotten_by_mistake(
    call: CommandLine, ada: Member, monkeypatch: pytest.MonkeyPatch, case: str, answer: str
):
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))

    done = call("member", "erase", ada.number)

    assert (done.code, done.out) == (1, "")
    asked, *_ = done.err.splitlines()
    assert asked == (
        f"This forgets member {ada.number} for good; at least 216 points will be forfeited."
        " There is no way back."
    )
    assert "Go on? [y/N]" in done.err
    assert done.err.endswith("Nothing was changed.\n")
    assert call("member", "show", ada.number, "--json").json["status"] == "ACTIVE"


@pytest.mark.parametrize(("case", "words"), [("asked", []), ("not asked", ["--yes"])])
def test_a_person_is_forgotten_and_the_books_still_verify(
    call: CommandLine, ada: Member, monkeypatch: pytest.MonkeyPatch, case: str, words: list[str]
):
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))

    done = call("member", "erase", ada.number, *words)

    assert (done.code, done.out) == (0, f"✓ {ada.id} is forgotten; 216 points forfeited.\n")
    assert call("member", "show", ada.number).code == 1
    assert call("member", "show", ada.id, "--json").json["status"] == "ERASED"
    assert "0 differences" in call("ledger", "verify").out
    [newest, *_] = call("audit", "--member", ada.id, "--json").json
    assert (newest["kind"], newest["actor"]) == ("member.erased", "cli")
