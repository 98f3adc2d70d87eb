"""Bringing balances along from a file."""

from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine

FILE = "external_id,points,expires_at\n7,100,2099-06-30\n8,50,never\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "old.csv"
    path.write_text(FILE)
    return path


def test_a_file_is_imported_once(call: CommandLine, shop_url: str, file: Path):
    first = call("balances", "import", file, "--source", "old-crm")
    again = call("balances", "import", file, "--source", "old-crm", "--json")
    listed = call("balances", "list")
    shown = call("member", "show", "7", "--json")

    assert (first.code, first.err) == (0, "")
    assert first.out == (
        "✓ Balances: 2 rows imported, 0 known already, 0 refused, 2 new members, 150 points.\n"
    )
    told = again.json
    assert {name: told[name] for name in ("source", "rows", "done", "imported", "known")} == {
        "source": "old-crm",
        "rows": 2,
        "done": 2,
        "imported": 0,
        "known": 2,
    }
    assert (told["points"], told["faults"], told["dry_run"]) == (0, [], False)
    assert [line.split()[2:] for line in listed.out.splitlines()] == [
        ["old-crm", "2", "of", "2", "0", "points", "done"],
        ["old-crm", "2", "of", "2", "150", "points", "done"],
    ]
    assert shown.json["balance"] == 100


def test_imports_are_listed_as_json(call: CommandLine, shop_url: str, file: Path):
    none = call("balances", "list")
    call("balances", "import", file)
    listed = call("balances", "list", "--json")

    assert none.out == "There was no import of balances.\n"
    assert [(one["source"], one["imported"]) for one in listed.json] == [("import", 2)]


def test_a_dry_run_writes_nothing(call: CommandLine, shop_url: str, file: Path):
    tried = call("balances", "import", file, "--dry-run")
    listed = call("balances", "list")

    assert (tried.code, tried.out) == (
        0,
        "Nothing was written: 2 rows to import, 0 known already, 2 new members, 150 points.\n",
    )
    assert listed.out == "There was no import of balances.\n"


def test_wrong_rows_are_named_and_nothing_is_imported(call: CommandLine, shop_url: str, file: Path):
    file.write_bytes(FILE.encode() + b"9,1,soon\n\xff,1,never\n" + b",1,never\n" * 20)

    refused = call("balances", "import", file)
    as_json = call("balances", "import", file, "--json")

    lines = refused.err.splitlines()
    assert refused.code == 1
    assert lines[0] == (f"{file}:4: expires_at: soon is no day; write one such as 2026-11-22.")
    assert lines[1] == f"{file}:5: external_id: It is no text in UTF-8."
    assert lines[-1] == "2 more rows are wrong."
    assert refused.out.startswith("✗ 22 of 24 rows are wrong. Nothing was written")
    assert (as_json.code, as_json.json["refused"], len(as_json.json["faults"])) == (1, 22, 22)
    assert as_json.json["faults"][0] == {
        "line": 4,
        "code": "INVALID_INPUT",
        "field": "expires_at",
        "message": "soon is no day; write one such as 2026-11-22.",
    }


@pytest.mark.parametrize(
    ("case", "name", "message"),
    [
        ("no such file", "nothing.csv", "cannot be read: No such file"),
        ("a strange ending", "old.xlsx", "does not end in .csv, .jsonl, .ndjson."),
    ],
)
def test_a_file_that_cannot_be_read_is_told(
    call: CommandLine, shop_url: str, tmp_path: Path, case: str, name: str, message: str
):
    done = call("balances", "import", tmp_path / name)

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("INVALID_INPUT ")
    assert message in done.err
