"""Points are earned by the public API, then expire: nothing here makes lots of its own.

Others' reports that this answers: an expiry setting that did nothing, and expirations of which only
the first was shown (FreeOpenSourcePOS/FloCafe#62); lots of another label that never expired, unseen
by tests that made lots of their own (liberusoftware/ecommerce-laravel pull request 1056).
"""

from datetime import timedelta
from typing import Any

import pytest

from loyalty_graph.members.models import Member
from loyalty_graph.outbox import FactRow
from loyalty_graph.usecases import expiry, notices
from tests.api import Api, member_id, receipt
from tests.shop import DAY, GUARDED, NOON, program

MUG = [{"productType": "MUG", "quantity": 1, "unitAmount": "10.00"}]
"""Earns 50 points."""

WALLET = """query ($ref: MemberRef!) { member(ref: $ref) { wallet {
    available balance neverExpiring expirations { points expiresAt } } } }"""
ENTRIES = """query ($ref: MemberRef!) { member(ref: $ref) { entries(first: 20) { nodes {
    kind points at explanation { summary } } } } }"""
POLICY = """{ program { expiryMonths expiry {
    policy months end dates minimumMonths resets noticeDays reinstateDays } } }"""
FIXED = {"policy": "FIXED", "dates": ["06-30", "12-31"], "minimum_months": 3}


@pytest.fixture
def ada(api: Api) -> Member:
    return api.run(api.shop.enrol, email="ada@example.com")


def living(**policy: Any) -> dict[str, Any]:
    """Return the programme with another expiry policy."""
    return program(expiry_months=None, expiry=policy)


def buy(api: Api, member: Member) -> None:
    done = api.do("recordPurchase", receipt(member, lines=MUG), "points")
    assert done == {"userErrors": [], "points": 50}


def wallet(api: Api, member: Member) -> dict[str, Any]:
    found: dict[str, Any] = api.data(WALLET, {"ref": {"id": member_id(member)}})["member"]["wallet"]
    return found


def entries(api: Api, member: Member) -> list[dict[str, Any]]:
    found = api.data(ENTRIES, {"ref": {"id": member_id(member)}})["member"]["entries"]["nodes"]
    return [{**one, "explanation": one["explanation"]["summary"]} for one in found]


@pytest.mark.parametrize(
    ("case", "policy", "gone"),
    [
        ("the day", {"policy": "ROLLING", "months": 6}, "2026-09-02T22:00:00Z"),
        ("the month", {"policy": "ROLLING", "months": 6, "end": "MONTH"}, "2026-09-30T22:00:00Z"),
        ("the year", {"policy": "ROLLING", "months": 6, "end": "YEAR"}, "2026-12-31T23:00:00Z"),
        ("a date", {"policy": "FIXED", "dates": ["06-30", "12-31"]}, "2026-06-30T22:00:00Z"),
        ("a later date", {**FIXED, "minimum_months": 5}, "2026-12-31T23:00:00Z"),
    ],
)
def test_what_is_earned_expires_at_the_end_that_the_wallet_told(
    api: Api, ada: Member, case: str, policy: dict[str, Any], gone: str
):
    api.open_shop(living(**policy))
    buy(api, ada)

    told = wallet(api, ada)["expirations"]
    api.now = api.now.fromisoformat(gone) - timedelta(seconds=1)
    last_moment = wallet(api, ada)
    api.now += timedelta(seconds=1)
    over = wallet(api, ada)
    expired = api.run(expiry.run, api.shop.program_id, now=api.now)

    assert told == last_moment["expirations"] == [{"points": 50, "expiresAt": gone}]
    assert (last_moment["available"], over["available"], over["expirations"]) == (50, 0, [])
    assert expired == 50
    assert wallet(api, ada)["balance"] == 0
    assert (entries(api, ada)[0]["kind"], entries(api, ada)[0]["at"]) == ("EXPIRE", gone)


def test_every_expiration_is_listed_and_they_add_up_also_over_several_policies(
    api: Api, ada: Member
):
    policies: list[dict[str, Any]] = [
        {"policy": "NONE"},
        {"policy": "ROLLING", "months": 1},
        FIXED,
        {"policy": "ROLLING", "months": 2, "end": "YEAR"},
    ]
    for policy in policies:
        api.open_shop(living(**policy))
        buy(api, ada)
        api.now += DAY
    spent = api.do(
        "adjustPoints",
        {
            "idempotencyKey": "k",
            "member": {"id": member_id(ada)},
            "points": -20,
            "reason": "Mistake",
        },
        "balance",
    )

    found = wallet(api, ada)

    assert spent["balance"] == 180
    assert found == {
        "available": 180,
        "balance": 180,
        "neverExpiring": 50,
        "expirations": [
            {"points": 30, "expiresAt": "2026-04-03T22:00:00Z"},
            {"points": 50, "expiresAt": "2026-06-30T22:00:00Z"},
            {"points": 50, "expiresAt": "2026-12-31T23:00:00Z"},
        ],
    }


@pytest.mark.parametrize(
    ("case", "how"),
    [("a purchase", "recordPurchase"), ("by hand", "adjustPoints"), ("an activity", "activity")],
)
def test_points_expire_however_they_were_earned(api: Api, case: str, how: str):
    rule = {"code": "IN", "name": "Checking in", "on": "CHECK_IN", "points": 50}
    data = living(policy="ROLLING", months=1)
    api.open_shop({**data, "earning": {**data["earning"], "rules": [rule]}})
    ada = api.run(api.shop.enrol)
    if how == "recordPurchase":
        buy(api, ada)
    elif how == "adjustPoints":
        gift = {"member": {"id": member_id(ada)}, "points": 50, "reason": "Gift"}
        api.do("adjustPoints", {"idempotencyKey": "k", **gift}, "balance")
    else:
        deed = {"member": {"id": member_id(ada)}, "kind": "CHECK_IN", "store": "S1"}
        api.do("recordActivity", {"idempotencyKey": "k", **deed}, "points")
    assert wallet(api, ada)["available"] == 50

    api.now += 32 * DAY
    over = wallet(api, ada)
    expired = api.run(expiry.run, api.shop.program_id, now=api.now)

    assert (over["available"], over["expirations"], expired) == (0, [], 50)
    assert entries(api, ada)[0] == {
        "kind": "EXPIRE",
        "points": -50,
        "at": "2026-04-02T22:00:00Z",
        "explanation": "50 beans expired at the end of Apr 2, 2026.",
    }


def test_points_do_not_vanish_silently(api: Api, ada: Member):
    """Customers are angry when points are gone that nobody spoke of; here they end after a notice.

    Sources: tc-soft.com on points that expired silently; mashed.com/1270884.
    """
    api.open_shop(program(**GUARDED))
    buy(api, ada)
    program_id = api.shop.program_id
    api.now = NOON + 300 * DAY

    untold = api.run(expiry.run, program_id, now=api.now), wallet(api, ada)
    api.run(notices.run, program_id, now=api.now)
    told = api.run(expiry.run, program_id, now=api.now), wallet(api, ada)
    api.now += 15 * DAY
    over = api.run(expiry.run, program_id, now=api.now), wallet(api, ada)

    end = "2027-01-10T23:00:00Z"
    still = {
        "available": 50,
        "balance": 50,
        "neverExpiring": 0,
        "expirations": [{"points": 50, "expiresAt": end}],
    }
    assert untold == told == (0, still)
    assert over == (50, {"available": 0, "balance": 0, "neverExpiring": 0, "expirations": []})
    assert entries(api, ada)[0]["at"] == end
    fact = api.run(FactRow.get, kind="points.expiring")
    assert fact.payload == {"points": 50, "expiresAt": "2027-01-10T23:00:00+00:00"}


def test_points_slide_with_what_their_member_does(api: Api, ada: Member):
    api.open_shop(living(policy="SLIDING", months=6, resets=["PURCHASE"]))
    buy(api, ada)
    first = wallet(api, ada)
    api.now += 30 * DAY
    buy(api, ada)

    moved = wallet(api, ada)["expirations"]
    api.now = NOON + 213 * DAY
    last_day = wallet(api, ada)["available"]
    api.now += DAY
    over = wallet(api, ada)["available"]

    assert first["expirations"] == [{"points": 50, "expiresAt": "2026-09-02T22:00:00Z"}]
    assert moved == [{"points": 100, "expiresAt": "2026-10-01T22:00:00Z"}]
    assert (first["neverExpiring"], last_day, over) == (0, 100, 0)


def test_the_programme_tells_its_policy(api: Api):
    api.open_shop(living(**FIXED))

    assert api.data(POLICY, token=None)["program"] == {
        "expiryMonths": None,
        "expiry": {
            "policy": "FIXED",
            "months": None,
            "end": "DAY",
            "dates": ["06-30", "12-31"],
            "minimumMonths": 3,
            "resets": [],
            "noticeDays": None,
            "reinstateDays": None,
        },
    }
