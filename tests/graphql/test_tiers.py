from datetime import timedelta
from typing import Any

import pytest

from loyalty_graph.members.models import Member
from tests.api import Api, member_id, receipt
from tests.shop import NOON, Shop
from tests.tiers.shop import tea, with_tiers

STATUS = """tier { code name } since until progress next { code }
    amount { amount currencyCode } points amountToNext { amount } pointsToNext
    projected { code } risk { at toTier { code } amountToKeep { amount } pointsToKeep }"""
MEMBER = f"query ($ref: MemberRef!) {{ member(ref: $ref) {{ tier {{ {STATUS} }} }} }}"
HISTORY = """query ($ref: MemberRef!, $first: Int!, $after: String) {
    tierHistory(member: $ref, first: $first, after: $after) { totalCount
      pageInfo { hasNextPage endCursor }
      nodes { sequence kind tierBefore tierAfter at reason } } }"""
TIERS = """{ tiers(slug: "tiered") { code name rank basis window downgrade graceDays
    color multiplier    entryAmount { amount } entryPoints keepAmount { amount } keepPoints
    benefits { code kind name uses per } } }"""


def tiered(**changes: Any) -> dict[str, Any]:
    data = with_tiers(**changes)
    return {**data, "program": {**data["program"], "slug": "tiered"}}


@pytest.fixture
def shop(api: Api) -> Shop:
    api.shop = api.open_shop(tiered())
    return api.shop


@pytest.fixture
def ada(api: Api, shop: Shop) -> Member:
    return api.run(shop.enrol)


def status(api: Api, member: Member) -> Any:
    return api.data(MEMBER, {"ref": {"id": member_id(member)}})["member"]["tier"]


def history(api: Api, member: Member, *, first: int = 10, after: str | None = None) -> Any:
    given = {"ref": {"id": member_id(member)}, "first": first, "after": after}
    return api.data(HISTORY, given)["tierHistory"]


def to_override(holder: Member, /, **changes: Any) -> dict[str, Any]:
    return {
        "idempotencyKey": "override",
        "member": {"id": member_id(holder)},
        "tier": "GOLD",
        "until": "2026-06-01T00:00:00Z",
        "reason": "status match",
        **changes,
    }


def test_everybody_may_see_the_tiers(api: Api, shop: Shop):
    base, silver, gold = api.data(TIERS, token=None)["tiers"]

    assert (base["code"], base["rank"], base["multiplier"], base["color"]) == (
        "BASE",
        0,
        "1",
        None,
    )
    assert silver == {
        "code": "SILVER",
        "name": "Silver",
        "rank": 1,
        "basis": "SPEND",
        "window": "CALENDAR_YEAR",
        "downgrade": "ONE_STEP",
        "graceDays": 0,
        "color": None,
        "multiplier": "5/4",
        "entryAmount": {"amount": "100.00"},
        "entryPoints": None,
        "keepAmount": {"amount": "80.00"},
        "keepPoints": None,
        "benefits": [
            {
                "code": "REFILL",
                "kind": "FREE_REFILL",
                "name": "Free refill",
                "uses": 2,
                "per": "DAY",
            }
        ],
    }
    assert gold["color"] == "rgb(212, 175, 55)"


def test_a_programme_without_tiers_has_none(api: Api):
    ada = api.run(api.shop.enrol)

    assert api.data("{ tiers { code } }") == {"tiers": []}
    assert status(api, ada) is None
    assert history(api, ada)["nodes"] == []


def test_a_new_member_stands_at_the_beginning(api: Api, ada: Member):
    assert status(api, ada) == {
        "tier": {"code": "BASE", "name": "Base"},
        "since": None,
        "until": None,
        "progress": 0,
        "next": {"code": "SILVER"},
        "amount": {"amount": "0.00", "currencyCode": "EUR"},
        "points": None,
        "amountToNext": {"amount": "100.00"},
        "pointsToNext": None,
        "projected": {"code": "BASE"},
        "risk": None,
    }


def test_a_member_sees_tier_progress_and_risk(api: Api, shop: Shop, ada: Member):
    api.run(shop.buy, ada, tea(12_550))

    first = status(api, ada)
    api.now = NOON + timedelta(days=365)
    next_year = status(api, ada)

    assert (first["tier"]["code"], first["since"], first["until"]) == (
        "SILVER",
        "2026-03-02T12:00:00Z",
        "2027-12-31T23:00:00Z",
    )
    assert (first["progress"], first["amountToNext"]) == (41, {"amount": "174.50"})
    assert (first["risk"], first["projected"]) == (None, {"code": "SILVER"})
    assert next_year["risk"] == {
        "at": "2027-12-31T23:00:00Z",
        "toTier": {"code": "BASE"},
        "amountToKeep": {"amount": "80.00"},
        "pointsToKeep": None,
    }
    assert next_year["projected"] == {"code": "BASE"}


def test_points_are_shown_where_points_count(api: Api):
    api.shop = api.open_shop(tiered(basis="QUALIFYING_POINTS"))
    ada = api.run(api.shop.enrol)
    api.run(api.shop.buy, ada, tea(3_000_000))

    shown = status(api, ada)

    assert (shown["points"], shown["amount"], shown["progress"]) == (30_000, None, 100)
    assert (shown["next"], shown["pointsToNext"], shown["amountToNext"]) == (None, None, None)


def test_the_history_is_paged_newest_first(api: Api, shop: Shop, ada: Member):
    api.run(shop.buy, ada, tea(10_000))
    api.run(shop.later(timedelta(days=1)).buy, ada, tea(20_000))

    first = history(api, ada, first=1)
    second = history(api, ada, first=1, after=first["pageInfo"]["endCursor"])

    assert first["totalCount"] == 2
    assert first["nodes"] == [
        {
            "sequence": 2,
            "kind": "UPGRADED",
            "tierBefore": "SILVER",
            "tierAfter": "GOLD",
            "at": "2026-03-03T12:00:00Z",
            "reason": "",
        }
    ]
    assert first["pageInfo"]["hasNextPage"]
    assert [one["sequence"] for one in second["nodes"]] == [1]
    assert not second["pageInfo"]["hasNextPage"]


def test_an_override_is_seen_at_once_and_at_the_till(api: Api, ada: Member):
    done = api.do(
        "overrideTier", to_override(ada), "tier replayed member { tier { tier { code } until } }"
    )
    again = api.do("overrideTier", to_override(ada), "tier replayed")
    bought = api.do(
        "recordPurchase",
        receipt(ada, lines=[{"productType": "TEA", "quantity": 1, "unitAmount": "10.00"}]),
        "points entry { explanation { summary steps { text productType points } } }",
    )

    assert done == {
        "userErrors": [],
        "tier": "GOLD",
        "replayed": False,
        "member": {"tier": {"tier": {"code": "GOLD"}, "until": "2026-06-01T00:00:00Z"}},
    }
    assert again == {"userErrors": [], "tier": "GOLD", "replayed": True}
    assert bought["points"] == 15
    assert bought["entry"]["explanation"] == {
        "summary": "15 beans for a purchase of €10.00.",
        "steps": [
            {
                "text": "TEA: €10.00 at 1 per €1.00, rounded down = 10",
                "productType": "TEA",
                "points": 10,
            },
            {
                "text": "10 beans x 3/2 (tier Gold), rounded down = 15",
                "productType": None,
                "points": 5,
            },
        ],
    }


def test_the_end_of_an_override_averts_nothing_by_buying(api: Api, ada: Member):
    api.do("overrideTier", to_override(ada), "tier")

    assert status(api, ada)["risk"] == {
        "at": "2026-06-01T00:00:00Z",
        "toTier": {"code": "BASE"},
        "amountToKeep": None,
        "pointsToKeep": None,
    }


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"tier": "PEARL"}, ("NOT_FOUND", "tier")),
        ({"until": "2026-03-02T12:00:00Z"}, ("INVALID_INPUT", "until")),
        ({"until": None}, ("INVALID_INPUT", "until")),
        ({"reason": " "}, ("INVALID_INPUT", "reason")),
        ({"member": {"number": "000000000000"}}, ("NOT_FOUND", "member")),
    ],
)
def test_an_override_that_cannot_be_is_refused(
    api: Api, ada: Member, changes: dict[str, Any], expected: tuple[str, str]
):
    assert api.refusal("overrideTier", to_override(ada, **changes)) == expected


def test_a_refused_override_shows_no_member(api: Api, ada: Member):
    done = api.do("overrideTier", to_override(ada, reason=""), "tier member { number }")

    assert (done["tier"], done["member"]) == (None, None)


def test_a_simulation_counts_the_tier_of_the_member_it_is_for(api: Api, shop: Shop, ada: Member):
    api.run(shop.buy, ada, tea(10_000))
    ask = """query ($input: SimulatePurchaseInput!) { simulatePurchase(input: $input) {
        points lines { points } explanation { steps { text amount { amount } } } } }"""
    lines = [{"productType": "TEA", "quantity": 1, "unitAmount": "10.00"}]

    anybody = api.data(ask, {"input": {"lines": lines}})["simulatePurchase"]
    hers = api.data(ask, {"input": {"lines": lines, "member": {"id": member_id(ada)}}})

    assert anybody["points"] == 10
    assert hers["simulatePurchase"] == {
        "points": 12,
        "lines": [{"points": 10}],
        "explanation": {
            "steps": [
                {
                    "text": "TEA: €10.00 at 1 per €1.00, rounded down = 10",
                    "amount": {"amount": "10.00"},
                },
                {"text": "10 beans x 5/4 (tier Silver), rounded down = 12", "amount": None},
            ]
        },
    }
