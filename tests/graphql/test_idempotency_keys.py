"""A key may stand in the input or in the header Idempotency-Key, and means the same."""

from typing import Any

import pytest
from graphql import GraphQLInputObjectType, get_named_type, is_non_null_type

from loyalty_graph.graphql.schema import SCHEMA
from loyalty_graph.members.models import Member
from tests.api import ADMIN, Api, member_id, receipt

KEYLESS = {
    *("recordPurchases", "recordActivities", "issuePass", "refreshPass", "voidPass"),
    *("updateMember", "setConsent", "revokeCardLink", "pauseRollout", "resumeRollout"),
    "exportMemberData",
}
"""Each item of the first two has its own key; the others do no more when they are done again."""
ADJUST = """mutation ($input: AdjustPointsInput!) { adjustPoints(input: $input) {
    userErrors { code field } balance replayed } }"""
MANY = """mutation ($input: RecordPurchasesInput!) { recordPurchases(input: $input) {
    results { userErrors { code field } balance replayed } } }"""


@pytest.fixture
def ada(api: Api) -> Member:
    return api.run(api.shop.enrol)


def ask(api: Api, query: str, given: dict[str, Any], header: str | None = None) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {api.token(ADMIN)}"}
    if header is not None:
        headers["Idempotency-Key"] = header
    body = {"query": query, "variables": {"input": given}}
    [payload] = api.client.post("/graphql", json=body, headers=headers).json()["data"].values()
    found: dict[str, Any] = payload
    return found


def gift(member: Member, **changes: Any) -> dict[str, Any]:
    return {"member": {"id": member_id(member)}, "points": 5, "reason": "a gift", **changes}


@pytest.mark.parametrize("header", ["k-1", '"k-1"'])
def test_the_header_and_the_input_are_one_key(api: Api, ada: Member, header: str):
    first = ask(api, ADJUST, gift(ada), header)
    again = ask(api, ADJUST, gift(ada, idempotencyKey="k-1"))
    both = ask(api, ADJUST, gift(ada, idempotencyKey="k-1"), header)

    assert first == {"userErrors": [], "balance": 5, "replayed": False}
    assert again == both == {**first, "replayed": True}


@pytest.mark.parametrize(
    ("changes", "header", "code"),
    [
        ({}, None, "INVALID_INPUT"),
        ({}, "", "INVALID_INPUT"),
        ({}, "x" * 256, "INVALID_INPUT"),
        ({"idempotencyKey": "k-1"}, "k-2", "IDEMPOTENCY_KEYS_DIFFER"),
        ({"points": 6}, "used", "IDEMPOTENCY_MISMATCH"),
    ],
)
def test_a_key_that_will_not_do_changes_nothing(
    api: Api, ada: Member, changes: dict[str, Any], header: str | None, code: str
):
    ask(api, ADJUST, gift(ada), "used")
    before = api.everything()

    refused = ask(api, ADJUST, gift(ada, **changes), header)

    assert refused["userErrors"] == [{"code": code, "field": "idempotencyKey"}]
    assert api.everything() == before


def test_a_header_gives_each_item_of_a_batch_a_key_of_its_own(api: Api, ada: Member):
    with_key, without = receipt(ada), receipt(ada)
    del without["idempotencyKey"]
    given = {"purchases": [without, {**with_key, "idempotencyKey": "batch/1"}]}

    first = ask(api, MANY, given, "batch")["results"]
    again = ask(api, MANY, given, "batch")["results"]

    assert [one["balance"] for one in first] == [108, 216]
    assert again == [{**one, "replayed": True} for one in first]


def test_somebody_who_joins_again_with_the_same_key_is_the_same(api: Api):
    given = {"idempotencyKey": "join", "email": "ada@example.com"}

    first = api.do("enrolMember", given, "member { id number } replayed")
    again = api.do("enrolMember", given, "member { id number } replayed")

    assert first["replayed"] is False
    assert again == {**first, "replayed": True}
    assert api.refusal("enrolMember", {**given, "firstName": "Ada"}) == (
        "IDEMPOTENCY_MISMATCH",
        "idempotencyKey",
    )


def test_every_mutation_takes_a_key_that_the_header_may_hold_instead():
    core = SCHEMA._schema
    assert core.mutation_type is not None
    for name, mutation in core.mutation_type.fields.items():
        given = get_named_type(mutation.args["input"].type)
        assert isinstance(given, GraphQLInputObjectType)
        if name in KEYLESS:
            continue
        assert not is_non_null_type(given.fields["idempotencyKey"].type), name
        assert "replayed" in get_named_type(mutation.type).fields, name
