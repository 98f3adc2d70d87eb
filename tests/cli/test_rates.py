"""Importing and listing exchange rates."""

from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine

FILE = "day,currency,rate\n2026-03-02,EUR,1.0853\n2026-03-02,JPY,0.0066\n"
MARCH = ("--from", "2026-03-01", "--to", "2026-03-31")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rates.csv"
    path.write_text(FILE)
    return path


def test_a_file_is_imported_and_listed(call: CommandLine, shop_url: str, file: Path):
    first = call("rates", "import", file)
    again = call("rates", "import", file, "--json")
    listed = call("rates", "list", *MARCH)
    euros = call("rates", "list", *MARCH, "--currency", "EUR", "--json")

    assert first.out == "✓ Rates: 2 new, 0 changed, 0 known already.\n"
    assert again.json == {"added": 0, "changed": 0, "unchanged": 2, "dry_run": False}
    assert listed.out.splitlines() == [
        "  2026-03-02  EUR          1.0853  imported",
        "  2026-03-02  JPY          0.0066  imported",
    ]
    assert euros.json == [
        {"currency": "EUR", "day": "2026-03-02", "rate": "1.0853", "is_imported": True}
    ]


def test_a_dry_run_writes_nothing(call: CommandLine, shop_url: str, file: Path):
    tried = call("rates", "import", file, "--dry-run")
    listed = call("rates", "list", *MARCH)

    assert tried.out == "Nothing was written: 2 new, 0 changed, 0 known already.\n"
    assert listed.out == "No exchange rates are known for 2026-03-01 to 2026-03-31.\n"


def test_wrong_lines_are_named_and_nothing_is_imported(
    call: CommandLine, shop_url: str, file: Path
):
    file.write_text(FILE + "2026-03-01,EUR,one\n")

    refused = call("rates", "import", file)
    listed = call("rates", "list", *MARCH, "--json")

    assert (refused.code, refused.out) == (1, "")
    assert refused.err == (
        f"RATE_FILE {file}:4: 'one' is no rate; write a decimal such as 1.0853.\n"
    )
    assert listed.json == []
