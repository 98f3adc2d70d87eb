"""Workers of their own: the installed program does what is due, and stops in good order."""

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
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


def test_a_worker_tells_prometheus_at_a_port_of_its_own(database_url: str):
    command = [PROGRAM, "worker", "--database", database_url, "--metrics-port", "0"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stderr is not None
        [address] = re.findall(r"http://127\.0\.0\.1:\d+/metrics", process.stderr.readline())
        text = httpx2.get(address).text
        ready = httpx2.get(address.replace("metrics", "readyz")).json()
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=30)

    assert 'loyalty_queue_waiting{queue="facts"}' in text
    assert "process_resident_memory_bytes" in text
    assert ready == {"status": "ready"}
    assert (process.returncode, out.splitlines()[-1]) == (0, "Stopped.")


@pytest.mark.postgres
def test_each_of_several_processes_has_a_port_of_its_own(database_url: str):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["--database", database_url, "--processes", "2", "--metrics-port", str(port)]
    pipe = subprocess.PIPE
    with subprocess.Popen([PROGRAM, "worker", *words], stderr=pipe, text=True) as process:
        assert process.stderr is not None
        lines = [process.stderr.readline(), process.stderr.readline()]
        addresses = {re.findall(r"http://\S+/metrics", line)[0] for line in lines}
        answers = {httpx2.get(address).status_code for address in addresses}
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)

    assert len(addresses) == 2
    assert f"http://127.0.0.1:{port}/metrics" in addresses
    assert answers == {200}
