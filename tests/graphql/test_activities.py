from typing import Any

import pytest

from loyalty_graph.graphql.ids import encode_id
from loyalty_graph.members.models import Member
from loyalty_graph.purchases.rules import ActivityKind
from tests.api import Api, member_id
from tests.delays import all_wait, waiting
from tests.shop import DAY, NOON, PROGRAM, Shop

RULES: list[dict[str, Any]] = [
    {
        "code": "FOLLOWS",
        "name": "Follow us",
        "on": "SOCIAL_FOLLOW",
        "points": 20,
        "once_per": "NETWORK",
    },
    {
        "code": "VISITS",
        "name": "Drop in",
        "on": "CHECK_IN",
        "points": 5,
        "cooldown_hours": 20,
    },
]
DONE = """points balance replayed member { id } entry { kind points activity { id } purchase { id }
    explanation { summary } }
    activity { id kind network store points reason occurredAt entry { points }
    outcomes { rule name points reason until } }"""


@pytest.fixture
def shop(api: Api) -> Shop:
    return api.open_shop({**PROGRAM, "earning": {**PROGRAM["earning"], "rules": RULES}})


@pytest.fixture
def ada(api: Api, shop: Shop) -> Member:
    return api.run(shop.enrol, email="ada@example.com")


def follow(member: Member, key: str = "k", **changes: Any) -> dict[str, Any]:
    given = {"kind": "SOCIAL_FOLLOW", "network": "instagram", **changes}
    return {"idempotencyKey": key, "member": {"id": member_id(member)}, **given}


def visit(ada: Member, key: str, /, **changes: Any) -> dict[str, Any]:
    given = {"kind": "CHECK_IN", "store": "mitte", **changes}
    return {"idempotencyKey": key, "member": {"id": member_id(ada)}, **given}


def test_points_of_an_activity_that_wait_name_it(api: Api, ada: Member):
    with waiting(all_wait(14)):
        done = api.do("recordActivity", follow(ada), DONE)

    entry = done["entry"]
    assert (done["points"], done["balance"]) == (20, 0)
    assert (entry["kind"], entry["activity"], entry["purchase"]) == (
        "EARN_PENDING",
        {"id": done["activity"]["id"]},
        None,
    )
    assert entry["explanation"]["summary"] == "20 beans are waiting until Mar 16, 2026: Follow us."


def test_a_till_records_what_a_member_did_and_sees_why_it_earned(api: Api, ada: Member):
    token = api.token("purchases:write", "members:read")

    done = api.do("recordActivity", follow(ada), DONE, token=token)
    again = api.do("recordActivity", follow(ada), DONE, token=token)

    assert (done["points"], done["balance"], done["member"]) == (20, 20, {"id": member_id(ada)})
    activity = done["activity"]
    assert (activity["kind"], activity["network"], activity["reason"]) == (
        "SOCIAL_FOLLOW",
        "INSTAGRAM",
        None,
    )
    assert activity["outcomes"] == [
        {"rule": "FOLLOWS", "name": "Follow us", "points": 20, "reason": None, "until": None}
    ]
    assert activity["entry"] == {"points": 20}
    assert done["entry"] == {
        "kind": "EARN",
        "points": 20,
        "activity": {"id": activity["id"]},
        "purchase": None,
        "explanation": {"summary": "20 beans for following on INSTAGRAM: Follow us."},
    }
    assert again == {**done, "replayed": True}


def test_what_earns_nothing_says_why_and_until_when(api: Api, ada: Member):
    api.do("recordActivity", visit(ada, "first"), "points")

    done = api.do("recordActivity", visit(ada, "second"), DONE)
    unrewarded = api.do("recordActivity", visit(ada, "third", kind="NEWSLETTER"), DONE)

    assert (done["userErrors"], done["points"], done["entry"]) == ([], 0, None)
    assert (done["activity"]["reason"], done["activity"]["entry"]) == ("COOLDOWN", None)
    assert done["activity"]["outcomes"][0]["until"] == "2026-03-03T08:00:00Z"
    assert (unrewarded["activity"]["reason"], unrewarded["activity"]["outcomes"]) == ("NO_RULE", [])


def test_many_are_recorded_together_and_a_refusal_stays_alone(api: Api, ada: Member):
    given = [
        visit(ada, "a"),
        visit(ada, "b", store=None),
        visit(ada, "c", member={"number": "1"}),
        follow(ada, "d", kind="SIGN_UP", network=None),
        follow(ada, "e"),
    ]
    fields = "results { points userErrors { code field } }"

    done = api.do("recordActivities", {"activities": given}, fields)

    assert [
        one["points"] or (one["userErrors"][0]["code"], one["userErrors"][0]["field"])
        for one in done["results"]
    ] == [
        5,
        ("INVALID_INPUT", "store"),
        ("INVALID_INPUT", "member.number"),
        ("INVALID_INPUT", "kind"),
        20,
    ]


@pytest.mark.parametrize("many", [0, 501])
def test_none_or_too_many_are_refused(api: Api, ada: Member, many: int):
    given = {"activities": [visit(ada, str(number)) for number in range(many)]}

    assert api.refusal("recordActivities", given) == ("INVALID_INPUT", "activities")


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        pytest.param({"kind": "BIRTHDAY"}, ("INVALID_INPUT", "kind"), id="seen by itself"),
        pytest.param({"kind": "CUSTOM"}, ("INVALID_INPUT", "name"), id="custom without a name"),
        pytest.param({"name": "X"}, ("INVALID_INPUT", "name"), id="a name too many"),
        pytest.param({"network": "X"}, ("INVALID_INPUT", "network"), id="a network too many"),
        pytest.param({"store": "x" * 61}, ("INVALID_INPUT", "store"), id="a long store"),
        pytest.param({"proof": "x" * 101}, ("INVALID_INPUT", "proof"), id="a long proof"),
        pytest.param(
            {"occurredAt": "2026-03-03T12:00:00Z"}, ("INVALID_INPUT", "occurredAt"), id="tomorrow"
        ),
        pytest.param(
            {"member": {"id": encode_id("Member", "0" * 32)}}, ("NOT_FOUND", "member"), id="nobody"
        ),
        pytest.param(
            {"idempotencyKey": None}, ("INVALID_INPUT", "idempotencyKey"), id="without a key"
        ),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    api: Api, ada: Member, changes: dict[str, Any], refusal: tuple[str, str]
):
    assert api.refusal("recordActivity", visit(ada, "k", **changes)) == refusal
    refused = api.do("recordActivity", visit(ada, "k", **changes), DONE)
    assert [refused[name] for name in ("activity", "entry", "member", "points")] == [None] * 4


def test_the_same_key_with_another_activity_is_refused(api: Api, ada: Member):
    api.do("recordActivity", visit(ada, "k"), "points")

    refusal = api.refusal("recordActivity", visit(ada, "k", store="kreuzberg"))

    assert refusal == ("IDEMPOTENCY_MISMATCH", "idempotencyKey")


def test_a_token_of_one_store_records_what_was_done_there(api: Api, ada: Member):
    token = api.token("purchases:write", "members:read", store="mitte")

    done = api.do("recordActivity", visit(ada, "a", store=None), DONE, token=token)
    refusal = api.refusal("recordActivity", visit(ada, "b", store="kreuzberg"), token=token)

    assert done["activity"]["store"] == "mitte"
    assert refusal == ("WRONG_STORE", "store")


def test_a_member_may_look_at_activities_but_not_record_them(api: Api, ada: Member):
    api.do("recordActivity", follow(ada), "points")
    record = """mutation ($input: RecordActivityInput!) { recordActivity(input: $input) {
        points } }"""
    token = api.member_token(ada)

    assert api.error(record, {"input": visit(ada, "k")}, token=token) == "FORBIDDEN"
    assert api.error(record, {"input": visit(ada, "k")}, token=api.token("members:read")) == (
        "FORBIDDEN"
    )
    assert api.data("{ me { activities { nodes { points } } } }", token=token) == {
        "me": {"activities": {"nodes": [{"points": 20}]}}
    }


def test_activities_are_listed_newest_first_page_by_page(api: Api, ada: Member, shop: Shop):
    for number in range(3):
        api.run(shop.at(NOON + number * DAY).do, ada, ActivityKind.CHECK_IN, store=str(number))
    query = """query ($ref: MemberRef!, $after: String) { member(ref: $ref) {
        activities(first: 2, after: $after) { totalCount nodes { store points }
        pageInfo { hasNextPage endCursor } } } }"""
    ref = {"id": member_id(ada)}

    first = api.data(query, {"ref": ref})["member"]["activities"]
    after = first["pageInfo"]["endCursor"]
    rest = api.data(query, {"ref": ref, "after": after})["member"]["activities"]

    assert [one["store"] for one in first["nodes"]] == ["2", "1"]
    assert (first["totalCount"], first["pageInfo"]["hasNextPage"]) == (3, True)
    assert rest["nodes"] == [{"store": "0", "points": 5}]
    assert rest["pageInfo"]["hasNextPage"] is False


def test_joining_and_completing_the_profile_earn_through_every_door(api: Api):
    rules = [
        {"code": "WELCOME", "name": "Welcome", "on": "SIGN_UP", "points": 25},
        {"code": "KNOWN", "name": "Known", "on": "PROFILE_COMPLETED", "points": 5},
    ]
    earning = {**PROGRAM["earning"], "rules": rules, "profile_fields": ["email", "birthday"]}
    api.open_shop({**PROGRAM, "earning": earning})
    enrolled = api.do("enrolMember", {"email": "bob@example.com"}, "member { id }")["member"]
    member = {"id": enrolled["id"]}

    api.do("updateMember", {"member": member, "birthday": "1990-01-02"}, "member { id }")

    query = """query ($ref: MemberRef!) { member(ref: $ref) { wallet { balance }
        entries { nodes { points activity { kind } explanation { summary } } } } }"""
    found = api.data(query, {"ref": member})["member"]
    assert found["wallet"] == {"balance": 30}
    assert found["entries"]["nodes"] == [
        {
            "points": 5,
            "activity": {"kind": "PROFILE_COMPLETED"},
            "explanation": {"summary": "5 beans for completing the profile: Known."},
        },
        {
            "points": 25,
            "activity": {"kind": "SIGN_UP"},
            "explanation": {"summary": "25 beans for joining: Welcome."},
        },
    ]
