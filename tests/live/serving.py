"""A server that can be stopped and started again, and a client that goes on where it was."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx2
import orjson
import uvicorn
from starlette.applications import Starlette
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from loyalty_graph.app import create_app
from loyalty_graph.config import Settings

LIMIT_S = 30
EVENTS = """subscription ($after: EventNumber) { eventStream(after: $after) {
    sequence kind member { id } } }"""


@dataclass
class Server:
    """An application that is served on a port of this machine."""

    app: Starlette
    port: int

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}/graphql"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}/graphql"

    @property
    def listeners(self) -> int:
        count: int = self.app.state.live._count
        return count

    async def listened_to(self, by: int = 1) -> None:
        """Wait until so many listen."""
        async with asyncio.timeout(LIMIT_S):
            while self.listeners != by:  # noqa: ASYNC110 - the application signals it no other way
                await asyncio.sleep(0.01)


@asynccontextmanager
async def served(settings: Settings, *, port: int = 0) -> AsyncIterator[Server]:
    """Serve until the block ends, then stop in good order."""
    app = create_app(settings)
    listener = socket.create_server(("127.0.0.1", port))
    config = uvicorn.Config(app, lifespan="on", log_level="error", timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        async with asyncio.timeout(LIMIT_S):
            while not server.started:  # noqa: ASYNC110 - uvicorn signals it no other way
                await asyncio.sleep(0.01)
        yield Server(app, listener.getsockname()[1])
    finally:
        app.state.live.stop()
        server.should_exit = True
        await serving


@dataclass
class Client:
    """Listens over one protocol, and goes on after the last event whenever it is cut off."""

    protocol: str
    token: str
    query: str = EVENTS
    last: int | None = None
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def sequences(self) -> list[int]:
        return [event["sequence"] for event in self.events]

    async def hear(self, server: Server, *, up_to: int) -> None:
        """Listen until so many events were heard altogether."""
        async with asyncio.timeout(LIMIT_S):
            async for answer in self.answers(server):
                [event] = answer["data"].values()
                self.events.append(event)
                self.last = event["sequence"]
                if len(self.events) >= up_to:
                    return

    async def hear_through_stops(self, server: Server, *, up_to: int) -> None:
        """Do the same, connecting again after each end."""
        async with asyncio.timeout(LIMIT_S):
            while len(self.events) < up_to:
                with suppress(OSError, httpx2.TransportError, ConnectionClosed):
                    await self.hear(server, up_to=up_to)
                await asyncio.sleep(0.02)

    def answers(self, server: Server) -> AsyncIterator[dict[str, Any]]:
        """Yield each answer of the stream, until it ends or is cut off."""
        return self._by_sse(server) if self.protocol == "sse" else self._by_websocket(server)

    @property
    def _asked(self) -> dict[str, Any]:
        return {"query": self.query, "variables": {"after": self.last}}

    async def _by_sse(self, server: Server) -> AsyncIterator[dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "text/event-stream"}
        async with (
            httpx2.AsyncClient(timeout=LIMIT_S) as client,
            client.stream("POST", server.http, json=self._asked, headers=headers) as answer,
        ):
            assert answer.status_code == 200
            kind = ""
            async for line in answer.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    kind = value
                elif name == "data" and kind == "next":
                    yield orjson.loads(value)

    async def _by_websocket(self, server: Server) -> AsyncIterator[dict[str, Any]]:
        protocols = [Subprotocol("graphql-transport-ws")]
        async with connect(server.ws, subprotocols=protocols) as socket:
            params = {"Authorization": f"Bearer {self.token}"}
            await socket.send(orjson.dumps({"type": "connection_init", "payload": params}).decode())
            assert orjson.loads(await socket.recv()) == {"type": "connection_ack"}
            wanted = {"id": "1", "type": "subscribe", "payload": self._asked}
            await socket.send(orjson.dumps(wanted).decode())
            async for frame in socket:
                message = orjson.loads(frame)
                if message["type"] == "complete":
                    return
                if message["type"] == "error":
                    yield {"errors": message["payload"]}
                elif message["type"] == "next":
                    yield message["payload"]
