"""Serves something over HTTP beside what else a process does: a fake, metrics, patience."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.types import ASGIApp

GRACE_S = 2


class _Beside(uvicorn.Server):
    """A server that leaves the signals to others, and says when it serves."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve, and say so."""
        await super().startup(sockets)
        self.is_ready.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


@asynccontextmanager
async def serving(app: ASGIApp, listener: socket.socket) -> AsyncIterator[None]:
    """Serve an application on a listening socket until the block ends."""
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,  # As the process logs otherwise, which keeps secrets out.
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = _Beside(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await server.is_ready.wait()
        yield
    finally:
        server.should_exit = True
        await task
