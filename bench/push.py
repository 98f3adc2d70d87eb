"""Pushes per second through one connection, against a bare h2 client that sends the same requests.

The sandbox of APNs answers from another process. The bare client does nothing but the protocol: it
keeps as many streams open, and neither waits in vain nor makes a lost connection again.
"""

import asyncio
import ssl
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import urlsplit

import uvloop
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RemoteSettingsChanged, ResponseReceived, StreamEnded

from bench.rows import Measured, Row, alternate, row
from loyalty_graph.clock import utc_now
from loyalty_graph.sandbox.apns import FakeApns
from loyalty_graph.wallet.apple.answers import DELIVERED
from loyalty_graph.wallet.apple.apns import Apns, Limits, client_context
from loyalty_graph.wallet.apple.development_ca import (
    IDENTITY,
    development_root,
    development_signer,
)
from loyalty_graph.wallet.apple.signing import Signer

TOKENS = [f"{number * 7919:064x}" for number in range(3_000)]
STREAMS = Limits().streams
FANOUT_BAR = 0.5


def fanout() -> list[Row]:
    """Send thousands of pushes through one connection, in turns with the bare client."""
    with tempfile.TemporaryDirectory() as scratch, sandbox(Path(scratch)) as (url, root, signer):
        ours, bare = alternate(
            lambda: rate(our_pushes(url, root, signer)),
            lambda: rate(bare_pushes(url, root, signer)),
        )
    return [
        row(
            "wallet",
            "push_fanout",
            Measured(ours, "pushes/s"),
            against=f"bare h2 client, {STREAMS} streams",
            against_value=bare,
            bar=FANOUT_BAR,
        )
    ]


SUITES: dict[str, Callable[[], list[Row]]] = {"push": fanout}


@contextmanager
def sandbox(folder: Path) -> Iterator[tuple[str, Path, Signer]]:
    """Run the sandbox in a process of its own; yield its URL, its root, and who may push."""
    signer = development_signer(folder / "ca", now=utc_now())
    context = get_context("spawn")
    connection, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, folder))
    process.start()
    try:
        yield connection.recv(), folder / "root.pem", signer
    finally:
        connection.send("stop")
        process.join()


def serve(connection: Connection, folder: Path) -> None:
    async def until_told() -> None:
        fake = FakeApns(development_root(folder / "ca"), clock=utc_now)
        url = await fake.start()
        (folder / "root.pem").write_bytes(fake.root)
        connection.send(url)
        await asyncio.to_thread(connection.recv)
        await fake.stop()

    uvloop.run(until_told())


def rate(pushing: Coroutine[object, object, float]) -> float:
    """Return the pushes per second, on the event loop that serves the product."""
    return len(TOKENS) / uvloop.run(pushing)


async def our_pushes(url: str, root: Path, signer: Signer) -> float:
    """Return how many seconds all pushes take, once the connection is there."""
    apns = Apns(url, lambda: signer, root=root)
    assert await apns.send(TOKENS[0]) == DELIVERED
    begun = time.perf_counter()
    answers = await asyncio.gather(*map(apns.send, TOKENS))
    taken_s = time.perf_counter() - begun
    assert answers == [DELIVERED] * len(TOKENS), "a push was lost"
    await apns.close()
    return taken_s


async def bare_pushes(url: str, root: Path, signer: Signer) -> float:
    """The same with h2 alone."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(
        place.hostname, place.port, ssl=client_context(signer, root=root)
    )
    client = Bare(reader, writer, place.netloc)
    await client.run(TOKENS[:1])
    begun = time.perf_counter()
    await client.run(TOKENS)
    taken_s = time.perf_counter() - begun
    writer.close()
    with suppress(ssl.SSLError):  # It was said good-bye while the other side did the same.
        await writer.wait_closed()
    return taken_s


class Bare:
    """A connection that sends requests and counts their answers."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, authority: str
    ) -> None:
        self._reader, self._writer, self._authority = reader, writer, authority
        self._h2 = H2Connection(H2Configuration(client_side=True))
        self._h2.initiate_connection()
        self._may_send = False

    async def run(self, tokens: list[str]) -> None:
        left, in_flight, answered = list(tokens), 0, 0
        while answered < len(tokens):
            while self._may_send and left and in_flight < STREAMS:
                self._send(left.pop())
                in_flight += 1
            self._writer.write(self._h2.data_to_send())
            for event in self._h2.receive_data(await self._reader.read(65_536)):
                if isinstance(event, StreamEnded):
                    answered, in_flight = answered + 1, in_flight - 1
                elif isinstance(event, ResponseReceived):
                    assert dict(event.headers)[b":status"] == b"200", event.headers
                elif isinstance(event, RemoteSettingsChanged):
                    self._may_send = True

    def _send(self, token: str) -> None:
        stream_id = self._h2.get_next_available_stream_id()
        headers = [
            (":method", "POST"),
            (":scheme", "https"),
            (":authority", self._authority),
            (":path", f"/3/device/{token}"),
            ("apns-topic", IDENTITY.pass_type_identifier),
        ]
        self._h2.send_headers(stream_id, headers)
        self._h2.send_data(stream_id, b"{}", end_stream=True)
