"""The serve command: which port, what to open, and a stop in good order."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from signal import SIGINT, SIGTERM

import uvicorn
from rich.console import Console
from rich.markup import escape

from loyalty_graph import __version__
from loyalty_graph.app import create_app
from loyalty_graph.cli.output import console, database_name, logged, near, print_named, run
from loyalty_graph.config import Settings, data_folder, load_settings
from loyalty_graph.errors import SettingsError
from loyalty_graph.graphql.view import BODY_BYTES_MAX
from loyalty_graph.identity.development_issuer import KEY_FILE
from loyalty_graph.wallet.apple.pushing import pushes_to_apple
from loyalty_graph.wallet.desk import PassDesk

PORTS_TRIED = 20
GRACE_S = 25
BACKLOG = 2048
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what to call them, not where to bind

Announce = Callable[[PassDesk], Awaitable[None]]
Beside = Callable[[Settings], AbstractAsyncContextManager[Settings]]


@asynccontextmanager
async def nothing_beside(settings: Settings) -> AsyncIterator[Settings]:
    """Run nothing beside the server."""
    yield settings


def serve(*, host: str | None, port: int | None, database: str | None) -> None:
    """Serve the API until stopped; requests in hand are finished first."""
    settings = load_settings()
    if database is not None:
        settings = settings.model_copy(update={"database_url": database})
    listener = listen(host or settings.host, settings.port if port is None else port)

    async def announce(desk: PassDesk) -> None:
        print_header(settings.database_url, desk)
        print_pushes(settings)
        print_sign_in(settings)
        print_named("API", f"{address_of(listener)}/graphql")
        console.print("  [dim]Ctrl-C stops; requests in hand are finished first.[/]")

    run_server(settings, listener, announce)


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


def listen(host: str, port: int, *, say: Console = console) -> socket.socket:
    """Return a listening socket on this port, or on the next free one; say so when it is another.

    Raises:
        SettingsError: The host is none of this machine's, or none of the next ports is free.
    """
    last = min(port + PORTS_TRIED - 1, 65535) if port else 0
    for candidate in range(port, last + 1):
        try:
            listener = socket.create_server(
                (host, candidate), family=_family(host), backlog=BACKLOG
            )
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                continue
            reason = error.strerror or error
            raise SettingsError(f"Cannot listen on {host}, port {candidate}: {reason}.") from error
        if candidate != port and port:
            say.print(f"Port {port} is in use; taking {candidate}.")
        return listener
    raise SettingsError(f"Ports {port} to {last} are in use; name another with --port.")


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def address_of(listener: socket.socket) -> str:
    """Return the URL under which this machine reaches a socket."""
    host, port = listener.getsockname()[:2]
    name = ANYWHERE.get(host, host)
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


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
    with listener, logged():
        _serve(settings, listener, announce, beside)
    say.print("Stopped.")


def _serve(settings: Settings, listener: socket.socket, announce: Announce, beside: Beside) -> None:
    config = uvicorn.Config(
        "",  # It is made in the loop, when what runs beside it has said where it is.
        # Entered here instead, so that a failure reaches us as it is and is told in one line.
        lifespan="off",
        log_level="warning",
        # The path of a pass is the secret that opens it.
        access_log=False,
        ws_max_size=BODY_BYTES_MAX,
        timeout_graceful_shutdown=GRACE_S,
        server_header=False,
    )

    async def work() -> None:
        async with beside(settings) as led:
            config.app = app = create_app(led)
            async with app.router.lifespan_context(app):

                def end_streams() -> None:
                    app.state.watch.close()
                    app.state.live.stop()

                server = _Server(config, lambda: announce(app.state.desk), stopping=end_streams)
                await server.serve(sockets=[listener])

    run(work(), loop=config.get_loop_factory())


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
