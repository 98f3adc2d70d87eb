"""How often something may be asked: one limit for each key, of one process or of all together.

The generic cell rate algorithm (ITU-T I.371, annex A): a key has one moment, by which everything it
asked so far would be due at an even pace. `limits` would do, but reads the clock by itself, and
knows windows only, where a caller may ask twice as much around the edge of one.
"""

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Hashable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Protocol, Self

KEYS_MAX = 100_000
NO_WAIT = timedelta(0)

PREFIX = "loyalty-graph:limit"
ANSWER_WITHIN_S = 0.2
"""For a new connection, and for an answer: nobody shall wait for a count."""
CONNECTIONS_MAX = 16
TRIED_AGAIN_AFTER = timedelta(seconds=5)
MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

COUNT = """
local now, pace, per = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local known = tonumber(redis.call('GET', KEYS[1]) or now)
local due = math.max(now, math.min(known, now + per)) + pace
local early = due - now - per
if early > 0 then return early end
redis.call('SET', KEYS[1], string.format('%.0f', due), 'PX', math.ceil((due - now) / 1000))
return 0
"""
"""The same in Lua, all in microseconds, which a double holds exactly until the year 2255.

What was counted by a clock that was ahead ends with its key: Valkey's own clock says when.
"""

logger = logging.getLogger(__name__)


class RateLimit:
    """At most `most` calls of a key at once, and as many in each `per` after that."""

    def __init__(self, most: int, *, per: timedelta, keys_max: int = KEYS_MAX) -> None:
        self._pace, self._per, self._keys_max = per / most, per, keys_max
        self._due: OrderedDict[Hashable, datetime] = OrderedDict()

    def wait(self, key: Hashable, *, now: datetime) -> timedelta:
        """Count a call of this key, unless it comes too early; return how long it must wait.

        The keys used longest ago are forgotten first, so that a flood of keys fills no memory.
        """
        known = self._due.get(key, now)
        # What is due later than it can be was counted by a clock that was ahead; it says nothing.
        due = (known if now < known <= now + self._per else now) + self._pace
        early = due - now - self._per
        if early > NO_WAIT:
            return early
        self._due[key] = due
        self._due.move_to_end(key)
        while len(self._due) > self._keys_max:
            self._due.popitem(last=False)
        return NO_WAIT


class SharedRateLimit:
    """The same for all processes together, while the server that they count on answers."""

    def __init__(self, name: str, most: int, *, per: timedelta, counts: "_Counts | None") -> None:
        self._name, self._counts = name, counts
        self._pace, self._per = per / most, per
        self._here = RateLimit(most, per=per)

    async def wait(self, key: Hashable, *, now: datetime) -> timedelta:
        """Count a call of this key, unless it comes too early; return how long it must wait."""
        if self._counts is not None:
            # Keys may be addresses or secrets, so they are not stored.
            digest = blake2b(repr(key).encode(), digest_size=16).hexdigest()
            of_key = f"{PREFIX}:{self._name}:{digest}"
            waited = await self._counts.wait(of_key, self._pace, self._per, now=now)
            if waited is not None:
                return waited
        return self._here.wait(key, now=now)


class RateLimits:
    """Makes the limits of a process.

    Args:
        url: The Valkey or Redis on which all processes count: redis://, rediss:// or unix://.
            Without one, and while it is away, each counts in its own memory.
    """

    def __init__(self, url: str | None = None) -> None:
        self._counts = None if url is None else _Counts(url)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        """Close the connections."""
        if self._counts is not None:
            await self._counts.close()

    def limit(self, name: str, most: int, *, per: timedelta) -> SharedRateLimit:
        """Return a limit; those of one name are one limit in all processes."""
        return SharedRateLimit(name, most, per=per, counts=self._counts)


class _Script(Protocol):
    """What the client makes of a script; it has no type for it."""

    def __call__(self, *, keys: Sequence[str], args: Sequence[int]) -> Awaitable[int]: ...


class _Counts:
    """The counts of all processes, on a server that may be away."""

    def __init__(self, url: str) -> None:
        import redis.asyncio as redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        # Its own tries again would take seconds.
        once = {"retry": Retry(NoBackoff(), 0), "socket_connect_timeout": ANSWER_WITHIN_S}
        pool = redis.BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS_MAX,
            timeout=ANSWER_WITHIN_S,
            socket_timeout=ANSWER_WITHIN_S,
            **once,
        )
        self._client = redis.Redis.from_pool(pool)
        self._count: _Script = self._client.register_script(COUNT)
        self._passing = (redis.RedisError, OSError)
        self._again_at: datetime | None = None

    async def wait(
        self, key: str, pace: timedelta, per: timedelta, *, now: datetime
    ) -> timedelta | None:
        """Count a call; return how long it must wait, or None where nobody knows."""
        was_away = self._again_at
        if was_away is not None:
            # A moment further off was set by a clock that was ahead.
            if now < was_away <= now + TRIED_AGAIN_AFTER:
                return None
            self._again_at = now + TRIED_AGAIN_AFTER  # The others go on while this one tries.
        try:
            given = [one // MICROSECOND for one in (now - EPOCH, pace, per)]
            early = await self._count(keys=[key], args=given)
        except self._passing as error:
            if was_away is None and self._again_at is None:
                logger.warning("Rate limits are counted by each process alone: %s", error)
            self._again_at = now + TRIED_AGAIN_AFTER
            return None
        if was_away is not None:
            logger.info("Rate limits are counted by all processes together again")
            self._again_at = None
        return early * MICROSECOND

    async def close(self) -> None:
        await self._client.aclose()
