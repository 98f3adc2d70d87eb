"""The application behind a real socket, in a thread of its own, for clients that are no Python."""

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import uvicorn
from starlette.applications import Starlette

from loyalty_graph.app import create_app
from loyalty_graph.clock import utc_now
from loyalty_graph.config import Settings
from loyalty_graph.identity import service as identity
from loyalty_graph.identity.development_issuer import sign_in
from loyalty_graph.identity.rules import TokenMode
from loyalty_graph.members.models import Member
from tests.shop import DAY, Shop, open_shop

Result = TypeVar("Result")


@dataclass
class Served:
    """A running application, and a shop in it that opened two days ago."""

    app: Starlette
    settings: Settings
    loop: asyncio.AbstractEventLoop
    address: str
    shop: Shop

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run something in the application's own event loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout=30)

    def token(self, *scopes: str) -> str:
        """Return a partner's token with these scopes."""
        return self.run(self._token(scopes))

    def member_token(self, member: Member) -> str:
        """Return a token that makes its bearer this member."""
        slug, life = "bean-club", timedelta(hours=1)
        now = utc_now()
        return sign_in(self.settings, program=slug, subject=str(member.id), now=now, life=life)

    async def _token(self, scopes: Sequence[str]) -> str:
        partner = await identity.partner_named(self.shop.program_id, "App", now=self.shop.now)
        made = await identity.create_token(
            self.shop.program_id,
            partner.id,
            name="test",
            scopes=scopes,
            mode=TokenMode.LIVE,
            randomness=bytes(32),
            now=self.shop.now,
        )
        return made.text


@contextmanager
def served(database_url: str, folder: Path) -> Iterator[Served]:
    """Serve the application on a free port until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    settings = Settings(database_url=database_url, data_dir=folder, public_url=address)
    ready: Future[tuple[Served, Callable[[], None]]] = Future()

    async def serve() -> None:
        app, loop, stop = create_app(settings), asyncio.get_running_loop(), asyncio.Event()
        async with app.router.lifespan_context(app):
            shop = await open_shop(now=utc_now() - 2 * DAY)
            config = uvicorn.Config(app, lifespan="off", log_level="warning", access_log=False)
            server = uvicorn.Server(config)
            serving = asyncio.ensure_future(server.serve([listener]))
            ready.set_result((Served(app, settings, loop, address, shop), stop.set))
            await stop.wait()
            app.state.watch.close()
            server.should_exit = True
            await serving

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    running, stop = ready.result(timeout=60)
    try:
        yield running
    finally:
        running.loop.call_soon_threadsafe(stop)
        thread.join()
