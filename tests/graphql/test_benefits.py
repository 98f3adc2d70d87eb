from typing import Any

import pytest

from loyalty_graph.members.models import Member
from tests.api import Api, member_id
from tests.tiers.shop import tea, with_tiers

FIELDS = """benefit { code kind name description uses per } sources { source code until }
    until used left renewsAt"""
ENTITLEMENTS = f"""query ($ref: MemberRef!) {{ entitlements(member: $ref) {{ {FIELDS} }}
    member(ref: $ref) {{ entitlements {{ {FIELDS} }} }} }}"""


@pytest.fixture
def ada(api: Api) -> Member:
    api.shop = api.open_shop(with_tiers())
    ada = api.run(api.shop.enrol)
    api.run(api.shop.buy, ada, tea(10_000))
    return ada


def to_use(holder: Member, /, **changes: Any) -> dict[str, Any]:
    given = {"idempotencyKey": "use", "member": {"id": member_id(holder)}, "benefit": "REFILL"}
    return {**given, **changes}


def test_a_member_sees_what_may_be_used_and_why(api: Api, ada: Member):
    answer = api.data(ENTITLEMENTS, {"ref": {"id": member_id(ada)}})
    [shown] = answer["entitlements"]

    assert answer["member"]["entitlements"] == [shown]
    assert shown == {
        "benefit": {
            "code": "REFILL",
            "kind": "FREE_REFILL",
            "name": "Free refill",
            "description": "",
            "uses": 2,
            "per": "DAY",
        },
        "sources": [{"source": "TIER", "code": "SILVER", "until": "2027-12-31T23:00:00Z"}],
        "until": "2027-12-31T23:00:00Z",
        "used": 0,
        "left": 2,
        "renewsAt": "2026-03-02T23:00:00Z",
    }


def test_a_use_is_counted_once(api: Api, ada: Member):
    fields = "used left replayed member { entitlements { left } }"

    first = api.do("useEntitlement", to_use(ada), fields)
    again = api.do("useEntitlement", to_use(ada), fields)

    after = {"entitlements": [{"left": 1}]}
    answer = {"userErrors": [], "used": 1, "left": 1, "member": after}
    assert first == {**answer, "replayed": False}
    assert again == {**answer, "replayed": True}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"benefit": "POST"}, ("NOT_ENTITLED", "benefit")),
        ({"member": {"number": "000000000000"}}, ("NOT_FOUND", "member")),
        ({"idempotencyKey": ""}, ("INVALID_INPUT", "idempotencyKey")),
    ],
)
def test_a_use_that_cannot_be_is_refused(
    api: Api, ada: Member, changes: dict[str, Any], expected: tuple[str, str]
):
    assert api.refusal("useEntitlement", to_use(ada, **changes)) == expected


def test_what_is_used_up_is_refused_until_it_renews(api: Api, ada: Member):
    for key in "12":
        api.do("useEntitlement", to_use(ada, idempotencyKey=key), "used")

    refused = api.do("useEntitlement", to_use(ada), "used member { number }")

    assert refused == {
        "userErrors": [
            {
                "code": "BENEFIT_USED_UP",
                "field": "benefit",
                "message": (
                    "All 2 uses of REFILL were made;"
                    " there are new ones from 2026-03-02T23:00:00+00:00."
                ),
            }
        ],
        "used": None,
        "member": None,
    }
