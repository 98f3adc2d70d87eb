"""Signing the ledger from the command line, and holding it against what was published."""

from pathlib import Path

import orjson
import pytest

from loyalty_graph.members.models import Member
from tests.cli.conftest import CommandLine


def test_a_checkpoint_is_made_published_and_proves_the_ledger(
    call: CommandLine, ada: Member, tmp_path: Path
):
    file = tmp_path / "checkpoint.json"

    made = call("ledger", "checkpoint", "--publish", file)
    proven = call("ledger", "verify", "--checkpoint", file)

    assert (made.code, made.err) == (0, "")
    assert made.out.startswith("✓ Checkpoint 1: 2 accounts, 2 transfers, signed with key ")
    assert made.out.endswith(f"  Keep {file} where nobody who runs this can change it.\n")
    assert (proven.code, proven.out) == (
        0,
        "✓ 2 accounts, 2 transfers, 1 checkpoint, 0 differences\n",
    )


def test_what_was_published_is_what_is_printed_as_json(
    call: CommandLine, ada: Member, tmp_path: Path
):
    file = tmp_path / "checkpoint.json"

    made = call("ledger", "checkpoint", "--publish", file, "--json")

    assert made.json == orjson.loads(file.read_bytes())
    assert {name: made.json[name] for name in ("number", "heads", "transfers", "previous")} == {
        "number": 1,
        "heads": 2,
        "transfers": 2,
        "previous": None,
    }


def test_one_that_was_not_signed_here_is_found(call: CommandLine, ada: Member, tmp_path: Path):
    file = tmp_path / "checkpoint.json"
    call("ledger", "checkpoint", "--publish", file)
    file.write_bytes(file.read_bytes().replace(b'"heads":2', b'"heads":3'))

    done = call("ledger", "verify", "--checkpoint", file)
    as_json = call("ledger", "verify", "--member", ada.number, "--checkpoint", file, "--json")

    assert (done.code, as_json.code) == (1, 1)
    assert done.out == (
        "✗ checkpoint 1: as published: its signature does not fit it\n"
        "✗ checkpoint 1: the one that was published is not among those stored\n"
        "✗ 2 accounts, 2 transfers, 1 checkpoint, 2 differences\n"
    )
    assert as_json.json["findings"][1] == {
        "member": None,
        "sequence": None,
        "checkpoint": 1,
        "problem": "the one that was published is not among those stored",
    }


def test_a_new_key_signs_from_now_on(call: CommandLine, ada: Member):
    first = call("ledger", "checkpoint").out

    rotated = call("ledger", "rotate-key")
    second = call("ledger", "checkpoint").out

    name = rotated.out.split()[6]
    assert rotated.out == f"✓ Checkpoints are signed with key {name} from now on.\n"
    assert second.endswith(f"signed with key {name}\n")
    assert name not in first
    assert call("ledger", "verify").code == 0


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a file that is no checkpoint."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.json").write_text("{}")
    return tmp_path


@pytest.mark.parametrize(
    ("case", "words", "message"),
    [
        ("no file", ["verify", "--checkpoint", "gone.json"], "INVALID_INPUT gone.json cannot be"),
        ("no checkpoint", ["verify", "--checkpoint", "other.json"], "CHECKPOINT_FILE This is not"),
        ("no folder", ["checkpoint", "--publish", "no/c.json"], "INVALID_INPUT no/c.json cannot"),
        ("no key", ["rotate-key"], "SETTINGS "),
    ],
)
def test_what_cannot_be_done_is_one_line(
    call: CommandLine,
    ada: Member,
    folder: Path,
    case: str,
    words: list[str],
    message: str,
):
    done = call("ledger", *words)

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(message)
    assert done.err.count("\n") == 1
    assert not (folder / "no").exists()
