"""The traps that job engines fall into, each as a test, on both databases.

One does not concern us: there is no second server (a Valkey or Redis) whose loss could stop jobs.
"""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from tortoise.exceptions import DBConnectionError

from loyalty_graph.jobs import service
from loyalty_graph.jobs.models import JobRow, ScheduleRow
from loyalty_graph.jobs.rules import Handler, Job
from loyalty_graph.jobs.running import CANCEL_GRACE_S, POLL_S, STOP_GRACE_S, Runner
from loyalty_graph.worker import loops
from loyalty_graph.worker.loops import Loop
from tests.conftest import run_on
from tests.jobs.making import (
    LEASE,
    PROGRAM,
    Clock,
    Work,
    leased,
    left,
    put,
    runner,
    until,
    until_left,
)
from tests.metering import Growth
from tests.shop import NOON
from tests.tracing import collected

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SECOND = timedelta(seconds=1)
ENDS = ("done", "failed", "dead")


@pytest.fixture(autouse=True)
def no_pauses_after_failures(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loops, "FIRST_PAUSE_MAX_S", 0.0)


@asynccontextmanager
async def working(one: Runner, clock: Clock) -> AsyncIterator[None]:
    """Run jobs in the background until the block ends, as a worker does."""
    async with loops.running([Loop("jobs", lambda: one.step(clock), one.close)]):
        yield


@pytest.mark.chaos
async def test_trap_1_jobs_of_a_killed_worker_are_done_after_its_lease(
    database: object, database_url: str
):
    await put(count=3)
    child = subprocess.Popen(  # noqa: ASYNC220 - it returns at once
        [sys.executable, "-m", "tests.jobs.hanging_worker", database_url], stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    assert await asyncio.to_thread(child.stdout.readline) == b"begun\n"
    child.send_signal(signal.SIGKILL)
    await asyncio.to_thread(child.wait)
    child.stdout.close()
    work = Work.quick()
    one = runner({"polish": Handler(work)})

    before = await one.run_due(NOON, 10)
    after = await one.run_due(NOON + LEASE, 10)

    assert (before, after, await left()) == (0, 3, 0)


async def test_trap_2_the_late_end_of_a_lost_claim_removes_nothing(database: object):
    await put()
    handler = Handler(Work.quick())
    first = await service.claim("polish", handler, limit=1, now=NOON, until=NOON + SECOND)
    second = await service.claim("polish", handler, limit=1, now=NOON + SECOND, until=NOON + LEASE)

    assert await service.settle(first) == 0
    assert await service.renew(first[0], until=NOON + HOUR) is False
    await service.fail(first[0], "Late", wait=None, now=NOON)
    await service.give_back(first[0])

    [row] = await JobRow.all()
    assert (row.lease, row.leased_until) == (second[0].lease, NOON + LEASE)
    assert (row.attempts, row.dead_at, row.error) == (2, None, "")


async def test_trap_2_a_job_is_claimed_once_by_workers_that_ask_together(database: object):
    await put(count=20)
    handler = Handler(Work.quick())

    claims = await asyncio.gather(
        *(service.claim("polish", handler, limit=5, now=NOON, until=NOON + LEASE) for _ in range(8))
    )

    ids = [job.id for jobs in claims for job in jobs]
    assert len(ids) == len(set(ids))
    assert await leased() == len(ids)


async def test_trap_2_two_workers_run_each_job_once(database: object):
    await put(count=30)
    work = Work.quick()
    handlers = {"polish": Handler(work)}

    async with working(runner(handlers), Clock()), working(runner(handlers), Clock()):
        await until_left(0)

    assert len(work.ran) == len(set(work.ran)) == 30


async def test_trap_3_a_job_longer_than_its_lease_keeps_it_and_runs_once(database: object):
    await put()
    clock, work = Clock(), Work()
    one = runner({"polish": Handler(work)}, lease_s=0.03)
    rival = runner({"polish": Handler(work)})

    async with working(one, clock):
        await work.begun.wait()
        for _ in range(5):
            clock.now += timedelta(milliseconds=20)
            renewed = JobRow.filter(leased_until=clock.now + timedelta(milliseconds=30))
            await until(renewed.exists)
            assert await rival.run_due(clock.now, 1) == 0
        work.gate.set()
        await until_left(0)

    assert len(work.ran) == 1


async def test_trap_3_work_whose_claim_is_lost_is_cancelled(
    database: object, caplog: pytest.LogCaptureFixture
):
    await put()
    clock, work, theirs = Clock(), Work(), Work.quick()
    one = runner({"polish": Handler(work)}, lease_s=0.03)

    async with working(one, clock):
        await work.begun.wait()
        await JobRow.all().update(lease=PROGRAM, leased_until=NOON + MINUTE)
        await until(work.is_over)

    assert "was claimed by another worker" in caplog.text
    assert await runner({"polish": Handler(theirs)}).run_due(NOON + HOUR, 1) == 1


async def test_trap_4_an_idle_runner_stops_at_once(database: object):
    one = runner({"polish": Handler(Work())}, poll_s=3600)

    async with asyncio.timeout(5), working(one, Clock()):
        await asyncio.sleep(0.02)

    assert await left() == 0


def test_trap_4_jobs_are_given_back_before_the_loop_would_be_cut_off():
    assert POLL_S + STOP_GRACE_S + CANCEL_GRACE_S < loops.STOP_GRACE_S


async def test_trap_4_a_runner_finishes_what_it_has_in_hand_and_claims_no_more(database: object):
    await put(count=10)
    work = Work()

    async with working(runner({"polish": Handler(work, at_once=3)}), Clock()):
        await work.begun.wait()
        asyncio.get_running_loop().call_later(0.02, work.gate.set)

    assert (len(work.ran), await left(), await leased()) == (3, 7, 0)


async def test_trap_4_what_does_not_finish_within_the_grace_is_given_back(database: object):
    await put(count=2)
    work = Work()

    async with working(runner({"polish": Handler(work)}, stop_grace_s=0.01), Clock()):
        await work.begun.wait()

    rows = await JobRow.all()
    assert [(row.lease, row.leased_until, row.attempts) for row in rows] == [(None, None, 0)] * 2


async def test_trap_5_two_schedulers_make_one_job_of_each_slot(database: object):
    work = Work.quick()
    handlers = {"sweep": Handler(work, every=MINUTE)}
    both = [runner(handlers), runner(handlers)]

    for minute in range(8):
        now = NOON + minute * MINUTE + 7 * SECOND
        await asyncio.gather(*(one.run_due(now, 5) for one in both))

    assert len(work.ran) == len(set(work.ran)) == 8
    assert (await ScheduleRow.get()).next_at == NOON + 8 * MINUTE


async def test_trap_5_an_hour_of_downtime_is_one_catch_up(database: object):
    work = Work.quick()
    one = runner({"sweep": Handler(work, every=MINUTE)})
    await one.run_due(NOON, 99)

    ran = await one.run_due(NOON + HOUR, 99)

    assert ran == 1


async def test_trap_5_a_crash_between_schedule_and_job_leaves_the_slot_due(
    database: object, monkeypatch: pytest.MonkeyPatch
):
    work = Work.quick()
    one = runner({"sweep": Handler(work, every=MINUTE)})

    async def crash(*_given: Any, **_named: Any) -> None:
        raise RuntimeError("the power fails")

    with monkeypatch.context() as patch:
        patch.setattr(service, "add", crash)
        with pytest.raises(RuntimeError, match="the power fails"):
            await one.run_due(NOON, 99)

    assert (await ScheduleRow.get()).next_at == NOON
    assert await one.run_due(NOON, 99) == 1


async def test_trap_5_a_clock_that_was_a_day_ahead_stops_nothing(database: object):
    one = runner({"sweep": Handler(Work.quick(), every=MINUTE)})
    await one.run_due(NOON + 24 * HOUR, 99)

    ran = [await one.run_due(NOON + minute * MINUTE, 99) for minute in range(4)]

    assert ran == [0, 1, 1, 1]


async def test_trap_5_a_clock_a_little_behind_runs_no_slot_again(database: object):
    one = runner({"sweep": Handler(Work.quick(), every=MINUTE)})
    await one.run_due(NOON, 99)

    assert await one.run_due(NOON - 10 * MINUTE, 99) == 0


@pytest.mark.parametrize("place", ["claim", "plan"])
async def test_trap_6_an_outage_is_waited_for_and_told_once_a_try(
    database: object,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    place: str,
):
    await put()
    work, tries, whole = Work.quick(), [], getattr(service, place)

    async def cut(*given: Any, **named: Any) -> object:
        tries.append(place)
        if len(tries) <= 3:
            raise DBConnectionError("the server is restarting")
        return await whole(*given, **named)

    monkeypatch.setattr(service, place, cut)
    async with working(runner({"polish": Handler(work)}), Clock()):
        await until_left(0)

    told = "The loop jobs cannot go on for now: the server is restarting"
    assert [one.getMessage() for one in caplog.records] == [told] * 3
    assert len(work.ran) == 1


async def test_trap_6_a_job_whose_end_could_not_be_kept_is_run_again(
    database: object, monkeypatch: pytest.MonkeyPatch
):
    await put()
    work = Work.quick()
    one = runner({"polish": Handler(work)})

    async def cut(*_given: Any) -> bool:
        raise DBConnectionError("the connection is gone")

    with monkeypatch.context() as patch:
        patch.setattr(service, "settle", cut)
        await one.run_due(NOON, 1)
    again = [await one.run_due(now, 9) for now in (NOON, NOON + LEASE)]

    assert again == [0, 1]
    assert (len(work.ran), await left()) == (2, 0)


async def test_jobs_that_end_together_are_removed_together(
    database: object, monkeypatch: pytest.MonkeyPatch
):
    await put(count=4)
    whole, removed = service.settle, []

    async def settle(jobs: list[Job]) -> int:
        removed.append(len(jobs))
        return await whole(jobs)

    monkeypatch.setattr(service, "settle", settle)
    await runner({"polish": Handler(Work.quick(), at_once=4)}).run_due(NOON, 4)

    assert (removed[0], sum(removed), await left()) == (4, 4, 0)


async def test_trap_2_of_jobs_removed_together_those_of_a_lost_claim_stay(database: object):
    await put(count=3)
    handler = Handler(Work.quick())
    mine = await service.claim("polish", handler, limit=1, now=NOON, until=NOON + LEASE)
    lost = await service.claim("polish", handler, limit=1, now=NOON, until=NOON + SECOND)
    theirs = await service.claim("polish", handler, limit=2, now=NOON + SECOND, until=NOON + LEASE)

    assert await service.settle([*mine, *lost]) == 1

    rows = await JobRow.all()
    assert {row.id for row in rows} == {job.id for job in theirs}
    assert {row.lease for row in rows} == {theirs[0].lease}


async def test_trap_6_a_claim_is_kept_while_it_cannot_be_renewed(
    database: object, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    await put()
    work = Work()

    async def cut(*_given: Any, **_named: Any) -> bool:
        work.gate.set()
        raise DBConnectionError("the connection is gone")

    monkeypatch.setattr(service, "renew", cut)
    async with working(runner({"polish": Handler(work)}, lease_s=0.03), Clock()):
        await until_left(0)

    assert "could not be renewed" in caplog.text
    assert len(work.ran) == 1


@pytest.mark.postgres
async def test_trap_6_cut_connections_are_replaced(database: object, server: str):
    work = Work.quick()

    async with working(runner({"polish": Handler(work)}), Clock()):
        await put()
        await until_left(0)
        await run_on(
            server,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'loyalty-graph'",
        )
        await _persistently(put, "polish", 1)
        await until_left(0)

    assert len(work.ran) == 2


async def _persistently(work: Any, *given: Any) -> None:
    while True:
        try:
            return await work(*given)
        except DBConnectionError:
            await asyncio.sleep(0.01)


async def test_trap_8_a_poisoned_job_is_dead_after_its_tries_and_the_others_go_on(
    database: object, caplog: pytest.LogCaptureFixture
):
    await put("poison")
    await put("polish", 3)
    poison, work = Work.quick(failures=99), Work.quick()
    one = runner({"poison": Handler(poison, attempts_max=3), "polish": Handler(work)})

    ran = [await one.run_due(NOON + day * 24 * HOUR, 99) for day in range(5)]

    assert ran == [4, 1, 1, 0, 0]
    [dead] = await JobRow.all()
    assert (dead.kind, dead.attempts, dead.error) == ("poison", 3, "RuntimeError")
    assert (dead.dead_at, dead.lease) == (NOON + 48 * HOUR, None)
    assert "try 3 of 3; it is dead" in caplog.text


async def test_trap_8_a_job_that_kills_its_workers_is_dead_too(database: object):
    await put()
    handler = Handler(Work.quick(), attempts_max=2)
    now = NOON
    for _ in range(2):
        await service.claim("polish", handler, limit=1, now=now, until=now + LEASE)
        now += LEASE

    ran = await runner({"polish": handler}).run_due(now, 9)

    [dead] = await JobRow.all()
    assert (ran, dead.dead_at, dead.error, dead.lease) == (0, now, "WorkerLost", None)


async def test_trap_8_a_job_that_failed_is_tried_again_later(database: object):
    await put()
    work = Work.quick(failures=1)
    one = runner({"polish": Handler(work)})

    ran = [await one.run_due(now, 1) for now in (NOON, NOON + HOUR)]

    assert (ran, len(work.ran), await left()) == ([1, 1], 2, 0)


async def test_trap_9_a_kind_that_is_not_known_here_is_left_for_newer_workers(database: object):
    await put("invented-tomorrow")
    await put("polish")

    ran = await runner({"polish": Handler(Work.quick())}).run_due(NOON, 99)

    [row] = await JobRow.all()
    assert (ran, row.kind, row.attempts, row.dead_at) == (1, "invented-tomorrow", 0, None)

    newer = runner({"invented-tomorrow": Handler(Work.quick())})

    assert (await newer.run_due(NOON, 99), await left()) == (1, 0)


@pytest.mark.parametrize("by", ["step", "run_due"])
async def test_trap_10_no_more_than_allowed_run_at_once(database: object, by: str):
    await put(count=9)
    work = Work.quick()
    one = runner({"polish": Handler(work, at_once=2)})

    if by == "step":
        async with working(one, Clock()):
            await until_left(0)
    else:
        await one.run_due(NOON, 99)

    assert (len(work.ran), work.most_at_once) == (9, 2)


async def test_trap_11_the_stop_of_the_process_waits_for_the_job_in_hand(database: object):
    await put()
    work = Work()

    async def work_until_begun() -> None:
        async with working(runner({"polish": Handler(work)}), Clock()):
            await work.begun.wait()

    stopping = asyncio.create_task(work_until_begun())
    await work.begun.wait()
    await asyncio.sleep(0.02)
    assert not stopping.done()
    work.gate.set()
    await stopping

    assert await left() == 0


async def test_trap_12_work_that_never_returns_is_cut_off(database: object):
    await put()
    work = Work()

    await runner({"polish": Handler(work, timeout_s=0.01)}).run_due(NOON, 1)

    [row] = await JobRow.all()
    assert (row.error, row.attempts, row.lease, work.at_once) == ("TimeoutError", 1, None, 0)


async def test_trap_12_work_that_does_not_even_notice_is_left_behind(
    database: object, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("loyalty_graph.jobs.running.CANCEL_GRACE_S", 0.01)
    await put()
    gate = asyncio.Event()

    async def deaf(_job: Job) -> None:
        while not gate.is_set():
            try:
                await gate.wait()
            except asyncio.CancelledError:
                continue

    await runner({"polish": Handler(deaf, timeout_s=0.01)}).run_due(NOON, 1)

    [row] = await JobRow.all()
    gate.set()
    assert (row.error, row.lease) == ("TimeoutError", None)


async def test_trap_12_work_that_fails_while_it_is_cut_off_took_too_long(database: object):
    await put()

    async def clumsy(_job: Job) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise RuntimeError("the drawer is stuck")

    await runner({"polish": Handler(clumsy, timeout_s=0.01)}).run_due(NOON, 1)

    row = await JobRow.get()
    assert (row.error, row.lease) == ("RuntimeError", None)


async def test_trap_14_many_jobs_of_one_kind_do_not_hold_up_another(database: object):
    await put("mail", 50, due_at=NOON - HOUR)
    await put("polish")
    mail, work = Work(), Work.quick()
    handlers = {"mail": Handler(mail, at_once=2), "polish": Handler(work)}

    async with working(runner(handlers, stop_grace_s=0.01), Clock()):
        await until_left(50)

    assert (len(mail.ran), len(work.ran)) == (2, 1)


async def test_a_step_without_jobs_rests_and_one_that_ended_some_is_followed_at_once(
    database: object,
):
    await put(count=3)
    work = Work.quick()
    one = runner({"polish": Handler(work, at_once=2)}, poll_s=3600)

    pauses = [await one.step(Clock()) for _ in range(3)]
    await one.close()
    pauses.append(await one.step(Clock()))

    assert pauses[:2] == [0.0, 0.0]
    assert 1800 <= pauses[-1] <= 3600
    assert (len(work.ran), await left()) == (3, 0)


async def test_what_is_not_due_yet_is_not_run(database: object):
    await put(due_at=NOON + SECOND)
    one = runner({"polish": Handler(Work.quick())})

    ran = [await one.run_due(now, 1) for now in (NOON, NOON + SECOND)]

    assert ran == [0, 1]


async def test_a_limit_is_kept_and_what_is_over_it_stays_free(database: object):
    await put("mail", 5)
    await put("polish", 5)
    handlers = {"mail": Handler(Work.quick()), "polish": Handler(Work.quick())}

    ran = await runner(handlers).run_due(NOON, 7)

    assert (ran, await left(), await leased()) == (7, 3, 0)


async def test_a_job_with_the_same_key_is_added_once(database: object):
    await put()
    await put(due_at=NOON + HOUR)

    row: JobRow = await JobRow.get()

    due_at: datetime = row.due_at
    assert due_at == NOON


@pytest.mark.parametrize("put_off", ["due", "claimed", "failed"])
async def test_a_job_that_a_clock_ahead_of_ours_put_off_is_done_at_once(
    database: object, put_off: str
):
    ahead = NOON + HOUR
    handler = Handler(Work.quick())
    await put(due_at=ahead if put_off == "due" else NOON)
    if put_off != "due":
        [job] = await service.claim("polish", handler, limit=1, now=ahead, until=ahead + LEASE)
        if put_off == "failed":
            await service.fail(job, "Failed", wait=SECOND, now=ahead)

    assert await runner({"polish": handler}).run_due(NOON, 10) == 1
    assert await left() == 0


async def test_tries_are_counted_by_how_they_end(database: object):
    ends = {one: Growth("loyalty_jobs_total", {"kind": "polish", "result": one}) for one in ENDS}
    tries, clock = Growth("loyalty_job_seconds_count", {"kind": "polish"}), Clock()
    one = runner({"polish": Handler(Work.quick(failures=2), attempts_max=2)})
    await put()

    await one.run_due(clock(), 10)
    clock.now += HOUR
    await one.run_due(clock(), 10)
    await service.revive(None, now=clock())
    await one.run_due(clock(), 10)

    assert {end: grown.by for end, grown in ends.items()} == dict.fromkeys(ENDS, 1)
    assert tries.by == 3


async def test_a_try_is_a_span(database: object):
    one = runner({"polish": Handler(Work.quick())})
    await put()

    with collected() as collector:
        await one.run_due(NOON, 10)

    assert collector.only("job polish").parent is None
