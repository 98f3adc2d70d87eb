from typing import Any

import pytest

from loyalty_graph.graphql.ids import encode_id
from loyalty_graph.members.models import Member
from loyalty_graph.usecases import proof
from tests.api import Api, member_id
from tests.shop import PROGRAM, program

REVERSED = """pointsTakenBack shortfall balance replayed
    entry { kind points qualifying text explanation { summary } } member { number }"""
REVIEW = {"code": "REVIEW", "name": "Thanks for your review", "on": "REVIEW", "points": 30}


@pytest.fixture
def ada(api: Api) -> Member:
    return api.run(api.shop.enrol)


def reversal(member: Member, sequence: int = 1, **changes: object) -> dict[str, Any]:
    entry = encode_id("LedgerEntry", member.id, sequence)
    return {"idempotencyKey": "undo", "entryId": entry, "reason": "Typed twice", **changes}


def gift(api: Api, member: Member, points: int, key: str = "gift") -> None:
    given = {"idempotencyKey": key, "member": {"id": member_id(member)}, "points": points}
    api.do("adjustPoints", {**given, "reason": "A gift"}, "")


def test_points_given_by_hand_are_taken_back_once(api: Api, ada: Member):
    gift(api, ada, 50)

    done = api.do("reverseEntry", reversal(ada), REVERSED)
    again = api.do("reverseEntry", reversal(ada), REVERSED)

    assert done == {
        "userErrors": [],
        "pointsTakenBack": 50,
        "shortfall": 0,
        "balance": 0,
        "replayed": False,
        "entry": {
            "kind": "REVERSE",
            "points": -50,
            "qualifying": 0,
            "text": "Typed twice",
            "explanation": {"summary": "50 beans taken back: Typed twice"},
        },
        "member": {"number": ada.number},
    }
    assert again == {**done, "replayed": True}
    twice = reversal(ada, idempotencyKey="once more")
    assert api.refusal("reverseEntry", twice) == ("ENTRY_REVERSED", "entryId")


def test_what_was_spent_meanwhile_is_forgiven(api: Api, ada: Member):
    gift(api, ada, 50)
    api.run(api.shop.redeem, ada, 20)

    done = api.do("reverseEntry", reversal(ada), "pointsTakenBack shortfall balance")

    assert done == {"userErrors": [], "pointsTakenBack": 30, "shortfall": 20, "balance": 0}


def test_points_taken_by_hand_return_to_their_lots(api: Api, ada: Member):
    api.run(api.shop.buy, ada)
    gift(api, ada, -40)

    done = api.do("reverseEntry", reversal(ada, 2), REVERSED)

    assert (done["pointsTakenBack"], done["balance"]) == (-40, 108)
    assert done["entry"]["points"] == 40
    assert done["entry"]["explanation"] == {"summary": "40 beans given back: Typed twice"}
    expiring = "query ($r: MemberRef!) { member(ref: $r) { wallet { expirations { points } } } }"
    wallet = api.data(expiring, {"r": {"id": member_id(ada)}})["member"]["wallet"]
    assert wallet["expirations"] == [{"points": 108}]


def test_what_was_forgiven_meanwhile_is_kept_of_points_that_return(api: Api, ada: Member):
    gift(api, ada, 50)
    gift(api, ada, -20, "taken")
    api.do("reverseEntry", reversal(ada), "")

    returned = reversal(ada, 2, idempotencyKey="undo the second")
    done = api.do("reverseEntry", returned, "pointsTakenBack balance")

    assert done == {"userErrors": [], "pointsTakenBack": -20, "balance": 0}
    asked = "query ($r: MemberRef!) { member(ref: $r) { entries { nodes { kind points } } } }"
    entries = api.data(asked, {"r": {"id": member_id(ada)}})["member"]["entries"]["nodes"]
    assert [(one["kind"], one["points"]) for one in entries] == [
        ("REVERSE", -20),
        ("REVERSE", 20),
        ("REVERSE", 20),
        ("REVERSE", -50),
        ("ADJUST", -20),
        ("ADJUST", 50),
    ]
    assert api.run(proof.verify, api.shop.program_id, now=api.now).findings == []


@pytest.fixture
def reviewed(api: Api) -> Member:
    data = {**PROGRAM, "earning": {**PROGRAM["earning"], "rules": [REVIEW]}}
    api.shop = api.open_shop(data)
    bea = api.run(api.shop.enrol)
    given = {"idempotencyKey": "r", "member": {"id": member_id(bea)}, "kind": "REVIEW"}
    api.do("recordActivity", given, "")
    return bea


def test_what_an_activity_counted_for_a_tier_it_counts_no_more(api: Api, reviewed: Member):
    done = api.do("reverseEntry", reversal(reviewed), REVERSED)

    assert (done["pointsTakenBack"], done["balance"]) == (30, 0)
    assert done["entry"]["qualifying"] == -30


def test_debt_is_left_where_the_programme_allows_it(api: Api):
    api.shop = api.open_shop(program(clawback="ALLOW_NEGATIVE"))
    bea = api.run(api.shop.enrol)
    gift(api, bea, 50)
    api.run(api.shop.redeem, bea, 20)

    done = api.do("reverseEntry", reversal(bea), "pointsTakenBack shortfall balance")

    assert done == {"userErrors": [], "pointsTakenBack": 50, "shortfall": 0, "balance": -20}


def test_a_generous_programme_keeps_no_mistakes(api: Api):
    api.shop = api.open_shop(program(clawback="KEEP"))
    bea = api.run(api.shop.enrol)
    gift(api, bea, 50)

    done = api.do("reverseEntry", reversal(bea), "pointsTakenBack balance")

    assert done == {"userErrors": [], "pointsTakenBack": 50, "balance": 0}


def test_a_reversal_is_not_reversed(api: Api, ada: Member):
    gift(api, ada, 50)
    gift(api, ada, -20, "taken")
    for sequence in (2, 1):
        api.do("reverseEntry", reversal(ada, sequence, idempotencyKey=f"{sequence}"), "")

    for sequence in (3, 4):
        given = reversal(ada, sequence, idempotencyKey=f"again {sequence}")
        assert api.refusal("reverseEntry", given) == ("ENTRY_NOT_REVERSIBLE", "entryId")


def test_a_reversal_and_what_something_else_undoes_are_refused(api: Api, ada: Member):
    bought = api.run(api.shop.buy, ada)
    api.run(api.shop.redeem, ada, 20)
    api.run(api.shop.bring_back, bought, {1: 1})
    history = "query ($r: MemberRef!) { member(ref: $r) { entries(first: 9) { nodes { id } } } }"
    before = api.data(history, {"r": {"id": member_id(ada)}})

    for sequence in (1, 2, 3):
        given = reversal(ada, sequence, idempotencyKey=f"{sequence}")
        assert api.refusal("reverseEntry", given) == ("ENTRY_NOT_REVERSIBLE", "entryId")

    assert api.data(history, {"r": {"id": member_id(ada)}}) == before


@pytest.mark.parametrize(
    ("case", "changes", "code", "field"),
    [
        ("no such entry", {"sequence": 9}, "NOT_FOUND", "entryId"),
        ("no entry at all", {"entryId": "x"}, "INVALID_INPUT", "entryId"),
        ("no reason", {"reason": " "}, "INVALID_INPUT", "reason"),
        ("too long a reason", {"reason": "x" * 501}, "INVALID_INPUT", "reason"),
        ("another input", {"reason": "Another"}, "IDEMPOTENCY_MISMATCH", "idempotencyKey"),
    ],
)
def test_a_refused_reversal_changes_nothing(
    api: Api, ada: Member, case: str, changes: dict[str, Any], code: str, field: str
):
    gift(api, ada, 50)
    gift(api, ada, 5, key="other")
    if case == "another input":
        api.do("reverseEntry", reversal(ada, 2), "")
    balance = api.run(api.shop.balance, ada)

    assert api.refusal("reverseEntry", reversal(ada, **changes)) == (code, field)

    assert api.run(api.shop.balance, ada) == balance
