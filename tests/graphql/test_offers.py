from typing import Any

import pytest

from loyalty_graph.members.models import Member
from tests.api import OTHER_PROGRAM, Api, member_id
from tests.shop import NOON, PROGRAM, Shop
from tests.usecases.test_offers import BREAD, LETTERS, SOON, offering

OFFERS = "offers { code name description gives opensAt closesAt state activatedAt used usesLeft }"
FIND = f"query ($ref: MemberRef!) {{ member(ref: $ref) {{ {OFFERS} }} }}"
DONE = f"replayed offer {{ code state usesLeft }} member {{ id {OFFERS} }}"


@pytest.fixture
def shop(api: Api) -> Shop:
    return api.open_shop(offering(BREAD, LETTERS, SOON))


@pytest.fixture
def ada(api: Api, shop: Shop) -> Member:
    return api.run(shop.enrol, email="ada@example.com")


@pytest.fixture
def bob(api: Api, shop: Shop) -> Member:
    """Somebody without an address."""
    return api.run(shop.enrol)


def clip(member: Member, code: str = "BREAD", key: str = "k") -> dict[str, Any]:
    return {"idempotencyKey": key, "member": {"id": member_id(member)}, "offer": code}


def test_a_member_sees_what_is_offered_and_what_it_gives(api: Api, ada: Member, bob: Member):
    mine = api.data(f"{{ me {{ {OFFERS} }} }}", token=api.member_token(ada))["me"]["offers"]
    his = api.data(FIND, {"ref": {"id": member_id(bob)}}, token=api.token("members:read"))

    assert mine[0] == {
        "code": "BREAD",
        "name": "Fresh bread",
        "description": "With any tea.",
        "gives": "20 beans",
        "opensAt": None,
        "closesAt": None,
        "state": "AVAILABLE",
        "activatedAt": None,
        "used": 0,
        "usesLeft": 1,
    }
    assert [(one["code"], one["gives"]) for one in mine] == [
        ("BREAD", "20 beans"),
        ("LETTERS", "2 times the beans"),
    ]
    assert [one["code"] for one in his["member"]["offers"]] == ["BREAD"]


def test_a_member_clips_an_offer_to_her_card(api: Api, ada: Member):
    token = api.member_token(ada)

    done = api.do("activateOffer", clip(ada), DONE, token=token)
    again = api.do("activateOffer", clip(ada), DONE, token=token)

    assert done["userErrors"] == []
    assert done["offer"] == {"code": "BREAD", "state": "ACTIVATED", "usesLeft": 1}
    assert done["member"]["offers"][0]["activatedAt"] == NOON.isoformat().replace("+00:00", "Z")
    assert again == {**done, "replayed": True}


def test_a_till_clips_it_for_her(api: Api, ada: Member):
    done = api.do("activateOffer", clip(ada), "offer { state }", token=api.token("purchases:write"))

    assert done["offer"] == {"state": "ACTIVATED"}


def test_what_cannot_be_activated_is_refused_and_changes_nothing(
    api: Api, ada: Member, bob: Member
):
    api.do("activateOffer", clip(ada), "replayed")
    token = api.member_token(bob)

    assert api.refusal("activateOffer", clip(ada, key="2")) == ("OFFER_ACTIVATED", "offer")
    assert api.refusal("activateOffer", clip(ada, "SOON", "3")) == ("OFFER_NOT_OPEN", "offer")
    assert api.refusal("activateOffer", clip(ada, "NIX", "4")) == ("NOT_FOUND", "offer")
    assert api.refusal("activateOffer", clip(ada, "LETTERS")) == (
        "IDEMPOTENCY_MISMATCH",
        "idempotencyKey",
    )
    assert api.refusal("activateOffer", clip(bob, "LETTERS"), token=token) == (
        "NOT_FOUND",
        "offer",
    )
    assert api.refusal("activateOffer", clip(ada, "LETTERS", "5"), token=token) == (
        "NOT_FOUND",
        "member",
    )
    keyless = {name: value for name, value in clip(ada).items() if name != "idempotencyKey"}
    assert api.refusal("activateOffer", keyless) == ("INVALID_INPUT", "idempotencyKey")


def test_offers_of_another_programme_are_nobodys_here(api: Api, ada: Member):
    other = api.open_shop({**PROGRAM, "program": OTHER_PROGRAM["program"]})
    eve = api.run(other.enrol)
    token = api.token("admin", shop=other)

    shown = api.data(FIND, {"ref": {"id": member_id(eve)}}, token=token)

    assert shown == {"member": {"offers": []}}
    assert api.data(FIND, {"ref": {"id": member_id(ada)}}, token=token) == {"member": None}
    assert api.refusal("activateOffer", clip(eve), token=token) == ("NOT_FOUND", "offer")
    assert api.refusal("activateOffer", clip(ada), token=token) == ("NOT_FOUND", "member")
