"""The pace of an issuer's requests, shared by all workers."""

import asyncio
from datetime import datetime, timedelta

import pytest

from loyalty_graph.wallet.google.buckets import take
from loyalty_graph.wallet.google.models import GoogleBucketRow
from tests.shop import NOON

TICK = timedelta(milliseconds=50)
pytestmark = pytest.mark.usefixtures("database")


async def taken(count: int, *, now: datetime = NOON, issuer_id: str = "1") -> list[datetime]:
    return await take(issuer_id, count, per_s=20, now=now)


async def test_a_batch_is_spread_evenly():
    assert await taken(3) == [NOON, NOON + TICK, NOON + 2 * TICK]
    assert await taken(2) == [NOON + 3 * TICK, NOON + 4 * TICK]
    assert await taken(1, issuer_id="2") == [NOON]


async def test_time_that_was_not_used_is_not_saved_up():
    await taken(1)
    later = NOON + timedelta(hours=1)

    assert await taken(2, now=later) == [later, later + TICK]


async def test_workers_together_never_have_more_than_the_limit_in_any_second():
    batches = await asyncio.gather(*(taken(7) for _ in range(8)))

    slots = sorted(moment for batch in batches for moment in batch)
    assert slots == [NOON + place * TICK for place in range(56)]


async def test_a_row_written_by_a_wrong_clock_holds_nobody_up():
    await taken(1, now=NOON + timedelta(days=1))

    assert await taken(1) == [NOON]
    assert (await GoogleBucketRow.get()).free_at == NOON + TICK
