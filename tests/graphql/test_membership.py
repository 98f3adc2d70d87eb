from datetime import timedelta

import pytest

from loyalty_graph.members.models import Member
from tests.api import Api, member_id

UPDATE = "mutation ($i: UpdateMemberInput!) { updateMember(input: $i) { userErrors { code } } }"


@pytest.fixture
def ada(api: Api) -> Member:
    """A member of whom everything is known."""
    return api.run(
        api.shop.enrol,
        email="ada@example.com",
        phone="+4915112345678",
        external_id="crm-7",
        first_name="Ada",
        last_name="Lovelace",
    )


PROFILE = "member { email phone externalId firstName lastName birthday locale }"
KNOWN = {
    "email": "ada@example.com",
    "phone": "+4915112345678",
    "externalId": "crm-7",
    "firstName": "Ada",
    "lastName": "Lovelace",
    "birthday": None,
    "locale": "en",
}


@pytest.mark.parametrize(
    ("given", "changed"),
    [
        pytest.param({}, {}, id="nothing"),
        pytest.param({"email": None, "phone": None}, {"email": None, "phone": None}, id="null"),
        pytest.param(
            {"externalId": " c8 ", "firstName": "", "lastName": None},
            {"externalId": "c8", "firstName": None, "lastName": None},
            id="empty",
        ),
        pytest.param(
            {"email": "A@Example.com", "birthday": "1815-12-10", "locale": "en-GB"},
            {"email": "a@example.com", "birthday": "1815-12-10", "locale": "en-GB"},
            id="values",
        ),
    ],
)
def test_what_is_left_out_stays_and_null_removes(
    api: Api, ada: Member, given: dict[str, object], changed: dict[str, object]
):
    done = api.do("updateMember", {"member": {"email": "ada@example.com"}, **given}, PROFILE)

    assert done == {"userErrors": [], "member": KNOWN | changed}


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        pytest.param({"email": "bob@example.com"}, "MEMBER_EXISTS", "email", id="taken"),
        pytest.param({"email": "no address"}, "INVALID_INPUT", "email", id="no e-mail"),
        pytest.param({"externalId": ""}, "INVALID_INPUT", "externalId", id="empty id"),
        pytest.param({"locale": ""}, "INVALID_INPUT", "locale", id="no locale"),
        pytest.param({"locale": None}, "INVALID_INPUT", "locale", id="removed locale"),
        pytest.param({"member": {"externalId": "x"}}, "NOT_FOUND", "member", id="nobody"),
    ],
)
def test_a_refused_change_changes_nothing(
    api: Api, ada: Member, given: dict[str, object], code: str, field: str
):
    api.run(api.shop.enrol, email="bob@example.com")

    refused = api.refusal("updateMember", {"member": {"id": member_id(ada)}, **given})

    assert refused == (code, field)


def test_who_may_only_write_does_not_read_who_it_was(api: Api, ada: Member):
    given = {"member": {"id": member_id(ada)}, "lastName": "King"}
    query = UPDATE.replace("userErrors { code }", "member { email }")

    answer = api.ask(query, {"i": given}, token=api.token("members:write"))

    assert "data" not in answer
    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"


def test_an_answer_to_a_consent_replaces_the_one_before(api: Api, ada: Member):
    asked = [
        {"purpose": "MARKETING_SMS", "granted": True},
        {"purpose": "LOCATION", "granted": False},
    ]
    given = {"member": {"id": member_id(ada)}, "consents": asked, "source": "app"}
    fields = "member { consents { purpose granted source } }"
    api.do("setConsent", given, fields)
    api.now += timedelta(minutes=1)

    withdrawn = [{"purpose": "MARKETING_SMS", "granted": False}]
    done = api.do("setConsent", {**given, "consents": withdrawn, "source": " "}, fields)

    assert done["member"]["consents"] == [
        {"purpose": "MARKETING_SMS", "granted": False, "source": "api"},
        {"purpose": "LOCATION", "granted": False, "source": "app"},
    ]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        pytest.param({"consents": []}, "consents", id="none"),
        pytest.param(
            {
                "consents": [
                    {"purpose": "TERMS", "granted": True},
                    {"purpose": "TERMS", "granted": False},
                ]
            },
            "consents",
            id="one purpose twice",
        ),
        pytest.param({"source": "x" * 41}, "source", id="source"),
    ],
)
def test_answers_that_will_not_do_change_nothing(
    api: Api, ada: Member, given: dict[str, object], field: str
):
    sound = {
        "member": {"id": member_id(ada)},
        "consents": [{"purpose": "TERMS", "granted": True}],
    }

    assert api.refusal("setConsent", {**sound, **given}) == ("INVALID_INPUT", field)


def test_a_closed_member_has_no_points_and_a_reason_for_it(api: Api, ada: Member):
    api.run(api.shop.buy, ada)
    given = {"idempotencyKey": "bye", "member": {"id": member_id(ada)}}
    fields = """forfeited replayed member { status wallet { available }
        entries(first: 1) { nodes { kind points explanation { summary } } } }"""

    done = api.do("closeMember", given, fields)
    again = api.do("closeMember", given, fields)

    assert done == {
        "userErrors": [],
        "forfeited": 108,
        "replayed": False,
        "member": {
            "status": "CLOSED",
            "wallet": {"available": 0},
            "entries": {
                "nodes": [
                    {
                        "kind": "EXPIRE",
                        "points": -108,
                        "explanation": {
                            "summary": "108 beans forfeited: the membership was closed."
                        },
                    }
                ]
            },
        },
    }
    assert again == {**done, "replayed": True}


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        pytest.param({"idempotencyKey": ""}, ("INVALID_INPUT", "idempotencyKey"), id="key"),
        pytest.param({"member": {"externalId": "x"}}, ("NOT_FOUND", "member"), id="nobody"),
    ],
)
def test_a_refused_closing_changes_nothing(
    api: Api, ada: Member, given: dict[str, object], refusal: tuple[str, str]
):
    sound = {"idempotencyKey": "bye", "member": {"id": member_id(ada)}}

    assert api.refusal("closeMember", {**sound, **given}) == refusal


def test_an_enrolment_with_a_key_may_be_sent_again(api: Api):
    given = {"idempotencyKey": "join-1", "email": "ada@example.com", "birthday": "1990-12-10"}

    first = api.do("enrolMember", given, "replayed member { number }")
    again = api.do("enrolMember", given, "replayed member { number }")

    assert (first["replayed"], again["replayed"]) == (False, True)
    assert again["member"] == first["member"]
    assert api.refusal("enrolMember", {**given, "locale": "de"}) == (
        "IDEMPOTENCY_MISMATCH",
        "idempotencyKey",
    )


def test_a_member_shows_the_passes_that_were_issued(api: Api, ada: Member):
    query = """query ($ref: MemberRef!) { member(ref: $ref) {
        passes { serial platform issuedAt url development } } }"""
    before = api.data(query, {"ref": {"id": member_id(ada)}})

    issued = api.do(
        "issuePass",
        {"member": {"id": member_id(ada)}},
        "pass { serial platform issuedAt url development }",
    )["pass"]
    shown = api.data(query, {"ref": {"id": member_id(ada)}})

    assert before == {"member": {"passes": []}}
    assert shown == {"member": {"passes": [issued]}}
    assert len(issued["serial"]) == 32
    assert issued["issuedAt"] == "2026-03-02T12:00:00Z"
