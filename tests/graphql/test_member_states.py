"""Points of members who are locked, left, live on as others or were erased: what may still move."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from loyalty_graph.graphql.ids import encode_id
from loyalty_graph.members.models import Member
from loyalty_graph.usecases import expiry, proof
from tests.api import GOLDEN_LINES, Api, member_id, receipt
from tests.shop import DAY, PROGRAM

EVERYTHING_ON: dict[str, Any] = {
    **PROGRAM,
    "program": {
        **PROGRAM["program"],
        "claim_days": 30,
        "points": {**PROGRAM["program"]["points"], "transfers": {}},
    },
    "earning": {
        **PROGRAM["earning"],
        "rules": [
            {"code": "REVIEWS", "name": "Tell others", "on": "REVIEW", "points": 15},
            {"code": "LATER", "name": "Later", "points": 40, "pending": {"days": 14}},
        ],
    },
}
_numbers = count(1)

Input = dict[str, Any]
Answer = tuple[str, str | None] | str


@dataclass(frozen=True)
class Desk:
    """The API, and what tests do through it before the state of a member changes."""

    api: Api

    def enrol(self) -> Member:
        return self.api.run(self.api.shop.enrol)

    def do(self, mutation: str, given: Input, fields: str = "") -> dict[str, Any]:
        done = self.api.do(mutation, keyed(given), fields)
        assert done["userErrors"] == []
        return done

    def buy(self, member: Member) -> str:
        """Return the id of a purchase that earned 108 points, and 40 that wait."""
        found: str = self.do("recordPurchase", receipt(member), "purchase { id }")["purchase"]["id"]
        return found

    def adjust(self, member: Member, points: int) -> str:
        """Return the id of the entry."""
        given = {"member": ref(member), "points": points, "reason": "sorry"}
        found: str = self.do("adjustPoints", given, "entry { id }")["entry"]["id"]
        return found

    def hold(self, member: Member) -> str:
        self.adjust(member, 50)
        given = {"member": ref(member), "points": 30, "minutes": 60, "reason": "a table"}
        found: str = self.do("holdPoints", given, "hold { id }")["hold"]["id"]
        return found

    def merge(self, member: Member, into: Member) -> None:
        self.do("mergeMembers", {"from": ref(member), "into": ref(into), "reason": "one person"})

    def claim_code(self) -> str:
        number = next(_numbers)
        given = {"source": "till", "externalId": f"unclaimed-{number}", "lines": GOLDEN_LINES}
        found: str = self.do("recordPurchase", given, "claimCode")["claimCode"]
        return found

    def let_expire(self, member: Member) -> None:
        """Let 50 points that the member got long ago expire."""
        shop = self.api.shop.later(-200 * DAY)
        self.api.run(shop.buy, member)
        self.api.run(expiry.run, shop.program_id, now=self.api.now)

    def answer(self, mutation: str, given: Input) -> Answer:
        """Return code and field of a refusal that wrote nothing, or `done`."""
        before = self.api.everything()
        done = self.api.do(mutation, keyed(given), "")
        if not done["userErrors"]:
            return "done"
        assert self.api.everything() == before
        [error] = done["userErrors"]
        return error["code"], error["field"]


def keyed(given: Input) -> Input:
    return {"idempotencyKey": f"state-{next(_numbers)}", **given}


def ref(member: Member) -> Input:
    return {"id": member_id(member)}


def suspended(desk: Desk, member: Member) -> tuple[str, Input]:
    return "lockMember", {"member": ref(member), "reason": "odd receipts"}


def earning(desk: Desk, member: Member) -> tuple[str, Input]:
    return "lockMember", {"member": ref(member), "reason": "odd receipts", "mayEarn": True}


def closed(desk: Desk, member: Member) -> tuple[str, Input]:
    return "closeMember", {"member": ref(member)}


def merged(desk: Desk, member: Member) -> tuple[str, Input]:
    return "mergeMembers", {"from": ref(member), "into": ref(desk.enrol()), "reason": "one person"}


def erased(desk: Desk, member: Member) -> tuple[str, Input]:
    return "eraseMember", {"member": ref(member)}


STATES = {
    "SUSPENDED": suspended,
    "EARNING": earning,
    "CLOSED": closed,
    "MERGED": merged,
    "ERASED": erased,
}


def hold_points(desk: Desk, member: Member) -> Input:
    desk.buy(member)
    return {"member": ref(member), "points": 30, "minutes": 60, "reason": "a table"}


def end_hold(desk: Desk, member: Member) -> Input:
    return {"holdId": desk.hold(member)}


def activate(desk: Desk, member: Member) -> Input:
    return {"pending": {"purchase": {"id": desk.buy(member)}}}


def cancel(desk: Desk, member: Member) -> Input:
    return {**activate(desk, member), "reason": "a mistake"}


def reinstate_days(desk: Desk, member: Member) -> Input:
    desk.let_expire(member)
    return {"member": ref(member), "withinDays": 200, "reason": "she was ill"}


def reinstate_entry(desk: Desk, member: Member) -> Input:
    desk.let_expire(member)
    return {"entryId": encode_id("LedgerEntry", member.id, 4), "reason": "she was ill"}


def give(desk: Desk, member: Member) -> Input:
    desk.buy(member)
    return {"member": ref(member), "to": ref(desk.enrol()), "points": 10}


def receive(desk: Desk, member: Member) -> Input:
    giver = desk.enrol()
    desk.buy(giver)
    return {"member": ref(giver), "to": ref(member), "points": 10}


def merge_from(desk: Desk, member: Member) -> Input:
    desk.buy(member)
    return {"from": ref(member), "into": ref(desk.enrol()), "reason": "one person"}


def merge_into(desk: Desk, member: Member) -> Input:
    return {"from": ref(desk.enrol()), "into": ref(member), "reason": "one person"}


def unmerge_self(desk: Desk, member: Member) -> Input:
    desk.buy(member)
    return {"memberId": member_id(member), "reason": "two people"}


def unmerge_from(desk: Desk, member: Member) -> Input:
    other = desk.enrol()
    desk.buy(other)
    desk.merge(other, member)
    return {"memberId": member_id(other), "reason": "two people"}


def reverse_gift(desk: Desk, member: Member) -> Input:
    return {"entryId": desk.adjust(member, 50), "reason": "a mistake"}


def reverse_taking(desk: Desk, member: Member) -> Input:
    desk.adjust(member, 50)
    return {"entryId": desk.adjust(member, -20), "reason": "a mistake"}


def reverse_activity(desk: Desk, member: Member) -> Input:
    given = {"member": ref(member), "kind": "REVIEW", "proof": f"review-{next(_numbers)}"}
    done = desk.do("recordActivity", given, "entry { id }")
    return {"entryId": done["entry"]["id"], "reason": "a mistake"}


def add(desk: Desk, member: Member) -> Input:
    return {"member": ref(member), "points": 10, "reason": "sorry"}


def take(desk: Desk, member: Member) -> Input:
    desk.buy(member)
    return {"member": ref(member), "points": -10, "reason": "a mistake"}


def void(desk: Desk, member: Member) -> Input:
    return {"purchase": {"id": desk.buy(member)}}


def refund(desk: Desk, member: Member) -> Input:
    return {"purchase": {"id": desk.buy(member)}, "amount": "10.00"}


def claim(desk: Desk, member: Member) -> Input:
    return {"member": ref(member), "code": desk.claim_code()}


def bring_along(desk: Desk, member: Member) -> Input:
    lots = [{"points": 10, "neverExpires": True}]
    return {"rows": [{"key": f"row-{next(_numbers)}", "id": member_id(member), "lots": lots}]}


@pytest.fixture
def desk(api: Api) -> Desk:
    api.shop = api.open_shop(EVERYTHING_ON)
    return Desk(api)


DONE = "done"
INACTIVE = ("MEMBER_NOT_ACTIVE", "member")
NO_RECIPIENT = ("RECIPIENT_NOT_ACTIVE", "to")
NOT_FROM, NOT_INTO = ("MEMBER_NOT_ACTIVE", "from"), ("MEMBER_NOT_ACTIVE", "into")
HOLD_ENDED = ("HOLD_ENDED", "holdId")
CANCELLED = ("PENDING_CANCELLED", "pending")
NOT_MERGED = ("NOT_MERGED", "memberId")
MERGED_ON, GONE = ("MERGE_BLOCKED", "memberId"), ("MEMBER_NOT_ACTIVE", "memberId")
ROWS_REFUSED = ("BALANCE_FILE", "content")
NEVER = "such a member is not merged"
"""The hold has to end before."""

Given = Callable[[Desk, Member], Input]
ANSWERS: list[tuple[str, Given, tuple[Answer, ...]]] = [
    # In the order of STATES: SUSPENDED, SUSPENDED but earning, CLOSED, MERGED, ERASED.
    ("holdPoints", hold_points, (INACTIVE,) * 5),
    ("captureHold", end_hold, (INACTIVE, INACTIVE, HOLD_ENDED, NEVER, HOLD_ENDED)),
    ("releaseHold", end_hold, (DONE, DONE, HOLD_ENDED, NEVER, HOLD_ENDED)),
    ("activatePending", activate, (DONE, DONE, CANCELLED, DONE, CANCELLED)),
    ("cancelPending", cancel, (DONE, DONE, CANCELLED, INACTIVE, INACTIVE)),
    ("reinstateExpired", reinstate_days, (INACTIVE,) * 5),
    ("reinstateExpired", reinstate_entry, (INACTIVE,) * 5),
    ("transferPoints", give, (INACTIVE,) * 5),
    ("transferPoints", receive, (NO_RECIPIENT,) * 5),
    ("mergeMembers", merge_from, (NOT_FROM,) * 5),
    ("mergeMembers", merge_into, (NOT_INTO,) * 5),
    ("unmergeMembers", unmerge_self, (NOT_MERGED, NOT_MERGED, NOT_MERGED, DONE, NOT_MERGED)),
    ("unmergeMembers", unmerge_from, (DONE, DONE, DONE, MERGED_ON, GONE)),
    ("reverseEntry", reverse_gift, (DONE, DONE, INACTIVE, INACTIVE, INACTIVE)),
    ("reverseEntry", reverse_taking, (INACTIVE,) * 5),
    ("reverseEntry", reverse_activity, (DONE, DONE, INACTIVE, INACTIVE, INACTIVE)),
    ("adjustPoints", add, (INACTIVE, DONE, INACTIVE, INACTIVE, INACTIVE)),
    ("adjustPoints", take, (INACTIVE,) * 5),
    # Goods come back whoever had bought them.
    ("voidPurchase", void, (DONE,) * 5),
    ("refundPurchase", refund, (DONE,) * 5),
    ("claimPurchase", claim, (INACTIVE, DONE, INACTIVE, INACTIVE, INACTIVE)),
    ("importBalances", bring_along, (ROWS_REFUSED,) * 5),
]


@pytest.mark.parametrize(
    ("mutation", "given", "expected"),
    ANSWERS,
    ids=[f"{mutation} {given.__name__}" for mutation, given, _ in ANSWERS],
)
def test_a_state_lets_points_move_or_a_code_says_why_not_and_nothing_is_written(
    desk: Desk, mutation: str, given: Given, expected: tuple[Answer, ...]
):
    answers: dict[str, Answer] = {}
    for name, state in STATES.items():
        member = desk.enrol()
        wish = given(desk, member)
        is_reached = desk.answer(*state(desk, member)) == DONE
        answers[name] = desk.answer(mutation, wish) if is_reached else NEVER

    assert answers == dict(zip(STATES, expected, strict=True))
    audit = desk.api.run(proof.verify, desk.api.shop.program_id, now=desk.api.now)
    assert audit.findings == []


@pytest.mark.parametrize("state", STATES)
def test_a_row_of_balances_says_whose_state_it_is(desk: Desk, state: str):
    member = desk.enrol()
    desk.do(*STATES[state](desk, member))

    wish = keyed(bring_along(desk, member))
    done = desk.api.do("importBalances", wish, "rowErrors { line code field }")

    assert done["rowErrors"] == [{"line": 1, "code": "MEMBER_NOT_ACTIVE", "field": "member"}]
