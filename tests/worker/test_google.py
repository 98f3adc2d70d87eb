"""From a purchase to Google by the loops of a worker: marks, numbers, pushes, one request."""

import pytest

from loyalty_graph.wallet.latency import LatencyRow
from loyalty_graph.wallet.models import PassRow
from loyalty_graph.worker.loops import Loop, running
from loyalty_graph.worker.numbering import Numbering
from tests.jobs.making import until
from tests.shop import open_shop
from tests.tiers.shop import tea, with_tiers
from tests.wallet.google.making import ISSUER
from tests.wallet.google.stage import Stage


@pytest.fixture
async def stage(database: object) -> Stage:
    return Stage(await open_shop(with_tiers()))


async def test_purchases_tiers_spends_and_refunds_reach_the_object(stage: Stage):
    ada = await stage.shop.enrol(first_name="Ada")
    serial = await stage.card(ada)
    numbering = Numbering(clock=lambda: stage.now, google_issuer=ISSUER, wanted=stage.updates.wake)
    loops = [numbering.loop, Loop("google", stage.updates.step, stage.updates.close)]

    async def shows(balance: int, tier: str) -> None:
        async def so() -> bool:
            stage.later(milliseconds=50)
            known = stage.fake.store.objects.get(f"{ISSUER}.{serial}", {})
            shown = (known.get("loyaltyPoints"), known.get("secondaryLoyaltyPoints"))
            balances = [one and one["balance"] for one in shown]
            return balances == [{"int": balance}, {"string": tier}]

        await until(so)

    async with running(loops):
        bought = await stage.present.buy(ada, tea(10_000))
        await shows(100, "Silver")
        await stage.present.redeem(ada, 40)
        await shows(60, "Silver")
        await stage.present.bring_back(bought, {1: 1})
        await shows(0, "Silver")

    row = await PassRow.get()
    assert row.delivered_tag == row.update_tag
    assert row.holds_until is None or row.holds_until > stage.now
    assert sum([one.samples for one in await LatencyRow.filter(platform="GOOGLE")]) >= 3
