"""A clock that steps between a member's purchases: nothing is lost, doubled or cannot be proven."""

from datetime import timedelta

import pytest

from loyalty_graph.usecases import proof
from tests.shop import DAY, NOON, Shop, open_shop, program, record_one

pytestmark = pytest.mark.usefixtures("database")

HOUR = timedelta(hours=1)
STEPS = {
    "an hour forth and back": [timedelta(), HOUR, timedelta(), HOUR],
    "an hour back and forth": [timedelta(), -HOUR, timedelta()],
    "a day ahead, then back": [timedelta(), DAY, timedelta(), HOUR],
    "over midnight and back": [timedelta(), 13 * HOUR, timedelta()],
}


@pytest.fixture
async def shop() -> Shop:
    return await open_shop(program(expiry_months=12), now=NOON - 2 * DAY)


@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
async def test_each_purchase_counts_once_and_the_ledger_verifies(
    steps: list[timedelta], shop: Shop
):
    member = await shop.enrol()
    for number, step in enumerate(steps, start=1):
        there = shop.at(NOON + step)
        receipt = there.receipt(member)
        first = await record_one(there.program_id, receipt, now=there.now)
        again = await record_one(shop.program_id, receipt, now=there.now - HOUR)

        assert (first.replayed, again.replayed) == (False, True)
        assert await shop.at(NOON + 2 * DAY).balance(member) == 108 * number

    audit = await proof.verify(shop.program_id, now=NOON + 2 * DAY)
    assert audit.findings == []
