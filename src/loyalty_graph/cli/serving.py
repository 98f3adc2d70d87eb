"""The serve command, and how the demo is served: which port, what to open, a graceful stop."""

import asyncio
import json
import secrets
import socket

import typer
import uvicorn
from rich.markup import escape

from loyalty_graph import __version__
from loyalty_graph.app import create_app
from loyalty_graph.cli.output import console
from loyalty_graph.clock import utc_now
from loyalty_graph.config import Settings, load_settings
from loyalty_graph.db import open_database
from loyalty_graph.graphql.view import BODY_BYTES_MAX
from loyalty_graph.identity import service as identity
from loyalty_graph.identity.rules import TOKEN_RANDOM_BYTES, Scope, TokenMode
from loyalty_graph.sandbox import demo as sandbox

PORTS_TRIED = 20
GRACE_S = 25
DEMO_PARTNER = "Demo till"


def serve(*, host: str | None, port: int | None, database: str | None) -> None:
    """Serve the API until stopped; requests in hand are finished first."""
    settings = load_settings()
    if database is not None:
        settings = settings.model_copy(update={"database_url": database})
    listener = listen(host or settings.host, settings.port if port is None else port)
    address = address_of(listener)
    console.print(f"[bold]Loyalty Graph {__version__}[/] · {address}/graphql", highlight=False)
    run_server(settings, listener)


def serve_demo(settings: Settings, url: str, port: int) -> None:
    """Serve the demo's database; print what to open and what to try."""
    token, member = asyncio.run(_demo_access(url))
    listener = listen(settings.host, port)
    address = address_of(listener)
    changes = {"database_url": url, "public_url": address}
    query = "{ program { name } members(first: 1) { nodes { number wallet { available } } } }"
    body = json.dumps({"query": query})
    curl = f"curl -s {address}/graphql -H 'authorization: Bearer {token}' --json '{body}'"
    lines = (
        ("GraphQL", f"{address}/graphql"),
        ("Token", f"{token}  (works in this demo only)"),
        ("Member", member),
        ("Try", curl),
    )
    for name, value in lines:
        console.print(f"  [bold]{name:<10}[/] {escape(value)}", highlight=False, soft_wrap=True)
    console.print("Ctrl-C to stop.")
    run_server(settings.model_copy(update=changes), listener)


async def _demo_access(url: str) -> tuple[str, str]:
    """Return a fresh test token for the demo's programme, and the number of a member."""
    now = utc_now()
    async with open_database(url):
        program_id = await sandbox.demo_program()
        partner = await identity.partner_named(program_id, DEMO_PARTNER, now=now)
        made = await identity.create_token(
            program_id,
            partner.id,
            name="demo",
            scopes=[Scope.ADMIN],
            mode=TokenMode.TEST,
            randomness=secrets.token_bytes(TOKEN_RANDOM_BYTES),
            now=now,
        )
        return made.text, await sandbox.first_member_number(program_id)


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket on this port, or on the next free one; say so when it is another.

    Raises:
        typer.Exit: None of the next ports is free.
    """
    for candidate in range(port, port + PORTS_TRIED) if port else (0,):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, candidate))
        except OSError:
            listener.close()
            continue
        if port and candidate != port:
            console.print(f"Port {port} is in use; taking {candidate}.", highlight=False)
        return listener
    console.print(f"Ports {port} to {port + PORTS_TRIED - 1} are in use; name another with --port.")
    raise typer.Exit(1)


def address_of(listener: socket.socket) -> str:
    """Return the URL a socket listens on."""
    host, port = listener.getsockname()[:2]
    return f"http://{host}:{port}"


def run_server(settings: Settings, listener: socket.socket) -> None:
    """Serve on a socket until a signal; requests in hand get a while to finish."""
    config = uvicorn.Config(
        create_app(settings),
        log_level="warning",
        ws_max_size=BODY_BYTES_MAX,
        timeout_graceful_shutdown=GRACE_S,
        server_header=False,
    )
    uvicorn.Server(config).run(sockets=[listener])
