import asyncio
import os
import socket
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from loyalty_graph import leases
from loyalty_graph.db import transaction
from loyalty_graph.leases import Lease
from tests.shop import NOON

pytestmark = pytest.mark.usefixtures("database")

ADA, BOB = UUID(int=1), UUID(int=2)
LIFE = timedelta(seconds=10)
SECOND = timedelta(seconds=1)


async def take(holder: UUID, *, after: timedelta = timedelta(0)) -> Lease | None:
    return await leases.take("numbering", holder, now=NOON + after, life=LIFE)


async def held(holder: UUID, *, after: timedelta = timedelta(0)) -> Lease:
    lease = await take(holder, after=after)
    assert lease is not None
    return lease


@transaction
async def lock(lease: Lease) -> bool:
    return await leases.lock(lease)


async def test_one_of_many_takes_a_lease():
    taken = await asyncio.gather(*(take(UUID(int=number)) for number in range(1, 9)))

    [lease] = [one for one in taken if one is not None]
    assert (lease.fence, lease.until) == (1, NOON + LIFE)


async def test_a_lease_is_taken_again_when_it_is_over_and_the_fence_grows():
    first = await held(ADA)

    assert await take(BOB, after=LIFE - SECOND) is None
    second = await held(BOB, after=LIFE)

    assert (first.fence, second.fence) == (1, 2)
    assert await lock(second) is True
    assert await lock(first) is False


async def test_operators_can_see_which_process_holds_a_lease():
    await held(ADA)

    [row] = await leases.LeaseRow.all()
    assert row.process == f"{socket.gethostname()}:{os.getpid()}"


async def test_a_lease_that_a_clock_ahead_of_ours_took_is_free_when_nobody_can_hold_it_so_long():
    ahead = await held(ADA, after=timedelta(hours=1))
    taken = await held(BOB)

    assert taken.fence == 2
    assert await lock(ahead) is False
    assert await take(ADA, after=SECOND) is None


async def test_a_holder_renews_until_another_one_has_taken_it():
    first = await held(ADA)

    renewed = await leases.renew(first, now=NOON + 9 * SECOND, life=LIFE)
    assert renewed is not None
    assert (renewed.fence, renewed.until) == (1, NOON + 19 * SECOND)
    assert await take(BOB, after=10 * SECOND) is None

    await held(BOB, after=19 * SECOND)
    assert await leases.renew(renewed, now=NOON + 20 * SECOND, life=LIFE) is None


async def test_a_lease_given_back_is_free_at_once():
    lease = await held(ADA)

    await leases.release(lease, now=NOON + SECOND)

    assert (await held(BOB, after=SECOND)).fence == 2


async def test_giving_back_what_was_lost_takes_it_from_nobody():
    lost = await held(ADA)
    await held(BOB, after=LIFE)

    await leases.release(lost, now=NOON + LIFE)

    assert await take(ADA, after=LIFE + SECOND) is None


async def test_leases_of_other_names_are_free():
    await held(ADA)

    other = await leases.take("jobs", BOB, now=NOON, life=LIFE)

    assert other is not None


async def test_a_tenure_goes_on_while_it_is_asked_for_and_ends_at_once():
    now = NOON

    def clock() -> datetime:
        return now

    first, second = (leases.Tenure("numbering", clock=clock) for _ in range(2))
    fences = []
    for _ in range(4):
        lease = await first.held()
        fences.append(lease.fence if lease else None)
        assert await second.held() is None
        now += 4 * SECOND

    await first.end()
    assert (await held_by(second), await held_by(first)) == (2, None)
    assert fences == [1, 1, 1, 1]


async def test_a_tenure_that_was_slept_through_is_another_ones():
    now = NOON

    def clock() -> datetime:
        return now

    first, second = (leases.Tenure("numbering", clock=clock) for _ in range(2))
    assert await held_by(first) == 1
    now += LIFE

    assert (await held_by(second), await held_by(first), await held_by(first)) == (2, None, None)
    second.lost()
    await second.end()
    now += LIFE
    assert await held_by(first) == 3


async def held_by(tenure: leases.Tenure) -> int | None:
    lease = await tenure.held()
    return lease.fence if lease else None
