"""The doctor command: a line for each thing, and an exit code for scripts."""

from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine


@pytest.mark.sqlite
@pytest.mark.usefixtures("shop_url")
def test_warnings_are_told_and_do_not_fail(call: CommandLine):
    done = call("doctor")

    assert done.code == 0
    assert "✓ schema                   0001_initial, the newest" in done.out
    assert "  → Set LOYALTY_PUBLIC_URL" in done.out
    assert done.out.endswith("\n4 warnings.\n")


def test_a_fault_is_exit_code_1_also_for_machines(call: CommandLine, tmp_path: Path):
    done = call("doctor", "--json", "--database", f"sqlite://{tmp_path}/none.sqlite3")

    assert done.code == 1
    assert (done.json["faults"], done.json["warnings"]) == (1, 4)
    last = done.json["checks"][-1]
    assert (last["name"], last["state"]) == ("database", "FAULT")
    assert "loyalty-graph migrate" in last["advice"]


@pytest.mark.sqlite
def test_all_that_is_well_is_said_so(
    call: CommandLine, shop_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    keys = tmp_path / "jwks.json"
    keys.write_text('{"keys": []}')
    issuer = f'[{{"issuer": "https://id.example", "audience": "a", "jwks": "{keys}"}}]'
    monkeypatch.setenv("LOYALTY_PUBLIC_URL", "https://cards.example.com")
    monkeypatch.setenv("LOYALTY_SECRET_KEY", "k" * 32)
    monkeypatch.setenv("LOYALTY_MEMBER_ISSUERS", issuer)

    done = call("doctor")

    assert (done.code, done.out.splitlines()[-1]) == (0, "1 warning.")  # The development CA.
