"""A client for large answers: it counts their bytes and keeps none, so that it is not the limit."""

import asyncio
import time
from collections.abc import Callable
from typing import cast

import uvicorn

Ask = Callable[[], bytes]
HEAD_END = b"\r\n\r\n"
GRACE_S = 30.0
GOOD = (b"HTTP/1.1 200 ", b"HTTP/1.1 304 ")


class Caller(asyncio.Protocol):
    """One connection that asks again as soon as it was answered, until it is told to stop."""

    def __init__(self, ask: Ask, until: float) -> None:
        self._ask, self._until = ask, until
        self._head, self._left = b"", -1
        self.answered = 0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._ask())

    def data_received(self, data: bytes) -> None:
        if self._left < 0:
            self._head += data
            head, found, body = self._head.partition(HEAD_END)
            if not found:
                return
            self._left = length_of(head) - len(body)
            self._head = b""
        else:
            self._left -= len(data)
        if self._left == 0:
            self._left = -1
            self.answered += 1
            if time.perf_counter() < self._until:
                self._transport.write(self._ask())
            else:
                self._transport.close()

    def connection_lost(self, _error: Exception | None) -> None:
        self.ended.set_result(None)


def length_of(head: bytes) -> int:
    """Return how long the body after a head is; the answer must be no refusal."""
    assert head.startswith(GOOD), head
    _, named, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0]) if named else 0


def fetch_rate(port: int, ask: Ask, *, connections: int, seconds: float) -> float:
    """Return the answers per second over so many connections."""

    async def together() -> float:
        loop, begun = asyncio.get_running_loop(), time.perf_counter()
        callers = [Caller(ask, begun + seconds) for _ in range(connections)]
        for caller in callers:
            await loop.create_connection(lambda caller=caller: caller, "127.0.0.1", port)
        async with asyncio.timeout(seconds + GRACE_S):
            await asyncio.gather(*(caller.ended for caller in callers))
        return sum(caller.answered for caller in callers) / (time.perf_counter() - begun)

    loop_factory = uvicorn.Config("none").get_loop_factory()
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(together())
