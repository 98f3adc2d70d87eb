from enum import StrEnum
from typing import Any

import pytest
import strawberry

from loyalty_graph.graphql import leaves
from loyalty_graph.graphql.enums import describe_enum
from loyalty_graph.graphql.leaves import PLAIN
from loyalty_graph.graphql.schema import build_schema
from tests.api import Api, member_id
from tests.graphql.conftest import context_of


class Glaze(StrEnum):
    MATT = "MATT"


describe_enum(Glaze, "How it shines.", {Glaze.MATT: "Not at all."})


@strawberry.type
class Mug:
    number: int = 1
    name: str | None = None
    glaze: Glaze = Glaze.MATT
    sizes: list[int] = strawberry.field(default_factory=lambda: [1, 2])

    @strawberry.field
    def doubled(self, times: int = 2) -> int:
        return self.number * times


@strawberry.type
class MugQuery:
    @strawberry.field
    def mug(self) -> Mug | None:
        return Mug()

    @strawberry.field
    def huge(self) -> Mug | None:
        return Mug(number=2**31)

    @strawberry.field
    def hollow(self) -> Mug | None:
        return Mug(number=None)  # type: ignore[arg-type] # a bug of ours, on purpose


MUGS = build_schema(MugQuery)


async def ask(query: str) -> tuple[Any, list[tuple[str, Any]]]:
    result = await MUGS.execute(query, None, context_of())
    return result.data, [
        (error.extensions["code"], error.path) for error in result.errors or () if error.extensions
    ]


def test_only_fields_that_read_an_attribute_are_plain():
    fields = MUGS._schema.type_map["Mug"].fields

    assert {name for name, field in fields.items() if PLAIN in field.extensions} == {
        "number",
        "name",
        "glaze",
    }


async def test_plain_and_other_fields_are_answered_alike():
    data, errors = await ask("{ mug { a: number b: number name glaze sizes doubled __typename } }")

    assert errors == []
    assert data == {
        "mug": {
            "a": 1,
            "b": 1,
            "name": None,
            "glaze": "MATT",
            "sizes": [1, 2],
            "doubled": 2,
            "__typename": "Mug",
        }
    }


@pytest.mark.parametrize("name", ["huge", "hollow"])
async def test_what_cannot_be_written_is_an_error_in_its_place(name: str):
    data, errors = await ask(f"{{ {name} {{ name number }} mug {{ number }} }}")

    assert data == {name: None, "mug": {"number": 1}}
    assert [path for _, path in errors] == [[name, "number"]]


def test_the_long_way_leads_to_the_same_answer(api: Api, monkeypatch: pytest.MonkeyPatch):
    ada = api.run(api.shop.enrol, email="ada@example.com", first_name="Ada")
    api.run(api.shop.buy, ada)
    query = """query ($id: ID!) { program { id name clawback sandbox branding { label } }
        members { edges { cursor node { number status enrolledAt spend { amount } } } totalCount }
        node(id: $id) { id ... on Member { email phone birthday wallet { available debt }
            entries { nodes { id kind points at hash explanation { summary steps { text } }
                purchase { lines { number unitAmount { amount currencyCode } } } } } } } }"""
    variables = {"id": member_id(ada)}

    short = api.data(query, variables)
    monkeypatch.setattr(leaves, "_written", lambda _plain, _source: None)
    long = api.data(query, variables)

    assert short == long
    assert short["node"]["entries"]["nodes"][0]["points"] == 108
