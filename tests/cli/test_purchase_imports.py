"""Recording the receipts of a file from the command line."""

from pathlib import Path

import pytest

from loyalty_graph.clock import utc_now
from loyalty_graph.members.models import Member
from tests.cli.conftest import CommandLine


@pytest.fixture
def file(tmp_path: Path, ada: Member) -> Path:
    path = tmp_path / "receipts.csv"
    path.write_text(
        "receipt,number,purchased_at,product_type,unit_amount\n"
        f"r-1,{ada.number},{utc_now().isoformat()},TEA,12.00\n"
    )
    return path


def test_receipts_of_a_file_are_recorded_once(call: CommandLine, file: Path):
    tried = call("purchases", "import", file, "--dry-run")
    first = call("purchases", "import", file)
    again = call("purchases", "import", file, "--json")

    assert tried.out == "✓ Nothing was written: 1 receipts, 0 known already, 0 wrong.\n"
    assert (first.code, first.err) == (0, "")
    assert first.out == "✓ Receipts: 1 recorded, 0 known already, 0 refused, 12 points.\n"
    assert again.json == {
        "receipts": 1,
        "known": 1,
        "recorded": 0,
        "points": 0,
        "refused": 0,
        "faults": [],
        "is_written": True,
    }


def test_what_is_wrong_is_shown_with_its_line(call: CommandLine, file: Path):
    file.write_text(file.read_text().replace("12.00", "a lot"))

    done = call("purchases", "import", file)

    assert done.code == 1
    assert done.out == "✗ Nothing was written: 1 receipts, 0 known already, 1 wrong.\n"
    assert "receipts.csv:2: lines[0].unit_amount: 'a lot' is not a decimal" in done.err.replace(
        "\n", " "
    )
