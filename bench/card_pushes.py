"""How soon a purchase reaches the phones, and whether a new look of the cards holds purchases up.

One process serves and works, on SQLite, as it does by default; a sandbox of APNs takes its pushes.
The milliseconds run from asking for the purchase to the arrival of the push. Phones are no part of
it: that each was told of the present state of its card is read from the database.
"""

import asyncio
import json
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import quantiles
from typing import Any
from uuid import UUID

from bench.api import RECORD, Bench, on
from bench.api_shop import programme
from bench.http_load import exchange
from bench.rows import Measured, Row, row
from loyalty_graph.clock import utc_now
from loyalty_graph.config import Settings
from loyalty_graph.db import open_database
from loyalty_graph.db.statements import read
from loyalty_graph.graphql.ids import encode_id
from loyalty_graph.members.service import Profile
from loyalty_graph.outbox import CardMark
from loyalty_graph.programs import service as programs
from loyalty_graph.sandbox.apns import FakeApns
from loyalty_graph.sandbox.apns_plan import Push
from loyalty_graph.usecases import members, program_file
from loyalty_graph.wallet import rollouts, service
from loyalty_graph.wallet.apple.development_ca import (
    DEVELOPMENT_FOLDER,
    IDENTITY,
    development_root,
    development_signer,
)
from loyalty_graph.wallet.apple.models import DeviceRow, RegistrationRow
from loyalty_graph.wallet.desk import all_templates

PHONES = 1_000
PURCHASES_PER_S = 100
SECONDS, LONG_SECONDS = 10, 60
CALLERS = 16
PATIENCE_S = 60.0
HOLDERS = 50_000
ROLLOUT_PER_S = 1_000
QUIET_PURCHASES_PER_S, QUIET_S = 50, 20
SLOWER_BAR = 1.5
BATCH = 500


@dataclass
class Town:
    """Members who buy, and the sandbox that hears what their phones are told.

    Times are of `time.perf_counter`; a phone's token is its number.
    """

    bench: Bench
    holders: list[UUID]
    untold: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    waits_ms: list[float] = field(default_factory=list)
    answers_ms: list[float] = field(default_factory=list)
    bought: int = 0
    pushed: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, push: Push) -> None:
        """Count what was bought before this push as told."""
        now = time.perf_counter()
        self.pushed += 1
        self.waits_ms += [1000 * (now - asked) for asked in self.untold.pop(push.token, ())]
        self.news.set()

    async def buy(self, per_s: int, goes_on: Callable[[float], bool]) -> None:
        """Let members buy in turn, so many in a second, for as long as it is asked for."""
        begun, first = time.perf_counter(), self.bought

        async def keep_asking(caller: int) -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.bench.port("ours"))
            number = caller
            while goes_on(time.perf_counter() - begun):
                await asyncio.sleep(max(0.0, begun + number / per_s - time.perf_counter()))
                await self._buy_one(reader, writer, first + number)
                number += CALLERS
            writer.close()

        await asyncio.gather(*(keep_asking(caller) for caller in range(CALLERS)))

    async def _buy_one(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> None:
        place = number * 7 % len(self.holders)
        given: dict[str, Any] = {
            "idempotencyKey": f"card-{number}",
            "member": {"id": encode_id("Member", self.holders[place])},
            "source": "till",
            "externalId": f"card-{number}",
            "lines": [{"productType": "GROCERY", "quantity": 3, "unitAmount": "2.49"}],
        }
        asked = time.perf_counter()
        self.untold[token_of(place)].append(asked)
        self.bought += 1
        await exchange(reader, writer, self.bench.graphql(RECORD, input=given))
        self.answers_ms.append(1000 * (time.perf_counter() - asked))

    async def settle(self) -> None:
        """Wait until every purchase was told of, but not for ever."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while self.untold:
                    self.news.clear()
                    await self.news.wait()


def token_of(place: int) -> str:
    """Return the push token of the phone of the member at this place."""
    return f"{place:064x}"


async def hand_out(url: str, member_ids: Sequence[UUID], more: int) -> list[UUID]:
    """Give members, and so many more who enrol, a card and a phone that holds it."""
    async with open_database(url):
        now = utc_now()
        program_id = await programs.only_program()
        # Noted before there are cards, or the first look at it would roll the template out.
        [template] = {programme().program.branding.template}
        digest = all_templates(Settings())[template].digest
        await rollouts.start_if_template_changed(program_id, template, digest, now=now)
        holders = list(member_ids)
        for first in range(0, more, BATCH):
            wanted = [
                members.Enrolment(Profile(external_id=f"more-{one}"))
                for one in range(first, min(first + BATCH, more))
            ]
            enrolled = await members.enrol(program_id, wanted, now=now)
            holders += [member.id for member in enrolled]
        for first in range(0, len(holders), BATCH):
            await _install(program_id, holders[first : first + BATCH], first, now)
        # What was bought before is on the new cards.
        await CardMark.all().delete()
    return holders


async def _install(program_id: UUID, member_ids: Sequence[UUID], first: int, now: datetime) -> None:
    kind = IDENTITY.pass_type_identifier
    serials = await service.issue(program_id, member_ids, now=now)
    devices, held = [], []
    for place, member_id in enumerate(member_ids, first):
        told = {"push_token": token_of(place), "token_told_at": now}
        devices.append(DeviceRow(device=f"phone-{place}", pass_type=kind, **told))
        named = {"serial": serials[member_id], "program_id": program_id, "member_id": member_id}
        held.append(
            RegistrationRow(**named, pass_type=kind, device=f"phone-{place}", registered_at=now)
        )
    await DeviceRow.bulk_create(devices)
    await RegistrationRow.bulk_create(held)


@contextmanager
def town(phones: int, **settings: str) -> Iterator[tuple[Town, FakeApns]]:
    """Yield a filled town and its sandbox, which the caller starts in its event loop."""
    with tempfile.TemporaryDirectory() as scratch:
        url = f"sqlite://{Path(scratch) / 'bench.sqlite3'}"
        with on(url) as bench:
            own = bench.members[:phones]
            holders = asyncio.run(hand_out(url, own, phones - len(own)))
            ca = bench.folder / DEVELOPMENT_FOLDER
            development_signer(ca, now=utc_now())
            one = Town(bench, holders)
            fake = FakeApns(development_root(ca), clock=utc_now, heard=one.hear)
            root = Path(scratch) / "root.pem"
            root.write_bytes(fake.root)
            before = dict(os.environ)
            os.environ.update(settings, LOYALTY_APNS_ROOT=str(root))
            try:
                yield one, fake
            finally:
                # Other suites of this run start servers too.
                os.environ.clear()
                os.environ.update(before)


async def started(one: Town, fake: FakeApns) -> None:
    """Start the sandbox, and then the process that pushes to it."""
    os.environ["LOYALTY_APNS_URL"] = await fake.start()
    await asyncio.to_thread(one.bench.port, "ours")


def commit_to_push(seconds: int) -> list[Row]:
    """Tell phones of purchases, so many seconds long."""

    async def measure(one: Town, fake: FakeApns) -> None:
        await started(one, fake)
        await one.buy(PURCHASES_PER_S, lambda elapsed: elapsed < seconds)
        await one.settle()
        await fake.stop()

    with town(PHONES) as (one, fake):
        asyncio.run(measure(one, fake))
    cuts = quantiles(one.waits_ms, n=100)
    figure = row(
        "wallet",
        "commit_to_push",
        Measured(len(one.waits_ms), "purchases told of"),
        against=f"purchases made, {PURCHASES_PER_S} a second for {seconds} s",
        against_value=one.bought,
        bar=1.0,
    )
    named = {f"p{cut}_ms": round(cuts[cut - 1], 1) for cut in (50, 95, 99)}
    answered = round(p95(one.answers_ms), 1)
    return [{**figure, **named, "answer_p95_ms": answered, "pushes": one.pushed}]


def rollout() -> list[Row]:
    """Bring a new look to all cards while members buy."""

    async def measure(one: Town, fake: FakeApns) -> tuple[float, float]:
        await started(one, fake)
        await one.buy(QUIET_PURCHASES_PER_S, lambda elapsed: elapsed < QUIET_S)
        await one.settle()
        without, one.answers_ms, one.pushed = one.answers_ms, [], 0
        async with open_database(one.bench.url):
            await program_file.load(changed_look(), now=utc_now())
            walking = asyncio.create_task(until_rolled_out())
            await one.buy(QUIET_PURCHASES_PER_S, lambda _: not walking.done())
            await until_nobody_is_to_be_told()
            await everybody_was_told()
        await fake.stop()
        return p95(without), p95(one.answers_ms)

    with town(HOLDERS, LOYALTY_ROLLOUT_PER_S=str(ROLLOUT_PER_S)) as (one, fake):
        without, during = asyncio.run(measure(one, fake))
    figure = row(
        "wallet",
        "rollout",
        Measured(without, "ms p95 of a purchase before"),
        against=f"the same while {HOLDERS:,} cards change, {ROLLOUT_PER_S:,} a second at most",
        against_value=during,
        bar=1 / SLOWER_BAR,
    )
    return [{**figure, "pushes": one.pushed}]


def changed_look() -> program_file.ProgramFile:
    """Return the programme under another name."""
    data = json.loads(programme().model_dump_json())
    data["program"]["name"] = "Corner Grocer Society"
    branding = data["program"].pop("branding")
    return program_file.check({**data, "branding": branding}, name="another look")


async def until_rolled_out() -> None:
    """Wait until no card is left to mark."""
    program_id = await programs.only_program()
    while (await rollouts.progress(program_id, limit=1))[0].ended_at is None:  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.2)


async def until_nobody_is_to_be_told() -> None:
    """Wait until no mark and no push is left."""
    left = "select 1 from card_mark union all select 1 from card_push where due_at is not null"
    while await read(f"{left} limit 1"):  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.2)


async def everybody_was_told() -> None:
    """Check that each phone was told of the newest state of its card."""
    [(untold,)] = await read(
        "select count(*) from pass p join apple_registration r on r.serial = p.serial "
        "left join card_push c on c.target = r.device and c.pushed_tag >= p.update_tag "
        "where p.update_tag = 0 or c.target is null"
    )
    assert not untold, f"{untold} phones were not told of the newest state"


def p95(answers_ms: Sequence[float]) -> float:
    """Return what 95 of 100 stayed below."""
    return quantiles(answers_ms, n=20)[-1]


SUITES: dict[str, Callable[[], list[Row]]] = {"card_pushes": lambda: commit_to_push(SECONDS)}
LONG_SUITES: dict[str, Callable[[], list[Row]]] = {
    "card_pushes_long": lambda: commit_to_push(LONG_SECONDS),
    "rollout": rollout,
}
