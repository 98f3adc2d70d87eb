"""The committed schema is the one that is served, and what it asks of whom."""

from pathlib import Path

import pytest

from loyalty_graph.graphql.schema import SCHEMA
from tools import check_schema


def test_every_root_field_needs_a_scope_but_the_public_ones():
    core = SCHEMA._schema
    assert core.query_type is not None
    assert core.mutation_type is not None

    open_to_all = {
        name
        for root in (core.query_type, core.mutation_type)
        for name, field in root.fields.items()
        if "Needs " not in (field.description or "")
    }

    assert open_to_all == {
        "version",
        "program",
        "ledgerIntegrity",
        "ledgerCheckpoints",
        "tiers",
        "subscriptionPlans",
        "rewards",
    }


def test_the_committed_schema_is_the_one_that_is_served():
    committed = check_schema.COMMITTED.read_text(encoding="utf-8")

    assert committed == SCHEMA.as_str() + "\n"
    assert check_schema.main() == 0


def test_a_schema_file_that_differs_is_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    stale = tmp_path / "schema.graphql"
    stale.write_text(SCHEMA.as_str().replace("type Wallet", "type Purse"), encoding="utf-8")
    monkeypatch.setattr(check_schema, "COMMITTED", stale)

    assert check_schema.main() == 1

    told = capsys.readouterr().out
    assert "-type Purse {" in told
    assert "+type Wallet {" in told
    assert "run `make schema`" in told
