"""Nudges between processes, through Valkey or Redis: facts were numbered, look at the table.

A nudge carries nothing. While the server is away nothing is lost: each process looks by itself.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import redis.asyncio as redis

CHANNEL = "loyalty-graph:numbered"
WAIT_S = 1.0
CONNECT_TIMEOUT_S = 3.0
ANSWER_TIMEOUT_S = 3.0
PASSING = (redis.RedisError, OSError)
"""What is raised while the server is away."""


class Nudges:
    """Tells other processes of new facts, and hears of theirs.

    Args:
        url: Where the server is: redis://, rediss:// or unix://.
        heard: Called at each nudge.
    """

    def __init__(self, url: str, *, heard: Callable[[], None] = lambda: None) -> None:
        # Each its own: who stops telling cuts nobody off who still hears.
        self._mouth, self._ear = _client(url), _client(url)
        self._heard = heard
        self._channel: redis.client.PubSub | None = None
        self._news = asyncio.Event()

    @property
    def arrive(self) -> bool:
        """Whether this process is told of new facts at present."""
        return self._channel is not None

    def tell(self) -> None:
        """Tell the others soon; many calls at once are one nudge."""
        self._news.set()

    async def tell_step(self) -> float:
        """Tell the others if there is something to tell; return the seconds until the next step."""
        with suppress(TimeoutError):
            async with asyncio.timeout(WAIT_S):
                await self._news.wait()
        if self._news.is_set():
            self._news.clear()
            await self._mouth.publish(CHANNEL, b"")
        return 0.0

    async def hear_step(self) -> float:
        """Wait for a nudge, but not long; return the seconds until the next step."""
        try:
            if self._channel is None:
                channel = self._ear.pubsub(ignore_subscribe_messages=True)
                await channel.subscribe(CHANNEL)
                self._channel = channel
                self._heard()  # What was told meanwhile went by.
            if await self._channel.get_message(timeout=WAIT_S) is not None:
                self._heard()
        except BaseException:
            await self.leave()
            raise
        return 0.0

    async def stop_telling(self) -> None:
        """Tell nothing more."""
        await self._mouth.aclose()

    async def stop_hearing(self) -> None:
        """Hear nothing more."""
        await self.leave()
        await self._ear.aclose()

    async def leave(self) -> None:
        """Hear nothing until the next step."""
        channel, self._channel = self._channel, None
        if channel is not None:
            with suppress(*PASSING):
                await channel.aclose()  # type: ignore[no-untyped-call] # the client has no type for it


def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(
        url,
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_timeout=ANSWER_TIMEOUT_S,
        socket_keepalive=True,
    )
