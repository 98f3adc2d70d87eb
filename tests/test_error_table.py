"""The codes are in the schema, and the committed table of them is the one the errors make."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import loyalty_graph
from loyalty_graph import errors
from loyalty_graph.graphql.schema import SCHEMA
from tools import error_table

OPERATORS = {
    "RATE_FILE",
    "TEMPLATE",
    "CERTIFICATE",
    "SETTINGS",
    "DEVICE",
    "DATABASE",
    "DATABASE_AWAY",
    "DATABASE_NOT_OURS",
    "DATABASE_NEWER",
    "OLDER_PROCESSES",
    "CONTRACTION_WAITS",
    "BACKUP",
    "CHECKPOINT_FILE",
    "CHECKPOINT_OF_OTHERS",
    "LEDGER_DIFFERS",
    "NO_CHECKPOINT",
}


def modules_of_errors() -> list[ModuleType]:
    """Find every package's errors, so that none is forgotten."""
    found = Path(loyalty_graph.__path__[0]).glob("*/errors.py")
    names = [f"loyalty_graph.{path.parent.name}.errors" for path in found]
    return [errors, *map(import_module, names)]


def test_every_error_is_in_the_schema_but_the_operators():
    every = {
        kind.code
        for module in modules_of_errors()
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, errors.LoyaltyError)
    }

    in_the_schema = set(SCHEMA._schema.type_map["ErrorCode"].values)

    assert every - in_the_schema == {"LOYALTY", *OPERATORS}
    assert in_the_schema <= every


def test_the_committed_table_is_the_one_the_errors_make():
    assert error_table.main(["--check"]) == 0


def test_a_stale_table_is_told_with_what_to_do_and_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(error_table, "TABLE", tmp_path / "errors.md")

    assert error_table.main(["--check"]) == 1
    assert "run `make schema`" in capsys.readouterr().out
    assert error_table.main([]) == 0
    assert error_table.main(["--check"]) == 0
    assert "| `NOT_FOUND` | No such thing" in (tmp_path / "errors.md").read_text()
