from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from loyalty_graph.ledger.audit import Audit, Finding, keep
from loyalty_graph.members.models import Member
from loyalty_graph.paging import Cursor
from loyalty_graph.purchases.rules import Line
from loyalty_graph.usecases import checkpoints, proof
from tests.api import OTHER_PROGRAM, Api, member_id
from tests.delays import waiting
from tests.shop import DAY, NOON, program

HISTORY = """query ($ref: MemberRef!, $first: Int!, $after: String) { member(ref: $ref) {
    wallet { available balance debt qualifying lifetime expirations { points expiresAt } }
    entries(first: $first, after: $after) { totalCount pageInfo { endCursor hasNextPage }
    nodes { id sequence kind points balanceAfter at recordedAt text ruleVersion hash
    explanation { summary } purchase { externalId } } } } }"""
ADJUSTED = "balance replayed entry { kind points text explanation { summary } } member { number }"
WAITING = """query ($ref: MemberRef!) { member(ref: $ref) {
    wallet { available balance pending activations { points activatesAt }
    expirations { points expiresAt } }
    entries(first: 9) { nodes { kind points pending purchase { externalId } } } } }"""
INTEGRITY = """query ($slug: String) { ledgerIntegrity(slug: $slug) {
    ok auditedAt accounts transfers checkpoints differences checkpoint { number heads } } }"""


@pytest.fixture
def ada(api: Api) -> Member:
    return api.run(api.shop.enrol, email="ada@example.com")


def adjustment(**changes: object) -> dict[str, Any]:
    return {
        "idempotencyKey": "k",
        "member": {"email": "ada@example.com"},
        "points": 20,
        "reason": "Welcome",
        **changes,
    }


def test_every_entry_can_be_read_newest_first(api: Api, ada: Member):
    bought = api.run(api.shop.buy, ada, external_id="r-1")
    later = api.shop.later(timedelta(days=1))
    api.run(later.bring_back, bought, {2: 1})
    api.run(later.redeem, ada, 30)
    api.now = later.now

    page = api.data(HISTORY, {"ref": {"id": member_id(ada)}, "first": 2})["member"]
    after = page["entries"]["pageInfo"]["endCursor"]
    last = api.data(HISTORY, {"ref": {"id": member_id(ada)}, "first": 2, "after": after})["member"]

    assert page["wallet"] == {
        "available": 4,
        "balance": 4,
        "debt": 0,
        "qualifying": 34,
        "lifetime": 108,
        "expirations": [{"points": 4, "expiresAt": "2026-09-02T22:00:00Z"}],
    }
    assert page["entries"]["totalCount"] == 3
    assert [page["entries"]["pageInfo"]["hasNextPage"], after] == [
        True,
        Cursor("entries", (int,)).encode([2]),
    ]
    redeemed, reversed_ = page["entries"]["nodes"]
    [earned] = last["entries"]["nodes"]
    assert [
        (one["sequence"], one["kind"], one["points"], one["balanceAfter"], one["purchase"])
        for one in (redeemed, reversed_, earned)
    ] == [
        (3, "REDEEM", -30, 4, None),
        (2, "REVERSE", -74, 34, {"externalId": "r-1"}),
        (1, "EARN", 108, 108, {"externalId": "r-1"}),
    ]
    assert (
        reversed_["explanation"]["summary"]
        == "74 beans taken back: after a refund the purchase is worth 34 instead of 108."
    )
    assert (earned["at"], earned["ruleVersion"], len(earned["hash"])) == (
        "2026-03-02T12:00:00Z",
        1,
        64,
    )


def test_points_that_wait_are_told_with_the_day_they_can_be_spent(api: Api, ada: Member):
    with waiting(lambda points: [(points - 40, 0), (40, 14)]):
        bought = api.run(api.shop.buy, ada, external_id="r-1")
        api.run(api.shop.buy, ada, external_id="r-2")
    api.run(api.shop.bring_back, bought, {2: 1, 1: 3, 4: 2})

    given = {"ref": {"id": member_id(ada)}}
    before = api.data(WAITING, given)["member"]
    api.now = NOON + timedelta(days=14)
    after = api.data(WAITING, given)["member"]["wallet"]

    assert before["wallet"] == {
        "available": 68,
        "balance": 68,
        "pending": 40,
        "activations": [{"points": 40, "activatesAt": "2026-03-15T23:00:00Z"}],
        "expirations": [{"points": 68, "expiresAt": "2026-09-02T22:00:00Z"}],
    }
    assert [
        (one["kind"], one["points"], one["pending"], one["purchase"]["externalId"])
        for one in before["entries"]["nodes"]
    ] == [
        ("REVERSE", -68, 0, "r-1"),
        ("CANCEL", 0, -40, "r-1"),
        ("EARN_PENDING", 0, 40, "r-2"),
        ("EARN", 68, 0, "r-2"),
        ("EARN_PENDING", 0, 40, "r-1"),
        ("EARN", 68, 0, "r-1"),
    ]
    assert after == {
        "available": 108,
        "balance": 68,
        "pending": 0,
        "activations": [],
        "expirations": [{"points": 108, "expiresAt": "2026-09-02T22:00:00Z"}],
    }


def test_points_past_their_date_cannot_be_spent_before_they_are_expired(api: Api, ada: Member):
    api.run(api.shop.buy, ada)
    api.now = NOON.replace(month=9, day=3)

    query = "query ($ref: MemberRef!) { member(ref: $ref) { wallet { available balance } } }"
    found = api.data(query, {"ref": {"id": member_id(ada)}})["member"]

    assert found["wallet"] == {"available": 0, "balance": 108}


def test_a_cursor_of_another_list_is_refused(api: Api, ada: Member):
    given = {"ref": {"id": member_id(ada)}, "first": 1, "after": "WyJtZW1iZXJzIiwxXQ"}

    [error] = api.ask(HISTORY, given)["errors"]

    assert error["extensions"] == {"code": "INVALID_INPUT", "field": "after"}


def test_points_are_added_and_taken_by_hand_with_a_reason(api: Api, ada: Member):
    token = api.token("points:adjust", "members:read")

    added = api.do("adjustPoints", adjustment(), ADJUSTED, token=token)
    again = api.do("adjustPoints", adjustment(), ADJUSTED, token=token)
    taken = api.do("adjustPoints", adjustment(idempotencyKey="l", points="-5"), ADJUSTED)

    assert added == {
        "userErrors": [],
        "balance": 20,
        "replayed": False,
        "entry": {
            "kind": "ADJUST",
            "points": 20,
            "text": "Welcome",
            "explanation": {"summary": "20 beans added by hand: Welcome"},
        },
        "member": {"number": ada.number},
    }
    assert again == {**added, "replayed": True}
    assert (taken["balance"], taken["entry"]["points"]) == (15, -5)


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        pytest.param({"points": 0}, "INVALID_INPUT", "points", id="nothing"),
        pytest.param({"points": 2**62}, "INVALID_INPUT", "points", id="too many"),
        pytest.param({"points": -21}, "INSUFFICIENT_POINTS", None, id="more than there are"),
        pytest.param({"reason": " "}, "INVALID_INPUT", "reason", id="no reason"),
        pytest.param(
            {"idempotencyKey": "used"}, "IDEMPOTENCY_MISMATCH", "idempotencyKey", id="key"
        ),
        pytest.param({"member": {"externalId": "x"}}, "NOT_FOUND", "member", id="nobody"),
        pytest.param({"member": {"number": "1"}}, "INVALID_INPUT", "member.number", id="number"),
    ],
)
def test_a_refused_adjustment_changes_nothing(
    api: Api, ada: Member, changes: dict[str, object], code: str, field: str | None
):
    api.do("adjustPoints", adjustment(idempotencyKey="used", reason="First"), "")

    assert api.refusal("adjustPoints", adjustment(**changes)) == (code, field)


def test_the_answer_to_a_refusal_holds_nothing_else(api: Api, ada: Member):
    fields = "balance replayed entry { id } member { id }"

    done = api.do("adjustPoints", adjustment(points=0), fields)

    assert [error["field"] for error in done.pop("userErrors")] == ["points"]
    assert done == {"balance": None, "replayed": False, "entry": None, "member": None}


def test_there_is_no_integrity_before_the_first_audit(api: Api):
    assert api.data(INTEGRITY, token=None) == {"ledgerIntegrity": None}


def test_anybody_may_see_the_last_audit(api: Api, ada: Member):
    program_id = api.shop.program_id
    found = Audit(3_000_000_000, 7, 2, [Finding(ada.id, 1, "the hash differs")])
    api.run(keep, program_id, Audit(1, 1), now=NOON - timedelta(days=1))
    api.run(keep, program_id, found, now=NOON)

    assert api.data(INTEGRITY, token=None)["ledgerIntegrity"] == {
        "ok": False,
        "auditedAt": "2026-03-02T12:00:00Z",
        "accounts": 3_000_000_000,
        "transfers": 7,
        "checkpoints": 2,
        "differences": 1,
        "checkpoint": None,
    }


def test_the_last_audit_comes_with_the_newest_checkpoint(api: Api, ada: Member, tmp_path: Path):
    shop = api.shop
    for day in range(2):
        api.run(checkpoints.make, shop.program_id, now=shop.now + day * DAY, keys=tmp_path)
    api.run(proof.verify, shop.program_id, now=shop.now + 2 * DAY)

    found = api.data(INTEGRITY, token=None)["ledgerIntegrity"]

    assert found == {
        "ok": True,
        "auditedAt": "2026-03-04T12:00:00Z",
        "accounts": 1,
        "transfers": 0,
        "checkpoints": 2,
        "differences": 0,
        "checkpoint": {"number": 2, "heads": 1},
    }


def test_each_programme_has_its_own_audit(api: Api):
    other = api.open_shop(OTHER_PROGRAM)
    api.run(keep, api.shop.program_id, Audit(1, 1), now=NOON)

    assert api.data(INTEGRITY, token=api.token("admin", shop=other)) == {"ledgerIntegrity": None}
    assert api.data(INTEGRITY, {"slug": "tea-club"}, token=None) == {"ledgerIntegrity": None}


def test_expirations_and_what_never_expires_add_up_to_what_is_available(api: Api):
    api.open_shop(program(expiry_months=None))
    ada = api.run(api.shop.enrol)
    api.run(api.shop.buy, ada, (Line("MUG", 1, 1000),))
    api.open_shop(program(expiry_months=1))
    for day in range(3):
        api.run(api.shop.later(timedelta(days=40 * day, seconds=1)).buy, ada)
    api.run(api.shop.later(timedelta(days=90)).redeem, ada, 30)
    api.now += timedelta(days=95)

    query = "{ available neverExpiring expirations { points } }"
    found = api.data(
        f"query ($id: ID!) {{ member(ref: {{id: $id}}) {{ wallet {query} }} }}",
        {"id": member_id(ada)},
    )["member"]["wallet"]

    assert found == {
        "available": 128,
        "neverExpiring": 50,
        "expirations": [{"points": 78}],
    }
