"""An offer: seen by those it is for, clipped to the card, used at the till, told in the entry."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loyalty_graph.members.models import Member
from tests.api import Api, open_api, receipt
from tests.shop import DAY, PROGRAM

TEA: dict[str, Any] = {
    "code": "TEATIME",
    "name": "Tea for two",
    "points": 20,
    "lines": {"product_type": "TEA"},
    "audience": {"member": {"language": "en", "has_email": True}},
    "uses": 2,
}
OFFERS = "{ me { offers { code gives state used usesLeft } } }"
BOUGHT = (
    """points balance purchase { id } entry { explanation { summary steps { text points } } }"""
)


@pytest.fixture
def api(database_url: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    with open_api(database_url, data_dir, monkeypatch) as api:
        api.open_shop({**PROGRAM, "earning": {**PROGRAM["earning"], "offers": [TEA]}})
        yield api


def stands(api: Api, token: str) -> list[tuple[str, int, int]]:
    offers = api.data(OFFERS, token=token)["me"]["offers"]
    return [(one["state"], one["used"], one["usesLeft"]) for one in offers]


@pytest.fixture
def ada(api: Api) -> Member:
    return api.run(api.shop.enrol, email="ada@example.com")


def wish(member: Member, key: str = "clip") -> dict[str, Any]:
    return {"idempotencyKey": key, "member": {"number": member.number}, "offer": "TEATIME"}


def test_a_member_clips_an_offer_buys_and_gets_the_bonus(api: Api, ada: Member):
    bob = api.run(api.shop.enrol)
    her, his = api.member_token(ada), api.member_token(bob)
    till = api.token("purchases:write")

    # She is shown the offer; he, who gave no address, is not, and cannot have it either.
    assert stands(api, her) == [("AVAILABLE", 0, 2)]
    assert stands(api, his) == []
    assert api.refusal("activateOffer", wish(bob), token=his) == ("NOT_FOUND", "offer")

    # What she buys before she clips it earns as ever.
    before = api.do("recordPurchase", receipt(ada), BOUGHT, token=till)
    assert (before["points"], before["balance"]) == (108, 108)

    # She clips it on her phone; from then on the till knows, and the entry says why.
    done = api.do("activateOffer", wish(ada), "offer { state usesLeft }", token=her)
    assert done == {"userErrors": [], "offer": {"state": "ACTIVATED", "usesLeft": 2}}
    bought = api.do("recordPurchase", receipt(ada), BOUGHT, token=till)
    assert (bought["points"], bought["balance"]) == (128, 236)
    assert bought["entry"]["explanation"]["steps"][-1] == {
        "text": "Tea for two: 20 beans",
        "points": 20,
    }
    assert stands(api, her) == [("ACTIVATED", 1, 1)]

    # A receipt from before she clipped it, brought late, does not use it; nor does his.
    late = receipt(ada, purchasedAt=(api.now - DAY).isoformat())
    assert api.do("recordPurchase", late, "points", token=till)["points"] == 108
    assert api.do("recordPurchase", receipt(bob), "points", token=till)["points"] == 108


def test_what_comes_back_gives_the_use_back_until_the_offer_is_used_up(api: Api, ada: Member):
    her, till = api.member_token(ada), api.token("purchases:write")
    api.do("activateOffer", wish(ada), "replayed", token=her)
    bought = api.do("recordPurchase", receipt(ada), BOUGHT, token=till)

    # Goods that come back give the use back; without tea it is not used at all.
    back = {"idempotencyKey": "back", "purchase": {"id": bought["purchase"]["id"]}}
    returned = api.do("refundPurchase", back, "balance", token=till)
    assert (returned["userErrors"], returned["balance"]) == ([], 0)
    assert stands(api, her) == [("ACTIVATED", 0, 2)]
    coffee = [{"productType": "COFFEE", "quantity": 1, "unitAmount": "10.00"}]
    plain = api.do("recordPurchase", receipt(ada, lines=coffee), "points", token=till)
    assert (plain["points"], stands(api, her)) == (20, [("ACTIVATED", 0, 2)])

    # She uses it up; the next tea earns as ever, and the offer says so.
    points = [
        api.do("recordPurchase", receipt(ada), "points", token=till)["points"] for _ in range(3)
    ]
    assert points == [128, 128, 108]
    assert stands(api, her) == [("USED_UP", 2, 0)]
    again = wish(ada, "again")
    assert api.refusal("activateOffer", again, token=her) == ("OFFER_USED_UP", "offer")
