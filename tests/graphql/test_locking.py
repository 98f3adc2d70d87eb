"""Locks through the API: who is suspended spends nothing, and earns where that is allowed."""

from typing import Any

import pytest

from loyalty_graph.members.models import Member
from loyalty_graph.outbox import FactRow
from loyalty_graph.usecases import proof
from tests.api import OTHER_PROGRAM, Api, card_link, member_id, receipt

SHOWN = """replayed member { status wallet { balance }
    lock { reason mayEarn lockedAt lockedBy { kind name } } }"""


def wish(member: Member, /, **changes: Any) -> dict[str, Any]:
    given = {"idempotencyKey": "lock", "reason": "odd receipts"}
    return {**given, "member": {"id": member_id(member)}, **changes}


def lock(api: Api, member: Member, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = api.do("lockMember", wish(member, **changes), SHOWN)
    return found


def adjust(member: Member, points: int) -> dict[str, Any]:
    given = {"idempotencyKey": f"by {points}", "points": points, "reason": "sorry"}
    return {**given, "member": {"id": member_id(member)}}


@pytest.fixture
def rich(api: Api, ada: Member) -> Member:
    """A member with 108 points."""
    api.do("recordPurchase", receipt(ada), "")
    return ada


def test_who_is_locked_neither_earns_nor_spends(api: Api, rich: Member):
    done = lock(api, rich)

    assert done == {
        "userErrors": [],
        "replayed": False,
        "member": {
            "status": "SUSPENDED",
            "wallet": {"balance": 108},
            "lock": {
                "reason": "odd receipts",
                "mayEarn": False,
                "lockedAt": "2026-03-02T12:00:00Z",
                "lockedBy": {"kind": "PARTNER", "name": "Till"},
            },
        },
    }
    locked = ("MEMBER_NOT_ACTIVE", "member")
    assert api.refusal("recordPurchase", receipt(rich)) == locked
    assert api.refusal("adjustPoints", adjust(rich, 5)) == locked
    assert api.refusal("adjustPoints", adjust(rich, -5)) == locked
    [fact] = api.run(lambda: FactRow.filter(kind="member.status_changed"))
    assert fact.payload == {"from": "ACTIVE", "to": "SUSPENDED", "mayEarn": False}


def test_who_may_go_on_earning_earns_and_spends_nothing(api: Api, rich: Member):
    lock(api, rich, mayEarn=True)

    bought = api.do("recordPurchase", receipt(rich), "balance")
    given = api.do("adjustPoints", adjust(rich, 5), "balance")

    assert (bought["balance"], given["balance"]) == (216, 221)
    locked = ("MEMBER_NOT_ACTIVE", "member")
    assert api.refusal("adjustPoints", adjust(rich, -5)) == locked
    hold = {**wish(rich, idempotencyKey="hold"), "points": 5, "minutes": 5}
    assert api.refusal("holdPoints", hold) == locked
    assert api.refusal("createCardLink", card_link(rich)) == locked
    audit = api.run(proof.verify, api.shop.program_id, now=api.now)
    assert audit.findings == []


def test_a_lock_can_be_changed_and_lifted(api: Api, rich: Member):
    lock(api, rich, mayEarn=True)
    changed = lock(api, rich, idempotencyKey="2", reason="worse than thought")
    lifted = api.do("unlockMember", wish(rich, idempotencyKey="3", reason="all is well"), SHOWN)

    assert changed["member"]["lock"]["reason"] == "worse than thought"
    assert changed["member"]["lock"]["mayEarn"] is False
    assert (lifted["member"]["status"], lifted["member"]["lock"]) == ("ACTIVE", None)
    assert api.do("adjustPoints", adjust(rich, -5), "balance")["balance"] == 103


def test_an_unlocked_member_does_not_keep_the_leave_to_earn(api: Api, rich: Member):
    lock(api, rich, mayEarn=True)
    api.do("unlockMember", wish(rich, idempotencyKey="2"), "")
    api.run(api.shop.close, rich)

    assert api.refusal("recordPurchase", receipt(rich)) == ("MEMBER_NOT_ACTIVE", "member")


def test_a_retry_gets_the_first_answer_and_another_wish_a_mismatch(api: Api, rich: Member):
    first = lock(api, rich)

    assert lock(api, rich) == {**first, "replayed": True}
    mismatch = ("IDEMPOTENCY_MISMATCH", "idempotencyKey")
    assert api.refusal("lockMember", wish(rich, mayEarn=True)) == mismatch
    assert api.refusal("unlockMember", wish(rich)) == mismatch


@pytest.mark.parametrize("mutation", ["lockMember", "unlockMember"])
def test_a_lock_needs_a_reason_and_so_does_its_end(api: Api, rich: Member, mutation: str):
    assert api.refusal(mutation, wish(rich, reason=" ")) == ("INVALID_INPUT", "reason")
    assert api.refusal(mutation, wish(rich, reason="x" * 501)) == ("INVALID_INPUT", "reason")


def test_who_is_not_locked_is_not_unlocked_and_who_left_is_not_locked(api: Api, rich: Member):
    unlocked = api.refusal("unlockMember", wish(rich))
    api.run(api.shop.close, rich)
    closed = api.refusal("lockMember", wish(rich))

    assert unlocked == closed == ("INVALID_INPUT", "status")


def test_nobody_locks_members_of_another_programme(api: Api, rich: Member):
    stranger = api.token("admin", shop=api.open_shop(OTHER_PROGRAM))

    assert api.refusal("lockMember", wish(rich), token=stranger) == ("NOT_FOUND", "member")
    assert api.refusal("unlockMember", wish(rich), token=stranger) == ("NOT_FOUND", "member")


def test_the_member_does_not_read_why(api: Api, rich: Member, ada_asks: str):
    lock(api, rich)

    assert api.error("{ me { status lock { reason } } }", token=ada_asks) == "FORBIDDEN"
