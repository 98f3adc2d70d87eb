"""Adjustments above a limit through the API: one asks, another one of the staff decides."""

from typing import Any

import pytest

from loyalty_graph.graphql.ids import encode_id
from loyalty_graph.identity.rules import Role
from loyalty_graph.members.models import Member
from tests.api import OTHER_PROGRAM, Api, member_id
from tests.shop import DAY, program

SHOWN = """approval { id state points reason note askedAt endsAt decidedAt member { id }
    askedBy { kind name } decidedBy { kind name } entry { points text } }"""
DONE = f"balance replayed entry {{ kind points text }} {SHOWN}"


@pytest.fixture(autouse=True)
def limited(api: Api) -> None:
    """One person adjusts up to 500 points; what is more waits for three days."""
    api.open_shop(program(approval_above=500, approval_days=3))


@pytest.fixture
def alan(api: Api) -> str:
    return api.staff("Alan", Role.AGENT)


@pytest.fixture
def mona(api: Api) -> str:
    return api.staff("Mona")


def wish(member: Member, points: int = 501, /, **changes: Any) -> dict[str, Any]:
    given = {"idempotencyKey": "ask", "points": points, "reason": "a broken cup"}
    return {**given, "member": {"id": member_id(member)}, **changes}


def ask(api: Api, member: Member, token: str, points: int = 501, **changes: Any) -> str:
    done = api.do("adjustPoints", wish(member, points, **changes), "approval { id }", token=token)
    found: str = done["approval"]["id"]
    return found


def decide(approval: str, **changes: Any) -> dict[str, Any]:
    return {"idempotencyKey": "decide", "approvalId": approval, **changes}


def test_up_to_the_limit_one_person_adjusts(api: Api, ada: Member, alan: str):
    done = api.do("adjustPoints", wish(ada, 500), "balance approval { id }", token=alan)

    assert done == {"userErrors": [], "balance": 500, "approval": None}


def test_above_the_limit_nothing_moves_until_another_one_approves(
    api: Api, ada: Member, alan: str, mona: str
):
    asked = api.do("adjustPoints", wish(ada), DONE, token=alan)
    retried = api.do("adjustPoints", wish(ada), DONE, token=alan)
    given = decide(asked["approval"]["id"], note="seen it")
    approved = api.do("approveAdjustment", given, DONE, token=mona)
    again = api.do("approveAdjustment", given, DONE, token=mona)

    assert (asked["balance"], asked["entry"]) == (0, None)
    assert asked["approval"] == {
        "id": asked["approval"]["id"],
        "state": "WAITING",
        "points": 501,
        "reason": "a broken cup",
        "note": "",
        "askedAt": "2026-03-02T12:00:00Z",
        "endsAt": "2026-03-05T12:00:00Z",
        "decidedAt": None,
        "member": {"id": member_id(ada)},
        "askedBy": {"kind": "STAFF", "name": "Alan"},
        "decidedBy": None,
        "entry": None,
    }
    assert retried == {**asked, "replayed": True}
    assert approved["entry"] == {"kind": "ADJUST", "points": 501, "text": "a broken cup"}
    assert approved["balance"] == 501
    assert approved["approval"] == {
        **asked["approval"],
        "state": "APPROVED",
        "note": "seen it",
        "decidedAt": "2026-03-02T12:00:00Z",
        "decidedBy": {"kind": "STAFF", "name": "Mona"},
        "entry": {"points": 501, "text": "a broken cup"},
    }
    assert again == {**approved, "replayed": True}


def test_the_limit_is_for_points_that_are_taken_too(api: Api, ada: Member, alan: str, mona: str):
    api.do("adjustPoints", wish(ada, 400), "", token=alan)
    waits = ask(api, ada, alan, -501, idempotencyKey="take")

    refused = api.refusal("approveAdjustment", decide(waits), token=mona)
    api.do("adjustPoints", wish(ada, 200, idempotencyKey="more"), "", token=alan)
    done = api.do("approveAdjustment", decide(waits), "balance", token=mona)

    assert refused == ("INSUFFICIENT_POINTS", None)
    assert done["balance"] == 99


def test_who_asked_does_not_decide(api: Api, ada: Member, mona: str):
    waits = ask(api, ada, mona)

    told = ("APPROVAL_BY_SAME", "approvalId")
    assert api.refusal("approveAdjustment", decide(waits), token=mona) == told
    assert api.refusal("rejectAdjustment", decide(waits, note="no"), token=mona) == told


def test_a_rejection_says_why_and_moves_nothing(api: Api, ada: Member, alan: str, mona: str):
    waits = ask(api, ada, alan)

    silent = api.refusal("rejectAdjustment", decide(waits, note=" "), token=mona)
    done = api.do("rejectAdjustment", decide(waits, note="too much"), DONE, token=mona)

    assert silent == ("INVALID_INPUT", "note")
    assert (done["balance"], done["entry"], done["approval"]["entry"]) == (0, None, None)
    assert (done["approval"]["state"], done["approval"]["note"]) == ("REJECTED", "too much")


@pytest.mark.parametrize("first", ["approveAdjustment", "rejectAdjustment"])
def test_nobody_decides_twice(api: Api, ada: Member, alan: str, mona: str, first: str):
    waits = ask(api, ada, alan)
    api.do(first, decide(waits, note="so be it"), "", token=mona)

    again = decide(waits, note="after all", idempotencyKey="again")
    told = ("APPROVAL_DECIDED", "approvalId")
    assert api.refusal("approveAdjustment", again, token=mona) == told
    assert api.refusal("rejectAdjustment", again, token=mona) == told


def test_nobody_decides_after_the_time(api: Api, ada: Member, alan: str, mona: str):
    waits = ask(api, ada, alan)
    api.now += 3 * DAY

    told = api.refusal("approveAdjustment", decide(waits), token=mona)
    [shown] = api.data("{ approvals { nodes { state } } }")["approvals"]["nodes"]

    assert told == ("APPROVAL_EXPIRED", "approvalId")
    assert shown == {"state": "EXPIRED"}


def test_a_member_who_left_meanwhile_gets_nothing(api: Api, ada: Member, alan: str, mona: str):
    waits = ask(api, ada, alan)
    api.run(api.shop.close, ada)

    told = api.refusal("approveAdjustment", decide(waits), token=mona)

    assert told == ("MEMBER_NOT_ACTIVE", "member")


def test_for_members_who_left_nobody_asks(api: Api, ada: Member, alan: str):
    api.run(api.shop.close, ada)

    assert api.refusal("adjustPoints", wish(ada), token=alan) == ("MEMBER_NOT_ACTIVE", "member")


def test_the_same_key_for_another_decision_is_a_mismatch(
    api: Api, ada: Member, alan: str, mona: str
):
    waits = ask(api, ada, alan)
    api.do("approveAdjustment", decide(waits), "", token=mona)

    given = decide(waits, note="no")
    mismatch = ("IDEMPOTENCY_MISMATCH", "idempotencyKey")
    assert api.refusal("rejectAdjustment", given, token=mona) == mismatch


def test_only_staff_that_may_approve_decides(api: Api, ada: Member, alan: str):
    waits = ask(api, ada, alan)
    query = "mutation ($i: ApproveAdjustmentInput!) { approveAdjustment(input: $i) { replayed } }"
    askers = {
        "an agent": api.staff("Bea", Role.AGENT),
        "an auditor": api.staff("Cy", Role.AUDITOR),
        "a till with the scope": api.token("points:approve", "points:adjust"),
        "a member": api.member_token(ada),
    }

    told = {who: api.error(query, {"i": decide(waits)}, token=one) for who, one in askers.items()}

    assert set(told.values()) == {"FORBIDDEN"}


def test_what_waits_in_another_programme_is_unknown(api: Api, ada: Member, alan: str):
    waits = ask(api, ada, alan)
    other = api.open_shop(OTHER_PROGRAM)
    stranger = api.staff("Eve", shop=other)

    told = api.refusal("approveAdjustment", decide(waits), token=stranger)
    listed = api.data("{ approvals { totalCount } }", token=stranger)

    assert told == ("NOT_FOUND", "member")
    assert listed == {"approvals": {"totalCount": 0}}


def test_an_approval_that_nobody_asked_for_is_not_found(api: Api, ada: Member, mona: str):
    unknown = encode_id("Approval", ada.id, ada.id)

    assert api.refusal("approveAdjustment", decide(unknown), token=mona) == (
        "NOT_FOUND",
        "approvalId",
    )
    assert api.refusal("approveAdjustment", decide("x"), token=mona) == (
        "INVALID_INPUT",
        "approvalId",
    )


def test_approvals_are_listed_newest_first_and_those_that_wait_apart(
    api: Api, ada: Member, alan: str, mona: str
):
    first, second, third = (
        ask(api, ada, alan, 600 + number, idempotencyKey=f"{number}") for number in range(3)
    )
    api.do("approveAdjustment", decide(second), "", token=mona)
    query = """query ($after: String, $waiting: Boolean!) {
        approvals(first: 2, after: $after, waiting: $waiting) {
        nodes { id } totalCount pageInfo { hasNextPage endCursor } } }"""

    newest = api.data(query, {"waiting": False})["approvals"]
    oldest = api.data(query, {"waiting": False, "after": newest["pageInfo"]["endCursor"]})
    waiting = api.data(query, {"waiting": True})["approvals"]

    assert [one["id"] for one in newest["nodes"]] == [third, second]
    assert (newest["totalCount"], newest["pageInfo"]["hasNextPage"]) == (3, True)
    assert [one["id"] for one in oldest["approvals"]["nodes"]] == [first]
    assert [one["id"] for one in waiting["nodes"]] == [third, first]
    assert waiting["totalCount"] == 2
