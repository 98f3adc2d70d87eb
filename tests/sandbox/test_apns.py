"""The sandbox of APNs refuses what Apple refuses."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded

from loyalty_graph.clock import utc_now
from loyalty_graph.sandbox.apns import FakeApns
from loyalty_graph.wallet.apple.apns import client_context
from loyalty_graph.wallet.apple.development_ca import IDENTITY, development_root, development_signer

TOPIC = IDENTITY.pass_type_identifier


@pytest.fixture
def ca(data_dir: Path) -> Path:
    development_signer(data_dir / "development-ca", now=utc_now())
    return data_dir / "development-ca"


@pytest.fixture
async def fake(ca: Path) -> AsyncIterator[FakeApns]:
    sandbox = FakeApns(development_root(ca), clock=utc_now)
    await sandbox.start()
    yield sandbox
    await sandbox.stop()


@pytest.fixture
def context(fake: FakeApns, ca: Path, tmp_path: Path) -> ssl.SSLContext:
    """TLS of a client that trusts the sandbox and is trusted by it."""
    (tmp_path / "root.pem").write_bytes(fake.root)
    return client_context(development_signer(ca, now=utc_now()), root=tmp_path / "root.pem")


def port_of(fake: FakeApns) -> int:
    return int(fake.url.rpartition(":")[2])


async def ask(
    fake: FakeApns,
    context: ssl.SSLContext,
    *,
    method: str = "POST",
    path: str = "/3/device/abc",
    topic: str | None = TOPIC,
    payload: bytes = b"{}",
) -> tuple[int, bytes]:
    """Send one request over a connection of its own; return status and body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(fake), ssl=context)
    client = H2Connection(H2Configuration(client_side=True))
    client.initiate_connection()
    named = [] if topic is None else [("apns-topic", topic)]
    head = [(":method", method), (":scheme", "https"), (":authority", "x"), (":path", path)]
    client.send_headers(1, [*head, *named])
    client.send_data(1, payload, end_stream=True)
    status, body, is_over = 0, b"", False
    while not is_over:
        writer.write(client.data_to_send())
        for event in client.receive_data(await reader.read(65536)):
            if isinstance(event, ResponseReceived):
                status = int(dict(event.headers)[b":status"])
            elif isinstance(event, DataReceived):
                body += event.data
            is_over |= isinstance(event, StreamEnded)
    writer.close()
    await writer.wait_closed()
    return status, body


async def test_a_push_as_apple_wants_it_is_taken_and_kept(fake: FakeApns, context: ssl.SSLContext):
    answer = await ask(fake, context, path="/3/device/a%2Fb", payload=b'{"aps":{}}')

    assert answer == (200, b"")
    [push] = fake.pushes
    assert (push.token, push.topic, push.payload, push.status, push.connection) == (
        "a/b",
        TOPIC,
        b'{"aps":{}}',
        200,
        1,
    )


@pytest.mark.parametrize(
    ("wrong", "status", "reason"),
    [
        ({"method": "GET"}, 405, "MethodNotAllowed"),
        ({"path": "/4/device/abc"}, 404, "BadPath"),
        ({"path": "/3/device/"}, 400, "MissingDeviceToken"),
        ({"topic": None}, 400, "MissingTopic"),
        ({"topic": "pass.com.example.other"}, 400, "TopicDisallowed"),
        ({"payload": b""}, 400, "PayloadEmpty"),
        ({"payload": b"[]"}, 400, "PayloadEmpty"),
        ({"payload": b'"' + b"x" * 4_096 + b'"'}, 413, "PayloadTooLarge"),
    ],
)
async def test_what_apple_refuses_is_refused(
    fake: FakeApns, context: ssl.SSLContext, wrong: dict[str, object], status: int, reason: str
):
    answer = await ask(fake, context, **wrong)  # type: ignore[arg-type] # one of the keywords

    assert answer == (status, b'{"reason": "' + reason.encode() + b'"}')
    assert [push.status for push in fake.pushes] == [status]


async def test_who_shows_no_certificate_is_not_let_in(fake: FakeApns):
    context = ssl.create_default_context(cadata=fake.root.decode())
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(fake), ssl=context)

    with pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"):
        await reader.read()

    writer.close()


async def test_who_does_not_speak_http_2_is_hung_up_on(fake: FakeApns, context: ssl.SSLContext):
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(fake), ssl=context)

    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    with suppress(ConnectionError):
        await reader.read()

    assert fake.pushes == []
    writer.close()


async def test_noise_instead_of_tls_harms_nobody(fake: FakeApns, context: ssl.SSLContext):
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(fake))
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    await reader.read()
    writer.close()

    assert (await ask(fake, context))[0] == 200


async def test_who_never_says_hello_does_not_keep_it_from_stopping(fake: FakeApns):
    _, writer = await asyncio.open_connection("127.0.0.1", port_of(fake))

    async with asyncio.timeout(10):
        await fake.stop()

    writer.close()
