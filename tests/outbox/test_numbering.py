"""Numbers become visible in their order, whoever gives them and however many write."""

import asyncio
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from loyalty_graph import leases, outbox
from loyalty_graph.db import transaction
from loyalty_graph.db.sets import store
from loyalty_graph.identifiers import new_id
from loyalty_graph.identity import audit
from loyalty_graph.leases import Lease
from loyalty_graph.outbox import FactRow, numbering
from loyalty_graph.worker.numbering import Numbering
from tests.shop import NOON

pytestmark = pytest.mark.usefixtures("database")

PROGRAMS = (UUID(int=1), UUID(int=2))
MEMBERS = (UUID(int=11), UUID(int=12), None)
HOLDER = UUID(int=99)
WRITERS, TRANSACTIONS, READERS = 8, 12, 3


@transaction
async def happen(
    program_id: UUID, *members: UUID | None, at: datetime = NOON, by: str = ""
) -> None:
    """Commit one fact for each of these members."""
    told = outbox.change(by)
    facts = [outbox.Fact(new_id(at), "points.earned", one, at, {}, told) for one in members]
    await store(program_id, [outbox.facts(facts)])


async def lease() -> Lease:
    taken = await leases.take(numbering.NUMBERING, HOLDER, now=NOON, life=timedelta(seconds=10))
    assert taken is not None
    return taken


async def numbers(program_id: UUID, **wanted: UUID) -> list[int | None]:
    rows = await outbox.numbered_after(program_id, 0, limit=1000, **wanted)
    return [row.sequence for row in rows]


async def test_a_change_that_the_audit_log_does_not_have_yet_waits_with_what_follows():
    first, _ = PROGRAMS
    await happen(first, *MEMBERS, by="cli")
    kept = await _keep()
    for second in (1, 2, 3):
        by = "cli" if second == 2 else ""
        await happen(first, None, at=NOON + timedelta(seconds=second), by=by)
    held = await lease()

    steps = [await numbering.number(held, kept=kept) for _ in range(2)]
    kept = await _keep()
    steps += [await numbering.number(held, kept=kept) for _ in range(2)]

    assert steps == [4, 0, 2, 0]
    assert await numbers(first) == [1, 2, 3, 4, 5, 6]
    assert await audit.count(first, audit.Wanted()) == 4


async def test_more_changes_than_fit_into_a_step_are_all_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(audit, "BATCH_MAX", 2)
    first, second = PROGRAMS
    await happen(first, *MEMBERS, by="cli")
    await happen(second, *MEMBERS[:2], by="cli")

    await audit.keep_all()
    await audit.keep_all()

    assert [await audit.count(one, audit.Wanted()) for one in PROGRAMS] == [3, 2]


_keep = transaction(audit.keep)


async def test_facts_are_numbered_in_their_order_and_each_programme_by_itself():
    first, second = PROGRAMS
    for place in range(3):
        await happen(first, MEMBERS[0], at=NOON + timedelta(seconds=3 - place))
    await happen(second, None)

    assert await numbering.waiting() is True
    assert await numbering.number(await lease()) == 4

    rows = await outbox.numbered_after(first, 0, limit=10)
    assert [(row.sequence, row.at) for row in rows] == [
        (place, NOON + timedelta(seconds=place)) for place in (1, 2, 3)
    ]
    assert await numbers(second) == [1]
    assert await numbering.waiting() is False
    assert (await outbox.newest(first), await outbox.newest(UUID(int=3))) == (3, 0)


async def test_facts_of_one_transaction_keep_the_order_in_which_they_happened():
    told = [outbox.Fact(new_id(NOON), f"step.{place}", None, NOON, {}) for place in range(200)]

    await transaction(store)(PROGRAMS[0], [outbox.facts(reversed(told))])
    await numbering.number(await lease())

    rows = await outbox.numbered_after(PROGRAMS[0], 0, limit=1000)
    assert [row.kind for row in rows] == [f"step.{place}" for place in range(200)]


async def test_a_step_takes_so_many_and_the_next_goes_on():
    held = await lease()
    await happen(PROGRAMS[0], *[None] * 5)

    steps = [await numbering.number(held, limit=2) for _ in range(4)]

    assert steps == [2, 2, 1, 0]
    assert await numbers(PROGRAMS[0]) == [1, 2, 3, 4, 5]


async def test_numbers_go_on_when_the_facts_are_gone():
    held = await lease()
    await happen(PROGRAMS[0], None)
    await numbering.number(held)
    await FactRow.all().delete()

    await happen(PROGRAMS[0], None)
    await numbering.number(held)

    assert await numbers(PROGRAMS[0]) == [2]


async def test_facts_are_read_for_one_member_and_page_by_page():
    await happen(PROGRAMS[0], MEMBERS[0], MEMBERS[1], MEMBERS[0])
    await numbering.number(await lease())

    mine = await outbox.numbered_after(PROGRAMS[0], 0, member_id=UUID(int=11), limit=10)
    page = await outbox.numbered_after(PROGRAMS[0], 1, limit=1)

    assert [row.member_id for row in mine] == [UUID(int=11)] * 2
    assert [row.sequence for row in page] == [2]


async def test_who_lost_the_lease_numbers_nothing():
    lost = await lease()
    await leases.release(lost, now=NOON)
    await lease()
    await happen(PROGRAMS[0], None)

    assert await numbering.number(lost) is None
    assert await numbers(PROGRAMS[0]) == []


def fast_clock(start: datetime) -> Callable[[], datetime]:
    """A clock that runs so fast that relays take the lease from each other all the time."""
    seconds = iter(range(0, 10**9, 7))
    return lambda: start + timedelta(seconds=next(seconds))


async def test_two_relays_and_eight_writers_leave_every_reader_a_whole_story():
    relays = [Numbering(clock=fast_clock(NOON)), Numbering(clock=fast_clock(NOON))]
    total = WRITERS * TRANSACTIONS * 2
    done = asyncio.Event()

    async def write(seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 - no secret
        for _ in range(TRANSACTIONS):
            for program_id in PROGRAMS:
                await happen(program_id, chance.choice(MEMBERS))
            await asyncio.sleep(chance.random() * 0.005)

    async def relay(one: Numbering) -> None:
        while not done.is_set():
            await one.step()
            await asyncio.sleep(0)

    async def read(program_id: UUID) -> list[int | None]:
        seen: list[int | None] = []
        while len(seen) < total // 2:
            rows = await outbox.numbered_after(program_id, len(seen), limit=7)
            assert [row.sequence for row in rows] == [
                len(seen) + place for place in range(1, len(rows) + 1)
            ]
            seen += [row.sequence for row in rows]
            await asyncio.sleep(0.001)
        return seen

    relaying = [asyncio.create_task(relay(one)) for one in relays]
    readings = [read(program_id) for program_id in PROGRAMS for _ in range(READERS)]
    *stories, _ = await asyncio.gather(
        *readings, asyncio.gather(*(write(seed) for seed in range(WRITERS)))
    )
    done.set()
    await asyncio.gather(*relaying)

    assert stories == [list(range(1, total // 2 + 1))] * len(readings)


@pytest.mark.parametrize("hours", [(0, 1, 0, -1, 0), (24, 0, 25, 1, 0)], ids=["hour", "day"])
async def test_facts_are_numbered_once_however_the_clock_steps(hours: tuple[int, ...]):
    first, _ = PROGRAMS
    held = await lease()
    seen: list[int | None] = []
    for hour in hours:
        at = NOON + timedelta(hours=hour)
        await happen(first, *MEMBERS, at=at)
        await happen(first, *MEMBERS, at=at - timedelta(minutes=30))
        assert await numbering.number(held) == 6
        rows = await outbox.numbered_after(first, len(seen), limit=1000)
        seen += [row.sequence for row in rows]

    assert seen == [*range(1, 6 * len(hours) + 1)]
    assert await FactRow.filter(sequence=None).count() == 0
