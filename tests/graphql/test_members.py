from datetime import timedelta

import pytest

from loyalty_graph.members.models import Member
from loyalty_graph.paging import Cursor
from tests.api import Api, member_id

FIND = "query ($ref: MemberRef!) { member(ref: $ref) { number } }"
PAGE = """query ($first: Int!, $after: String) { members(first: $first, after: $after) {
    nodes { firstName } edges { cursor node { firstName } } totalCount
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""


def enrol(api: Api, **profile: object) -> Member:
    return api.run(api.shop.enrol, **profile)


def test_a_new_member_has_a_number_and_an_empty_wallet(api: Api):
    given = {
        "email": " Ada@Example.COM ",
        "phone": "+49 151 12345678",
        "externalId": "crm-7",
        "firstName": "Ada",
        "lastName": "Lovelace",
        "birthday": "1990-12-10",
        "locale": "en-GB",
        "consents": ["TERMS", "MARKETING_EMAIL", "TERMS"],
        "source": "app",
    }

    done = api.do(
        "enrolMember",
        given,
        """member { number status email phone externalId firstName lastName birthday locale
        enrolledAt consents { purpose granted at source } purchaseCount lastPurchaseAt
        spend { amount currencyCode } wallet { available balance debt qualifying lifetime
        expirations { points } } entries { totalCount } }""",
        token=api.token("members:write"),
    )

    assert done["userErrors"] == []
    number = done["member"].pop("number")
    assert (len(number), number[0]) == (12, "9")
    noon = "2026-03-02T12:00:00Z"
    assert done["member"] == {
        "status": "ACTIVE",
        "email": "ada@example.com",
        "phone": "+4915112345678",
        "externalId": "crm-7",
        "firstName": "Ada",
        "lastName": "Lovelace",
        "birthday": "1990-12-10",
        "locale": "en-GB",
        "enrolledAt": noon,
        "consents": [
            {"purpose": "TERMS", "granted": True, "at": noon, "source": "app"},
            {"purpose": "MARKETING_EMAIL", "granted": True, "at": noon, "source": "app"},
        ],
        "purchaseCount": 0,
        "lastPurchaseAt": None,
        "spend": {"amount": "0.00", "currencyCode": "EUR"},
        "wallet": {
            "available": 0,
            "balance": 0,
            "debt": 0,
            "qualifying": 0,
            "lifetime": 0,
            "expirations": [],
        },
        "entries": {"totalCount": 0},
    }


def test_who_knows_nothing_of_a_member_can_still_enrol_one(api: Api):
    done = api.do("enrolMember", {}, "member { email locale consents { purpose } }")

    assert done["member"] == {"email": None, "locale": "en", "consents": []}


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        pytest.param({"email": "no address"}, "INVALID_INPUT", "email", id="e-mail"),
        pytest.param({"phone": "0151 123"}, "INVALID_INPUT", "phone", id="phone"),
        pytest.param({"externalId": " "}, "INVALID_INPUT", "externalId", id="external id"),
        pytest.param({"firstName": "x" * 101}, "INVALID_INPUT", "firstName", id="name"),
        pytest.param({"locale": "x" * 21}, "INVALID_INPUT", "locale", id="locale"),
        pytest.param({"source": "x" * 41}, "INVALID_INPUT", "source", id="source"),
        pytest.param({"email": "ADA@example.com"}, "MEMBER_EXISTS", "email", id="known e-mail"),
        pytest.param(
            {"externalId": "crm-7"}, "MEMBER_EXISTS", "externalId", id="known external id"
        ),
    ],
)
def test_a_refused_enrolment_changes_nothing(
    api: Api, given: dict[str, object], code: str, field: str
):
    enrol(api, email="ada@example.com", external_id="crm-7")

    assert api.refusal("enrolMember", given) == (code, field)


@pytest.mark.parametrize("birthday", ["1990-13-01", "10.12.1990", 19901210])
def test_a_birthday_is_a_day(api: Api, birthday: object):
    query = "mutation ($i: EnrolMemberInput!) { enrolMember(input: $i) { userErrors { code } } }"

    assert api.error(query, {"i": {"birthday": birthday}}) == "BAD_REQUEST"


def test_a_member_is_found_by_whatever_is_known(api: Api):
    ada = enrol(api, email="ada@example.com", phone="+4915112345678", external_id="crm-7")
    spaced = f"{ada.number[:4]} {ada.number[4:8]}-{ada.number[8:]}"

    for ref in (
        {"id": member_id(ada)},
        {"number": spaced},
        {"email": "ADA@Example.com"},
        {"phone": "+49 151 12345678"},
        {"externalId": "crm-7"},
    ):
        found = api.data(FIND, {"ref": ref}, token=api.token("members:read"))
        assert found == {"member": {"number": ada.number}}


@pytest.mark.parametrize(
    "ref",
    [
        pytest.param({"email": "nobody@example.com"}, id="e-mail"),
        pytest.param({"externalId": "crm-8"}, id="external id"),
        pytest.param({"number": "900000000001"}, id="number"),
    ],
)
def test_an_unknown_member_is_null(api: Api, ref: dict[str, str]):
    assert api.data(FIND, {"ref": ref}) == {"member": None}


@pytest.mark.parametrize(
    ("ref", "field"),
    [
        ({"id": "???"}, "ref.id"),
        ({"id": ""}, "ref.id"),
        ({"number": "900000000003"}, "ref.number"),
        ({"email": "ada"}, "ref.email"),
        ({"phone": "12"}, "ref.phone"),
        ({"externalId": ""}, "ref.externalId"),
    ],
)
def test_a_malformed_reference_names_its_part(api: Api, ref: dict[str, str], field: str):
    [error] = api.ask(FIND, {"ref": ref})["errors"]

    assert error["extensions"] == {"code": "INVALID_INPUT", "field": field}


@pytest.mark.parametrize("ref", [{}, {"email": "a@example.com", "number": "900000000001"}])
def test_a_reference_is_exactly_one_thing(api: Api, ref: dict[str, str]):
    assert api.error(FIND, {"ref": ref}) == "BAD_REQUEST"


def test_members_are_paged_in_the_order_they_joined(api: Api):
    for minutes, name in enumerate(("Ada", "Bob", "Cleo")):
        api.run(api.shop.later(timedelta(minutes=minutes)).enrol, first_name=name)

    first = api.data(PAGE, {"first": 2})["members"]
    second = api.data(PAGE, {"first": 2, "after": first["pageInfo"]["endCursor"]})["members"]

    assert [node["firstName"] for node in first["nodes"]] == ["Ada", "Bob"]
    assert [edge["node"]["firstName"] for edge in first["edges"]] == ["Ada", "Bob"]
    assert first["pageInfo"] == {
        "hasNextPage": True,
        "hasPreviousPage": False,
        "startCursor": first["edges"][0]["cursor"],
        "endCursor": first["edges"][1]["cursor"],
    }
    assert second["nodes"] == [{"firstName": "Cleo"}]
    assert (second["pageInfo"]["hasNextPage"], second["pageInfo"]["hasPreviousPage"]) == (
        False,
        True,
    )
    assert (first["totalCount"], second["totalCount"]) == (3, 3)


@pytest.mark.parametrize(
    "page",
    [
        pytest.param({"first": 0}, id="no rows"),
        pytest.param({"first": 101}, id="too many rows"),
        pytest.param({"first": 1, "after": "%%%"}, id="no cursor"),
        pytest.param({"first": 1, "after": Cursor("entries", (int,)).encode([1])}, id="another's"),
    ],
)
def test_a_page_that_cannot_be_is_refused(api: Api, page: dict[str, object]):
    assert api.error(PAGE, page) == "INVALID_INPUT"
