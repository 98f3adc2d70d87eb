"""A fake of APNs: takes pushes as Apple does, keeps them in order, and answers as it is told."""

import asyncio
import json
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import cast
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    DataReceived,
    Event,
    PingReceived,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError, StreamClosedError
from h2.settings import SettingCodes, Settings

from loyalty_graph.sandbox.apns_plan import Plan, Push, Reply
from loyalty_graph.sandbox.server_certificate import ServerCertificate
from loyalty_graph.sandbox.tls import TlsConnection
from loyalty_graph.wallet.apple.signing import certificate_identity

PATH = "/3/device/"
PAYLOAD_BYTES_MAX = 4_096


class FakeApns:
    """Takes pushes from those whose client certificate `clients_root` vouches for.

    Attributes:
        pushes: What arrived, in its order.
        plan: How it answers.
        connections: How many were opened.
        pings: How often somebody asked whether it is there.
        root: PEM of the certificate to trust it by: a file with it is LOYALTY_APNS_ROOT.
        url: LOYALTY_APNS_URL, once it was started.
    """

    def __init__(
        self,
        clients_root: x509.Certificate,
        *,
        clock: Callable[[], datetime],
        heard: Callable[[Push], None] = lambda _push: None,
    ) -> None:
        certificate = ServerCertificate(now=clock())
        self.pushes: list[Push] = []
        self.plan = Plan()
        self.connections = self.pings = 0
        self.root, self.url = certificate.root, ""
        self._clock, self._heard = clock, heard
        self._tls = certificate.context()
        self._tls.set_alpn_protocols(["h2"])
        self._tls.verify_mode = ssl.CERT_REQUIRED
        self._tls.load_verify_locations(cadata=clients_root.public_bytes(Encoding.PEM).decode())
        self._server: asyncio.Server | None = None
        self._open: set[TlsConnection] = set()

    async def start(self, listener: socket.socket | None = None) -> str:
        """Listen there, or on any free port of this machine; return the URL."""
        listener = listener or socket.create_server(("127.0.0.1", 0))
        host, port = listener.getsockname()[:2]
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, sock=listener)
        self.url = f"https://{host}:{port}"
        return self.url

    async def stop(self) -> None:
        """Drop all connections, and listen no more."""
        if self._server is not None:
            self._server.close()
            self.drop_all()
            await self._server.wait_closed()
            self._server = None

    def drop_all(self) -> None:
        """Drop all connections; new ones are welcome."""
        for one in list(self._open):
            one.drop()

    def fall_silent(self) -> None:
        """Say nothing more on the connections that are open now."""
        for one in self._open:
            one.fall_silent()

    def keep(self, push: Push) -> None:
        """Keep what arrived, and tell of it."""
        self.pushes.append(push)
        self._heard(push)

    def _connection(self) -> "_Connection":
        self.connections += 1
        return _Connection(self, self.connections, self._tls, self._clock, self._open)


@dataclass(slots=True)
class _Request:
    headers: dict[str, str]
    payload: bytes = b""


class _Connection(TlsConnection):
    """One client."""

    def __init__(
        self,
        fake: FakeApns,
        number: int,
        context: ssl.SSLContext,
        clock: Callable[[], datetime],
        connections: set[TlsConnection],
    ) -> None:
        super().__init__(context, connections)
        self._fake, self._number, self._clock = fake, number, clock
        self._h2 = H2Connection(
            H2Configuration(
                client_side=False,
                header_encoding="utf-8",
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        streams = {SettingCodes.MAX_CONCURRENT_STREAMS: fake.plan.streams_max}
        self._h2.local_settings = Settings(client=False, initial_values=streams)
        self._requests: dict[int, _Request] = {}
        self._unsent: dict[int, tuple[bytes, int]] = {}
        self._waits: set[asyncio.Task[None]] = set()
        self._topic, self._taken, self._has_gone = "", 0, False

    def opened(self) -> None:
        """Read from the client's certificate what it may push to."""
        shown = self.tls.getpeercert(binary_form=True)
        assert shown is not None, "without a certificate nobody is let in"
        identity = certificate_identity(x509.load_der_x509_certificate(shown))
        self._topic = identity.pass_type_identifier if identity else ""
        self._h2.initiate_connection()
        self._write()

    def received(self, data: bytes) -> None:
        """Take requests; whatever breaks the protocol ends the connection."""
        try:
            for event in self._h2.receive_data(data):
                self._hear(event)
        except ProtocolError:
            self.drop()
        self._write()

    def lost(self) -> None:
        """Forget what was not answered yet."""
        for wait in self._waits:
            wait.cancel()

    def _hear(self, event: Event) -> None:
        if isinstance(event, RequestReceived):
            headers = cast("dict[str, str]", dict(event.headers))
            self._requests[event.stream_id] = _Request(headers)
        elif isinstance(event, DataReceived):
            self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            request = self._requests[event.stream_id]
            if len(request.payload) <= PAYLOAD_BYTES_MAX:
                request.payload += event.data
        elif isinstance(event, StreamEnded):
            self._take(event.stream_id, self._requests.pop(event.stream_id))
        elif isinstance(event, StreamReset):
            self._requests.pop(event.stream_id, None)
            self._unsent.pop(event.stream_id, None)
        else:
            self._hear_of_connection(event)

    def _hear_of_connection(self, event: Event) -> None:
        if isinstance(event, PingReceived):
            self._fake.pings += 1
        elif isinstance(event, WindowUpdated):
            for stream_id in list(self._unsent):
                self._send_body(stream_id, *self._unsent[stream_id])

    def _take(self, stream_id: int, request: _Request) -> None:
        after = self._fake.plan.goaway_after
        if self._has_gone:
            return
        self._taken += 1
        if after is not None and self._taken == after:
            self._has_gone = True
        token = unquote(request.headers[":path"].removeprefix(PATH))
        reply = self._fault(request) or self._fake.plan.reply_to(token)
        status = 0 if reply.drops or reply.reset is not None else reply.status
        topic = request.headers.get("apns-topic", "")
        push = Push(self._clock(), token, topic, request.payload, status, self._number)
        self._fake.keep(push)
        if reply.delay_s or reply.until:
            wait = asyncio.create_task(self._answer_later(stream_id, reply))
            self._waits.add(wait)
            wait.add_done_callback(self._waits.discard)
        else:
            self._answer(stream_id, reply)
        if self._has_gone:
            self._go_away(stream_id)

    def _fault(self, request: _Request) -> Reply | None:
        """Return what Apple says to a request that is not as it must be; None when it is."""
        headers = request.headers
        topic = headers.get("apns-topic")
        if headers[":method"] != "POST":
            return Reply(HTTPStatus.METHOD_NOT_ALLOWED, "MethodNotAllowed")
        if not headers[":path"].startswith(PATH):
            return Reply(HTTPStatus.NOT_FOUND, "BadPath")
        if headers[":path"] == PATH:
            return Reply(HTTPStatus.BAD_REQUEST, "MissingDeviceToken")
        if topic is None:
            return Reply(HTTPStatus.BAD_REQUEST, "MissingTopic")
        if topic != self._topic:
            return Reply(HTTPStatus.BAD_REQUEST, "TopicDisallowed")
        return _fault_of(request.payload)

    async def _answer_later(self, stream_id: int, reply: Reply) -> None:
        await asyncio.sleep(reply.delay_s)
        if reply.until is not None:
            await reply.until.wait()
        self._answer(stream_id, reply)
        self._write()

    def _answer(self, stream_id: int, reply: Reply) -> None:
        if reply.drops:
            self.drop()
            return
        try:
            if reply.reset is not None:
                self._h2.reset_stream(stream_id, reply.reset)
                return
            self._send(stream_id, reply)
        except StreamClosedError:
            pass  # The client has given up waiting.

    def _send(self, stream_id: int, reply: Reply) -> None:
        content = reply.content()
        headers = [(":status", str(int(reply.status)))]
        if reply.retry_after is not None:
            headers.append(("retry-after", str(reply.retry_after)))
        has_body = bool(content) or reply.empty_frames > 0
        self._h2.send_headers(stream_id, headers, end_stream=not has_body)
        if has_body:
            self._send_body(stream_id, content, reply.empty_frames)

    def _send_body(self, stream_id: int, content: bytes, empty_frames: int) -> None:
        """Send a body once the client's window has room for it."""
        if self._h2.local_flow_control_window(stream_id) < len(content):
            self._unsent[stream_id] = (content, empty_frames)
            return
        self._unsent.pop(stream_id, None)
        self._h2.send_data(stream_id, content, end_stream=not empty_frames)
        for left in reversed(range(empty_frames)):
            self._h2.send_data(stream_id, b"", end_stream=not left)

    def _go_away(self, last_stream: int) -> None:
        """Say which stream is the last that was looked at.

        h2 closes a connection when it goes away, and Apple first answers what it took; so the frame
        is written here.
        """
        self._write()
        frame = (8).to_bytes(3, "big") + b"\x07\x00" + bytes(4)
        self.send(frame + last_stream.to_bytes(4, "big") + bytes(4))

    def _write(self) -> None:
        if data := self._h2.data_to_send():
            self.send(data)


def _fault_of(payload: bytes) -> Reply | None:
    if len(payload) > PAYLOAD_BYTES_MAX:
        return Reply(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "PayloadTooLarge")
    try:
        is_object = isinstance(json.loads(payload), dict)
    except ValueError:
        is_object = False
    return None if is_object else Reply(HTTPStatus.BAD_REQUEST, "PayloadEmpty")
