"""Segments through the API: names, numbers of members, and the members themselves."""

from typing import Any

from loyalty_graph.identity.rules import Scope
from tests.api import Api, member_id
from tests.shop import PROGRAM

REGULARS: dict[str, Any] = {
    "code": "REGULARS",
    "name": "Regulars",
    "when": {"member": {"purchase_count": {"at_least": 1}}},
}
NEW = {"code": "NEW", "name": "New", "when": {"not": REGULARS["when"]}}
ASK = """query ($first: Int!, $after: String) { segments { code name memberCount
    members(first: $first, after: $after) { totalCount pageInfo { hasNextPage endCursor }
      nodes { id purchaseCount } } } }"""


def test_segments_show_who_is_in_them(api: Api):
    api.open_shop({**PROGRAM, "segments": [REGULARS, NEW]})
    ada, bob, eve = (api.run(api.shop.enrol) for _ in range(3))
    api.run(api.shop.buy, bob)

    regulars, new = api.data(ASK, {"first": 1})["segments"]

    assert (regulars["code"], regulars["name"], regulars["memberCount"]) == (
        "REGULARS",
        "Regulars",
        1,
    )
    assert regulars["members"]["nodes"] == [{"id": member_id(bob), "purchaseCount": 1}]
    assert (new["memberCount"], new["members"]["totalCount"]) == (2, 2)
    assert new["members"]["nodes"] == [{"id": member_id(ada), "purchaseCount": 0}]
    page = new["members"]["pageInfo"]
    assert page["hasNextPage"]
    _, new = api.data(ASK, {"first": 1, "after": page["endCursor"]})["segments"]
    assert new["members"]["nodes"] == [{"id": member_id(eve), "purchaseCount": 0}]


def test_a_programme_without_segments_has_an_empty_list(api: Api):
    assert api.data("{ segments { code memberCount } }") == {"segments": []}


def test_a_segment_has_pages_of_a_hundred_at_most(api: Api):
    api.open_shop({**PROGRAM, "segments": [NEW]})

    assert api.error(ASK, {"first": 101}) == "INVALID_INPUT"


def test_members_and_partners_without_the_scope_see_no_segments(api: Api, ada_asks: str):
    api.open_shop({**PROGRAM, "segments": [NEW]})

    for token in (ada_asks, api.token(Scope.PURCHASES_WRITE)):
        assert api.error("{ segments { code } }", token=token) == "FORBIDDEN"
