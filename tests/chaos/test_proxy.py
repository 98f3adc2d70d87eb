"""The proxy whose troubles the rest is tried with."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from chaos.proxy import HOST, Pace, Proxy, Way, postgres_target, through
from tests.databases import named

HELLO = b"hello\n"
BYE = b"bye\n"


class Echo:
    """A server that sends each line back, and remembers what it got."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.ended = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                self.lines.append(line)
                writer.write(line)
            self.ended.set()
            writer.write(BYE)
            writer.close()
        except ConnectionError:
            writer.close()


@asynccontextmanager
async def echo_behind(**settings: Any) -> AsyncIterator[tuple[Echo, Proxy]]:
    echo = Echo()
    server = await asyncio.start_server(echo.serve, HOST, 0)
    port = server.sockets[0].getsockname()[1]
    async with Proxy((HOST, port), **settings) as proxy:
        yield echo, proxy
    server.close()


@asynccontextmanager
async def call(
    proxy: Proxy,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(HOST, proxy.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def test_what_is_sent_comes_back_and_an_end_is_passed_on():
    async with echo_behind() as (echo, proxy), call(proxy) as (reader, writer):
        writer.write(HELLO)
        answer = await reader.readline()
        writer.write_eof()
        rest = await reader.read()

    assert (answer, rest, echo.lines) == (HELLO, BYE, [HELLO])


async def test_a_unix_socket_is_reached_too(tmp_path: Path):
    echo, path = Echo(), tmp_path / "socket"
    server = await asyncio.start_unix_server(echo.serve, path)

    async with Proxy(path) as proxy, call(proxy) as (reader, writer):
        writer.write(HELLO)
        answer = await reader.readline()
    server.close()

    assert answer == HELLO


async def test_a_target_that_is_not_there_resets_the_caller(tmp_path: Path):
    async with Proxy(tmp_path / "nobody") as proxy, call(proxy) as (reader, _):
        with pytest.raises(ConnectionResetError):
            await reader.read()


async def test_dropped_connections_are_reset_and_new_ones_work():
    async with echo_behind() as (_, proxy), call(proxy) as (reader, writer):
        writer.write(HELLO)
        await reader.readline()

        proxy.drop()

        with pytest.raises(ConnectionResetError):
            await reader.readline()
        async with call(proxy) as (again, second):
            second.write(HELLO)
            assert await again.readline() == HELLO


async def test_new_connections_are_refused_until_it_accepts_again_on_the_same_port():
    async with echo_behind() as (_, proxy), call(proxy) as (reader, writer):
        writer.write(HELLO)
        await reader.readline()
        proxy.refuse()

        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(HOST, proxy.port)

        writer.write(HELLO)
        assert await reader.readline() == HELLO
        await proxy.accept()
        async with call(proxy) as (again, second):
            second.write(HELLO)
            assert await again.readline() == HELLO


async def test_a_black_hole_passes_nothing_on_until_it_is_healed():
    async with (
        echo_behind() as (echo, proxy),
        call(proxy) as (old_reader, old),
    ):
        old.write(HELLO)
        await old_reader.readline()

        proxy.swallow()
        old.write(b"lost\n")
        async with call(proxy) as (new_reader, new):
            new.write(b"in the dark\n")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(new_reader.readline(), 0.02)
            assert echo.lines == [HELLO]
            await proxy.heal()

            assert await new_reader.readline() == b"in the dark\n"
        assert await old_reader.readline() == b"lost\n"


async def test_bytes_trickle_in_pieces_with_a_pause_before_each():
    pauses = list[float]()

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    async with echo_behind(pause=pause) as (_, proxy), call(proxy) as (reader, writer):
        proxy.slow(Pace(piece_bytes=2, pause_s=0.005), [Way.ANSWERING])
        writer.write(HELLO)
        answer = await reader.readline()

    assert answer == HELLO
    assert pauses == [0.005] * 3


async def test_one_direction_ends_while_the_other_goes_on():
    async with echo_behind() as (echo, proxy), call(proxy) as (reader, writer):
        writer.write(HELLO)
        await reader.readline()

        proxy.half_close(Way.ANSWERING)
        end = await reader.read()
        writer.write(b"still heard\n")
        writer.write_eof()
        await echo.ended.wait()

    assert end == b""
    assert echo.lines == [HELLO, b"still heard\n"]


async def test_the_server_sees_an_end_while_its_answers_go_on():
    async with echo_behind() as (echo, proxy), call(proxy) as (reader, writer):
        writer.write(HELLO)
        await reader.readline()

        proxy.half_close(Way.ASKING)
        writer.write(b"never heard\n")
        rest = await reader.read()

    assert rest == BYE
    assert echo.lines == [HELLO]


async def test_a_cut_request_never_arrives():
    async with echo_behind() as (echo, proxy), call(proxy) as (reader, writer):
        proxy.cut_request(b"COMMIT")
        writer.write(HELLO)
        await reader.readline()
        writer.write(b"COMMIT\n")
        with pytest.raises(ConnectionResetError):
            await reader.readline()

        async with call(proxy) as (again, second):
            second.write(b"COMMIT\n")
            assert await again.readline() == b"COMMIT\n"

    assert proxy.cuts == 1
    assert echo.lines == [HELLO, b"COMMIT\n"]


@pytest.mark.parametrize(("after_bytes", "arrives"), [(0, b""), (3, b"COM")])
async def test_an_answer_is_cut_after_its_request_was_heard(after_bytes: int, arrives: bytes):
    async with echo_behind() as (echo, proxy), call(proxy) as (reader, writer):
        proxy.cut_answer(b"COMMIT", after_bytes=after_bytes, times=2)
        writer.write(b"COMMIT\n")

        assert await reader.readexactly(after_bytes) == arrives
        with pytest.raises(ConnectionResetError):
            await reader.read()

    assert proxy.cuts == 1
    assert echo.lines == [b"COMMIT\n"]


async def test_closing_the_proxy_leaves_no_connection():
    async with echo_behind() as (_, proxy), call(proxy) as (reader, writer):
        writer.write(HELLO)
        await reader.readline()
        assert proxy.connections == 1

        await proxy.__aexit__()

        assert proxy.connections == 0


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("postgres://me@db.example:6543/shop", ("db.example", 6543)),
        ("postgres://me:secret@/shop?host=/run/db", Path("/run/db/.s.PGSQL.5432")),
    ],
)
def test_a_database_url_says_where_its_server_listens(url: str, target: object):
    assert postgres_target(url) == target


async def test_a_database_url_leads_through_the_proxy_with_its_settings():
    proxy = Proxy((HOST, 1), port=4711)

    assert (
        through("postgres://me:secret@/shop?host=/run/db&pool_size=3", proxy)
        == "postgres://me:secret@127.0.0.1:4711/shop?pool_size=3"
    )


@pytest.mark.postgres
async def test_a_statement_goes_through_to_postgres(server: str):
    url = named(server, "postgres")
    async with Proxy(postgres_target(url)) as proxy:
        connection = await asyncpg.connect(through(url, proxy))
        answer = await connection.fetchval("SELECT 6 * 7")
        proxy.drop()
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await connection.fetchval("SELECT 1")

    assert answer == 42
