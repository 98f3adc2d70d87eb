"""Where a process listens: the port it was given or the next free one, and what to call it."""

import errno
import socket

from rich.console import Console

from loyalty_graph.cli.output import console
from loyalty_graph.errors import SettingsError

PORTS_TRIED = 20
BACKLOG = 2048
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what to call them, not where to bind


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
