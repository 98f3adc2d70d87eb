import asyncio
import logging

import pytest
from tortoise.exceptions import DBConnectionError

from loyalty_graph.worker import loops
from loyalty_graph.worker.loops import Loop, running
from tests.metering import Growth


class Counting:
    """Counts its steps; some fail."""

    def __init__(self, *failing: int, pause_s: float = 0.0) -> None:
        self.steps, self.closed, self._failing, self._pause_s = 0, 0, failing, pause_s
        self.reached = asyncio.Event()

    async def step(self) -> float:
        self.steps += 1
        if self.steps in self._failing:
            raise RuntimeError(f"step {self.steps}")
        if self.steps >= 4:
            self.reached.set()
        return self._pause_s

    async def close(self) -> None:
        self.closed += 1

    @property
    def loop(self) -> Loop:
        return Loop("counting", self.step, self.close)


@pytest.fixture(autouse=True)
def no_pauses_after_failures(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loops, "FIRST_PAUSE_MAX_S", 0.0)


async def test_loops_run_side_by_side_until_the_block_ends():
    first, second = Counting(), Counting()

    async with running([first.loop, second.loop]):
        await first.reached.wait()
        await second.reached.wait()
    steps = first.steps

    await asyncio.sleep(0.01)
    assert first.steps == steps
    assert (first.closed, second.closed) == (1, 1)


async def test_a_failure_is_logged_and_the_loop_goes_on(caplog: pytest.LogCaptureFixture):
    one, neighbour = Counting(1, 2), Counting()

    async with running([one.loop, neighbour.loop]):
        await one.reached.wait()

    assert [record.getMessage() for record in caplog.records] == [
        "The loop counting failed; it goes on"
    ] * 2
    assert neighbour.closed == one.closed == 1


async def test_a_loop_that_waits_stops_at_once():
    one = Counting(pause_s=3600)

    async with asyncio.timeout(5), running([one.loop]):
        await asyncio.sleep(0.01)

    assert (one.steps, one.closed) == (1, 1)


async def test_the_step_in_hand_is_finished_first():
    begun, finished = asyncio.Event(), []

    async def step() -> float:
        begun.set()
        await asyncio.sleep(0.02)
        finished.append(True)
        return 3600

    async with running([Loop("slow", step, Counting().close)]):
        await begun.wait()

    assert finished == [True]


async def test_a_step_that_never_ends_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(loops, "STOP_GRACE_S", 0.01)

    async def step() -> float:
        await asyncio.Event().wait()
        return 0.0

    async with running([Loop("stuck", step, Counting().close)]):
        await asyncio.sleep(0)

    assert [record.getMessage() for record in caplog.records] == [
        "The loop stuck did not stop in time"
    ]


async def test_a_loop_that_cannot_be_closed_is_logged(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.ERROR)

    async def fail() -> None:
        raise RuntimeError("the database is gone")

    async with running([Loop("broken", Counting().step, fail)]):
        pass

    assert [record.getMessage() for record in caplog.records] == [
        "The loop broken could not be closed"
    ]


async def test_an_outage_of_the_database_is_a_line_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(loops, "FIRST_PAUSE_MAX_S", 0.0)
    failed = asyncio.Event()

    async def step() -> float:
        failed.set()
        raise DBConnectionError("refused\nDETAIL: insides")

    async def close() -> None:
        raise DBConnectionError("refused")

    async with running([Loop("numbering", step, close)]):
        await failed.wait()

    lines = [record.getMessage() for record in caplog.records]
    assert set(lines) == {
        "The loop numbering cannot go on for now: refused",
        "The loop numbering could not be closed: refused",
    }
    assert {record.exc_info for record in caplog.records} == {None}


async def test_what_a_loop_says_may_pass_is_a_line_too(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(loops, "FIRST_PAUSE_MAX_S", 0.0)
    failed = asyncio.Event()

    async def step() -> float:
        failed.set()
        raise ConnectionRefusedError("no Valkey")

    async with running([Loop("telling", step, Counting().close, (OSError,))]):
        await failed.wait()

    assert {(record.getMessage(), record.exc_info) for record in caplog.records} == {
        ("The loop telling cannot go on for now: no Valkey", None)
    }


async def test_without_loops_nothing_runs():
    async with running([]):
        assert len(asyncio.all_tasks()) == 1


async def test_steps_that_fail_are_counted():
    counting, failed = Counting(1, 3), Growth("loyalty_loop_failures_total", {"loop": "counting"})

    async with running([counting.loop]):
        await counting.reached.wait()

    assert failed.by == 2
