"""Giving points to another member, through the API."""

from typing import Any

import pytest

from loyalty_graph.members.models import Member
from loyalty_graph.members.rules import MemberStatus
from loyalty_graph.usecases import members
from tests.api import OTHER_PROGRAM, Api, member_id
from tests.shop import DAY, by_id, program

DONE = """balance replayed entry { kind points explanation { summary } }
    transfer { state points fee sentAt settledAt }"""
BOTH = "member { number } recipient { number wallet { available } }"
TERMS = """{ program { pointTransfers { minPoints maxPoints maxPointsPerDay maxPointsPerYear
    feePoints feePercent keepsDates } } }"""
LIMITS = {"min_points": 5, "max_points": 90, "max_points_per_day": 95, "fee_percent": 10}


@pytest.fixture
def ada(api: Api) -> Member:
    """A member with the 108 points of the golden basket, where points may be given."""
    api.open_shop(program(transfers=LIMITS))
    ada = api.run(api.shop.enrol, email="ada@example.com", external_id="crm-7")
    api.run(api.shop.buy, ada)
    api.now += DAY
    return ada


@pytest.fixture
def bob(api: Api, ada: Member) -> Member:
    return api.run(api.shop.enrol, email="bob@example.com", external_id="crm-8")


def gift(ada: Member, bob: Member, **changes: Any) -> dict[str, Any]:
    return {
        "idempotencyKey": "k",
        "member": {"id": member_id(ada)},
        "to": {"number": bob.number},
        "points": 40,
        **changes,
    }


def test_a_partner_gives_points_of_a_member_to_another(api: Api, ada: Member, bob: Member):
    token = api.token("points:adjust", "members:read")
    given = gift(ada, bob, to={"email": "Bob@Example.com"}, reason="For the match")

    done = api.do("transferPoints", given, f"{DONE} {BOTH}", token=token)
    again = api.do("transferPoints", given, f"{DONE} {BOTH}", token=token)

    assert done == {
        "userErrors": [],
        "balance": 64,
        "replayed": False,
        "entry": {
            "kind": "TRANSFER_OUT",
            "points": -40,
            "explanation": {"summary": "40 beans given to another member."},
        },
        "transfer": {
            "state": "RECEIVED",
            "points": 40,
            "fee": 4,
            "sentAt": "2026-03-03T12:00:00Z",
            "settledAt": "2026-03-03T12:00:00Z",
        },
        "member": {"number": ada.number},
        "recipient": {"number": bob.number, "wallet": {"available": 40}},
    }
    assert again == {**done, "replayed": True}


@pytest.mark.parametrize("by", ["id", "number", "email", "externalId"])
def test_a_partner_names_the_recipient_as_he_likes(api: Api, ada: Member, bob: Member, by: str):
    named = {
        "id": member_id(bob),
        "number": bob.number,
        "email": "bob@example.com",
        "externalId": "crm-8",
    }

    done = api.do("transferPoints", gift(ada, bob, to={by: named[by]}), "recipient { id }")

    assert done == {"userErrors": [], "recipient": {"id": member_id(bob)}}


def test_a_member_gives_her_own_points_by_the_number_of_a_card(api: Api, ada: Member, bob: Member):
    spelled = f"{bob.number[:4]} {bob.number[4:]}"
    given = gift(ada, bob, to={"number": spelled})

    done = api.do("transferPoints", given, DONE, token=api.member_token(ada))

    assert (done["userErrors"], done["balance"], done["transfer"]["state"]) == ([], 64, "RECEIVED")


def test_a_member_gives_nobody_elses_points(api: Api, ada: Member, bob: Member):
    given = gift(ada, bob)

    assert api.refusal("transferPoints", given, token=api.member_token(bob)) == (
        "NOT_FOUND",
        "member",
    )


@pytest.mark.parametrize(
    ("by", "value"), [("email", "bob@example.com"), ("externalId", "crm-8"), ("phone", "+1")]
)
def test_a_member_cannot_find_out_who_is_one(
    api: Api, ada: Member, bob: Member, by: str, value: str
):
    given = gift(ada, bob, to={by: value})

    assert api.refusal("transferPoints", given, token=api.member_token(ada)) == (
        "INVALID_INPUT",
        "to",
    )


def test_a_member_sees_no_more_of_the_recipient_than_she_knew(api: Api, ada: Member, bob: Member):
    query = """mutation ($i: TransferPointsInput!) { transferPoints(input: $i) {
        recipient { firstName } } }"""

    assert api.error(query, {"i": gift(ada, bob)}, token=api.member_token(ada)) == "FORBIDDEN"


def test_a_member_writes_nothing_to_others(api: Api, ada: Member, bob: Member):
    query = "mutation ($i: TransferPointsInput!) { transferPoints(input: $i) { balance } }"
    given = gift(ada, bob, reason="Hello!")

    assert api.error(query, {"i": given}, token=api.member_token(ada)) == "FORBIDDEN"


def test_the_recipient_reads_where_points_came_from(api: Api, ada: Member, bob: Member):
    api.do("transferPoints", gift(ada, bob), "")

    query = """{ me { wallet { available expirations { points expiresAt } }
        entries { nodes { kind points explanation { summary } } } } }"""
    me = api.data(query, token=api.member_token(bob))["me"]

    assert me["wallet"] == {
        "available": 40,
        "expirations": [{"points": 40, "expiresAt": "2026-09-02T22:00:00Z"}],
    }
    assert me["entries"]["nodes"] == [
        {
            "kind": "TRANSFER_IN",
            "points": 40,
            "explanation": {"summary": "40 beans received from another member."},
        }
    ]


@pytest.mark.parametrize(
    ("case", "changes", "refused"),
    [
        ("no points", {"points": 0}, ("INVALID_INPUT", "points")),
        ("too few", {"points": 4}, ("TRANSFER_LIMIT", "points")),
        ("too many", {"points": 91}, ("TRANSFER_LIMIT", "points")),
        ("more than a day's", {"points": 70, "idempotencyKey": "l"}, ("TRANSFER_LIMIT", "points")),
        (
            "more than there are",
            {"points": 61, "idempotencyKey": "l"},
            ("TRANSFER_LIMIT", "points"),
        ),
        ("to herself", {"to": {"externalId": "crm-7"}}, ("TRANSFER_TO_SELF", "to")),
        ("to nobody", {"to": {"externalId": "crm-9"}}, ("NOT_FOUND", "to")),
        ("by a wrong number", {"to": {"number": "1"}}, ("INVALID_INPUT", "to.number")),
        ("by another id", {"to": {"id": "x"}}, ("INVALID_INPUT", "to.id")),
        ("a used key", {"points": 41}, ("IDEMPOTENCY_MISMATCH", "idempotencyKey")),
        ("no key", {"idempotencyKey": ""}, ("INVALID_INPUT", "idempotencyKey")),
    ],
)
def test_what_is_refused_changes_nothing(
    api: Api, ada: Member, bob: Member, case: str, changes: dict[str, Any], refused: Any
):
    is_of_the_key = case in {"a used key", "more than a day's", "more than there are"}
    if is_of_the_key:
        api.do("transferPoints", gift(ada, bob), "")

    assert api.refusal("transferPoints", gift(ada, bob, **changes)) == refused


def test_who_was_suspended_receives_nothing(api: Api, ada: Member, bob: Member):
    api.run(
        members.set_status,
        *(api.shop.program_id, by_id(bob), MemberStatus.SUSPENDED),
        now=api.now,
    )

    assert api.refusal("transferPoints", gift(ada, bob)) == ("RECIPIENT_NOT_ACTIVE", "to")


def test_members_of_other_programmes_are_no_recipients(api: Api, ada: Member, bob: Member):
    tea = api.open_shop(OTHER_PROGRAM)
    eve = api.run(tea.enrol, external_id="eve")

    for to in ({"id": member_id(eve)}, {"number": eve.number}, {"externalId": "eve"}):
        assert api.refusal("transferPoints", gift(ada, bob, to=to)) == ("NOT_FOUND", "to")


def test_an_app_reads_what_may_be_given(api: Api):
    before = api.data(TERMS, token=None)["program"]
    api.open_shop(program(transfers=LIMITS))
    after = api.data(TERMS, token=None)["program"]

    assert before == {"pointTransfers": None}
    assert after == {
        "pointTransfers": {
            "minPoints": 5,
            "maxPoints": 90,
            "maxPointsPerDay": 95,
            "maxPointsPerYear": None,
            "feePoints": 0,
            "feePercent": 10,
            "keepsDates": True,
        }
    }


def test_a_programme_without_transfers_says_so(api: Api, ada: Member, bob: Member):
    api.open_shop()

    assert api.refusal("transferPoints", gift(ada, bob)) == ("TRANSFERS_OFF", None)
