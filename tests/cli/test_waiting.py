"""A server or worker whose database is away when it starts. The installed program runs."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from chaos.proxy import Proxy, postgres_target, through
from loyalty_graph.app import waiting_app
from loyalty_graph.cli.waiting import opened, signalled
from loyalty_graph.db.errors import DatabaseAwayError
from loyalty_graph.errors import DatabaseError
from tests.databases import named, run_on

PROGRAM = Path(sys.executable).with_name("loyalty-graph")
TRIED_AGAIN = "It is tried again until it answers."
VERSION = {"query": "{ version }"}
Start = Callable[..., Coroutine[Any, Any, Process]]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        return int(holder.getsockname()[1])


@pytest.fixture
async def start(data_dir: Path) -> AsyncIterator[Start]:
    """Starts the installed program; it is killed at the end, if it still runs."""
    started: list[Process] = []

    async def run(*words: str) -> Process:
        environment = {"PYTHONUNBUFFERED": "1", "LOYALTY_DATA_DIR": str(data_dir)}
        process = await asyncio.create_subprocess_exec(
            PROGRAM, *words, stdout=PIPE, stderr=PIPE, env={**os.environ, **environment}
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.fixture
async def away(database_url: str) -> AsyncIterator[Proxy]:
    """The way to the database's server, which refuses all connections."""
    async with Proxy(postgres_target(database_url)) as proxy:
        proxy.refuse()
        yield proxy


async def line_with(wanted: str, stream: asyncio.StreamReader | None) -> str:
    assert stream is not None
    seen = ""
    async with asyncio.timeout(60):
        async for line in stream:
            seen += line.decode()
            if wanted in line.decode():
                return line.decode()
    raise AssertionError(seen)


async def ended(process: Process) -> tuple[int | None, str, str]:
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, out.decode(), err.decode()


async def test_a_server_without_its_database_lives_says_so_and_stops_when_told(start: Start):
    port, nowhere = free_port(), f"postgres://ada:hush@127.0.0.1:{free_port()}/club"
    process = await start("serve", "--port", str(port), "--database", nowhere)
    told = await line_with(TRIED_AGAIN, process.stderr)

    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        healthy, ready = await client.get("/healthz"), await client.get("/readyz")
        asked = await client.post("/graphql", json=VERSION)
        page = await client.get("/c/secret")
    process.send_signal(signal.SIGTERM)
    code, out, err = await ended(process)

    warned = orjson.loads(told)
    assert (warned["level"], warned["logger"]) == ("warning", "loyalty_graph.db.opening")
    assert warned["event"].startswith("The database club at 127.0.0.1:")
    assert "hush" not in told
    assert (healthy.status_code, healthy.json()) == (200, {"status": "ok"})
    assert (ready.status_code, ready.json()) == (
        503,
        {"status": "not ready", "because": "database"},
    )
    assert (asked.status_code, asked.json()["errors"][0]["extensions"]) == (
        503,
        {"code": "UNAVAILABLE"},
    )
    assert (page.status_code, page.headers["retry-after"]) == (503, "2")
    assert (code, out, err) == (0, "Stopped.\n", ""), "one line, however often it is tried"


async def test_a_worker_without_its_database_stops_when_told(start: Start):
    nowhere = f"postgres://ada:hush@127.0.0.1:{free_port()}/club"
    process = await start("worker", "--database", nowhere)
    await line_with(TRIED_AGAIN, process.stderr)

    process.send_signal(signal.SIGTERM)

    assert await ended(process) == (0, "Stopped.\n", "")


@pytest.mark.postgres
async def test_a_server_serves_as_soon_as_its_database_comes(
    start: Start, away: Proxy, database_url: str
):
    port = free_port()
    process = await start("serve", "--port", str(port), "--database", through(database_url, away))
    await line_with(TRIED_AGAIN, process.stderr)

    await away.heal()
    await line_with("Ctrl-C stops", process.stdout)

    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        ready = await client.get("/readyz")
        asked = await client.post("/graphql", json=VERSION)
    process.send_signal(signal.SIGTERM)
    code, out, err = await ended(process)
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})
    assert asked.json() == {"data": {"version": "0.1.0"}}
    assert (code, out) == (0, "Stopped.\n")
    assert [orjson.loads(line)["event"] for line in err.splitlines()] == ["The database answers."]


@pytest.mark.postgres
async def test_a_worker_works_as_soon_as_its_database_comes(
    start: Start, away: Proxy, database_url: str
):
    process = await start("worker", "--database", through(database_url, away))
    await line_with(TRIED_AGAIN, process.stderr)

    await away.heal()
    await line_with("Ctrl-C stops", process.stdout)

    process.send_signal(signal.SIGINT)
    code, out, _ = await ended(process)
    assert (code, out) == (0, "Stopped.\n")


@pytest.mark.postgres
async def test_a_database_that_does_not_exist_ends_a_server(
    start: Start, away: Proxy, database_url: str
):
    url = through(named(database_url, "nowhere"), away)
    process = await start("serve", "--port", "0", "--database", url)
    await line_with(TRIED_AGAIN, process.stderr)

    await away.heal()
    code, out, err = await ended(process)

    assert (code, out) == (1, "")
    assert err.startswith("DATABASE The database nowhere at 127.0.0.1:")
    assert err.endswith(' cannot be used: database "nowhere" does not exist.\n')


@pytest.mark.postgres
async def test_a_newer_database_ends_a_worker(start: Start, away: Proxy, database_url: str):
    step = "INSERT INTO applied_migration (name, phase) VALUES ('9999_later', 'contract')"
    await run_on(database_url, step)
    process = await start("worker", "--database", through(database_url, away))
    await line_with(TRIED_AGAIN, process.stderr)

    await away.heal()
    code, out, err = await ended(process)

    assert (code, out) == (1, "")
    assert err.startswith("DATABASE_NEWER A newer Loyalty Graph has written this database")
    assert err.count("\n") == 1


async def test_waiting_ends_with_what_is_wrong_and_is_not_told_to_stop():
    attempts = []

    async def enter() -> None:
        attempts.append(1)
        raise DatabaseError("refused") if len(attempts) > 1 else DatabaseAwayError("away")

    with pytest.raises(DatabaseError, match="refused"):
        await opened(enter, signalled)

    assert len(attempts) == 2


def test_a_socket_is_told_to_come_back():
    with TestClient(waiting_app()) as client:
        protocols = ["graphql-transport-ws"]
        websocket = client.websocket_connect("/graphql", subprotocols=protocols)
        with websocket, pytest.raises(WebSocketDisconnect) as told:
            websocket.receive_text()
        media = client.get("/graphql", headers={"accept": "application/graphql-response+json"})

    assert (websocket.accepted_subprotocol, told.value.code) == ("graphql-transport-ws", 1013)
    assert media.headers["content-type"] == "application/graphql-response+json; charset=utf-8"
