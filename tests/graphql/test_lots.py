from typing import Any

import pytest

from loyalty_graph.members.models import Member
from loyalty_graph.purchases.rules import Line
from loyalty_graph.usecases import expiry
from tests.api import Api, member_id
from tests.delays import waiting
from tests.shop import DAY, NOON, program

LOT = """id points remaining state earnedAt expiresAt activatesAt entry { sequence }
    consumedBy(first: 9) { totalCount nodes { points entry { kind sequence } lot { id } } }"""
LOTS = (
    """query ($ref: MemberRef!, $asOf: DateTime, $spent: Boolean!, $after: String) {
    member(ref: $ref) { wallet(asOf: $asOf) { available balance held pending
    debt qualifying lifetime neverExpiring
    expirations { points expiresAt } activations { points activatesAt }
    lots(first: 2, after: $after, spent: $spent) { totalCount pageInfo { endCursor hasNextPage }
    nodes { """
    + LOT
    + " } } } } }"
)
ENTRIES = """query ($ref: MemberRef!) { member(ref: $ref) { entries(first: 9) { nodes {
    sequence kind lot { points } lots(first: 9) { totalCount nodes { points lot {
    remaining entry { sequence } } } } } } } }"""
TEN = (Line("COFFEE", 1, 500),)
FORTY = (Line("COFFEE", 1, 2000),)


@pytest.fixture
def ada(api: Api) -> Member:
    return api.run(api.shop.enrol, email="ada@example.com")


def wallet(api: Api, member: Member, **asked: Any) -> dict[str, Any]:
    given = {"ref": {"id": member_id(member)}, "spent": True, **asked}
    found: dict[str, Any] = api.data(LOTS, given)["member"]["wallet"]
    return found


def go_on(api: Api, days: int) -> None:
    api.now += days * DAY
    api.shop = api.shop.at(api.now)


def test_a_lot_tells_what_it_was_spent_on(api: Api, ada: Member):
    api.run(api.shop.buy, ada, TEN)
    go_on(api, 1)
    api.run(api.shop.buy, ada, FORTY)
    taken = api.run(api.shop.redeem, ada, 30)
    api.run(api.shop.give_back, taken)

    newest, oldest = wallet(api, ada)["lots"]["nodes"]

    assert oldest == {
        "id": oldest["id"],
        "points": 10,
        "remaining": 10,
        "state": "OPEN",
        "earnedAt": "2026-03-02T12:00:00Z",
        "expiresAt": "2026-09-02T22:00:00Z",
        "activatesAt": None,
        "entry": {"sequence": 1},
        "consumedBy": {
            "totalCount": 2,
            "nodes": [
                {
                    "points": -10,
                    "entry": {"kind": "UNREDEEM", "sequence": 4},
                    "lot": {"id": oldest["id"]},
                },
                {
                    "points": 10,
                    "entry": {"kind": "REDEEM", "sequence": 3},
                    "lot": {"id": oldest["id"]},
                },
            ],
        },
    }
    assert [one["points"] for one in newest["consumedBy"]["nodes"]] == [-20, 20]


def test_an_entry_tells_which_lots_it_opened_and_used(api: Api, ada: Member):
    api.run(api.shop.buy, ada, TEN)
    api.run(api.shop.buy, ada, FORTY)
    api.run(api.shop.redeem, ada, 30)

    entries = api.data(ENTRIES, {"ref": {"id": member_id(ada)}})["member"]["entries"]["nodes"]

    used = {
        "totalCount": 2,
        "nodes": [
            {"points": 20, "lot": {"remaining": 20, "entry": {"sequence": 2}}},
            {"points": 10, "lot": {"remaining": 0, "entry": {"sequence": 1}}},
        ],
    }
    unused = {"totalCount": 0, "nodes": []}
    assert entries == [
        {"sequence": 3, "kind": "REDEEM", "lot": None, "lots": used},
        {"sequence": 2, "kind": "EARN", "lot": {"points": 40}, "lots": unused},
        {"sequence": 1, "kind": "EARN", "lot": {"points": 10}, "lots": unused},
    ]


def test_lots_are_paged_and_those_that_are_spent_left_out_unless_asked_for(api: Api, ada: Member):
    for _ in range(4):
        api.run(api.shop.buy, ada, TEN)
    api.run(api.shop.redeem, ada, 10)

    first = wallet(api, ada, spent=False)["lots"]
    after = first["pageInfo"]["endCursor"]
    rest = wallet(api, ada, spent=False, after=after)["lots"]
    every = wallet(api, ada, after=after)["lots"]

    assert (first["totalCount"], first["pageInfo"]["hasNextPage"]) == (3, True)
    assert [one["entry"]["sequence"] for one in first["nodes"]] == [4, 3]
    assert [one["entry"]["sequence"] for one in rest["nodes"]] == [2]
    assert [(one["entry"]["sequence"], one["state"]) for one in every["nodes"]] == [
        (2, "OPEN"),
        (1, "SPENT"),
    ]
    assert every["totalCount"] == 4


def test_a_lot_past_its_date_and_one_that_waits_say_so(api: Api, ada: Member):
    api.run(api.shop.buy, ada, TEN)
    go_on(api, 184)
    with waiting(lambda points: [(points, 14)]):
        api.run(api.shop.buy, ada, FORTY)
    go_on(api, 1)

    waits, old = wallet(api, ada)["lots"]["nodes"]

    assert (old["state"], old["remaining"]) == ("EXPIRED", 10)
    assert (waits["state"], waits["activatesAt"]) == ("PENDING", "2026-09-15T22:00:00Z")


def test_points_that_last_have_no_date(api: Api):
    api.open_shop(program(expiry_months=None))
    bob = api.run(api.shop.enrol)
    api.run(api.shop.buy, bob, TEN)

    [lot] = wallet(api, bob)["lots"]["nodes"]

    assert (lot["state"], lot["expiresAt"]) == ("OPEN", None)


def test_the_wallet_of_an_instant_is_answered_as_it_was_then(api: Api, ada: Member):
    with waiting(lambda points: [(points, 14)] if points == 40 else [(points, 0)]):
        api.run(api.shop.buy, ada, TEN)
        api.run(api.shop.buy, ada, FORTY)
    go_on(api, 1)
    answers = {api.now: wallet(api, ada)}
    go_on(api, 20)
    answers[api.now] = wallet(api, ada)
    api.now += DAY / 24
    api.shop = api.shop.at(api.now)
    api.run(api.shop.redeem, ada, 45)
    go_on(api, 1)
    answers[api.now] = wallet(api, ada)
    go_on(api, 300)
    api.run(api.shop.buy, ada)

    for when, answer in answers.items():
        assert wallet(api, ada, asOf=when.isoformat()) == answer
    assert [one["available"] for one in answers.values()] == [10, 50, 5]


def test_before_the_first_entry_there_was_nothing(api: Api, ada: Member):
    go_on(api, 1)
    api.run(api.shop.buy, ada)

    then = wallet(api, ada, asOf=NOON.isoformat())

    assert then == {
        **dict.fromkeys(("available", "balance", "held", "pending", "debt"), 0),
        **dict.fromkeys(("qualifying", "lifetime", "neverExpiring"), 0),
        "expirations": [],
        "activations": [],
        "lots": {
            "totalCount": 0,
            "nodes": [],
            "pageInfo": {"endCursor": None, "hasNextPage": False},
        },
    }


@pytest.mark.parametrize(
    "when",
    [
        pytest.param("2026-03-02T12:00:01Z", id="ahead"),
        pytest.param("1969-12-31T23:59:59Z", id="before 1970"),
    ],
)
def test_an_instant_that_cannot_be_told_of_is_refused(api: Api, ada: Member, when: str):
    given = {"ref": {"id": member_id(ada)}, "spent": True, "asOf": when}

    assert api.error(LOTS, given) == "INVALID_INPUT"


WHY = """query ($ref: MemberRef!, $locale: String) { member(ref: $ref) { entries(first: 9) { nodes {
    kind explanation(locale: $locale) { reason summary consumption debtPaid missing
    lots { points earnedAt expiresAt } } } } } }"""


def why(api: Api, member: Member, **asked: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"kind": one["kind"], **one["explanation"]}
        for one in api.data(WHY, {"ref": {"id": member_id(member)}, **asked})["member"]["entries"][
            "nodes"
        ]
    ]
    return found


def test_an_explanation_tells_from_which_lots_points_came(api: Api, ada: Member):
    api.run(api.shop.buy, ada, TEN)
    go_on(api, 3)
    api.run(api.shop.buy, ada, FORTY)
    api.run(api.shop.redeem, ada, 30)

    spent, earned, _ = why(api, ada)

    assert spent == {
        "kind": "REDEEM",
        "reason": "SPENT",
        "summary": "30 beans spent.",
        "consumption": "30 beans came from two lots: 10 earned on Mar 2, 20 on Mar 5.",
        "debtPaid": 0,
        "missing": 0,
        "lots": [
            {
                "points": 10,
                "earnedAt": "2026-03-02T12:00:00Z",
                "expiresAt": "2026-09-02T22:00:00Z",
            },
            {
                "points": 20,
                "earnedAt": "2026-03-05T12:00:00Z",
                "expiresAt": "2026-09-05T22:00:00Z",
            },
        ],
    }
    assert (earned["reason"], earned["consumption"], earned["lots"]) == ("PURCHASE", None, [])


def test_a_claw_back_tells_what_it_missed_and_the_next_points_what_they_paid(api: Api):
    api.open_shop(program(clawback="ALLOW_NEGATIVE", expiry_months=None))
    bob = api.run(api.shop.enrol)
    bought = api.run(api.shop.buy, bob, FORTY)
    api.run(api.shop.redeem, bob, 30)
    api.run(api.shop.bring_back, bought, None)
    api.run(api.shop.buy, bob, FORTY)

    earned, taken, _, _ = why(api, bob)

    assert (earned["debtPaid"], earned["consumption"]) == (
        30,
        "Of these, 30 beans paid what was owed.",
    )
    assert taken["reason"] == "TAKEN_BACK_FOR_REFUND"
    assert taken["missing"] == 30
    assert taken["consumption"] == "Earned on Mar 2. Of these, 30 beans had been spent already."
    assert taken["lots"] == [{"points": 10, "earnedAt": "2026-03-02T12:00:00Z", "expiresAt": None}]


def test_expired_points_tell_when_they_were_earned(api: Api, ada: Member):
    api.run(api.shop.buy, ada, TEN)
    go_on(api, 200)
    api.run(expiry.run, api.shop.program_id, now=api.now)

    expired, _ = why(api, ada)

    assert (expired["summary"], expired["consumption"]) == (
        "10 beans expired at the end of Sep 2, 2026.",
        "Earned on Mar 2.",
    )


def test_it_is_told_in_the_language_of_the_member_or_in_the_one_asked_for(api: Api):
    eva = api.run(api.shop.enrol, locale="de-AT")
    ali = api.run(api.shop.enrol, locale="tr")
    for one in (eva, ali):
        api.run(api.shop.buy, one, TEN)

    told = {
        "her own": why(api, eva),
        "his own": why(api, ali),
        "asked": why(api, eva, locale="en-GB"),
        "unknown": why(api, ali, locale="xx"),
    }

    assert {case: one[0]["summary"] for case, one in told.items()} == {
        "her own": "10 beans für einen Einkauf über €\xa05,00.",
        "his own": "€5,00 tutarındaki alışveriş için 10 beans.",
        "asked": "10 beans for a purchase of €5.00.",
        "unknown": "10 beans for a purchase of €5.00.",
    }


def test_a_locale_longer_than_any_is_refused(api: Api, ada: Member):
    api.run(api.shop.buy, ada, TEN)

    given = {"ref": {"id": member_id(ada)}, "locale": "d" * 36}

    assert api.error(WHY, given) == "INVALID_INPUT"


def test_a_simulation_speaks_the_language_of_the_buyer(api: Api):
    eva = api.run(api.shop.enrol, locale="de")
    ask = """query ($input: SimulatePurchaseInput!, $locale: String) {
        simulatePurchase(input: $input) { explanation(locale: $locale) { summary } } }"""
    basket = {"lines": [{"productType": "TEA", "quantity": 1, "unitAmount": "5.00"}]}
    hers = {**basket, "member": {"id": member_id(eva)}}

    told = [
        api.data(ask, given)["simulatePurchase"]["explanation"]["summary"]
        for given in ({"input": hers}, {"input": hers, "locale": "tr"}, {"input": basket})
    ]

    assert told == [
        "5 beans für einen Einkauf über 5,00\xa0€.",
        "€5,00 tutarındaki alışveriş için 5 beans.",
        "5 beans for a purchase of €5.00.",
    ]
