"""Two relays and eight writers: every phone sees each change, in order, and ends at the present."""

import asyncio
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from loyalty_graph.db import transaction
from loyalty_graph.members.models import Member
from loyalty_graph.outbox import CardMark, FactRow
from loyalty_graph.wallet import pushes, tags
from loyalty_graph.wallet.models import CardPushRow, PassRow, UpdateTagRow
from loyalty_graph.worker.numbering import Numbering
from tests.jobs.making import until
from tests.shop import NOON, Shop, open_shop
from tests.tiers.shop import tea
from tests.wallet.holding import CARDS, install, issue
from tests.wallet.phones import Phone, present

WRITERS, PURCHASES, RELAYS, PUSHERS = 8, 8, 2, 2
CLAIM = timedelta(days=1)


class ChangedHisMindError(Exception):
    """Undoes what a customer was about to do."""


class FastClock:
    """Runs so fast that relays take the lease from each other all the time."""

    def __init__(self) -> None:
        self._now = NOON

    def __call__(self) -> datetime:
        self._now += timedelta(seconds=7)
        return self._now


@pytest.fixture
async def shop(database: object) -> Shop:
    return await open_shop()


@pytest.fixture
async def members(shop: Shop) -> list[Member]:
    return [await shop.enrol() for _ in range(5)]


@pytest.fixture
async def phones(shop: Shop, members: list[Member]) -> dict[str, Phone]:
    """A phone for each member, one that holds all their passes, and one that holds two."""
    serials = [await issue(shop, one) for one in members]
    held = {f"phone {place}": [serial] for place, serial in enumerate(serials)}
    held |= {"family tablet": serials, "watch": serials[:2]}
    for device, passes in held.items():
        for serial in passes:
            await install(serial, device)
    phones = {device: Phone(device) for device in held}
    for phone in phones.values():
        await phone.hear(now=NOON)
    return phones


@dataclass
class Traffic:
    """Customers who buy, relays that number, pushers that tell, and phones that hear."""

    shop: Shop
    members: list[Member]
    phones: dict[str, Phone]
    clock: FastClock = field(default_factory=FastClock)
    is_over: asyncio.Event = field(default_factory=asyncio.Event)

    async def write(self, seed: int) -> None:
        """Buy now and then; every other time somebody changes his mind."""
        chance = random.Random(seed)  # noqa: S311 - no secret
        for _ in range(PURCHASES):
            await self.shop.buy(chance.choice(self.members), tea(100 * chance.randint(1, 9)))
            with pytest.raises(ChangedHisMindError):
                await buy_and_return(self.shop, chance.choice(self.members))
            await asyncio.sleep(chance.random() * 0.01)

    async def relay(self) -> None:
        relay = Numbering(clock=self.clock)
        while not self.is_over.is_set():
            await relay.step()
            await asyncio.sleep(0)

    async def push(self) -> None:
        while not self.is_over.is_set():
            await self.push_once(self.clock())
            await asyncio.sleep(0)

    async def push_once(self, now: datetime) -> None:
        claimed = await pushes.claim("APPLE", CARDS, uuid4(), limit=3, now=now, until=now + CLAIM)
        for one in claimed:
            await self.phones[one.target].hear(now=NOON)
        await pushes.done(claimed, now=now)

    async def run(self) -> None:
        """Let everybody do his part until nothing is on its way."""
        busy = [asyncio.create_task(self.relay()) for _ in range(RELAYS)]
        busy += [asyncio.create_task(self.push()) for _ in range(PUSHERS)]
        await asyncio.gather(*(self.write(seed) for seed in range(WRITERS)))
        async with asyncio.timeout(60):
            await until(nothing_waits)
        self.is_over.set()
        await asyncio.gather(*busy)


@transaction
async def buy_and_return(shop: Shop, member: Member) -> None:
    await shop.buy(member, tea(100))
    raise ChangedHisMindError


async def nothing_waits() -> bool:
    return not (await tags.waiting() or await CardPushRow.filter(due_at__isnull=False).exists())


@pytest.fixture
def traffic(shop: Shop, members: list[Member], phones: dict[str, Phone]) -> Traffic:
    return Traffic(shop, members, phones)


async def test_two_relays_and_eight_writers_leave_every_phone_at_the_present(traffic: Traffic):
    await traffic.run()

    expected = await present(traffic.shop.program_id, now=NOON)
    for phone in traffic.phones.values():
        assert phone.copies == {serial: expected[serial] for serial in phone.copies}
    assert len(traffic.phones["family tablet"].copies) == len(traffic.members)
    await every_tag_was_given_once()


async def every_tag_was_given_once() -> None:
    """Check that no number was left out, and none given twice."""
    given = await FactRow.filter(kind="pass.updated").count()
    assert (await UpdateTagRow.get()).highest == given
    present_tags = await PassRow.all().values_list("update_tag", flat=True)
    assert len(set(present_tags)) == len(present_tags)
    assert max(present_tags) == given


async def test_a_burst_of_one_member_is_one_push_and_one_more(traffic: Traffic):
    phone, numbering = traffic.phones["phone 0"], Numbering(clock=lambda: NOON)
    phone.told = 0

    for _ in range(12):
        await traffic.shop.buy(traffic.members[0], tea(100))
        await numbering.step()
        await traffic.push_once(NOON)
    for later in (pushes.QUIET, timedelta(hours=1)):
        await traffic.push_once(NOON + later)

    expected = await present(traffic.shop.program_id, now=NOON)
    assert phone.told == 2
    assert phone.copies == {serial: expected[serial] for serial in phone.copies}
    await numbering.close()


async def test_what_was_undone_pushes_nothing(traffic: Traffic):
    numbering = Numbering(clock=lambda: NOON)
    await numbering.step()

    with pytest.raises(ChangedHisMindError):
        await buy_and_return(traffic.shop, traffic.members[0])
    await numbering.step()

    assert (await CardMark.all().count(), await CardPushRow.all().count()) == (0, 0)
    cards = await PassRow.all()
    assert {(card.update_tag, card.changed_at) for card in cards} == {(0, NOON)}
    await numbering.close()
