"""Processes that do the same work: begun, begun anew, and stopped together."""

import os
import re
import signal
from functools import partial
from pathlib import Path

import pytest

from loyalty_graph import processes
from loyalty_graph.processes import run_together
from tests.resting import fall, hang, heed, noted, refuse, rest


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(processes, "FIRST_PAUSE_MAX_S", 0.01)


def stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


async def test_one_that_dies_is_begun_anew_and_all_finish_when_they_are_told_to_stop(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    announced: list[int] = []

    def announce() -> None:
        announced.append(len(noted(tmp_path)))
        stop()

    done = await run_together(partial(rest, tmp_path), 2, announce=announce)

    assert done is True
    assert noted(tmp_path) == ["begun first", "begun later", "begun later", "ended", "ended"]
    assert announced == [3]
    [lost] = caplog.messages
    assert re.fullmatch(r"Process \d+ was killed by SIGKILL; another one begins", lost)


async def test_when_they_die_as_soon_as_they_begin_none_is_begun_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(processes, "FAILURES_MAX", 2)

    done = await run_together(partial(fall, tmp_path), 2, announce=stop)

    assert done is False
    assert noted(tmp_path) == ["begun", "begun"]
    again, given_up = caplog.messages
    assert re.fullmatch(r"Process \d+ ended with exit code 3; another one begins", again)
    assert given_up == (
        "2 processes in a row ended soon after they had begun, and the last one ended with exit"
        " code 3; none is begun any more"
    )


async def test_what_the_first_one_cannot_use_is_said_once(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    done = await run_together(partial(refuse, tmp_path), 3, announce=stop)

    assert done is False
    assert noted(tmp_path) == ["begun"]
    assert capfd.readouterr().err == "It cannot be used.\n"


async def test_a_second_interrupt_is_passed_on(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    done = await run_together(partial(heed, tmp_path), 1, announce=stop)

    assert done is True
    assert noted(tmp_path) == ["interrupted"]
    assert caplog.messages == []


async def test_one_that_does_not_stop_in_time_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(processes, "STOP_WITHIN_S", 0.05)

    done = await run_together(partial(hang, tmp_path), 1, announce=stop)

    assert done is True
    [late] = caplog.messages
    assert re.fullmatch(r"Process \d+ did not stop in time; it is killed", late)
