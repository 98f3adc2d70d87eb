"""The serve command: which port, what to open, and a stop in good order."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from functools import partial
from signal import SIGINT, SIGTERM

import uvicorn
from rich.console import Console
from rich.markup import escape

from loyalty_graph import __version__, logs
from loyalty_graph.app import create_app, waiting_app
from loyalty_graph.cli.beside import serving
from loyalty_graph.cli.listening import address_of, listen
from loyalty_graph.cli.metering import metered, with_metrics_port
from loyalty_graph.cli.output import console, database_name, near, print_named, run
from loyalty_graph.cli.together import do_together, refuse_one_file
from loyalty_graph.cli.tracing import traced
from loyalty_graph.cli.waiting import opened, signalled
from loyalty_graph.config import Settings, data_folder, load_settings
from loyalty_graph.graphql.view import BODY_BYTES_MAX
from loyalty_graph.identity.development_issuer import KEY_FILE
from loyalty_graph.wallet.apple.pushing import pushes_to_apple
from loyalty_graph.wallet.desk import PassDesk

GRACE_S = 25

Announce = Callable[[PassDesk], Awaitable[None]]
Beside = Callable[[Settings], AbstractAsyncContextManager[Settings]]


@asynccontextmanager
async def nothing_beside(settings: Settings) -> AsyncIterator[Settings]:
    """Run nothing beside the server."""
    yield settings


def serve(
    *,
    host: str | None,
    port: int | None,
    database: str | None,
    workers: int = 1,
    metrics_port: int | None = None,
) -> None:
    """Serve the API until stopped; requests in hand are finished first."""
    settings = with_metrics_port(load_settings(), metrics_port)
    if database is not None:
        settings = settings.model_copy(update={"database_url": database})
    refuse_one_file(settings.database_url, workers, option="--workers")
    listener = listen(host or settings.host, settings.port if port is None else port)
    if workers == 1:
        _serve_alone(settings, listener)
    else:
        _serve_together(settings, listener, workers)


def _serve_alone(settings: Settings, listener: socket.socket) -> None:
    async def announce(desk: PassDesk) -> None:
        _print_setting(settings, desk)
        _print_address(address_of(listener))

    run_server(settings, listener, announce)


def _serve_together(settings: Settings, listener: socket.socket, workers: int) -> None:
    """Serve on one socket with several processes; the first one says what it serves."""
    address = address_of(listener)

    def announce() -> None:
        print_named("Processes", str(workers))
        _print_address(address)

    with listener:
        do_together(
            partial(_serve_beside, settings, listener),
            workers,
            announce=announce,
            log_format=settings.log_format,
            # While it is open anywhere, who connects waits in its backlog and is never answered.
            stopping=listener.close,
        )


def _serve_beside(
    settings: Settings, listener: socket.socket, *, is_first: bool, ready: Callable[[], None]
) -> None:
    async def announce(desk: PassDesk) -> None:
        if is_first:
            _print_setting(settings, desk)
        ready()

    run_server(settings, listener, announce, say=Console(quiet=True))


def _print_setting(settings: Settings, desk: PassDesk) -> None:
    print_header(settings.database_url, desk)
    print_pushes(settings)
    print_sign_in(settings)


def _print_address(address: str) -> None:
    print_named("API", f"{address}/graphql")
    console.print("  [dim]Ctrl-C stops; requests in hand are finished first.[/]")


def print_header(url: str, desk: PassDesk, *, to: Console = console) -> None:
    """Say what runs, on which database, and who signs the passes."""
    to.print(f"[bold]Loyalty Graph[/] {__version__}")
    print_named("Database", database_name(url), to=to)
    signer = desk.signer
    if desk.development:
        to.print(
            "  [bold]Signing[/]     [yellow]development CA; phones will not add these passes[/]"
        )
    else:
        print_named(
            "Signing",
            f"{signer.identity.pass_type_identifier} of team {signer.identity.team_identifier},"
            f" until {signer.expires_at:%Y-%m-%d}",
            to=to,
        )


def print_pushes(settings: Settings, *, to: Console = console) -> None:
    """Say whether phones are told of changes."""
    if pushes_to_apple(settings):
        print_named("Pushes", settings.apns_url, to=to)
    else:
        to.print(
            "  [bold]Pushes[/]      [yellow]none; Apple knows no passes of the development CA."
            " LOYALTY_APNS_URL may name a sandbox[/]"
        )


def print_sign_in(settings: Settings, *, to: Console = console) -> None:
    """Say who signs members in."""
    if settings.member_issuers:
        print_named("Members", ", ".join(one.issuer for one in settings.member_issuers), to=to)
    else:
        key = near(data_folder(settings) / KEY_FILE)
        to.print(
            f"  [bold]Members[/]     [yellow]development key {escape(str(key))};"
            " who holds it can be any member[/]"
        )


def run_server(
    settings: Settings,
    listener: socket.socket,
    announce: Announce,
    *,
    say: Console = console,
    beside: Beside = nothing_beside,
) -> None:
    """Serve on a socket until a signal; requests in hand get a while to finish.

    Links begin with the socket's own address, unless a public URL is set. `announce` is called
    when the database is open and the signing material was found good. `beside` runs something as
    long as the server, and yields the server's settings.

    Raises:
        LoyaltyError: Settings, certificate or database cannot be used.
    """
    if "public_url" not in settings.model_fields_set:
        settings = settings.model_copy(update={"public_url": address_of(listener)})
    with listener, logs.written(settings.log_format), traced(settings):
        _serve(settings, listener, announce, beside)
    say.print("Stopped.")


def _serve(settings: Settings, listener: socket.socket, announce: Announce, beside: Beside) -> None:
    config = uvicorn.Config(
        "",  # It is made in the loop, when what runs beside it has said where it is.
        # Entered here instead, so that a failure reaches us as it is and is told in one line.
        lifespan="off",
        log_config=None,
        log_level="warning",
        # The path of a pass is the secret that opens it.
        access_log=False,
        ws_max_size=BODY_BYTES_MAX,
        timeout_graceful_shutdown=GRACE_S,
        server_header=False,
    )

    async def work() -> None:
        async with beside(settings) as led, AsyncExitStack() as stack:
            config.app = app = create_app(led)
            if not await opened(
                lambda: stack.enter_async_context(app.router.lifespan_context(app)),
                lambda: _asking_for_patience(listener),
            ):
                return
            await stack.enter_async_context(metered(led, clock=app.state.clock))

            def end_streams() -> None:
                app.state.watch.close()
                app.state.live.stop()

            server = _Server(config, lambda: announce(app.state.desk), stopping=end_streams)
            await server.serve(sockets=[listener])

    run(work(), loop=config.get_loop_factory())


@asynccontextmanager
async def _asking_for_patience(listener: socket.socket) -> AsyncIterator[asyncio.Event]:
    """Answer that nothing is served yet, until the block ends; yield what a signal sets."""
    # The socket itself is served later: who connects in between waits in its backlog.
    async with signalled() as stopped, serving(waiting_app(), listener.dup()):
        yield stopped


class _Server(uvicorn.Server):
    """A server that returns when a signal has stopped it.

    The stock one raises the signal again, which would end the process with the database open.
    `ready` is called when requests are served and signals are heard; `stopping` when no new ones
    are taken, and what would never end by itself must.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        ready: Callable[[], Awaitable[None]],
        *,
        stopping: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._ready, self._stopping = ready, stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve, and say so."""
        await super().startup(sockets)
        await self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End open streams, then wait for the requests in hand."""
        self._stopping()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGINT and SIGTERM; a second SIGINT waits for nobody."""
        loop = asyncio.get_running_loop()
        for number in (SIGINT, SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (SIGINT, SIGTERM):
                loop.remove_signal_handler(number)
