from datetime import timedelta
from typing import Any

import pytest

from loyalty_graph.graphql.ids import encode_id
from loyalty_graph.members.models import Member
from tests.api import Api, member_id
from tests.shop import DAY, NOON

MINUTE = timedelta(minutes=1)
SHOWN = """balance replayed entry { kind points held text explanation { summary } hold { id } }
    hold { id status points capturedPoints createdAt endsAt endedAt entry { sequence } }
    member { wallet { available held } }"""
HOLDS = """query ($id: ID!, $first: Int!, $after: String) { member(ref: {id: $id}) {
    holds(first: $first, after: $after) { totalCount pageInfo { endCursor hasNextPage }
    nodes { points status member { number } } } } }"""


@pytest.fixture
def rich(api: Api, ada: Member) -> Member:
    """A member with 108 points."""
    api.run(api.shop.buy, ada)
    return ada


def aside(member: Member, /, **changes: Any) -> dict[str, Any]:
    given = {"idempotencyKey": "hold", "member": {"id": member_id(member)}}
    return {**given, "points": 100, "minutes": 30, "reason": "a table for two", **changes}


def held(api: Api, member: Member, /, **changes: Any) -> str:
    done = api.do("holdPoints", aside(member, **changes), "hold { id }")
    found: str = done["hold"]["id"]
    return found


def test_points_are_set_aside_and_a_part_is_spent(api: Api, rich: Member):
    token = api.token("rewards:redeem", "members:read")
    done = api.do("holdPoints", aside(rich), SHOWN, token=token)
    hold = done["hold"]["id"]
    api.now = NOON + MINUTE
    spent = api.do(
        "captureHold",
        {"idempotencyKey": "c", "holdId": hold, "points": 70, "reason": "dinner"},
        SHOWN,
        token=token,
    )

    assert done == {
        "userErrors": [],
        "balance": 8,
        "replayed": False,
        "entry": {
            "kind": "HOLD",
            "points": -100,
            "held": 100,
            "text": "a table for two",
            "explanation": {"summary": "100 beans set aside: a table for two"},
            "hold": {"id": hold},
        },
        "hold": {
            "id": hold,
            "status": "HELD",
            "points": 100,
            "capturedPoints": 0,
            "createdAt": "2026-03-02T12:00:00Z",
            "endsAt": "2026-03-02T12:30:00Z",
            "endedAt": None,
            "entry": {"sequence": 2},
        },
        "member": {"wallet": {"available": 8, "held": 100}},
    }
    assert spent == {
        "userErrors": [],
        "balance": 38,
        "replayed": False,
        "entry": {
            "kind": "CAPTURE",
            "points": 0,
            "held": -70,
            "text": "dinner",
            "explanation": {"summary": "70 beans that were set aside are spent: dinner"},
            "hold": {"id": hold},
        },
        "hold": {
            **done["hold"],
            "status": "CAPTURED",
            "capturedPoints": 70,
            "endedAt": "2026-03-02T12:01:00Z",
        },
        "member": {"wallet": {"available": 38, "held": 0}},
    }


def test_points_are_given_back(api: Api, rich: Member):
    hold = held(api, rich)

    done = api.do("releaseHold", {"idempotencyKey": "r", "holdId": hold}, SHOWN)

    assert (done["balance"], done["hold"]["status"]) == (108, "RELEASED")
    assert done["entry"]["explanation"] == {
        "summary": "100 beans that were set aside are back: they were not needed."
    }
    assert done["member"]["wallet"] == {"available": 108, "held": 0}


@pytest.mark.parametrize("mutation", ["captureHold", "releaseHold"])
def test_a_retry_gets_the_first_answer(api: Api, rich: Member, mutation: str):
    given = {"idempotencyKey": "end", "holdId": held(api, rich)}
    setting_aside = api.do("holdPoints", aside(rich), "balance replayed hold { id }")

    first = api.do(mutation, given, SHOWN)
    before = api.everything()
    again = api.do(mutation, given, SHOWN)

    assert setting_aside["replayed"] is True
    assert setting_aside["hold"] == {"id": given["holdId"]}
    assert again == {**first, "replayed": True}
    assert api.everything() == before
    mismatch = ("IDEMPOTENCY_MISMATCH", "idempotencyKey")
    assert api.refusal(mutation, {**given, "reason": "other"}) == mismatch


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        pytest.param({"points": 0}, "INVALID_INPUT", "points", id="nothing"),
        pytest.param({"points": -1}, "INVALID_INPUT", "points", id="below nothing"),
        pytest.param({"points": 2**62}, "INVALID_INPUT", "points", id="too many"),
        pytest.param({"points": 109}, "INSUFFICIENT_POINTS", None, id="more than there are"),
        pytest.param({"minutes": 0}, "INVALID_INPUT", "minutes", id="no time"),
        pytest.param({"minutes": 43201}, "INVALID_INPUT", "minutes", id="too long"),
        pytest.param({"reason": " "}, "INVALID_INPUT", "reason", id="no reason"),
        pytest.param({"reason": "x" * 501}, "INVALID_INPUT", "reason", id="a long reason"),
        pytest.param({"member": {"number": "1"}}, "INVALID_INPUT", "member.number", id="number"),
        pytest.param({"member": {"externalId": "x"}}, "NOT_FOUND", "member", id="nobody"),
        pytest.param(
            {"idempotencyKey": "used"}, "IDEMPOTENCY_MISMATCH", "idempotencyKey", id="key"
        ),
    ],
)
def test_a_refused_hold_changes_nothing(
    api: Api, rich: Member, changes: dict[str, Any], code: str, field: str | None
):
    held(api, rich, idempotencyKey="used", points=1)
    if code == "INSUFFICIENT_POINTS":
        changes = {"points": 108}

    assert api.refusal("holdPoints", aside(rich, **changes)) == (code, field)


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        pytest.param({"points": 0}, "INVALID_INPUT", "points", id="nothing"),
        pytest.param({"points": -1}, "INVALID_INPUT", "points", id="below nothing"),
        pytest.param({"points": 101}, "HOLD_AMOUNT", "points", id="more than is set aside"),
        pytest.param({"reason": "x" * 501}, "INVALID_INPUT", "reason", id="a long reason"),
        pytest.param({"holdId": "x"}, "INVALID_INPUT", "holdId", id="no id"),
    ],
)
def test_a_refused_capture_changes_nothing(
    api: Api, rich: Member, changes: dict[str, Any], code: str, field: str
):
    given = {"idempotencyKey": "c", "holdId": held(api, rich)}

    assert api.refusal("captureHold", {**given, **changes}) == (code, field)


@pytest.mark.parametrize("mutation", ["captureHold", "releaseHold"])
def test_what_is_no_hold_or_has_ended_is_refused(api: Api, rich: Member, mutation: str):
    over = held(api, rich, idempotencyKey="1", points=1, minutes=5)
    ended = held(api, rich, idempotencyKey="2", points=1)
    api.do("releaseHold", {"idempotencyKey": "r", "holdId": ended}, "")
    unknown = encode_id("PointsHold", rich.id, api.shop.program_id)
    api.now = NOON + 5 * MINUTE

    for hold, code in ((over, "HOLD_EXPIRED"), (ended, "HOLD_ENDED"), (unknown, "NOT_FOUND")):
        given = {"idempotencyKey": "k", "holdId": hold}
        assert api.refusal(mutation, given) == (code, "holdId")


def test_the_answer_to_a_refusal_holds_nothing_else(api: Api, rich: Member):
    done = api.do("holdPoints", aside(rich, points=0), "hold { id } entry { id } balance")

    assert [error["field"] for error in done.pop("userErrors")] == ["points"]
    assert done == {"hold": None, "entry": None, "balance": None}


def test_points_of_somebody_who_left_are_not_set_aside(api: Api, rich: Member):
    api.run(api.shop.close, rich)

    assert api.refusal("holdPoints", aside(rich)) == ("MEMBER_NOT_ACTIVE", "member")


def test_members_see_what_is_set_aside_but_tills_decide(api: Api, rich: Member):
    hold, asks = held(api, rich), api.member_token(rich)
    node = "query ($id: ID!) { node(id: $id) { ... on PointsHold { status endedAt } } }"

    seen = api.data(node, {"id": hold}, token=asks)["node"]
    api.now = NOON + DAY / 48
    over = api.data(node, {"id": hold}, token=api.member_token(rich))["node"]

    assert (seen, over) == (
        {"status": "HELD", "endedAt": None},
        {"status": "EXPIRED", "endedAt": None},
    )
    release = "mutation ($i: ReleaseHoldInput!) { releaseHold(input: $i) { replayed } }"
    given = {"i": {"idempotencyKey": "r", "holdId": hold}}
    assert api.error(release, given, token=api.member_token(rich)) == "FORBIDDEN"


def test_all_holds_of_a_member_are_listed_newest_first(api: Api, rich: Member):
    for points in (1, 2, 3):
        held(api, rich, idempotencyKey=str(points), points=points)
        api.now += MINUTE

    def page(after: str | None) -> dict[str, Any]:
        given = {"id": member_id(rich), "first": 2, "after": after}
        found: dict[str, Any] = api.data(HOLDS, given)["member"]["holds"]
        return found

    first = page(None)
    last = page(first["pageInfo"]["endCursor"])

    assert (first["totalCount"], first["pageInfo"]["hasNextPage"]) == (3, True)
    assert [one["points"] for one in first["nodes"]] == [3, 2]
    assert last["nodes"] == [{"points": 1, "status": "HELD", "member": {"number": rich.number}}]
