"""The connection to APNs, against the sandbox and against servers that break every rule."""

import asyncio
import logging
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from h2.errors import ErrorCodes

from loyalty_graph.clock import utc_now
from loyalty_graph.sandbox.apns import FakeApns
from loyalty_graph.sandbox.apns_plan import Reply
from loyalty_graph.sandbox.server_certificate import ServerCertificate
from loyalty_graph.wallet.apple import apns as apns_module
from loyalty_graph.wallet.apple import link
from loyalty_graph.wallet.apple.answers import (
    DELIVERED,
    Answer,
    BadToken,
    Later,
    Refused,
    Unregistered,
)
from loyalty_graph.wallet.apple.apns import Apns, Limits
from loyalty_graph.wallet.apple.development_ca import (
    CERTIFICATE_DAYS,
    IDENTITY,
    Chain,
    make_chain,
)
from loyalty_graph.wallet.apple.signing import Signer
from tests.wallet.apple.conftest import LONG_PAUSES, Connecting
from tests.wallet.making import make_signer

TOKENS = [f"{number:064x}" for number in range(300)]
SECRET = "f00dfeedf00dfeedf00dfeedf00dfeed"
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def answers_of(apns: Apns, tokens: list[str]) -> list[Answer]:
    async with asyncio.timeout(60):
        return list(await asyncio.gather(*(apns.send(token) for token in tokens)))


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not is_so():  # noqa: ASYNC110 - the sandbox tells nobody
            await asyncio.sleep(0)


@asynccontextmanager
async def serving(
    talk: Talk, folder: Path, *, speaks: str = "h2"
) -> AsyncIterator[tuple[str, Path]]:
    """Run a server that talks like this over TLS; yield its URL and what to trust it by."""
    certificate = ServerCertificate(now=utc_now())
    context = certificate.context()
    context.set_alpn_protocols([speaks])
    root = folder / "other-root.pem"
    root.write_bytes(certificate.root)
    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", root


@pytest.fixture
def looks_often(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(apns_module, "WATCH_EVERY_S", 0.005)


async def test_a_push_names_device_and_pass_type_and_says_nothing_else(
    fake: FakeApns, connecting: Connecting
):
    answer = await connecting().send(TOKENS[1])

    assert answer == DELIVERED
    [push] = fake.pushes
    assert (push.token, push.topic, push.payload) == (
        TOKENS[1],
        IDENTITY.pass_type_identifier,
        b"{}",
    )


async def test_hundreds_of_pushes_share_one_connection(fake: FakeApns, connecting: Connecting):
    answers = await answers_of(connecting(), TOKENS)

    assert answers == [DELIVERED] * len(TOKENS)
    assert Counter(push.token for push in fake.pushes) == Counter(TOKENS)
    assert fake.connections == 1


async def test_no_more_streams_are_open_than_the_server_allows(
    fake: FakeApns, connecting: Connecting
):
    gate = asyncio.Event()
    fake.plan.streams_max, fake.plan.usual = 3, Reply(until=gate)
    apns = connecting()

    sent = [apns.send(token) for token in TOKENS[:10]]
    await until(lambda: len(fake.pushes) == 3)
    taken = [push.token for push in fake.pushes]
    gate.set()

    assert await asyncio.gather(*sent) == [DELIVERED] * 10
    assert taken == TOKENS[:3]
    assert [push.token for push in fake.pushes] == TOKENS[:10]


async def test_more_is_sent_than_the_windows_of_the_server_hold(
    fake: FakeApns, connecting: Connecting, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(link, "PAYLOAD", b'{"x":"' + b"x" * 4_000 + b'"}')

    answers = await answers_of(connecting(), TOKENS)

    assert answers == [DELIVERED] * len(TOKENS)


@pytest.mark.parametrize(
    "token", ["x", "a/../b?c=d#e", "Zürich %2F", "0" * 255, "f" * 20_000], ids=len
)
async def test_a_push_token_longer_than_255_characters_or_of_any_form_arrives_whole(
    fake: FakeApns, connecting: Connecting, token: str
):
    assert await connecting().send(token) == DELIVERED
    assert [push.token for push in fake.pushes] == [token]


@pytest.mark.parametrize(
    ("reply", "meaning"),
    [
        (Reply(400, "BadDeviceToken"), BadToken("BadDeviceToken")),
        (Reply(410, "Unregistered"), Unregistered(None)),
        (Reply(429, "TooManyRequests", retry_after=9), Later("TooManyRequests", 9)),
        (Reply(503, "ServiceUnavailable"), Later("ServiceUnavailable")),
        (Reply(500, body=b"<html>oops"), Later("status 500")),
        (Reply(500, body=b"x" * 10_000), Later("status 500")),
        (Reply(reset=ErrorCodes.INTERNAL_ERROR), Later("the server ended the stream")),
    ],
)
async def test_one_bad_answer_disturbs_no_other_push(
    fake: FakeApns, connecting: Connecting, reply: Reply, meaning: Answer
):
    fake.plan.answer(TOKENS[1], reply)

    answers = await answers_of(connecting(), TOKENS[:3])

    assert answers == [DELIVERED, meaning, DELIVERED]
    assert fake.connections == 1


async def test_an_answer_that_ends_with_empty_frames_is_an_answer(
    fake: FakeApns, connecting: Connecting
):
    fake.plan.usual = Reply(empty_frames=3)

    assert await answers_of(connecting(), TOKENS[:5]) == [DELIVERED] * 5
    assert fake.connections == 1


async def test_what_a_server_going_away_did_not_look_at_is_sent_again_once(
    fake: FakeApns, connecting: Connecting
):
    fake.plan.goaway_after = 100

    answers = await answers_of(connecting(), TOKENS)

    assert answers == [DELIVERED] * len(TOKENS)
    assert Counter(push.token for push in fake.pushes) == Counter(TOKENS)
    assert fake.connections == 3


async def test_what_a_server_going_away_took_is_still_answered(
    fake: FakeApns, connecting: Connecting
):
    gate = asyncio.Event()
    fake.plan.goaway_after, fake.plan.usual = 2, Reply(410, "Unregistered", until=gate)
    apns = connecting()

    sent = [apns.send(token) for token in TOKENS[:4]]
    await until(lambda: fake.connections == 2)
    gate.set()

    assert await asyncio.gather(*sent) == [Unregistered(None)] * 4
    assert Counter(push.token for push in fake.pushes) == Counter(TOKENS[:4])


async def test_a_stream_that_was_refused_is_tried_again_but_not_for_ever(
    fake: FakeApns, connecting: Connecting
):
    refuse = Reply(reset=ErrorCodes.REFUSED_STREAM)
    fake.plan.answer(TOKENS[0], refuse, Reply())
    fake.plan.answer(TOKENS[1], refuse)

    answers = await answers_of(connecting(), TOKENS[:2])

    assert answers == [DELIVERED, Later("the server took it on no stream")]


async def test_a_lost_connection_is_made_again_for_the_next_push(
    fake: FakeApns, connecting: Connecting
):
    fake.plan.answer(TOKENS[1], Reply(drops=True), Reply())
    apns = connecting()

    lost = [await apns.send(token) for token in TOKENS[:2]]
    again = await apns.send(TOKENS[1])

    assert [*lost, again] == [DELIVERED, Later("connection lost"), DELIVERED]
    assert fake.connections == 2


async def test_a_server_that_is_down_answers_later_and_is_left_in_peace(
    fake: FakeApns, connecting: Connecting
):
    await fake.stop()
    apns = connecting(limits=LONG_PAUSES)

    first = await apns.send(TOKENS[0])
    next_ones = await answers_of(apns, TOKENS[:3])

    assert isinstance(first, Later)
    assert all(isinstance(one, Later) and one.retry_after_s > 0 for one in next_ones)
    assert apns.troubled
    assert apns.pause_s > 0


async def test_a_server_that_comes_back_is_found_again(fake: FakeApns, connecting: Connecting):
    apns = connecting()
    await fake.stop()
    assert isinstance(await apns.send(TOKENS[0]), Later)
    await fake.start(socket.create_server(("127.0.0.1", int(fake.url.rpartition(":")[2]))))

    answer = await apns.send(TOKENS[0])

    assert answer == DELIVERED
    assert not apns.troubled
    assert len(fake.pushes) == 1


@pytest.mark.usefixtures("looks_often")
async def test_a_server_that_never_answers_a_push_is_not_waited_for(
    fake: FakeApns, connecting: Connecting
):
    fake.plan.answer(TOKENS[0], Reply(until=asyncio.Event()))
    apns = connecting(limits=Limits(answer_s=0.2))

    answers = await answers_of(apns, TOKENS[:2])
    next_one = await apns.send(TOKENS[2])

    assert answers == [Later("no answer in time"), DELIVERED]
    assert next_one == DELIVERED
    assert fake.connections == 1


@pytest.mark.usefixtures("looks_often")
async def test_a_connection_that_fell_silent_is_left(
    fake: FakeApns, connecting: Connecting, monkeypatch: pytest.MonkeyPatch
):
    apns = connecting()
    await apns.send(TOKENS[0])
    fake.fall_silent()
    monkeypatch.setattr(link, "PING_AFTER_S", 0.01)
    monkeypatch.setattr(link, "PING_AFTER_S_WHEN_BUSY", 0.01)
    monkeypatch.setattr(link, "PING_ANSWER_S", 0.01)

    lost = await apns.send(TOKENS[1])
    monkeypatch.setattr(link, "PING_ANSWER_S", 60)
    again = await apns.send(TOKENS[1])

    assert lost == Later("connection lost")
    assert again == DELIVERED
    assert fake.connections == 2


@pytest.mark.usefixtures("looks_often")
async def test_a_connection_that_is_idle_is_kept_alive(
    fake: FakeApns, connecting: Connecting, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(link, "PING_AFTER_S", 0.01)
    apns = connecting()
    await apns.send(TOKENS[0])

    await until(lambda: fake.pings >= 3)

    assert await apns.send(TOKENS[1]) == DELIVERED
    assert fake.connections == 1


async def test_a_certificate_of_another_authority_is_refused_by_name(
    fake: FakeApns, connecting: Connecting, stranger: Signer
):
    apns = connecting(signer_now=lambda: stranger, limits=LONG_PAUSES)

    answers = await answers_of(apns, TOKENS[:3])

    assert answers == [Refused("TLSV1_ALERT_UNKNOWN_CA")] * 3
    assert fake.pushes == []
    assert apns.troubled


async def test_a_certificate_that_has_expired_is_refused_by_name(
    connecting: Connecting, tmp_path: Path
):
    chain = make_chain(IDENTITY, now=utc_now() - timedelta(days=CERTIFICATE_DAYS))
    signer = make_signer(chain)
    elsewhere = FakeApns(chain.root, clock=utc_now)
    await elsewhere.start()
    trusted = tmp_path / "other-root.pem"
    trusted.write_bytes(elsewhere.root)

    answer = await connecting(url=elsewhere.url, signer_now=lambda: signer, trusted=trusted).send(
        TOKENS[0]
    )

    assert answer == Refused("SSLV3_ALERT_CERTIFICATE_EXPIRED")
    assert elsewhere.pushes == []
    await elsewhere.stop()


@pytest.mark.usefixtures("looks_often")
async def test_a_new_certificate_is_shown_on_a_new_connection_and_no_push_is_lost(
    fake: FakeApns, connecting: Connecting, present_chain: Chain
):
    gate, signers = asyncio.Event(), [make_signer(present_chain)]
    fake.plan.answer(TOKENS[0], Reply(until=gate))
    apns = connecting(signer_now=lambda: signers[-1])
    under_way = apns.send(TOKENS[0])
    await until(lambda: len(fake.pushes) == 1)

    signers.append(make_signer(present_chain))
    while fake.connections == 1:
        assert await apns.send(TOKENS[1]) == DELIVERED
    gate.set()

    assert await under_way == DELIVERED
    assert fake.connections == 2
    assert apns.signer is signers[-1]


@pytest.mark.parametrize("reason", ["BadCertificate", "BadCertificateEnvironment"])
async def test_a_certificate_that_is_refused_is_not_shown_again_for_a_while(
    fake: FakeApns, connecting: Connecting, reason: str
):
    fake.plan.usual = Reply(403, reason)
    apns = connecting(limits=LONG_PAUSES)

    first = await apns.send(TOKENS[0])
    next_ones = await answers_of(apns, TOKENS[1:5])

    assert [first, *next_ones] == [Refused(reason)] * 5
    assert len(fake.pushes) == 1


async def test_a_certificate_that_is_good_again_works_without_a_restart(
    fake: FakeApns, connecting: Connecting
):
    fake.plan.answer(TOKENS[0], Reply(403, "BadCertificate"), Reply())
    apns = connecting()

    answers = [await apns.send(TOKENS[0]) for _ in range(2)]

    assert answers == [Refused("BadCertificate"), DELIVERED]
    assert not apns.troubled


async def test_a_server_that_is_not_trusted_is_told_nothing(fake: FakeApns, connecting: Connecting):
    answer = await connecting(trusted=None).send(TOKENS[0])

    assert isinstance(answer, Refused)
    assert answer.reason.startswith("its certificate is not trusted here")
    assert fake.pushes == []


async def test_a_root_that_is_no_certificate_is_a_failure_like_others(
    connecting: Connecting, tmp_path: Path
):
    (tmp_path / "empty.pem").write_text("nothing")

    for name in ("empty.pem", "missing.pem"):
        answer = await connecting(trusted=tmp_path / name).send(TOKENS[0])

        assert isinstance(answer, Later)


async def test_a_host_that_is_no_name_is_a_failure_like_others(connecting: Connecting):
    apns = connecting(url="https://apns..example")

    for _ in range(2):
        [answer] = await answers_of(apns, TOKENS[:1])
        assert isinstance(answer, Later)
        assert "label" in answer.reason


GARBAGE = [
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    b"\x00" * 100,
    b"\x00\x00\x05\x04\x00\x00\x00\x00\x00" + b"\xff" * 5,
    # Good settings, then an answer on a stream that nobody opened.
    b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + b"\x00\x00\x01\x01\x05\x00\x00\x00\x63\x88",
    # Good settings, then headers that cannot be read.
    b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + b"\x00\x00\x02\x01\x05\x00\x00\x00\x01\xff\xff",
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
async def test_a_server_that_answers_garbage_loses_no_push(
    connecting: Connecting, tmp_path: Path, garbage: bytes
):
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(garbage)
        await reader.read()
        writer.close()

    async with serving(talk, tmp_path) as (url, root), asyncio.timeout(30):
        answer = await connecting(url=url, trusted=root).send(SECRET)

    assert isinstance(answer, Later)


async def test_a_server_that_speaks_no_http_2_loses_no_push(connecting: Connecting, tmp_path: Path):
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with serving(talk, tmp_path, speaks="http/1.1") as (url, root):
        answer = await connecting(url=url, trusted=root).send(SECRET)

    assert answer == Later("the server does not speak HTTP/2")


async def test_a_server_that_lets_nobody_in_is_not_waited_for(
    connecting: Connecting, tmp_path: Path
):
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with serving(talk, tmp_path) as (url, root):
        answer = await connecting(url=url, trusted=root, limits=Limits(connect_s=0.2)).send(SECRET)

    assert isinstance(answer, Later)
    assert answer.reason == "no connection in time"


async def test_whoever_leaves_answers_what_is_in_hand(fake: FakeApns, connecting: Connecting):
    fake.plan.usual = Reply(until=asyncio.Event())
    apns, unconnected = connecting(), connecting()
    sent = [apns.send(token) for token in TOKENS[:3]]
    await until(lambda: len(fake.pushes) == 3)
    waiting = unconnected.send(TOKENS[0])

    await apns.close()
    await unconnected.close()

    assert [one.result() for one in sent] == [Later("connection lost")] * 3
    assert waiting.result() == Later("we leave")


async def test_a_push_nobody_waits_for_any_more_harms_nobody(
    fake: FakeApns, connecting: Connecting
):
    apns = connecting()

    apns.send(TOKENS[0]).cancel()

    assert await apns.send(TOKENS[1]) == DELIVERED


async def test_no_push_token_is_ever_logged(
    fake: FakeApns, connecting: Connecting, stranger: Signer, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    replies = [Reply(400, "BadDeviceToken"), Reply(503), Reply(drops=True), Reply(403, "Forbidden")]
    fake.plan.answer(SECRET, *replies)
    apns = connecting()

    for _ in replies:
        await apns.send(SECRET)
    await connecting(signer_now=lambda: stranger).send(SECRET)
    await fake.stop()
    await connecting().send(SECRET)

    ours = [one for one in caplog.records if one.name.startswith("loyalty_graph")]
    assert any("Forbidden" in one.getMessage() for one in ours)
    assert any("UNKNOWN_CA" in one.getMessage() for one in ours)
    assert not any(SECRET in one.getMessage() for one in ours)


def test_the_key_is_shown_to_tls_only_and_left_in_no_file(
    present_signer: Signer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    seen: list[bytes] = []
    load = ssl.SSLContext.load_cert_chain

    def note(self: ssl.SSLContext, file: str, **options: str) -> None:
        seen.append(Path(file).read_bytes())
        load(self, file, **options)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", note)

    apns_module.client_context(present_signer, root=None)

    assert seen[0].startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert list(tmp_path.iterdir()) == []
