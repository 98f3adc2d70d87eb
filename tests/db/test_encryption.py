"""Encrypted connections to PostgreSQL: whom we believe, and that all we do works through them.

The server from the wheel cannot encrypt, so something in front of it does, as poolers do.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from loyalty_graph.clock import utc_now
from loyalty_graph.db import connection, open_database, running_process, transaction
from loyalty_graph.db.copies import of
from loyalty_graph.db.errors import DatabaseAwayError
from loyalty_graph.db.urls import connection_config
from loyalty_graph.errors import DatabaseError
from loyalty_graph.sandbox.server_certificate import ServerCertificate

pytestmark = pytest.mark.postgres

SSL_REQUEST = bytes.fromhex("0000000804d2162f")
"""PostgreSQL, "Message Formats": 8 bytes, the second four are the number 80877103."""
CERTIFICATE = ServerCertificate(now=utc_now())


@asynccontextmanager
async def encrypting(database_url: str, *, refuses: bool = False) -> AsyncIterator[str]:
    """Yield the address of a server that encrypts, or refuses to, and passes on what is said."""
    place = connection_config(database_url)["credentials"]
    socket = f"{place['host']}/.s.PGSQL.{place['port']}"
    tasks = set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())  # type: ignore[arg-type] # it runs in one
        assert await reader.readexactly(len(SSL_REQUEST)) == SSL_REQUEST
        writer.write(b"N" if refuses else b"S")
        await writer.drain()
        if not refuses:
            await writer.start_tls(CERTIFICATE.context())
            there = await asyncio.open_unix_connection(socket)
            await asyncio.gather(pass_on(reader, there[1]), pass_on(there[0], writer))

    async def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # The client did not believe us.
        finally:
            writer.close()

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


def at(address: str, database_url: str, query: str) -> str:
    parts = urlsplit(database_url)
    return f"postgres://{parts.username}@{address}{parts.path}?{query}"


@pytest.fixture
def roots(tmp_path: Path) -> Path:
    file = tmp_path / "roots.pem"
    file.write_bytes(CERTIFICATE.root)
    return file


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_all_goes_through_an_encrypted_connection(mode: str, database_url: str, roots: Path):
    believed = "" if mode == "require" else f"&sslrootcert={roots}"
    async with encrypting(database_url) as address:
        url = at(address, database_url, f"sslmode={mode}{believed}")

        async with open_database(url), running_process("a test", clock=utc_now):
            seen = await named()

    assert seen.startswith("a test on ")


@transaction
async def named() -> str:
    rows = await connection().execute_query_dict("SELECT name FROM running_process")
    return str(rows[0]["name"])


async def test_a_backup_is_encrypted_too(database_url: str, roots: Path, tmp_path: Path):
    program, seen = tmp_path / "pg_dump", tmp_path / "seen"
    program.write_text(f"#!/bin/sh\necho $PGSSLMODE $PGSSLROOTCERT > {seen}\n")
    program.chmod(0o755)
    async with encrypting(database_url) as address:
        url = at(address, database_url, f"sslmode=verify-full&sslrootcert={roots}")

        await of(url, programs=tmp_path).take(tmp_path / "copy")

    assert seen.read_text() == f"verify-full {roots}\n"


async def test_who_cannot_prove_to_be_our_server_is_refused_for_good(
    database_url: str, tmp_path: Path
):
    others = tmp_path / "others.pem"
    others.write_bytes(ServerCertificate(now=utc_now()).root)
    async with encrypting(database_url) as address:
        url = at(address, database_url, f"sslmode=verify-full&sslrootcert={others}")

        with pytest.raises(DatabaseError, match="certificate verify failed") as refused:
            async with open_database(url):
                raise LookupError

    assert not isinstance(refused.value, DatabaseAwayError)


async def test_a_server_that_does_not_encrypt_is_not_used(database_url: str):
    async with encrypting(database_url, refuses=True) as address:
        url = at(address, database_url, "sslmode=require")

        with pytest.raises(DatabaseError, match="rejected SSL upgrade"):
            async with open_database(url):
                raise LookupError
