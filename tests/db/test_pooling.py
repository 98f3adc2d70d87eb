"""How busy the connections are."""

import asyncio

import pytest

from loyalty_graph.db import connection, pool_use, transaction
from loyalty_graph.db.pooling import PoolUse
from tests.db.stage import set_amount

pytestmark = pytest.mark.usefixtures("pair")


async def waiting(number: int) -> PoolUse:
    """Return how busy they are as soon as so many wait."""
    async with asyncio.timeout(10):
        while (use := pool_use()).waiting < number:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)
    return use


@pytest.mark.sqlite
async def test_the_writer_of_a_file_is_one_and_others_wait_for_it():
    begun, may_end = asyncio.Event(), asyncio.Event()

    @transaction
    async def write() -> None:
        begun.set()
        await may_end.wait()

    first = asyncio.create_task(write())
    await begun.wait()
    second = asyncio.create_task(write())
    use = await waiting(1)
    may_end.set()
    await asyncio.gather(first, second)

    assert use == PoolUse(in_use=1, idle=2, most=3, waiting=1)
    assert pool_use() == PoolUse(in_use=0, idle=3, most=3, waiting=0)


@pytest.mark.postgres
async def test_connections_are_taken_one_by_one():
    begun, may_end = asyncio.Event(), asyncio.Event()

    @transaction
    async def write() -> None:
        await set_amount(1, 5)
        begun.set()
        await may_end.wait()

    writing = asyncio.create_task(write())
    await begun.wait()
    within = pool_use()
    may_end.set()
    await writing
    after = pool_use()
    await connection().close()

    assert (within.in_use, within.most, within.waiting) == (1, 20, 0)
    assert after == PoolUse(in_use=0, idle=within.idle + 1, most=20, waiting=0)
    assert pool_use() == PoolUse(in_use=0, idle=0, most=20, waiting=0)
