from typing import Any

import pytest

from loyalty_graph.members.models import Member
from loyalty_graph.purchases.rules import Line
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
