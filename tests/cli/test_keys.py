"""Showing keys without their secrets, and making new ones."""

from pathlib import Path

import pytest

from loyalty_graph.members.models import Member
from tests.cli.conftest import CommandLine


def shown(call: CommandLine) -> list[tuple[str, str, bool]]:
    done = call("keys", "--json")
    assert (done.code, done.err) == (0, "")
    return [(one["kind"], one["name"], one["newest"]) for one in done.json["keys"]]


def test_an_installation_without_keys_rests_on_the_secret_key(call: CommandLine, data_dir: Path):
    assert shown(call) == [("pass", "the secret key", True), ("link", "the secret key", True)]
    assert call("keys").out.count("made at the first start") == 2
    assert not data_dir.exists()


def test_each_kind_gets_a_new_key_and_no_secret_is_shown(
    call: CommandLine, ada: Member, data_dir: Path
):
    assert call("token", "member", ada.number).code == 0
    assert call("ledger", "checkpoint").code == 0

    done = [call("keys", "rotate", kind) for kind in ("pass", "link", "member", "checkpoint")]
    listed = call("keys")

    assert [one.code for one in done] == [0, 0, 0, 0]
    assert done[0].out == (
        f"✓ pass: generation 1, {data_dir}/pass-keys/0001.key\n"
        "  New passes use it; those in phones keep theirs for life.\n"
    )
    names = shown(call)
    assert names[:5] == [
        ("pass", "the secret key", False),
        ("pass", "generation 1", True),
        ("link", "the secret key", False),
        ("link", "generation 1", True),
        ("member", "development", False),
    ]
    assert [(kind, newest) for kind, _, newest in names[5:]] == [
        ("member", True),
        ("checkpoint", False),
        ("checkpoint", True),
    ]
    assert "generation 1" in listed.out
    assert ", today\n" in listed.out
    for one in (*done, listed):
        for path in data_dir.glob("*-keys/*.key"):
            assert path.read_text() not in one.out
    assert call("ledger", "checkpoint").code == 0
    assert call("ledger", "verify").code == 0


def test_keys_of_settings_are_added_there(call: CommandLine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LOYALTY_SECRET_KEY", "s" * 32)
    monkeypatch.setenv("LOYALTY_PASS_TOKEN_KEYS", f'["{"k" * 32}"]')

    done = call("keys", "rotate", "pass")

    assert done.code == 1
    assert done.err.startswith("SETTINGS LOYALTY_PASS_TOKEN_KEYS is set: add a key of at least 32")
    assert shown(call)[:2] == [("pass", "the secret key", False), ("pass", "generation 1", True)]
    assert "kkkk" not in call("keys").out + done.err
    assert "ssss" not in call("keys").out
