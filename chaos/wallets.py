"""The cards of a town: a phone for each member, and a card at the fake Google.

Phones hear of changes by pushes alone, and insist until the web service answers, as phones do.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2
from cryptography.x509 import Certificate

from chaos.tills import Counter
from loyalty_graph.clock import utc_now
from loyalty_graph.errors import DeviceError
from loyalty_graph.sandbox.apns_plan import Push
from loyalty_graph.sandbox.device import DeviceState, Phone
from loyalty_graph.sandbox.google import FakeGoogle
from loyalty_graph.sandbox.wallets import BALANCE, FIELDS

AGAIN_S = 0.5
NO_DIGIT = re.compile(r"[^0-9-]")
ISSUE = """mutation ($input: IssuePassInput!) {
    issuePass(input: $input) { pass { serial url saveUrl } userErrors { code message } } }"""


@dataclass
class Pocket:
    """A member's two cards."""

    member: str
    device: DeviceState
    serial: str
    object_id: str


@dataclass
class Wallets:
    """All cards of a town."""

    google: FakeGoogle
    client: httpx2.AsyncClient
    root: Certificate
    pockets: list[Pocket] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    _by_token: dict[str, Pocket] = field(default_factory=dict)
    _awake: dict[str, asyncio.Lock] = field(default_factory=dict)
    _polls: set[asyncio.Task[None]] = field(default_factory=set)

    async def hand_out(self, counter: Counter, member: str) -> None:
        """Give a member a card in a phone, and one at Google."""
        apple = await self._issue(counter, member, "APPLE")
        google = await self._issue(counter, member, "GOOGLE")
        device = DeviceState()
        held = await self._phone(device).add(apple["url"])
        saved = await self.client.get(google["saveUrl"])
        saved.raise_for_status()
        object_id = f"{self.google.store.issuer_id}.{google['serial']}"
        pocket = Pocket(member, device, held.serial, object_id)
        self.pockets.append(pocket)
        self._by_token[device.push_token] = pocket

    @staticmethod
    async def _issue(counter: Counter, member: str, platform: str) -> dict[str, Any]:
        given = {"member": {"number": member}, "platform": platform}
        body = {"query": ISSUE, "variables": {"input": given}}
        issued: dict[str, Any] = (await counter.insist(body))["issuePass"]["pass"]
        return issued

    def hear(self, push: Push) -> None:
        """Wake the phone that a push is for."""
        pocket = self._by_token.get(push.token)
        if pocket is not None:
            poll = asyncio.create_task(self._poll(self._phone(pocket.device)))
            self._polls.add(poll)
            poll.add_done_callback(self._polls.discard)

    async def _poll(self, phone: Phone) -> None:
        async with self._awake.setdefault(phone.state.id, asyncio.Lock()):
            while True:
                try:
                    await phone.poll()
                except DeviceError as error:
                    self.troubles.append(error.message)
                else:
                    return
                await asyncio.sleep(AGAIN_S)

    def _phone(self, device: DeviceState) -> Phone:
        return Phone(device, self.client, lambda: self.root, utc_now)

    def wrong(self, balances: Mapping[str, int]) -> list[str]:
        """Return the cards that show something else than what can be spent, with both figures."""
        found = []
        for pocket in self.pockets:
            due = str(max(0, balances[pocket.member]))
            for where, shown in (("apple", self._apple(pocket)), ("google", self._google(pocket))):
                if shown != due:
                    found.append(f"{where} {pocket.member} shows {shown or 'nothing'}, not {due}")
        return found

    def _apple(self, pocket: Pocket) -> str:
        held = pocket.device.passes.get(pocket.serial)
        fields = [one for name in FIELDS for one in (held.fields(name) if held else ())]
        return _digits(next((one["value"] for one in fields if one["key"] == BALANCE), ""))

    def _google(self, pocket: Pocket) -> str:
        points = self.google.store.objects.get(pocket.object_id, {}).get("loyaltyPoints", {})
        balance = points.get("balance", {})
        return _digits(balance.get("int", balance.get("string", "")))

    async def close(self) -> None:
        """Let the phones sleep."""
        for poll in list(self._polls):
            poll.cancel()
        await asyncio.gather(*self._polls, return_exceptions=True)


def _digits(value: object) -> str:
    return NO_DIGIT.sub("", str(value))
