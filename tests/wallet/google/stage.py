"""A shop whose cards live at a fake Google in the same process, and what went over the line."""

import asyncio
import json
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx2

from loyalty_graph.members.models import Member
from loyalty_graph.sandbox.google import FakeGoogle
from loyalty_graph.sandbox.google_accounts import EMAIL
from loyalty_graph.wallet import pushes, service
from loyalty_graph.wallet.google.account import ServiceAccount
from loyalty_graph.wallet.google.callbacks import Callbacks, RootKeys
from loyalty_graph.wallet.google.client import GoogleClient
from loyalty_graph.wallet.google.desk import GoogleDesk
from loyalty_graph.wallet.google.http import Requests
from loyalty_graph.wallet.google.objects import GoogleCard
from loyalty_graph.wallet.google.sending import Sender
from loyalty_graph.wallet.google.updating import GoogleUpdates
from loyalty_graph.wallet.models import CardPushRow, PassRow
from loyalty_graph.wallet.pushes import Wanted
from loyalty_graph.wallet.service import Platform
from loyalty_graph.wallet.templates import load_template
from tests.shop import NOON, Shop
from tests.wallet.google.making import CLASS_ID, ISSUER, PUBLIC_URL
from tests.wallet.making import TEMPLATE

URL = "http://google.test"
Failure = httpx2.Response | Exception


class Line(httpx2.AsyncBaseTransport):
    """The line to Google: notes what is asked of its API, and may fail.

    Attributes:
        asked: Method, last part of the path, and body of each request.
        failures: What becomes of the next requests instead.
        arrived: Set when `awaited` requests are under way.
        in_flight: How many requests are under way now.
    """

    def __init__(self, fake: FakeGoogle) -> None:
        self._wrapped = httpx2.ASGITransport(fake.app)
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.failures: deque[Failure] = deque()
        self.in_flight = 0
        self.awaited, self.arrived = 1, asyncio.Event()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if not request.url.path.startswith("/walletobjects/"):
            return await self._wrapped.handle_async_request(request)
        name = request.url.path.removeprefix("/walletobjects/v1/")
        self.asked.append((request.method, name, json.loads(request.content)))
        self.in_flight += 1
        if self.in_flight == self.awaited:
            self.arrived.set()
        try:
            if self.failures:
                failure = self.failures.popleft()
                if isinstance(failure, Exception):
                    raise failure
                return failure
            return await self._wrapped.handle_async_request(request)
        finally:
            self.in_flight -= 1


@dataclass
class Stage:
    """A shop, its cards at Google, and the moment both live by."""

    shop: Shop
    now: datetime = NOON
    fake: FakeGoogle = field(init=False)
    line: Line = field(init=False)
    desk: GoogleDesk = field(init=False)
    updates: GoogleUpdates = field(init=False)

    def __post_init__(self) -> None:
        self.fake = FakeGoogle(URL, clock=lambda: self.now)
        self.line = Line(self.fake)
        self.desk = self.open_desk()
        self.updates = GoogleUpdates(self.desk, clock=lambda: self.now)

    def open_desk(
        self,
        *,
        per_s: int = 10_000,
        card: GoogleCard | None = None,
        name: str = TEMPLATE.name,
        issuer: str = ISSUER,
    ) -> GoogleDesk:
        known = self.fake.account
        account = ServiceAccount(EMAIL, known.key_id, known.token_url, known.key)
        requests = Requests(self.line)
        client = GoogleClient(account, url=URL, requests=requests)
        roots = RootKeys(f"{URL}/gp/m/issuer/keys", requests)
        usual = GoogleCard(load_template(TEMPLATE), public_url=PUBLIC_URL)
        return GoogleDesk(
            account,
            {name: card or usual},
            Sender(client, issuer_id=issuer, per_s=per_s),
            Callbacks(issuer, roots),
            public_url=PUBLIC_URL,
        )

    @property
    def present(self) -> Shop:
        return self.shop.at(self.now)

    def later(self, **time: float) -> None:
        self.now += timedelta(**time)

    async def card(self, member: Member) -> str:
        """Give a member a Google pass; return its serial."""
        given = await service.issue(
            self.shop.program_id, [member.id], Platform.GOOGLE, now=self.now
        )
        return given[member.id]

    async def changed(self, *serials: str) -> None:
        """Do what the numbering does when cards have changed."""
        wanted = []
        for serial in serials:
            row = await PassRow.get(serial=serial)
            tag = row.update_tag + 1
            await PassRow.filter(serial=serial).update(update_tag=tag, changed_at=self.now)
            wanted.append(Wanted(Platform.GOOGLE, ISSUER, serial, tag, self.now))
        await pushes.want(wanted, now=self.now)

    async def brought(self, *serials: str) -> None:
        """Have these cards change, and all that is due brought to Google; let a while go by."""
        await self.changed(*serials)
        await self.work_off()
        self.later(seconds=2)

    async def work_off(self) -> None:
        async with asyncio.timeout(30):
            while await self.due():
                await self.updates.step()

    async def step_until_asked(self, count: int = 1) -> "asyncio.Task[float]":
        """Begin a step, and return it once Google has requests that it does not answer yet."""
        self.fake.is_open.clear()
        self.line.awaited = count
        self.line.arrived.clear()
        step = asyncio.create_task(self.updates.step())
        async with asyncio.timeout(10):
            await self.line.arrived.wait()
        return step

    async def due(self) -> int:
        return await CardPushRow.filter(due_at__lte=self.now).count()

    async def waiting(self) -> int:
        return await CardPushRow.filter(due_at__isnull=False).count()

    def object(self, serial: str) -> dict[str, Any]:
        return self.fake.store.objects[f"{ISSUER}.{serial}"]

    def balance(self, serial: str) -> int:
        shown: int = self.object(serial)["loyaltyPoints"]["balance"]["int"]
        return shown

    def notified(self, serial: str) -> int:
        return len(self.fake.store.notified.get(f"{ISSUER}.{serial}", ()))

    def take_asked(self) -> list[str]:
        """Return what was asked since the last time, without bodies."""
        asked = [f"{method} {name}" for method, name, _ in self.line.asked]
        self.line.asked.clear()
        return asked


def patch_of(serial: str) -> str:
    return f"PATCH loyaltyObject/{ISSUER}.{serial}"


INSERTED = ["POST loyaltyObject"]
CLASS_MADE = [f"PATCH loyaltyClass/{CLASS_ID}", "POST loyaltyClass"]
