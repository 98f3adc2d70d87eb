"""Processes that die at any point: no change is lost, and few pushes are made twice.

API and workers are processes of their own; tills talk to the API and try again, as tills do. Every
phone hears what was pushed to it, at the time, and nothing else.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from loyalty_graph.clock import utc_now
from loyalty_graph.identity import service as identity
from loyalty_graph.identity.rules import TokenMode
from loyalty_graph.members.models import Member
from loyalty_graph.wallet import tags
from loyalty_graph.wallet.models import CardPushRow
from tests.jobs.making import until
from tests.shop import DAY, Shop, open_shop
from tests.wallet.holding import install, issue
from tests.wallet.phones import Phone, present

pytestmark = pytest.mark.usefixtures("uncounted")

PROGRAM = Path(sys.executable).with_name("loyalty-graph")
ROOT = Path(__file__).parents[2]
API, WORKERS = "api", ("worker 1", "worker 2")
TIMES = 7
"""How much faster the workers' clocks run."""
MEMBERS, TILLS, PURCHASES, KILL_EVERY = 4, 4, 20, 15
LIMIT_S = 120
BUY = """mutation ($input: RecordPurchaseInput!) { recordPurchase(input: $input) {
    points userErrors { code } } }"""

CRASHES = [[API], ["worker 1"], ["worker 2"], [API, *WORKERS]]
START = utc_now().isoformat()

Process = subprocess.Popen[str]


@dataclass
class Town:
    """A shop with tills and customers, and the processes that serve it."""

    url: str
    folder: Path
    port: int
    processes: dict[str, Process] = field(default_factory=dict)
    phones: dict[str, Phone] = field(default_factory=dict)
    answered: int = 0

    @property
    def told(self) -> Path:
        """The file of what was pushed: device and tag."""
        return self.folder / "told"

    @property
    def pushes(self) -> Counter[tuple[str, ...]]:
        """Return how often each tag was pushed to each device."""
        return Counter(tuple(line.split()) for line in self.told.read_text().splitlines())

    async def begin(self, *names: str) -> None:
        """Start processes, or start them again, and wait until they run."""
        await asyncio.gather(*(asyncio.to_thread(self._begin, name) for name in names))

    def _begin(self, name: str) -> None:
        words: list[object] = [PROGRAM, "serve", "--port", self.port, "--database", self.url]
        if name != API:
            module = "tests.wallet.telling_worker"
            words = [sys.executable, "-m", module, self.url, self.told, START, TIMES]
        settings = {"LOYALTY_DATA_DIR": str(self.folder / "data"), "LOYALTY_WORKER": "false"}
        process = subprocess.Popen(
            [*map(str, words)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, **settings, "PYTHONUNBUFFERED": "1"},
        )
        self.processes[name] = process
        assert process.stdout is not None
        assert any(word in line for line in process.stdout for word in ("begun", "Ctrl-C stops"))

    def kill(self, *names: str) -> None:
        """End processes as a power cut does."""
        for name in names:
            self.processes[name].send_signal(signal.SIGKILL)
        for name in names:
            self.processes.pop(name).communicate()

    async def buy(self, client: httpx2.AsyncClient, member: Member, number: str) -> None:
        """Record a purchase, again and again until it is answered."""
        line = {"productType": "TEA", "quantity": 1, "unitAmount": "1.00"}
        bought = {
            "idempotencyKey": number,
            "member": {"number": member.number},
            "source": "till",
            "externalId": number,
            "lines": [line],
        }
        body = {"query": BUY, "variables": {"input": bought}}
        while (answer := await _answer(client, body)) is None:  # noqa: ASYNC110 - it is not there
            await asyncio.sleep(0.02)
        assert answer == {"data": {"recordPurchase": {"points": 1, "userErrors": []}}}
        self.answered += 1

    async def hear(self) -> None:
        """Let phones hear what is pushed, when it is pushed."""
        self.told.touch()
        with self.told.open() as lines:
            while True:
                if line := lines.readline():
                    await self.phones[line.split()[0]].hear(now=utc_now())
                else:
                    await asyncio.sleep(0.005)


async def _answer(client: httpx2.AsyncClient, body: dict[str, Any]) -> Any:
    """Return what the API answers; None when it cannot be reached."""
    try:
        answer = await client.post("/graphql", json=body)
    except httpx2.TransportError:
        return None
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
async def shop(database: object) -> Shop:
    return await open_shop(now=utc_now() - DAY)


@pytest.fixture
async def members(shop: Shop) -> list[Member]:
    return [await shop.enrol() for _ in range(MEMBERS)]


@pytest.fixture
async def town(
    shop: Shop, members: list[Member], database_url: str, tmp_path: Path
) -> AsyncIterator[Town]:
    """API and workers that run, and a phone for each member; one phone holds two passes."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        town = Town(database_url, tmp_path, free.getsockname()[1])
    serials = [await issue(shop, one) for one in members]
    for place, serial in enumerate(serials):
        devices = [f"phone-{place}", *(["tablet"] if place < 2 else [])]
        await install(serial, *devices)
        town.phones |= {device: Phone(device) for device in devices}
    for phone in town.phones.values():
        await phone.hear(now=utc_now())
    await town.begin(API, *WORKERS)
    yield town
    town.kill(*town.processes)


@pytest.fixture
async def till(shop: Shop, town: Town) -> AsyncIterator[httpx2.AsyncClient]:
    partner = await identity.partner_named(shop.program_id, "Till", now=shop.now)
    token = await identity.create_token(
        shop.program_id,
        partner.id,
        name="till",
        scopes=["purchases:write"],
        mode=TokenMode.LIVE,
        randomness=bytes(32),
        now=shop.now,
    )
    headers = {"authorization": f"Bearer {token.text}"}
    address = f"http://127.0.0.1:{town.port}"
    async with httpx2.AsyncClient(base_url=address, headers=headers, timeout=30) as client:
        yield client


async def trade(
    town: Town, till: httpx2.AsyncClient, members: list[Member], crashes: Sequence[Sequence[str]]
) -> None:
    """Let customers buy, and processes die meanwhile, until all phones have heard all."""

    async def sell(number: int) -> None:
        for purchase in range(PURCHASES):
            member = members[(number + purchase) % len(members)]
            await town.buy(till, member, f"receipt-{number}-{purchase}")

    async def crash() -> None:
        for place, names in enumerate(crashes, 1):
            await until(lambda place=place: has_answered(town, place * KILL_EVERY))
            town.kill(*names)
            await town.begin(*names)

    hearing = asyncio.create_task(town.hear())
    async with asyncio.timeout(LIMIT_S):
        await asyncio.gather(crash(), *(sell(number) for number in range(TILLS)))
        await until(nothing_waits)
        await until(lambda: has_heard(town))
    hearing.cancel()


async def has_answered(town: Town, count: int) -> bool:
    return town.answered >= count


async def has_heard(town: Town) -> bool:
    """Say whether phones heard all pushes: at the start they looked once by themselves."""
    heard = sum(phone.told - 1 for phone in town.phones.values())
    return heard == town.pushes.total()


async def nothing_waits() -> bool:
    return not (await tags.waiting() or await CardPushRow.filter(due_at__isnull=False).exists())


async def check_phones(shop: Shop, town: Town) -> None:
    expected = await present(shop.program_id, now=utc_now())
    assert sum(copy.points for copy in expected.values()) == TILLS * PURCHASES
    for phone in town.phones.values():
        assert phone.copies == {serial: expected[serial] for serial in phone.copies}


@pytest.mark.chaos
async def test_without_a_crash_no_push_is_made_twice(
    shop: Shop, members: list[Member], town: Town, till: httpx2.AsyncClient
):
    await trade(town, till, members, [])

    await check_phones(shop, town)
    assert set(town.pushes.values()) == {1}


@pytest.mark.chaos
async def test_crashes_lose_no_update_and_double_one_push_of_a_device_at_most(
    shop: Shop, members: list[Member], town: Town, till: httpx2.AsyncClient
):
    await trade(town, till, members, CRASHES)

    await check_phones(shop, town)
    died = sum(name in WORKERS for names in CRASHES for name in names)
    twice = Counter[str]()
    for (device, _), times in town.pushes.items():
        twice[device] += times - 1
    assert max(twice.values()) <= died
