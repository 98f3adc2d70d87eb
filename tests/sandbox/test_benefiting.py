"""What the demo's members do with benefits, by the rules that are written down."""

from typing import Any

import pytest

from loyalty_graph.benefits.models import BenefitUse
from loyalty_graph.members.rules import Reference, ReferenceKind
from loyalty_graph.sandbox.benefiting import Benefiting
from loyalty_graph.sandbox.chance import Chance
from loyalty_graph.sandbox.redeeming import Visit
from loyalty_graph.subscriptions.models import SubscriptionSaving
from loyalty_graph.usecases import scheduled, subscriptions
from tests.sandbox.scripted import HOUSEHOLD, Decided, visited
from tests.sandbox.test_subscribing import SANDBOX
from tests.shop import DAY, PROGRAM, Shop, open_shop

POST, CAKE_PRICE, CUP = 0, 1, 2
BENEFITS: list[dict[str, Any]] = [
    {"code": "POST", "kind": "FREE_SHIPPING", "name": "Free shipping"},
    {"code": "CAKE_PRICE", "kind": "MEMBER_PRICE", "name": "Cake for less"},
    {"code": "CUP", "kind": "FREE_REFILL", "name": "Another cup", "uses": 1, "per": "WEEK"},
]
PLAN: dict[str, Any] = {
    "code": "PLUS",
    "name": "Plus",
    "interval": "MONTH",
    "price_minor": 599,
    "benefits": ["POST", "CAKE_PRICE", "CUP"],
}

pytestmark = pytest.mark.usefixtures("database")


async def subscribed(shop: Shop) -> Visit:
    """Let a household subscribe, and shop for 100 euros."""
    visit = await visited(shop)
    await subscriptions.subscribe(
        shop.program_id,
        subscriptions.Subscribe(
            "partner:till",
            "k",
            Reference(ReferenceKind.ID, str(visit.member_id)),
            "PLUS",
            card="ok",
        ),
        billing=scheduled.billing(lambda: shop.now),
        now=shop.now,
    )
    return visit


async def opened() -> Shop:
    return await open_shop(
        {**PROGRAM, "program": SANDBOX, "benefits": BENEFITS, "subscription_plans": [PLAN]}
    )


async def evening(shop: Shop, chance: Chance, visit: Visit) -> None:
    benefiting = Benefiting(shop.program_id, chance)
    await benefiting.evening(shop.now.date(), {HOUSEHOLD: visit}, now=shop.now)


async def saved() -> list[tuple[str, int]]:
    return [(one.benefit, one.saved_minor) for one in await SubscriptionSaving.all()]


@pytest.mark.parametrize(
    ("case", "which", "expected"),
    [
        ("a fee that is not asked for", POST, [("POST", 495)]),
        ("a tenth of the basket", CAKE_PRICE, [("CAKE_PRICE", 1000)]),
        ("a cup", CUP, [("CUP", 250)]),
    ],
)
async def test_a_benefit_is_used_and_what_it_saved_is_told(
    case: str, which: int, expected: list[tuple[str, int]]
):
    shop = await opened()
    visit = await subscribed(shop)

    await evening(shop, Decided(benefits=0, benefit=which), visit)

    assert await saved() == expected


async def test_what_is_used_up_is_not_chosen_again():
    shop = await opened()
    visit = await subscribed(shop)
    chance = Decided(benefits=0, benefit=CUP)

    await evening(shop, chance, visit)
    await evening(shop.later(DAY), chance, visit)

    assert await saved() == [("CUP", 250), ("POST", 495)]


@pytest.mark.parametrize(("case", "falls"), [("most days", 1), ("nothing is granted", 0)])
async def test_otherwise_nothing_is_used(case: str, falls: int):
    shop = await opened()
    visit = await visited(shop) if falls == 0 else await subscribed(shop)

    await evening(shop, Decided(benefits=falls, benefit=POST), visit)

    assert await BenefitUse.all().count() == 0
