"""One of two servers on a database is stopped under load; tills go on with the other."""

import asyncio
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count, cycle
from pathlib import Path
from typing import Any, Self

import pytest

from loyalty_graph.clock import utc_now
from loyalty_graph.db import open_database
from loyalty_graph.identity import service as identity
from loyalty_graph.identity.rules import TokenMode
from loyalty_graph.purchases.models import Purchase
from tests.api import receipt
from tests.shop import DAY, open_shop

PROGRAM = Path(sys.executable).with_name("loyalty-graph")
TILLS = 4
RECORD = """mutation ($input: RecordPurchaseInput!) { recordPurchase(input: $input) {
    replayed userErrors { code } } }"""
DONE = {"data": {"recordPurchase": {"replayed": False, "userErrors": []}}}


class Server:
    """A server of the installed program."""

    def __init__(self, database_url: str, folder: Path, port: int = 0) -> None:
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--port", str(port), "--database", database_url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "LOYALTY_DATA_DIR": str(folder)},
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := re.search(r"http://127\.0\.0\.1:(\d+)/graphql", line):
                self.port = int(found[1])
            if "Ctrl-C stops" in line:
                return
        raise AssertionError(self.process.communicate()[1])

    def stop(self) -> tuple[int, str, str]:
        self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


@dataclass
class Tills:
    """Record purchases one after the other, and go to the next address when a connection fails."""

    token: str
    member: Any
    ports: list[int]
    done: int = 0
    strange: list[object] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)
    _progress: threading.Condition = field(default_factory=threading.Condition)
    _closing: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._threads = [threading.Thread(target=self._trade) for _ in range(TILLS)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._closing.set()
        for thread in self._threads:
            thread.join()

    def trade(self, more: int) -> None:
        """Wait until so many more purchases are recorded."""
        with self._progress:
            wanted = self.done + more
            assert self._progress.wait_for(lambda: self.done >= wanted, timeout=60)

    def _trade(self) -> None:
        all_lines = [http.client.HTTPConnection("127.0.0.1", port) for port in self.ports]
        lines = cycle(all_lines)
        line = next(lines)  # All of them begin at the server that is stopped.
        while not self._closing.is_set():
            body = json.dumps(
                {"query": RECORD, "variables": {"input": receipt(self.member)}}
            ).encode()
            while (answer := self._asked(line, body)) is None:
                line = next(lines)
            with self._progress:
                self.done += 1
                if answer != (200, DONE):
                    self.strange.append(answer)
                self._progress.notify_all()
        for line in all_lines:
            line.close()

    def _asked(self, line: http.client.HTTPConnection, body: bytes) -> tuple[int, Any] | None:
        """Return an answer; None when the connection was refused, or closed without a byte."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        try:
            line.request("POST", "/graphql", body, headers)
            answer = line.getresponse()
            return answer.status, json.loads(answer.read())
        except ConnectionError:
            line.close()
            return None


async def open_for_trade(url: str) -> tuple[str, Any]:
    async with open_database(url):
        shop = await open_shop(now=utc_now() - 2 * DAY)
        partner = await identity.partner_named(shop.program_id, "Tills", now=shop.now)
        made = await identity.create_token(
            shop.program_id,
            partner.id,
            name="tills",
            scopes=("admin",),
            mode=TokenMode.LIVE,
            randomness=bytes(32),
            now=shop.now,
        )
        return made.text, await shop.enrol()


async def purchases(url: str) -> int:
    async with open_database(url):
        return await Purchase.all().count()


@pytest.mark.chaos
def test_a_server_that_is_stopped_finishes_what_it_has_read(database_url: str, data_dir: Path):
    token, member = asyncio.run(open_for_trade(database_url))
    servers = [Server(database_url, data_dir) for _ in range(2)]

    try:
        with Tills(token, member, [server.port for server in servers]) as tills:
            tills.trade(20)
            under_load = servers[0].stop()
            tills.trade(20)
        idle = servers[1].stop()
    finally:
        for server in servers:
            server.process.kill()
            server.process.communicate()

    # Nothing was replayed: whatever broke off had not been read, so nothing of it was done.
    assert tills.strange == []
    assert (under_load, idle) == ((0, "Stopped.\n", ""), (0, "Stopped.\n", ""))
    assert asyncio.run(purchases(database_url)) == tills.done
