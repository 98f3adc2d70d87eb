"""A rolling upgrade: two versions of the code on one database, and a till that trades."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest

from chaos.versions import NEXT, next_version
from loyalty_graph.clock import utc_now
from loyalty_graph.db import open_database
from loyalty_graph.identity import service as identity
from loyalty_graph.identity.rules import TokenMode
from tests.shop import DAY, open_shop

pytestmark = pytest.mark.usefixtures("uncounted")

BUY = """mutation ($input: RecordPurchaseInput!) { recordPurchase(input: $input) {
    replayed points balance userErrors { code message }
    purchase { total { amount } tax { amount } points } } }"""
NOW, NEWER = "0.1.0", NEXT

Process = subprocess.Popen[str]


@dataclass
class Town:
    """Processes of two versions, and one till."""

    url: str
    folder: Path
    environments: dict[str, dict[str, str]]
    token: str = ""
    number: str = ""
    addresses: dict[str, str] = field(default_factory=dict)
    processes: dict[tuple[str, str], Process] = field(default_factory=dict)

    def start(self, version: str) -> None:
        self.processes["serve", version] = self.begin(version, "serve", "--port", "0")
        if version == NOW:
            self.processes["worker", version] = self.begin(version, "worker")
        for (_, of), process in self.processes.items():
            if of == version:
                self._wait(version, process)

    def begin(self, version: str, *words: str) -> Process:
        return subprocess.Popen(
            [sys.executable, "-m", "loyalty_graph", *words, "--database", self.url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env=self.environments[version]
            | {
                "PYTHONUNBUFFERED": "1",
                "LOYALTY_WORKER": str(version == NEWER),
                "LOYALTY_DATA_DIR": str(self.folder / "data"),
            },
        )

    def _wait(self, version: str, process: Process) -> None:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if "/graphql" in line:
                self.addresses[version] = line.split()[-1]
            if "Ctrl-C stops" in line:
                assert f"Loyalty Graph {version}" in said
                return
        assert process.stderr is not None
        raise AssertionError(said + process.stderr.read())

    def stop(self, version: str) -> list[int]:
        ended = [name for name in self.processes if name[1] == version]
        for name in ended:
            self.processes[name].send_signal(signal.SIGTERM)
        codes = []
        for name in ended:
            process = self.processes.pop(name)
            process.communicate(timeout=60)
            codes.append(process.returncode)
        return codes

    def buy(self, version: str, receipt: str) -> dict[str, Any]:
        """Record a purchase of two teas with a tax of 19 cents, or ask for it again."""
        line = {"productType": "TEA", "quantity": 2, "unitAmount": "1.00", "tax": "0.19"}
        given = {
            "idempotencyKey": receipt,
            "member": {"number": self.number},
            "source": "till",
            "externalId": receipt,
            "lines": [line],
        }
        answer = httpx2.post(
            self.addresses[version],
            json={"query": BUY, "variables": {"input": given}},
            headers={"authorization": f"Bearer {self.token}"},
            timeout=30,
        )
        assert answer.status_code == 200, answer.text
        assert "errors" not in answer.json(), answer.text
        done: dict[str, Any] = answer.json()["data"]["recordPurchase"]
        return done


def ended(process: Process) -> tuple[int, str, str]:
    """Return a process's exit code, and what it said in the end."""
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def answered(number: int, *, replayed: bool) -> dict[str, Any]:
    """Return the answer to the purchase that was recorded as this one, counted from 1."""
    bought = {"total": {"amount": "2.00"}, "tax": {"amount": "0.19"}, "points": 2}
    return {
        "replayed": replayed,
        "points": 2,
        "balance": number * 2,
        "userErrors": [],
        "purchase": bought,
    }


@pytest.fixture
def town(database_url: str, tmp_path: Path) -> Iterator[Town]:
    environments = {NOW: {**os.environ}, NEWER: next_version(tmp_path)}
    town = Town(database_url, tmp_path, environments)

    async def open_it() -> None:
        async with open_database(database_url):
            shop = await open_shop(now=utc_now() - DAY)
            town.number = (await shop.enrol()).number
            partner = await identity.partner_named(shop.program_id, "Till", now=shop.now)
            token = await identity.create_token(
                shop.program_id,
                partner.id,
                name="till",
                scopes=["purchases:write", "members:read"],
                mode=TokenMode.LIVE,
                randomness=bytes(32),
                now=shop.now,
            )
            town.token = token.text

    asyncio.run(open_it())
    yield town
    for process in town.processes.values():
        process.kill()
        process.communicate()


@pytest.mark.chaos
def test_two_versions_serve_one_database_until_the_older_one_has_ended(town: Town):
    town.start(NOW)
    assert town.buy(NOW, "a") == answered(1, replayed=False)

    code, _, err = ended(town.begin(NEWER, "migrate"))
    assert (code, err) == (0, "  0002_gross\n  0003_fill_gross\n")
    assert town.buy(NOW, "b") == answered(2, replayed=False)
    town.start(NEWER)
    assert town.buy(NEWER, "c") == answered(3, replayed=False)
    assert town.buy(NOW, "d") == answered(4, replayed=False)
    for version in (NOW, NEWER):
        for number, receipt in enumerate("abcd", 1):
            assert town.buy(version, receipt) == answered(number, replayed=True)

    waiting = town.begin(NEWER, "migrate", "--contract", "--wait", "--json")
    assert waiting.stderr is not None
    said = waiting.stderr.readline()
    assert said.startswith("0004_drop_tax waits until these have ended: serve 0.1.0 on ")
    assert ", worker 0.1.0 on " in said
    assert town.buy(NOW, "e") == answered(5, replayed=False)

    assert town.stop(NOW) == [0, 0]
    code, out, _ = ended(waiting)
    assert code == 0
    assert {step["state"] for step in orjson.loads(out)["steps"]} == {"APPLIED"}
    assert town.buy(NEWER, "f") == answered(6, replayed=False)
    for number, receipt in enumerate("abcdef", 1):
        assert town.buy(NEWER, receipt) == answered(number, replayed=True)

    older, verifying = town.begin(NOW, "worker"), town.begin(NEWER, "ledger", "verify")
    code, _, err = ended(older)
    assert (code, err.splitlines()[-1][:14]) == (1, "DATABASE_NEWER")
    code, out, _ = ended(verifying)
    assert code == 0, out
    assert town.stop(NEWER) == [0]
