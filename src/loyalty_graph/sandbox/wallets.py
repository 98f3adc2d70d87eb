"""The wallets of the demo's members: a simulated phone each, and a card saved at the fake Google.

Nothing here is told by the engine what cards show: phones hear pushes and fetch, the fake Google
keeps what it is sent, and both are asked in the end.
"""

import asyncio
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from uuid import UUID

import httpx2
from cryptography.x509 import Certificate
from pydantic import BaseModel, ValidationError

from loyalty_graph.errors import DeviceError
from loyalty_graph.ledger import reads as ledger
from loyalty_graph.sandbox.apns_plan import Push
from loyalty_graph.sandbox.device import DeviceState, Phone
from loyalty_graph.sandbox.google import FakeGoogle
from loyalty_graph.sandbox.google_store import Resource
from loyalty_graph.wallet import pushes, service, tags
from loyalty_graph.wallet.desk import PassDesk
from loyalty_graph.wallet.looks import Stamps
from loyalty_graph.wallet.service import Platform

BALANCE, STAMPS = "balance", "stamps"
"""The fields of cards that say what a member has: points, or stamps of the present card."""
FIELDS = ("headerFields", "primaryFields", "secondaryFields", "auxiliaryFields")
AT_ONCE = 16
LOOK_EVERY_S = 0.02
SETTLED_WITHIN_S = 60.0
NO_DIGIT = re.compile(r"\D")


class Holder(BaseModel):
    """A member's two cards: the one in the phone, and the one at Google."""

    member_id: UUID
    device: DeviceState
    serial: str
    object_id: str


class _Kept(BaseModel):
    """What is written to a file between two starts."""

    holders: list[Holder]
    classes: dict[str, Resource]
    objects: dict[str, Resource]
    saved_by: dict[str, set[str]]


@dataclass
class Wallets:
    """What the members hold, and how it follows.

    Attributes:
        google: The fake Google.
        client: How phones reach the server.
        root: The certificate that phones trust.
        clock: Tells the moment.
    """

    google: FakeGoogle
    client: httpx2.AsyncClient
    root: Certificate
    clock: Callable[[], datetime]
    holders: list[Holder] = field(default_factory=list)
    _by_token: dict[str, Holder] = field(default_factory=dict)
    _awake: dict[str, asyncio.Lock] = field(default_factory=dict)
    _polls: set[asyncio.Task[None]] = field(default_factory=set)
    _changed: set[str] = field(default_factory=set)

    async def hand_out(self, desk: PassDesk, program_id: UUID, member_ids: Sequence[UUID]) -> None:
        """Let each of these members add a card to a phone, and save one at Google.

        Raises:
            DeviceError: A phone cannot add its card.
        """
        now = self.clock()
        serials = await desk.serials(program_id, member_ids, now=now)
        saved = await service.issue(program_id, member_ids, Platform.GOOGLE, now=now)
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(member_id: UUID) -> Holder:
            async with turns:
                device, serial = DeviceState(), serials[member_id]
                await self._phone(device).add(desk.link(program_id, serial, now=now))
                object_id = await self._save(desk, program_id, saved[member_id])
            return Holder(member_id=member_id, device=device, serial=serial, object_id=object_id)

        found = await asyncio.gather(*map(one, member_ids))
        self._keep(found)

    def _keep(self, holders: Sequence[Holder]) -> None:
        self.holders += holders
        self._by_token |= {one.device.push_token: one for one in holders}

    def _phone(self, device: DeviceState) -> Phone:
        return Phone(device, self.client, lambda: self.root, self.clock)

    async def _save(self, desk: PassDesk, program_id: UUID, serial: str) -> str:
        """Save a card at Google, as if somebody had opened the link; return its object's id."""
        assert desk.google is not None, "the demo has an account at the fake"
        url = await desk.google.save_url(program_id, serial, now=self.clock())
        if url is None or not (await self.client.get(url)).is_success:
            raise DeviceError("The fake Google does not save a card.")
        return f"{desk.google.issuer_id}.{serial}"

    def write(self, path: Path) -> None:
        """Write to a file what phones hold and what Google has."""
        store = self.google.store
        kept = _Kept(
            holders=self.holders,
            classes=store.classes,
            objects=store.objects,
            saved_by=store.holders,
        )
        path.touch(mode=0o600)
        path.write_text(kept.model_dump_json())

    def read(self, path: Path, *, service_url: str) -> None:
        """Go on with what was written to a file, if there is one that this version reads.

        Args:
            path: The file.
            service_url: Where the web service is now; the demo's server may have moved.
        """
        try:
            kept = _Kept.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            return
        for holder in kept.holders:
            for held in holder.device.passes.values():
                held.service_url = service_url
        self._keep(kept.holders)
        store = self.google.store
        store.classes, store.objects, store.holders = kept.classes, kept.objects, kept.saved_by

    def hear(self, push: Push) -> None:
        """Wake the phone that a push is for."""
        holder = self._by_token.get(push.token)
        if holder is None:
            return
        poll = asyncio.create_task(self._poll(self._phone(holder.device)))
        self._polls.add(poll)
        poll.add_done_callback(self._polls.discard)

    async def _poll(self, phone: Phone) -> None:
        """Poll once more after the poll in hand: it may have asked too early."""
        async with self._awake.setdefault(phone.state.id, asyncio.Lock()):
            try:
                fetched = await phone.poll()
            except DeviceError:
                # As a phone does, it leaves its old card and waits for the next push.
                return
            self._changed |= {held.serial for held in fetched if held.changes}

    async def settle(self) -> None:
        """Wait until everything that has changed was told and fetched, but not for ever."""
        try:
            async with asyncio.timeout(SETTLED_WITHIN_S):
                while (  # noqa: ASYNC110 - it is asked of the database, which signals nothing
                    await tags.waiting() or await pushes.waiting() or self._polls
                ):
                    await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError:
            return

    def updated(self) -> dict[str, int]:
        """Return how many cards of each platform have changed since they were handed out."""
        return {
            "apple": sum(one.serial in self._changed for one in self.holders),
            "google": sum(one.object_id in self.google.store.changed for one in self.holders),
        }

    async def stale(
        self, program_id: UUID, member_ids: Iterable[UUID], *, stamps: Stamps | None = None
    ) -> int:
        """Return how many cards show another balance than the ledger has, or are not there.

        Cards of a template with `stamps` show those instead.
        """
        wanted = list(member_ids)
        balances = await ledger.balances(program_id, wanted, now=self.clock())
        shown = {holder.member_id: self._shown(holder) for holder in self.holders}
        return sum(
            one != _digits(balances[member_id].available, stamps)
            for member_id in wanted
            for one in shown.get(member_id, ("", ""))
        )

    def _shown(self, holder: Holder) -> tuple[str, str]:
        """Return the digits of the balance, or of the stamps, on the phone's card and Google's."""
        held = holder.device.passes.get(holder.serial)
        fields = [one for name in FIELDS for one in (held.fields(name) if held else ())]
        text = next((one["value"] for one in fields if one["key"] in (BALANCE, STAMPS)), "")
        resource = self.google.store.objects.get(holder.object_id, {})
        first, second = (
            resource.get(name, {}).get("balance", {})
            for name in ("loyaltyPoints", "secondaryLoyaltyPoints")
        )
        # Where money comes first, points are second.
        points = second if "money" in first else first
        at_google = str(points.get("int", points.get("string", "")))
        return NO_DIGIT.sub("", text), NO_DIGIT.sub("", at_google)


def _digits(points: int, stamps: Stamps | None) -> str:
    """Return the digits of what a card shows of a balance: 7 of 10 stamps are 710."""
    return str(points) if stamps is None else f"{stamps.filled(points)}{stamps.of}"
