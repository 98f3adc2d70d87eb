from datetime import timedelta
from typing import Any

import pytest

from loyalty_graph.graphql.ids import encode_id
from loyalty_graph.members.models import Member
from loyalty_graph.outbox import FactRow
from loyalty_graph.usecases import expiry, proof
from tests.api import Api, member_id, receipt
from tests.shop import DAY, NOON, program

MUG = [{"productType": "MUG", "quantity": 1, "unitAmount": "10.00"}]
"""Earns 50 points."""

BACK = """points reclaimed expiresAt balance replayed
    entry { kind points text explanation { summary } } member { number }"""
WALLET = """query ($ref: MemberRef!) { member(ref: $ref) { wallet {
    available balance expirations { points expiresAt } } } }"""
LATE = NOON + 200 * DAY
"""When what was bought at noon has expired: on 18 September."""


@pytest.fixture
def ada(api: Api) -> Member:
    """A member whose 50 and 50 points expired, by entries 3 and 4."""
    one = api.run(api.shop.enrol)
    for _ in range(2):
        api.do("recordPurchase", receipt(one, lines=MUG), "points")
        api.now += DAY
    api.now = LATE
    api.run(expiry.run, api.shop.program_id, now=LATE)
    return one


def given(member: Member, /, **changes: object) -> dict[str, Any]:
    return {
        "idempotencyKey": "k",
        "member": {"id": member_id(member)},
        "withinDays": 30,
        "reason": "She was ill",
        **changes,
    }


def of_entry(member: Member, sequence: int = 3, **changes: object) -> dict[str, Any]:
    entry = encode_id("LedgerEntry", member.id, sequence)
    return {"idempotencyKey": "k", "entryId": entry, "reason": "She was ill", **changes}


def wallet(api: Api, member: Member) -> dict[str, Any]:
    found: dict[str, Any] = api.data(WALLET, {"ref": {"id": member_id(member)}})["member"]["wallet"]
    return found


def test_what_an_entry_let_expire_is_valid_again_with_a_new_date(api: Api, ada: Member):
    done = api.do("reinstateExpired", of_entry(ada, validDays=10), BACK)
    again = api.do("reinstateExpired", of_entry(ada, validDays=10), BACK)

    until = "2026-09-28T22:00:00Z"
    assert done == {
        "userErrors": [],
        "points": 50,
        "reclaimed": 0,
        "expiresAt": until,
        "balance": 50,
        "replayed": False,
        "entry": {
            "kind": "REINSTATE",
            "points": 50,
            "text": "She was ill",
            "explanation": {"summary": "50 beans are valid again until Sep 28, 2026: She was ill"},
        },
        "member": {"number": ada.number},
    }
    assert again == {**done, "replayed": True}
    assert wallet(api, ada) == {
        "available": 50,
        "balance": 50,
        "expirations": [{"points": 50, "expiresAt": until}],
    }
    fact = api.run(FactRow.get, kind="points.reinstated")
    assert fact.payload == {
        "entries": [5],
        "points": 50,
        "expiresAt": "2026-09-28T22:00:00+00:00",
        "balance": 50,
    }
    assert api.run(proof.verify, api.shop.program_id, now=api.now).findings == []


def test_all_that_expired_in_some_days_comes_back_as_if_earned_today(api: Api, ada: Member):
    done = api.do("reinstateExpired", given(ada), BACK)

    assert (done["points"], done["balance"], done["expiresAt"]) == (
        100,
        100,
        "2027-03-18T23:00:00Z",
    )
    assert api.refusal("reinstateExpired", given(ada, idempotencyKey="k2")) == (
        "NOTHING_EXPIRED",
        "withinDays",
    )


def test_days_reach_back_to_the_moment_points_expired(api: Api, ada: Member):
    api.now = LATE.replace(month=10, day=3, hour=21, minute=59)

    done = api.do("reinstateExpired", given(ada, withinDays=30), "points")

    # One ended on 2 September at 22:00 UTC, the other a day later.
    assert done["points"] == 50


def test_points_that_ended_come_back_whether_or_not_the_job_has_run(api: Api):
    ada = api.run(api.shop.enrol)
    api.do("recordPurchase", receipt(ada, lines=MUG), "points")
    api.now = LATE

    done = api.do("reinstateExpired", given(ada, withinDays=365), "points balance")

    assert done == {"userErrors": [], "points": 50, "balance": 50}
    assert api.run(expiry.run, api.shop.program_id, now=LATE) == 0


def test_what_was_forgiven_because_points_had_expired_is_taken_again(api: Api):
    ada = api.run(api.shop.enrol)
    bought = api.run(api.shop.buy, ada)
    api.now = LATE
    api.run(expiry.run, api.shop.program_id, now=LATE)
    api.run(api.shop.at(LATE).bring_back, bought, {2: 1})

    done = api.do("reinstateExpired", of_entry(ada, 2), "points reclaimed balance")

    assert done == {"userErrors": [], "points": 108, "reclaimed": 74, "balance": 34}


@pytest.mark.parametrize(
    ("case", "changes", "refusal"),
    [
        ("no entry of the member", {"sequence": 9}, ("NOT_FOUND", "entryId")),
        ("a purchase", {"sequence": 1}, ("ENTRY_NOT_EXPIRED", "entryId")),
        ("no reason", {"reason": " "}, ("INVALID_INPUT", "reason")),
        ("a long reason", {"reason": "x" * 501}, ("INVALID_INPUT", "reason")),
        ("no days", {"validDays": 0}, ("INVALID_INPUT", "validDays")),
        ("too many days", {"validDays": 366}, ("INVALID_INPUT", "validDays")),
        ("an entry and days", {"withinDays": 3}, ("INVALID_INPUT", "withinDays")),
        ("no entry at all", {"entryId": None}, ("INVALID_INPUT", "entryId")),
        ("another id", {"entryId": "x"}, ("INVALID_INPUT", "entryId")),
    ],
)
def test_what_cannot_be_reinstated_is_refused_and_changes_nothing(
    api: Api, ada: Member, case: str, changes: dict[str, Any], refusal: tuple[str, str]
):
    sequence = changes.pop("sequence", 3)

    assert api.refusal("reinstateExpired", of_entry(ada, sequence, **changes)) == refusal


@pytest.mark.parametrize(
    ("case", "changes", "refusal"),
    [
        ("no such member", {"member": {"email": "nobody@example.com"}}, ("NOT_FOUND", "member")),
        ("no days", {"withinDays": None}, ("INVALID_INPUT", "withinDays")),
        ("too many days", {"withinDays": 366}, ("INVALID_INPUT", "withinDays")),
        ("days without an expiry", {"withinDays": 3}, ("NOTHING_EXPIRED", "withinDays")),
    ],
)
def test_days_in_which_nothing_can_be_reinstated_are_refused(
    api: Api, ada: Member, case: str, changes: dict[str, Any], refusal: tuple[str, str]
):
    assert api.refusal("reinstateExpired", given(ada, **changes)) == refusal


def test_an_entry_is_reinstated_once(api: Api, ada: Member):
    api.do("reinstateExpired", of_entry(ada), "points")

    twice = of_entry(ada, idempotencyKey="k2")
    assert api.refusal("reinstateExpired", twice) == ("ENTRY_REINSTATED", "entryId")
    other = of_entry(ada, reason="Another")
    assert api.refusal("reinstateExpired", other) == ("IDEMPOTENCY_MISMATCH", "idempotencyKey")


def test_members_reinstate_nothing_themselves(api: Api, ada: Member):
    mutation = "mutation ($i: ReinstateExpiredInput!) { reinstateExpired(input: $i) { points } }"

    assert api.error(mutation, {"i": given(ada)}, token=api.member_token(ada)) == "FORBIDDEN"


def test_who_left_gets_nothing_back(api: Api, ada: Member):
    api.run(api.shop.at(api.now).close, ada)

    assert api.refusal("reinstateExpired", given(ada)) == ("MEMBER_NOT_ACTIVE", "member")


def test_a_redemption_that_is_cancelled_after_the_end_gives_points_back_for_some_days(api: Api):
    """The policy for points that return to lots past their date: REINSTATE n days."""
    lenient = {"policy": "ROLLING", "months": 6, "reinstate_days": 7}
    api.open_shop(program(expiry_months=None, expiry=lenient))
    ada = api.run(api.shop.enrol)
    api.do("recordPurchase", receipt(ada, lines=MUG), "points")
    taken = api.run(api.shop.redeem, ada, 30)
    api.now = LATE

    api.run(api.shop.at(LATE).give_back, taken)

    assert wallet(api, ada) == {
        "available": 30,
        "balance": 30,
        "expirations": [{"points": 30, "expiresAt": "2026-09-25T22:00:00Z"}],
    }
    api.now = LATE + 8 * DAY + timedelta(hours=12)
    assert wallet(api, ada)["available"] == 0


def test_what_was_forgiven_is_explained(api: Api):
    ada = api.run(api.shop.enrol)
    bought = api.run(api.shop.buy, ada)
    api.now = LATE
    api.run(expiry.run, api.shop.program_id, now=LATE)
    api.run(api.shop.at(LATE).bring_back, bought, {2: 1})
    api.do("reinstateExpired", of_entry(ada, 2), "points")

    told = api.data(
        """query ($ref: MemberRef!) { member(ref: $ref) { entries(first: 2) { nodes {
        kind points explanation { summary } } } } }""",
        {"ref": {"id": member_id(ada)}},
    )

    assert told["member"]["entries"]["nodes"] == [
        {
            "kind": "REINSTATE",
            "points": -74,
            "explanation": {
                "summary": "74 beans no longer forgiven: they had expired before the refund."
            },
        },
        {
            "kind": "REINSTATE",
            "points": 108,
            "explanation": {"summary": "108 beans are valid again until Mar 18, 2027: She was ill"},
        },
    ]
