"""What the demo's members do with paid memberships, by the rules that are written down."""

from datetime import timedelta
from typing import Any

import pytest

from loyalty_graph.sandbox.chance import Chance
from loyalty_graph.sandbox.redeeming import Visit
from loyalty_graph.sandbox.subscribing import CARDS, Subscribed, Subscribing
from loyalty_graph.subscriptions.models import MemberSubscription, SubscriptionPayment
from tests.sandbox.scripted import HOUSEHOLD, Decided, visited
from tests.shop import DAY, PROGRAM, Shop, open_shop

PLANS: list[dict[str, Any]] = [
    {"code": code, "name": code, "interval": interval, "price_minor": 599, "trial_days": 14}
    | {"grace_days": 7, "dunning_attempts": 3}
    for code, interval in (("PLUS", "MONTH"), ("PLUS_YEAR", "YEAR"))
]
SANDBOX = {**PROGRAM["program"], "sandbox": True}
SUBSCRIBES = {"subscribes": 0, "plan": 0}

pytestmark = pytest.mark.usefixtures("database")


async def opened() -> Shop:
    return await open_shop({**PROGRAM, "program": SANDBOX, "subscription_plans": PLANS})


async def evening(
    shop: Shop, chance: Chance, visit: Visit | None, had: Subscribed | None = None
) -> Subscribed:
    visits = {} if visit is None else {HOUSEHOLD: visit}
    subscribing = Subscribing(shop.program_id, chance)
    return await subscribing.evening(shop.now.date(), visits, had or {}, now=shop.now)


async def statuses() -> list[tuple[str, str]]:
    return [(one.plan_code, one.status) for one in await MemberSubscription.all()]


async def test_a_household_subscribes_once_and_pays_after_the_trial():
    shop = await opened()
    visit = await visited(shop)

    had = await evening(shop, Decided(**SUBSCRIBES, card=0), visit)
    on_trial = await statuses()
    again = await evening(shop.later(14 * DAY), Decided(**SUBSCRIBES), visit, had)

    assert had.keys() == {HOUSEHOLD}
    assert on_trial == [("PLUS", "TRIALING")]
    assert again == {}
    assert await statuses() == [("PLUS", "ACTIVE")]
    paid = await SubscriptionPayment.get()
    assert (paid.provider, paid.outcome, paid.amount_minor) == ("local", "SUCCEEDED", 599)


async def test_a_plan_is_chosen_among_all():
    shop = await opened()

    await evening(shop, Decided(subscribes=0, plan=3), await visited(shop))

    assert await statuses() == [("PLUS_YEAR", "TRIALING")]


async def test_a_card_that_never_pays_ends_the_subscription_after_its_grace():
    shop = await opened()
    visit = await visited(shop)
    had = await evening(shop, Decided(**SUBSCRIBES, card=CARDS.index("declined")), visit)

    for days in range(1, 23):
        await evening(shop.later(timedelta(days=days)), Decided(), None, had)

    assert await statuses() == [("PLUS", "EXPIRED")]
    assert await SubscriptionPayment.filter(outcome="FAILED").count() == 3


async def test_a_subscriber_cancels_once():
    shop = await opened()
    visit = await visited(shop)
    had = await evening(shop, Decided(**SUBSCRIBES, card=0), visit)

    for days in (1, 2):
        await evening(shop.later(days * DAY), Decided(unsubscribes=0), visit, had)

    assert await statuses() == [("PLUS", "CANCELLED")]


async def test_most_visits_begin_nothing():
    shop = await opened()

    assert await evening(shop, Decided(), await visited(shop)) == {}
    assert await statuses() == []


async def test_without_plans_nobody_subscribes():
    shop = await open_shop()

    assert await evening(shop, Decided(**SUBSCRIBES), await visited(shop)) == {}
