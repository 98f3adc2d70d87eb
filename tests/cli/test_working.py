"""Workers of their own: the installed program does what is due, and stops in good order."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from loyalty_graph import outbox
from loyalty_graph.db import open_database
from tests.outbox.test_numbering import PROGRAMS, happen, numbers

PROGRAM = Path(sys.executable).with_name("loyalty-graph")
FACTS = 60


@pytest.fixture
def workers(database_url: str) -> Iterator[list["subprocess.Popen[str]"]]:
    """Two workers that run."""
    started = [
        subprocess.Popen(
            [PROGRAM, "worker", "--database", database_url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        for _ in range(2)
    ]
    for process in started:
        assert process.stdout is not None
        assert "worker" in process.stdout.readline()
    yield started
    for process in started:
        process.kill()
        process.communicate()


def test_two_workers_number_what_other_processes_write(
    workers: list["subprocess.Popen[str]"], database_url: str
):
    async def write_and_read() -> list[int | None]:
        async with open_database(database_url):
            await asyncio.gather(*(happen(PROGRAMS[0], None) for _ in range(FACTS)))
            async with asyncio.timeout(30):
                while await outbox.newest(PROGRAMS[0]) < FACTS:  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.02)
            return await numbers(PROGRAMS[0])

    assert asyncio.run(write_and_read()) == list(range(1, FACTS + 1))

    for process, number in zip(workers, (signal.SIGTERM, signal.SIGINT), strict=True):
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (0, "")
        assert out.endswith("Stopped.\n")
