"""Whatever a server sends, in whatever pieces: each push is answered or given back, once."""

import asyncio
from collections import deque
from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty_graph.wallet.apple import link as link_module
from loyalty_graph.wallet.apple.answers import DELIVERED, Answer, BadToken
from loyalty_graph.wallet.apple.link import Exchange, Hearers, Link

PUSHES = 6
GOAWAY_AFTER_THE_THIRD = b"\x00\x00\x08\x07\x00\x00\x00\x00\x00" + b"\x00\x00\x00\x05" + bytes(4)


class Tls:
    def selected_alpn_protocol(self) -> str:
        return "h2"


class Wire(asyncio.Transport):
    """Keeps what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written, self.is_closed = bytearray(), False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return Tls() if name == "ssl_object" else default

    def write(self, data: Any) -> None:
        assert not self.is_closed, "nobody hears this"
        self.written += data

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    abort = close


def server_stream(wire: Wire) -> tuple[H2Connection, bytes]:
    """Return a server that has read all requests, and its settings."""
    server = H2Connection(H2Configuration(client_side=False))
    server.initiate_connection()
    server.receive_data(bytes(wire.written))
    return server, server.data_to_send()


def answers(server: H2Connection, count: int = PUSHES) -> bytes:
    """Answer the pushes: half are delivered, half have bad tokens."""
    for number in range(count):
        stream_id = 2 * number + 1
        if number % 2:
            server.send_headers(stream_id, [(":status", "400")])
            server.send_data(stream_id, b'{"reason":"BadDeviceToken"}', end_stream=True)
        else:
            server.send_headers(stream_id, [(":status", "200")], end_stream=True)
    return server.data_to_send()


class Played:
    """A link that was given pushes, and what became of them."""

    def __init__(self) -> None:
        self.given_back: list[Exchange] = []
        self.ended: list[Exception] = []
        self.exchanges: list[Exchange] = []

    async def play(self, change: Any) -> None:
        """Open the link, send the pushes, and let it hear what `change` makes of the answers."""
        loop, queue, wire = asyncio.get_running_loop(), deque[Exchange](), Wire()
        hearers = Hearers(
            answered=lambda _link, _answer: None,
            ended=lambda _link, because: self.ended.append(because),
            again=self.given_back.extend,
        )
        link = Link("apns", "pass.x", queue, streams_max=PUSHES, answer_s=60, hearers=hearers)
        link.connection_made(wire)
        self.exchanges = [
            Exchange(f"token {number}", loop.time() + 60, loop.create_future())
            for number in range(PUSHES)
        ]
        queue.extend(self.exchanges)
        link.begin()
        server, settings_frame = server_stream(wire)
        for piece in change(settings_frame + answers(server)):
            if not wire.is_closed:
                link.data_received(piece)
                link.watch()
        link.connection_lost(None)

    def outcomes(self) -> list[Answer]:
        return [one.answer.result() for one in self.exchanges]


def in_pieces(stream: bytes, size: int) -> list[bytes]:
    return [stream[start : start + size] for start in range(0, len(stream), size)]


def with_goaway(stream: bytes) -> list[bytes]:
    """Put GOAWAY behind the settings, whose frame says how long it is."""
    first = 9 + int.from_bytes(stream[:3], "big")
    return [stream[:first] + GOAWAY_AFTER_THE_THIRD + stream[first:]]


@settings(deadline=None)
@given(size=st.integers(min_value=1, max_value=200))
def test_answers_are_the_same_in_whatever_pieces_they_arrive(size: int):
    played = Played()

    asyncio.run(played.play(lambda stream: in_pieces(stream, size)))

    assert played.outcomes() == [DELIVERED, BadToken("BadDeviceToken")] * (PUSHES // 2)
    assert played.given_back == []
    assert len(played.ended) == 1


@settings(deadline=None)
@given(
    where=st.floats(min_value=0, max_value=1),
    garbage=st.binary(min_size=1, max_size=40),
    is_instead=st.booleans(),
    size=st.integers(min_value=1, max_value=200),
)
def test_garbage_at_any_place_leaves_no_push_without_an_end(
    where: float,
    garbage: bytes,
    is_instead: bool,  # noqa: FBT001 - given by hypothesis
    size: int,
):
    played = Played()

    def spoil(stream: bytes) -> list[bytes]:
        at = int(where * len(stream))
        rest = at + len(garbage) if is_instead else at
        return in_pieces(stream[:at] + garbage + stream[rest:], size)

    asyncio.run(played.play(spoil))

    back = set(map(id, played.given_back))
    assert all(one.answer.done() != (id(one) in back) for one in played.exchanges)
    assert len(back) == len(played.given_back)
    assert len(played.ended) == 1


def test_answers_that_came_before_garbage_count():
    played = Played()

    asyncio.run(played.play(lambda stream: [stream + b"\xff" * 50]))

    assert played.outcomes() == [DELIVERED, BadToken("BadDeviceToken")] * (PUSHES // 2)


def test_what_a_server_going_away_named_is_answered_after_that_and_the_rest_given_back():
    played = Played()

    asyncio.run(played.play(with_goaway))

    assert [one.token for one in played.given_back] == ["token 3", "token 4", "token 5"]
    assert [one.answer.result() for one in played.exchanges[:3]] == [
        DELIVERED,
        BadToken("BadDeviceToken"),
        DELIVERED,
    ]


async def opened(count: int) -> tuple[Link, Wire, deque[Exchange]]:
    """Return a link that was let in, what it writes, and so many pushes that wait for it."""
    loop, wire = asyncio.get_running_loop(), Wire()
    queue = deque(Exchange("x", loop.time() + 60, loop.create_future()) for _ in range(count))
    hearers = Hearers(lambda _link, _answer: None, lambda _link, _because: None, queue.extend)
    link = Link("apns", "pass.x", queue, streams_max=PUSHES, answer_s=60, hearers=hearers)
    link.connection_made(wire)
    return link, wire, queue


async def test_nothing_is_opened_while_the_network_takes_nothing():
    link, _, queue = await opened(3)

    link.pause_writing()
    link.begin()
    waiting = len(queue)
    link.resume_writing()

    assert (waiting, len(queue)) == (3, 0)


async def test_a_connection_whose_streams_are_used_up_makes_room_for_another(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(link_module, "STREAM_ID_MAX", 4)
    link, wire, queue = await opened(5)

    link.begin()
    server, settings_frame = server_stream(wire)
    link.data_received(settings_frame + answers(server, 2))

    assert len(queue) == 3
    assert str(link.ended) == "all streams are used up"
    assert wire.is_closed


async def test_an_answer_before_the_push_was_whole_is_an_answer(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(link_module, "PAYLOAD", b"x" * 70_000)
    link, wire, queue = await opened(1)
    [exchange] = queue

    link.begin()
    server, settings_frame = server_stream(wire)
    link.data_received(settings_frame + answers(server, 1))

    assert exchange.answer.result() == DELIVERED
