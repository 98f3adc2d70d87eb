from typing import Any

import pytest

from loyalty_graph.members.models import Member
from tests.api import Api, member_id, receipt
from tests.shop import DAY, NOON
from tests.tiers.shop import with_tiers
from tests.usecases.subscribing import PLANS, Club

THEN = """query ($ref: MemberRef!, $asOf: DateTime) { member(ref: $ref, asOf: $asOf) {
    number wallet { available lots { nodes { remaining } } }
    tier { tier { code } amount { amount } amountToNext { amount } progress since }
    subscription { status plan { code } periodEndsAt feesPaid { amount } savedValue { amount } } } }
"""


@pytest.fixture
def ada(api: Api) -> Member:
    api.shop = api.open_shop({**with_tiers(), "subscription_plans": PLANS})
    return api.run(api.shop.enrol, email="ada@example.com")


def asked(member: Member, **when: str) -> dict[str, Any]:
    return {"ref": {"id": member_id(member)}, **when}


def test_a_member_is_told_with_what_she_had_then(api: Api, ada: Member):
    answers = {}
    club = Club(api.shop, api.now)

    def ask_and_go_on() -> None:
        answers[api.now] = api.data(THEN, asked(ada))["member"]
        api.now += DAY
        club.now = api.now
        api.shop = api.shop.at(api.now)

    ask_and_go_on()
    key = api.run(club.subscribe, ada).key
    api.run(club.pay, key)
    ask_and_go_on()
    lines = [{"productType": "TEA", "quantity": 1, "unitAmount": "120.00"}]
    api.do("recordPurchase", receipt(ada, lines=lines), "balance")
    ask_and_go_on()
    api.run(club.pay, key)
    api.run(api.shop.redeem, ada, 30)
    ask_and_go_on()

    for when, answer in answers.items():
        assert api.data(THEN, asked(ada, asOf=when.isoformat()))["member"] == answer
    told = [
        (
            one["wallet"]["available"],
            one["tier"]["tier"]["code"],
            one["tier"]["amount"]["amount"],
            (one["subscription"] or {}).get("feesPaid"),
        )
        for one in answers.values()
    ]
    assert told == [
        (0, "BASE", "0.00", None),
        (50, "BASE", "0.00", {"amount": "10.00"}),
        (230, "SILVER", "120.00", {"amount": "10.00"}),
        (200, "SILVER", "120.00", {"amount": "20.00"}),
    ]


def test_whoever_had_not_joined_is_null(api: Api, ada: Member):
    before = (NOON - DAY).isoformat()

    assert api.data(THEN, asked(ada, asOf=before)) == {"member": None}


def test_before_there_were_tiers_and_plans_there_is_neither(api: Api):
    bob = api.run(api.shop.enrol)
    api.now += DAY
    api.open_shop({**with_tiers(), "subscription_plans": PLANS})

    now = api.data(THEN, asked(bob))["member"]
    then = api.data(THEN, asked(bob, asOf=NOON.isoformat()))["member"]

    assert (now["tier"]["tier"]["code"], then["tier"]) == ("BASE", None)
    assert then["subscription"] is None


def test_what_lies_ahead_is_refused(api: Api, ada: Member):
    ahead = (NOON + DAY).isoformat()

    assert api.error(THEN, asked(ada, asOf=ahead)) == "INVALID_INPUT"
