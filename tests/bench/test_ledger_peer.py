"""What is run for the peer, and what is said where it is not there."""

from pathlib import Path

import pytest

from bench.__main__ import table
from bench.ledger_peer import PATH_VARIABLE, scripts, vs_pgledger


def test_without_its_path_the_row_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(PATH_VARIABLE, raising=False)

    [row] = vs_pgledger()

    assert (row["skipped"], row["bar"], row["holds"]) == ("no path", 5.0, None)
    assert "skipped: no path" in table([row])


def test_what_it_needs_runs_before_it(tmp_path: Path):
    helpers = tmp_path / "vendor" / "ids"
    helpers.mkdir(parents=True)
    for name in ("to.sql", "from.sql", "README.md"):
        (helpers / name).touch()

    found = scripts(tmp_path / "peer.sql")

    assert found == [helpers / "from.sql", helpers / "to.sql", tmp_path / "peer.sql"]
