"""A server as a process of its own, and around it Apple, Google, and a phone."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx2

from loyalty_graph.cli.beside import serving
from loyalty_graph.cli.listening import address_of, listen
from loyalty_graph.clock import utc_now
from loyalty_graph.config import Settings
from loyalty_graph.db import open_database
from loyalty_graph.identity import service as identity
from loyalty_graph.identity.development_issuer import sign_in
from loyalty_graph.identity.rules import TokenMode
from loyalty_graph.sandbox.apns import FakeApns
from loyalty_graph.sandbox.apns_plan import Push
from loyalty_graph.sandbox.device import DeviceState, Phone
from loyalty_graph.sandbox.device_passes import HeldPass
from loyalty_graph.sandbox.google import FakeGoogle
from loyalty_graph.wallet.apple.development_ca import (
    DEVELOPMENT_FOLDER,
    development_root,
    development_signer,
)
from tests.shop import DAY, Shop, open_shop

SERVER = Path(__file__).with_name("clocked.py")
LIMIT_S = 60
_numbers = count(1)


@dataclass
class World:
    """What is outside the server, and how to reach it; `news` is set when something came."""

    folder: Path
    client: httpx2.AsyncClient
    google: FakeGoogle
    phone: Phone
    news: asyncio.Event
    pushes: list[Push] = field(default_factory=list)
    notices: list[str | None] = field(default_factory=list)
    polls: set[asyncio.Task[None]] = field(default_factory=set)
    address: str = ""
    token: str = ""
    settings: Settings = field(init=False)
    shop: Shop = field(init=False)

    def put_clock_forward(self, time: timedelta) -> None:
        (self.folder / "clock").write_text(str(time.total_seconds()))

    async def partner(self, *scopes: str) -> str:
        """Return a token of a partner with these scopes."""
        async with open_database(self.settings.database_url):
            partner = await identity.partner_named(self.shop.program_id, "Till", now=utc_now())
            made = await identity.create_token(
                self.shop.program_id,
                partner.id,
                name=" ".join(scopes),
                scopes=scopes,
                mode=TokenMode.LIVE,
                randomness=next(_numbers).to_bytes(32),
                now=utc_now(),
            )
        return made.text

    def member_token(self, member_id: str) -> str:
        """Return a token that makes its bearer this member, for an hour."""
        life = timedelta(hours=1)
        return sign_in(
            self.settings, program="bean-club", subject=member_id, now=utc_now(), life=life
        )

    async def ask(
        self, query: str, variables: Mapping[str, Any] | None = None, *, token: str | None = None
    ) -> dict[str, Any]:
        """Return the whole answer of the API."""
        answer = await self.client.post(
            f"{self.address}/graphql",
            json={"query": query, "variables": variables},
            headers={"authorization": f"Bearer {token or self.token}"},
        )
        body: dict[str, Any] = answer.json()
        return body

    async def do(
        self, mutation: str, given: Mapping[str, Any], fields: str, *, token: str | None = None
    ) -> dict[str, Any]:
        """Call a mutation with its input and a new key; return its payload."""
        kind = mutation[0].upper() + mutation[1:]
        query = (
            f"mutation ($input: {kind}Input!) {{ {mutation}(input: $input)"
            f" {{ userErrors {{ code }} {fields} }} }}"
        )
        body = await self.ask(query, {"input": given}, token=token)
        assert "errors" not in body, body["errors"]
        payload: dict[str, Any] = body["data"][mutation]
        return payload

    async def page_of(self, member: Mapping[str, str]) -> str:
        """Return the address of a member's card page."""
        given = {"idempotencyKey": f"link-{next(_numbers)}", "member": member}
        done = await self.do("createCardLink", given, "link { url }")
        return str(done["link"]["url"])

    async def save_at_google(self, page: str) -> None:
        """Do what the button on the card page does."""
        answer = await self.client.get(f"{page}/google", follow_redirects=True)
        assert answer.status_code == 200, answer.text

    @property
    def held(self) -> HeldPass:
        """The one pass in the phone."""
        [held] = self.phone.state.passes.values()
        return held

    def on_phone(self) -> tuple[str, str]:
        [balance] = self.held.fields("primaryFields")
        tier = self.held.fields("headerFields")[0]
        return balance["value"], tier["value"]

    def at_google(self) -> tuple[str, str]:
        [shown] = self.google.store.objects.values()
        balance = shown["loyaltyPoints"]["balance"]["int"]
        return str(balance), shown["secondaryLoyaltyPoints"]["balance"]["string"]

    async def both_show(self, balance: int, tier: str) -> None:
        """Wait until both cards show this; the phone asks only when it is pushed to."""
        shown = (str(balance), tier)
        await self.comes(lambda: (self.on_phone(), self.at_google()) == (shown, shown))

    async def comes(self, wanted: Callable[[], bool]) -> None:
        """Wait until something is so, looking again whenever something comes."""
        async with asyncio.timeout(LIMIT_S):
            while not wanted():
                self.news.clear()
                await self.news.wait()

    def hear(self, push: Push) -> None:
        """Let the phone do what a push makes it do."""
        self.pushes.append(push)
        if push.token == self.phone.state.push_token:
            poll = asyncio.create_task(self._poll())
            self.polls.add(poll)
            poll.add_done_callback(self.polls.discard)

    async def _poll(self) -> None:
        self.notices += [held.notice() for held in await self.phone.poll()]
        self.news.set()


@asynccontextmanager
async def world(database_url: str, folder: Path, program: dict[str, Any]) -> AsyncIterator[World]:
    """Open a shop, serve it, and be Apple and Google to it, until the block ends."""
    (folder / "clock").write_text("0")
    # Its own development CA: that of the other tests may have begun long ago, and end too soon.
    data_dir = folder / "data"

    def now() -> datetime:
        return utc_now() + timedelta(seconds=float((folder / "clock").read_text()))

    ca = data_dir / DEVELOPMENT_FOLDER
    development_signer(ca, now=utc_now())
    news = asyncio.Event()
    with listen("127.0.0.1", 0) as listener:
        google = FakeGoogle(address_of(listener), clock=now, tell=lambda _line: news.set())
        async with serving(google.app, listener), httpx2.AsyncClient(timeout=LIMIT_S) as client:
            phone = Phone(DeviceState(), client, lambda: development_root(ca), now)
            made = World(folder, client, google, phone, news)
            made.settings = Settings(database_url=database_url, data_dir=data_dir)
            async with open_database(database_url):
                made.shop = await open_shop(program, now=utc_now() - 2 * DAY)
            made.token = await made.partner("admin")
            apns = FakeApns(development_root(ca), clock=now, heard=made.hear)
            url = await apns.start()
            try:
                async with _served(made, apns, url):
                    yield made
                    # What comes from now on would meet a server that stops.
                    await apns.stop()
                    await asyncio.gather(*made.polls)
            finally:
                await apns.stop()


@asynccontextmanager
async def _served(made: World, apns: FakeApns, url: str) -> AsyncIterator[None]:
    root, account = made.folder / "apns.pem", made.folder / "google.json"
    root.write_bytes(apns.root)
    made.google.account.write(account)
    settings = {
        **made.google.settings(str(account)),
        "LOYALTY_APNS_URL": url,
        "LOYALTY_APNS_ROOT": str(root),
        "LOYALTY_DATA_DIR": str(made.settings.data_dir),
        "LOYALTY_DATABASE_URL": made.settings.database_url,
        "JOURNEY_CLOCK": str(made.folder / "clock"),
        "PYTHONUNBUFFERED": "1",
    }
    with (made.folder / "server.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(SERVER), "serve", "--port", "0"),
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            env={**os.environ, **settings},
        )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(LIMIT_S):
            while not made.address:
                words = (await process.stdout.readline()).decode().split()
                assert words, (made.folder / "server.log").read_text()
                made.address = words[1].removesuffix("/graphql") if words[0] == "API" else ""
        yield
    finally:
        process.terminate()
        await process.communicate()
