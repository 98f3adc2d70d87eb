from typing import Any

import pytest

from tests.graphql.conftest import CUPBOARD, CUPS, batches, context_of

PAGE = """
query ($first: Int, $after: String) {
  cups(first: $first, after: $after) {
    nodes { number }
    edges { cursor node { number } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""


async def page(**variables: object) -> dict[str, Any]:
    result = await CUPBOARD.execute(PAGE, variables, context_of())
    assert result.errors is None
    assert result.data is not None
    cups: dict[str, Any] = result.data["cups"]
    return cups


async def test_a_list_is_walked_page_by_page():
    seen, after = [], None

    for _ in range(3):
        cups = await page(first=12, after=after)
        seen += [cup["number"] for cup in cups["nodes"]]
        after = cups["pageInfo"]["endCursor"]

    assert seen == list(range(1, 31))
    assert cups["pageInfo"] == {
        "hasNextPage": False,
        "hasPreviousPage": True,
        "startCursor": CUPS.encode((25,)),
        "endCursor": CUPS.encode((30,)),
    }


async def test_a_page_has_20_unless_asked():
    cups = await page()

    assert len(cups["nodes"]) == 20
    assert [edge["node"] for edge in cups["edges"]] == cups["nodes"]
    assert cups["edges"][4]["cursor"] == CUPS.encode((5,))
    assert cups["pageInfo"]["hasNextPage"] is True
    assert cups["pageInfo"]["hasPreviousPage"] is False


async def test_an_empty_page_has_no_cursors():
    cups = await page(after=CUPS.encode((30,)))

    assert cups["nodes"] == []
    assert cups["pageInfo"]["startCursor"] is None
    assert cups["pageInfo"]["endCursor"] is None


async def test_the_total_is_counted_only_when_asked_for():
    await page()
    assert batches == []

    result = await CUPBOARD.execute("{ cups { totalCount } }", None, context_of())

    assert result.data == {"cups": {"totalCount": 300}}
    assert batches == [("count", [], None)]


@pytest.mark.parametrize(
    ("arguments", "field"), [("first: 101", "first"), ('after: "Incorrect padding"', "after")]
)
async def test_a_page_that_cannot_be_is_refused_by_its_argument(arguments: str, field: str):
    result = await CUPBOARD.execute(
        f"{{ cups({arguments}) {{ nodes {{ number }} }} }}", None, context_of()
    )

    assert result.data is None
    (error,) = result.errors or []
    assert error.extensions == {"code": "INVALID_INPUT", "field": field}


def test_connections_and_edges_are_named_after_their_nodes():
    sdl = CUPBOARD.as_str()

    assert "type CupConnection {" in sdl
    assert "edges: [CupEdge!]!" in sdl
