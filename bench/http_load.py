"""A client that keeps connections open and asks as fast as it is answered."""

import asyncio
import time
from collections.abc import Callable
from itertools import count

Ask = Callable[[], bytes]


def request(path: str, token: str, body: bytes | None = None) -> bytes:
    """Return an HTTP request as bytes: POST with a JSON body, else GET."""
    verb = "GET" if body is None else "POST"
    length = "" if body is None else f"Content-Length: {len(body)}\r\n"
    head = (
        f"{verb} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nAccept: application/json\r\n{length}\r\n"
    )
    return head.encode() + (body or b"")


def answer(port: int, asked: bytes) -> bytes:
    """Return the body of one answer."""

    async def once() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            return await exchange(reader, writer, asked)
        finally:
            writer.close()

    return asyncio.run(once())


def rate(port: int, ask: Ask, *, connections: int, seconds: float) -> float:
    """Return the answers per second over so many connections."""
    return asyncio.run(_rate(port, ask, connections, seconds))


def latency(port: int, ask: Ask, *, seconds: float) -> tuple[int, float]:
    """Ask over one connection; return how often, and the mean seconds of an answer."""

    async def keep_asking() -> tuple[int, float]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        done, begun = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - begun) < seconds:
            await exchange(reader, writer, ask())
            done += 1
        writer.close()
        return done, elapsed / done

    return asyncio.run(keep_asking())


async def _rate(port: int, ask: Ask, connections: int, seconds: float) -> float:
    done = count()
    begun = time.perf_counter()

    async def keep_asking() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < begun + seconds:
            await exchange(reader, writer, ask())
            next(done)
        writer.close()

    await asyncio.gather(*(keep_asking() for _ in range(connections)))
    return next(done) / (time.perf_counter() - begun)


async def exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: bytes
) -> bytes:
    """Ask over an open connection; return the body of the answer, which must be no refusal."""
    writer.write(asked)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
    body = await reader.readexactly(length)
    assert head.startswith(b"http/1.1 200 "), body
    assert not body.startswith(b'{"errors"'), body
    assert b'"userErrors":[{' not in body, body
    return body
