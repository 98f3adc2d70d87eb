"""One HTTP/2 connection to APNs: many pushes side by side, each a stream of its own."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast
from urllib.parse import quote

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings
from hpack import HeaderTuple, NeverIndexedHeaderTuple

from loyalty_graph.wallet.apple.answers import Answer, Later, answer_of
from loyalty_graph.wallet.apple.frames import Frames, GoAway

PAYLOAD = b"{}"
BODY_BYTES_MAX = 4_096
OPENED_AT_ONCE = 32
"""Then whatever else this process does gets its turn."""
STREAM_ID_MAX = 2**31 - 1
TRIES_MAX = 4
PING_AFTER_S = 60.0
PING_AFTER_S_WHEN_BUSY = 5.0
PING_ANSWER_S = 10.0
PING = b"are you?"


@dataclass(eq=False, slots=True)
class Exchange:
    """A push on its way, and what has been heard of it.

    `ends_at` is a time of the loop; the wait for a stream and the wait for the answer end there.
    """

    token: str
    ends_at: float
    answer: asyncio.Future[Answer]
    tries: int = 0
    status: int = 0
    retry_after: bytes = b""
    body: bytes = b""

    def settle(self, answer: Answer) -> None:
        """Say what became of it, unless nobody waits any more."""
        if not self.answer.done():
            self.answer.set_result(answer)


@dataclass(frozen=True, slots=True)
class Hearers:
    """Who is told what of a link.

    Attributes:
        answered: Of each answer.
        ended: Once, that it takes no more pushes, and why.
        again: Of pushes that the server surely did not look at.
    """

    answered: Callable[["Link", Answer], None]
    ended: Callable[["Link", Exception], None]
    again: Callable[[list[Exchange]], None]


class Link(asyncio.Protocol):
    """Takes pushes from a queue, once it is told to begin, as long as the connection lasts.

    Attributes:
        ready: Ends when the server has let us in, or nothing will come of it.
        ended: Why it takes no more pushes, once it does not.
        was_of_use: Whether the server looked at any push.
    """

    def __init__(
        self,
        authority: str,
        topic: str,
        queue: deque[Exchange],
        *,
        streams_max: int,
        answer_s: float,
        hearers: Hearers,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = self._loop.create_future()
        self.ended: Exception | None = None
        self.was_of_use = False
        self._before_path = (
            HeaderTuple(b":method", b"POST"),
            HeaderTuple(b":scheme", b"https"),
            HeaderTuple(b":authority", authority.encode()),
        )
        self._after_path = (HeaderTuple(b"apns-topic", topic.encode()),)
        self._queue, self._hearers = queue, hearers
        self._streams_max = self._streams_allowed = streams_max
        self._answer_s = answer_s
        self._h2 = H2Connection(
            # Our own headers are right; looking at each of them again costs a tenth of the time.
            H2Configuration(validate_outbound_headers=False, normalize_outbound_headers=False)
        )
        self._h2.local_settings = Settings(
            client=True, initial_values={SettingCodes.ENABLE_PUSH: 0}
        )
        self._frames = Frames()
        self._transport: asyncio.WriteTransport | None = None
        self._open: dict[int, Exchange] = {}
        self._unsent: deque[int] = deque()
        self._may_write, self._began, self._pumping = True, False, False
        self._heard_at, self._pinged = self._loop.time(), False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to speak HTTP/2."""
        self._transport = cast("asyncio.WriteTransport", transport)
        tls = transport.get_extra_info("ssl_object")
        if tls is None or tls.selected_alpn_protocol() != "h2":
            self.abort(ConnectionError("the server does not speak HTTP/2"))
            return
        self._h2.initiate_connection()
        self._write()

    def data_received(self, data: bytes) -> None:
        """Take answers; whatever is not HTTP/2 ends the connection."""
        self._heard_at, self._pinged = self._loop.time(), False
        try:
            for frame in self._frames.feed(data):
                if isinstance(frame, GoAway):
                    self._go_away(frame)
                else:
                    for event in self._h2.receive_data(frame):
                        self._hear(event)
        except ProtocolError:
            # What it sent may hold anything, so it is not repeated.
            self.abort(ConnectionError("the server sent what is not HTTP/2"))
        self.pump()

    def connection_lost(self, exc: Exception | None) -> None:
        """Answer what can never be answered now."""
        self._transport = None
        self._end(exc or ConnectionError("the server closed the connection"))
        self._lose_all()

    def pause_writing(self) -> None:
        """Open no streams while what was written has not left."""
        self._may_write = False

    def resume_writing(self) -> None:
        """Go on."""
        self._may_write = True
        self.pump()

    def pump_soon(self) -> None:
        """Open streams for what waits in the queue, once what runs now has its turn behind it."""
        if not self._pumping:
            self._pumping = True
            self._loop.call_soon(self.pump)

    @property
    def closed(self) -> bool:
        """Return whether nothing is heard of it any more."""
        return self._transport is None

    def begin(self) -> None:
        """Take pushes from now on."""
        self._began = True
        self.pump()

    def pump(self) -> None:
        """Open streams for what waits in the queue, as far as the server lets us."""
        self._pumping = False
        if self.closed:
            return
        self._send_bodies()
        opened = 0
        while self._queue and self._may_open():
            if opened == OPENED_AT_ONCE:
                self.pump_soon()
                break
            self._begin(self._queue.popleft())
            opened += 1
        self._write()

    def watch(self) -> None:
        """Give up what is overdue; ask a silent server for a sign, and leave a dead one."""
        if self.closed:
            return
        now = self._loop.time()
        for stream_id, exchange in list(self._open.items()):
            if exchange.ends_at <= now:
                self._forget(stream_id)
                exchange.settle(Later("no answer in time"))
        silent_s = now - self._heard_at
        after_s = PING_AFTER_S_WHEN_BUSY if self._open else PING_AFTER_S
        if self._pinged and silent_s >= after_s + PING_ANSWER_S:
            self.abort(ConnectionError("the server fell silent"))
        elif silent_s >= after_s and not self._pinged:
            self._pinged = True
            self._h2.ping(PING)
        self._write()

    def retire(self, because: Exception) -> None:
        """Take no more pushes, and close once those in hand are answered."""
        self._end(because)
        self._close_when_done()

    def abort(self, because: Exception) -> None:
        """Close at once; nothing more is heard of what is in hand."""
        self._write()
        transport, self._transport = self._transport, None
        self._end(because)
        self._lose_all()
        if transport is not None:
            transport.abort()

    def _may_open(self) -> bool:
        return (
            self._began
            and self.ended is None
            and self._may_write
            and not self._unsent
            and len(self._open) < self._streams_allowed
        )

    def _begin(self, exchange: Exchange) -> None:
        stream_id = self._h2.get_next_available_stream_id()
        # The token is as good as a key, so it stays out of the tables of header compression.
        path = NeverIndexedHeaderTuple(b":path", b"/3/device/" + quote(exchange.token, "").encode())
        self._h2.send_headers(stream_id, (*self._before_path, path, *self._after_path))
        if not exchange.tries:
            exchange.ends_at = self._loop.time() + self._answer_s
        self._open[stream_id] = exchange
        self._unsent.append(stream_id)
        self._send_bodies()
        if stream_id + 2 > STREAM_ID_MAX:
            self._end(ConnectionError("all streams are used up"))

    def _send_bodies(self) -> None:
        """Send what the server's windows have room for; what has none waits, and all after it."""
        while self._unsent:
            stream_id = self._unsent[0]
            if self._h2.local_flow_control_window(stream_id) < len(PAYLOAD):
                return
            self._h2.send_data(stream_id, PAYLOAD, end_stream=True)
            self._unsent.popleft()

    def _hear(self, event: Event) -> None:
        if isinstance(event, ResponseReceived):
            self._hear_head(event)
        elif isinstance(event, StreamEnded):
            self._finish(event.stream_id)
        elif isinstance(event, DataReceived):
            self._hear_body(event)
        elif isinstance(event, StreamReset):
            self._hear_reset(event)
        elif isinstance(event, RemoteSettingsChanged):
            allowed = self._h2.remote_settings.max_concurrent_streams
            self._streams_allowed = min(self._streams_max, allowed)
            if not self.ready.done():
                self.ready.set_result(None)

    def _hear_head(self, event: ResponseReceived) -> None:
        exchange = self._open.get(event.stream_id)
        if exchange is None:
            return
        for name, value in event.headers:
            if name == b":status":
                exchange.status = int(value) if value.isdigit() else 0
            elif name == b"retry-after":
                exchange.retry_after = bytes(value)

    def _hear_body(self, event: DataReceived) -> None:
        length = event.flow_controlled_length
        if length:
            self._h2.acknowledge_received_data(length, event.stream_id)
        exchange = self._open.get(event.stream_id)
        if exchange is not None and len(exchange.body) < BODY_BYTES_MAX:
            exchange.body += event.data

    def _hear_reset(self, event: StreamReset) -> None:
        exchange = self._forget(event.stream_id)
        if exchange is None:
            return
        if event.error_code == ErrorCodes.REFUSED_STREAM:
            self._again([exchange])
        else:
            exchange.settle(Later("the server ended the stream"))
        self._close_when_done()

    def _finish(self, stream_id: int) -> None:
        exchange = self._forget(stream_id)
        if exchange is None:
            return
        answer = answer_of(exchange.status, exchange.body, retry_after=exchange.retry_after)
        self.was_of_use = True
        exchange.settle(answer)
        self._hearers.answered(self, answer)
        self._close_when_done()

    def _forget(self, stream_id: int) -> Exchange | None:
        """Take an exchange off its stream, and end the stream if we have not done so."""
        exchange = self._open.pop(stream_id, None)
        if exchange is not None and not self._h2_is_done(stream_id):
            self._h2.reset_stream(stream_id, ErrorCodes.CANCEL)
        if stream_id in self._unsent:
            self._unsent.remove(stream_id)
        return exchange

    def _h2_is_done(self, stream_id: int) -> bool:
        stream = self._h2.streams.get(stream_id)
        return stream is None or stream.closed

    def _go_away(self, frame: GoAway) -> None:
        """Give back what the server will not look at; the rest it still answers."""
        self.was_of_use |= frame.last_stream > 0
        self._end(ConnectionError(f"the server goes away: {frame.name}"))
        ignored = [one for one in self._open if one > frame.last_stream]
        self._again([exchange for one in ignored if (exchange := self._forget(one))])
        self._close_when_done()

    def _again(self, exchanges: list[Exchange]) -> None:
        for exchange in exchanges:
            exchange.tries += 1
            if exchange.tries == TRIES_MAX:
                exchange.settle(Later("the server took it on no stream"))
        self._hearers.again([one for one in exchanges if not one.answer.done()])

    def _end(self, because: Exception) -> None:
        if self.ended is None:
            self.ended = because
            if not self.ready.done():
                self.ready.set_result(None)
            self._hearers.ended(self, because)

    def _close_when_done(self) -> None:
        if self.ended is not None and not self._open and self._transport is not None:
            self._write()
            self._transport.close()

    def _lose_all(self) -> None:
        for exchange in self._open.values():
            exchange.settle(Later("connection lost"))
        self._open.clear()
        self._unsent.clear()

    def _write(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if data := self._h2.data_to_send():
            transport.write(data)
