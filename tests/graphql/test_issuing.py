"""Daily caps of partners through the API: set for a partner, kept to by all of its tokens."""

from typing import Any

import pytest

from loyalty_graph.identity import issuance
from loyalty_graph.identity import service as identity
from loyalty_graph.identity.models import Partner, PartnerIssuance
from loyalty_graph.identity.rules import Role
from loyalty_graph.members.models import Member
from tests.api import Api, member_id, receipt


@pytest.fixture
def till(api: Api) -> str:
    """A token of a partner who may issue 120 points a day; the golden basket is worth 108."""
    token = api.token("purchases:write", "points:adjust")
    cap(api, 120)
    return token


def cap(api: Api, points: int | None) -> Partner:
    async def set_cap() -> Partner:
        partner = await identity.partner_named(api.shop.program_id, "Till", now=api.now)
        return await issuance.cap(api.shop.program_id, partner.id, points, now=api.now)

    return api.run(set_cap)


def gift(member: Member, points: int, key: str = "a") -> dict[str, Any]:
    who = {"id": member_id(member)}
    return {"idempotencyKey": key, "member": who, "points": points, "reason": "a cup"}


def issued(api: Api) -> list[int]:
    rows = api.run(_issued)
    return [row.issued_points for row in rows]


async def _issued() -> list[PartnerIssuance]:
    return await PartnerIssuance.all()


def test_a_cap_holds_for_every_token_of_the_partner(api: Api, ada: Member, till: str):
    made_later = api.token("points:adjust")
    api.do("recordPurchase", receipt(ada), "", token=till)

    assert api.refusal("recordPurchase", receipt(ada), token=till) == ("ISSUANCE_CAP", None)
    assert api.refusal("adjustPoints", gift(ada, 13), token=made_later) == ("ISSUANCE_CAP", None)
    given = api.do("adjustPoints", gift(ada, 12, "b"), "balance", token=made_later)
    assert given["balance"] == 120
    assert issued(api) == [120]


def test_a_batch_and_an_activity_keep_to_it(api: Api, ada: Member, till: str):
    both = {"purchases": [receipt(ada), receipt(ada)]}

    done = api.do("recordPurchases", both, "results { points userErrors { code } }", token=till)

    assert done["results"] == [
        {"points": 108, "userErrors": []},
        {"points": None, "userErrors": [{"code": "ISSUANCE_CAP"}]},
    ]


def test_the_staff_has_no_cap(api: Api, ada: Member, till: str):
    mona = api.staff("Mona", Role.MANAGER)

    assert api.do("adjustPoints", gift(ada, 500), "balance", token=mona)["balance"] == 500
    assert issued(api) == []


def test_a_cap_is_changed_and_taken_away_for_tokens_in_use(api: Api, ada: Member, till: str):
    cap(api, 0)
    refused = api.refusal("adjustPoints", gift(ada, 1), token=till)
    cap(api, None)

    given = api.do("adjustPoints", gift(ada, 500), "balance", token=till)

    assert refused == ("ISSUANCE_CAP", None)
    assert given["balance"] == 500
