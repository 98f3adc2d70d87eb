"""The committed schema is the one that is served, and every part of it is described."""

from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
)

from loyalty_graph.graphql.schema import SCHEMA
from tools import check_schema


def undescribed(kind: GraphQLNamedType) -> list[str]:
    parts = [("", kind)]
    if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
        for name, field in kind.fields.items():
            parts.append((name, field))
            parts += [(f"{name}({argument})", one) for argument, one in field.args.items()]
    elif isinstance(kind, GraphQLInputObjectType):
        parts += list(kind.fields.items())
    elif isinstance(kind, GraphQLEnumType):
        parts += list(kind.values.items())
    return [f"{kind.name}.{name}" for name, part in parts if not part.description]


def test_everything_in_the_schema_is_described():
    kinds = SCHEMA._schema.type_map.values()

    missing = [
        place for kind in kinds if not kind.name.startswith("__") for place in undescribed(kind)
    ]

    assert missing == []


def test_every_root_field_needs_a_scope_but_the_public_ones():
    core = SCHEMA._schema
    assert core.query_type is not None
    assert core.mutation_type is not None

    open_to_all = {
        name
        for root in (core.query_type, core.mutation_type)
        for name, field in root.fields.items()
        if "Needs the scope" not in (field.description or "")
    }

    assert open_to_all == {"version", "program", "ledgerIntegrity"}


def test_every_mutation_takes_one_input_and_may_be_null():
    core = SCHEMA._schema
    assert core.mutation_type is not None

    for name, field in core.mutation_type.fields.items():
        kind = name[0].upper() + name[1:]
        assert {argument: str(one.type) for argument, one in field.args.items()} == {
            "input": f"{kind}Input!"
        }
        assert str(field.type) == f"{kind}Payload"


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
