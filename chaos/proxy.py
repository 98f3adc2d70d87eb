"""A proxy on the loopback that makes a connection misbehave, in ways that change while it runs."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Self
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

HOST = "127.0.0.1"
CHUNK_BYTES = 65_536
POSTGRES_PORT = 5432
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER with no time to linger: the other side sees a reset."""

Target = tuple[str, int] | Path
"""Host and port, or the path of a unix socket."""


class Way(Enum):
    """A direction through the proxy."""

    ASKING = "from the client to the server"
    ANSWERING = "from the server to the client"


BOTH = frozenset(Way)


@dataclass(frozen=True, slots=True)
class Pace:
    """How bytes go on: in pieces of this size, with this pause before each."""

    piece_bytes: int = CHUNK_BYTES
    pause_s: float = 0.0


@dataclass(slots=True)
class _Cut:
    """What ends a connection: a request that holds this text, or the answer to it."""

    text: bytes
    answer_bytes: int | None
    """How much of the answer arrives; None ends it before the request is passed on."""
    times: int


@dataclass(eq=False, slots=True)
class _Connection:
    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None
    closed: set[Way] = field(default_factory=set)
    answer_bytes_left: int | None = None

    def sink(self, way: Way) -> asyncio.StreamWriter:
        sink = self.server if way is Way.ASKING else self.client
        assert sink is not None, "bytes pass only when both sides are connected"
        return sink

    def reset(self) -> None:
        for writer in (self.client, self.server):
            if writer is not None:
                raw = writer.get_extra_info("socket")
                if raw.family != socket.AF_UNIX and raw.fileno() >= 0:
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
                writer.transport.abort()


class Proxy:
    """Forwards connections to `target`; each method switches one trouble on, `heal` all off.

    Troubles hold for connections there are and for new ones, `drop` and `half_close` for those
    there are. `pause` may stand in for sleeping. `cuts` counts the connections that a cut ended.
    """

    def __init__(
        self,
        target: Target,
        *,
        port: int = 0,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._target, self._pause = target, pause
        self.port = port
        self.cuts = 0
        self._listening: asyncio.Server | None = None
        self._connections: dict[_Connection, asyncio.Task[None]] = {}
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._paces: dict[Way, Pace] = {}
        self._cut: _Cut | None = None

    async def __aenter__(self) -> Self:
        await self.accept()
        return self

    async def __aexit__(self, *_exception: object) -> None:
        self.refuse()
        tasks = list(self._connections.values())
        self.drop()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def connections(self) -> int:
        """How many there are now."""
        return len(self._connections)

    async def heal(self) -> None:
        """End all troubles; what a black hole has kept back goes on."""
        self._paces.clear()
        self._cut = None
        self._flowing.set()
        await self.accept()

    async def accept(self) -> None:
        """Take new connections, on the same port as before."""
        if self._listening is None:
            self._listening = await asyncio.start_server(self._begin, HOST, self.port)
            self.port = self._listening.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Refuse new connections, as if no server was there."""
        if self._listening is not None:
            self._listening.close()
            self._listening = None

    def drop(self) -> None:
        """Reset every connection now."""
        for connection, task in self._connections.items():
            connection.reset()
            task.cancel()

    def swallow(self) -> None:
        """Be a black hole: take connections, pass nothing on, answer nothing."""
        self._flowing.clear()

    def slow(self, pace: Pace, ways: Iterable[Way] = BOTH) -> None:
        """Delay each piece of bytes; small pieces trickle."""
        self._paces.update(dict.fromkeys(ways, pace))

    def half_close(self, way: Way) -> None:
        """End one direction of every connection: what is sent there is lost, the other goes on."""
        for connection in self._connections:
            if connection.server is not None and way not in connection.closed:
                connection.closed.add(way)
                connection.sink(way).write_eof()

    def cut_request(self, text: bytes, *, times: int = 1) -> None:
        """Reset the next connections whose client sends `text`; the server never sees it."""
        self._cut = _Cut(text, None, times)

    def cut_answer(self, text: bytes, *, after_bytes: int = 0, times: int = 1) -> None:
        """Let the server do what a request with `text` asks, but cut its answer and reset."""
        self._cut = _Cut(text, after_bytes, times)

    def _begin(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        # A task of our own: the library's complains in the log when it is cancelled.
        connection = _Connection(client)
        task = asyncio.create_task(self._serve(connection, reader))
        self._connections[connection] = task
        task.add_done_callback(lambda _: self._connections.pop(connection))

    async def _serve(self, connection: _Connection, reader: asyncio.StreamReader) -> None:
        try:
            await self._flowing.wait()
            answers, connection.server = await self._reach()
            async with asyncio.TaskGroup() as both:
                both.create_task(self._forward(connection, Way.ASKING, reader))
                both.create_task(self._forward(connection, Way.ANSWERING, answers))
        except* OSError:  # One side is gone; the other shall see it too.
            connection.reset()
        finally:
            connection.client.close()
            if connection.server is not None:
                connection.server.close()

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, Path):
            return await asyncio.open_unix_connection(self._target)
        return await asyncio.open_connection(*self._target)

    async def _forward(
        self, connection: _Connection, way: Way, source: asyncio.StreamReader
    ) -> None:
        while data := await source.read(CHUNK_BYTES):
            await self._flowing.wait()
            if way is Way.ASKING:
                self._watch(connection, data)
                await self._send(connection, way, data)
            else:
                await self._answer(connection, data)
        await self._flowing.wait()
        if way not in connection.closed:
            connection.sink(way).write_eof()

    def _watch(self, connection: _Connection, data: bytes) -> None:
        cut = self._cut
        if cut is None or cut.text not in data:
            return
        cut.times -= 1
        if not cut.times:
            self._cut = None
        self.cuts += 1
        if cut.answer_bytes is None:
            raise ConnectionAbortedError
        connection.answer_bytes_left = cut.answer_bytes

    async def _answer(self, connection: _Connection, data: bytes) -> None:
        left = connection.answer_bytes_left
        await self._send(connection, Way.ANSWERING, data[:left])
        if left is not None:
            if len(data) >= left:
                raise ConnectionAbortedError
            connection.answer_bytes_left = left - len(data)

    async def _send(self, connection: _Connection, way: Way, data: bytes) -> None:
        while data and way not in connection.closed:
            pace = self._paces.get(way, Pace())
            if pace.pause_s:
                await self._pause(pace.pause_s)
                await self._flowing.wait()
            connection.sink(way).write(data[: pace.piece_bytes])
            await connection.sink(way).drain()
            data = data[pace.piece_bytes :]


def postgres_target(url: str) -> Target:
    """Return where the PostgreSQL server of a database URL listens."""
    parts = urlsplit(url)
    port = parts.port or POSTGRES_PORT
    host = dict(parse_qsl(parts.query)).get("host", parts.hostname or HOST)
    return Path(host, f".s.PGSQL.{port}") if host.startswith("/") else (host, port)


def through(url: str, proxy: Proxy) -> str:
    """Return a database URL that leads through a proxy; its settings stay."""
    parts = urlsplit(url)
    settings = [(name, value) for name, value in parse_qsl(parts.query) if name != "host"]
    who, at, _ = parts.netloc.rpartition("@")
    place = f"{who}{at}{HOST}:{proxy.port}"
    return urlunsplit(parts._replace(netloc=place, query=urlencode(settings)))
