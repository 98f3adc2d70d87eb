"""Whose cards the demo shows, and what it counts."""

from datetime import timedelta
from typing import Any

import pytest

from loyalty_graph.programs import service as programs
from loyalty_graph.purchases.rules import Line
from loyalty_graph.sandbox.survey import Highlight, Survey, survey
from loyalty_graph.usecases import merging, scheduled, subscriptions
from tests.sandbox.test_subscribing import PLANS, SANDBOX
from tests.shop import PROGRAM, Shop, by_id, open_shop

LADDER: dict[str, Any] = {
    "basis": "SPEND",
    "window": "CALENDAR_YEAR",
    "downgrade": "NONE",
    "levels": [
        {"code": "GREEN", "name": "Green", "entry": 0},
        {"code": "GOLD", "name": "Gold", "entry": 10_000},
    ],
}

pytestmark = pytest.mark.usefixtures("database")


async def opened() -> Shop:
    plans = [PLANS[0] | {"trial_days": 0}]
    return await open_shop(
        {**PROGRAM, "program": SANDBOX, "tiers": LADDER, "subscription_plans": plans}
    )


async def bought(shop: Shop, name: str, cents: int) -> None:
    await shop.buy(await shop.enrol(external_id=name), (Line("TEA", 1, cents),))


async def found(shop: Shop) -> Survey:
    program = await programs.in_force(shop.program_id, shop.now, now=shop.now)
    return await survey(shop.program_id, program.settings, now=shop.now)


async def test_members_of_each_tier_and_running_plans_are_counted():
    shop = await opened()
    for name, cents in (("ada", 10_000), ("bo", 500), ("cy", 700)):
        await bought(shop, name, cents)

    seen = await found(shop)

    assert (seen.tiers, seen.subscriptions) == ({"GREEN": 2, "GOLD": 1}, 0)


async def test_three_members_are_worth_a_look_and_nobody_twice():
    shop = await opened()
    await bought(shop, "near", 9_940)
    await bought(shop, "far", 9_000)
    subscriber = await shop.enrol(external_id="subscriber")
    await subscriptions.subscribe(
        shop.program_id,
        subscriptions.Subscribe("partner:till", "k", by_id(subscriber), "PLUS", card="ok"),
        billing=scheduled.billing(lambda: shop.now),
        now=shop.now,
    )
    later = shop.later(timedelta(days=20))

    seen = await found(later)
    before_expiry = await found(shop.later(timedelta(days=170)))

    assert seen.subscriptions == 1
    assert seen.highlights() == (
        Highlight("near", "Green, 0.60 EUR short of Gold", "0.60"),
        Highlight("subscriber", "Green, subscriber of PLUS, 0 beans"),
    )
    assert before_expiry.highlights()[-1] == Highlight(
        "far", "Green, 90 beans expire within 30 days"
    )


async def test_of_a_tiny_demo_who_has_the_most_points_is_shown():
    shop = await opened()
    await bought(shop, "only", 12_300)

    seen = await found(shop)

    assert seen.highlights() == (Highlight("only", "Gold, 123 beans"),)


async def test_who_lives_on_as_another_member_is_not_counted():
    shop = await opened()
    ada, bo = [await shop.enrol(external_id=name) for name in ("ada", "bo")]
    await shop.buy(bo, (Line("TEA", 1, 700),))
    command = merging.MergeMembers("partner:till", "k", by_id(bo), by_id(ada), "one person")
    await merging.merge(shop.program_id, command, now=shop.now)

    seen = await found(shop)

    assert seen.tiers == {"GREEN": 1, "GOLD": 0}
    assert [one.member for one in seen.highlights()] == ["ada"]
    assert len(seen.richest) == 1


async def test_without_tiers_points_and_plans_are_worth_a_look():
    shop = await open_shop()
    await bought(shop, "ada", 12_300)
    await bought(shop, "bo", 500)

    seen = await found(shop)

    assert seen.tiers == {}
    assert seen.highlights() == (Highlight("ada", "123 beans"),)


async def test_where_tiers_count_points_no_amount_lifts():
    tiers = {**LADDER, "basis": "QUALIFYING_POINTS"}
    shop = await open_shop({**PROGRAM, "tiers": tiers})
    await bought(shop, "near", 999_900)

    seen = await found(shop)

    assert seen.highlights() == (Highlight("near", "Green, 1 beans short of Gold"),)
