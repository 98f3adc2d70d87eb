"""A restored database: phones, listeners and Google know more than it, and follow all the same."""

import asyncio
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from loyalty_graph import leases, outbox
from loyalty_graph.clock import utc_now
from loyalty_graph.config import Settings
from loyalty_graph.db import open_database, running_process
from loyalty_graph.db.statements import read
from loyalty_graph.leases import Lease
from loyalty_graph.outbox import numbering
from loyalty_graph.outbox.models import FactRow
from loyalty_graph.usecases import backup as backups
from loyalty_graph.usecases.backup import Place
from loyalty_graph.usecases.restoring import SKIPPED, Prepared, prepare
from loyalty_graph.wallet import rollouts
from loyalty_graph.wallet.google.models import GoogleClassRow, GoogleObjectRow
from loyalty_graph.wallet.models import PassRow, UpdateTagRow
from loyalty_graph.wallet.service import Platform
from tests.shop import NOON, Shop, giving, open_shop
from tests.wallet.holding import install, issue, number
from tests.wallet.phones import Phone, present

HOUR = timedelta(hours=1)


async def leased(name: str) -> Lease:
    lease = await leases.take(name, UUID(int=7), now=NOON, life=HOUR)
    assert lease is not None
    return lease


async def roll_out(shop: Shop) -> None:
    """Do what a worker does with the roll-out that a restore begins, and number the marks."""
    [rollout] = await rollouts.running()
    lease = await leased(rollouts.LEASE)
    await rollouts.advance(lease, rollout, limit=100, now=shop.now)
    await leases.release(lease, now=shop.now)
    await number(now=shop.now)


@pytest.mark.sqlite
async def test_a_phone_that_saw_what_was_lost_shows_what_was_restored(
    database_url: str, tmp_path: Path
):
    url = database_url.partition("?")[0]
    place = Place(Settings(data_dir=tmp_path), url)
    phone = Phone("phone")
    async with open_database(url):
        shop = await open_shop(giving())
        ada, bob = await shop.enrol(), await shop.enrol()
        for one in (ada, bob):
            await install(await issue(shop, one), "phone")
            await shop.buy(one)
        await number(now=NOON)
        await phone.hear(now=NOON)
    await backups.backup(place, tmp_path / "b.zip", with_keys=False, now=NOON)
    async with open_database(url):
        for _ in range(5):
            await shop.buy(ada)
            await number(now=NOON)
        await phone.hear(now=NOON)
        seen, tag = phone.copies, phone.since
        dates = {card.serial: card.last_modified for card in await PassRow.all()}
        assert sorted(one.points for one in seen.values()) == [108, 648]

    await backups.restore(place, tmp_path / "b.zip", replace=True, audit=True, now=NOON + HOUR)

    async with open_database(url):
        # Bob buys before the cards are brought: his tag alone must not hide Ada's from the phone.
        await shop.later(HOUR).buy(bob)
        await number(now=NOON + HOUR)
        await phone.hear(now=NOON + HOUR)
        await roll_out(shop.later(HOUR))
        await phone.hear(now=NOON + HOUR)

        assert (phone.since or 0) > (tag or 0) + SKIPPED // 2
        assert phone.copies == await present(shop.program_id, now=NOON + HOUR)
        assert sorted(one.points for one in phone.copies.values()) == [108, 216]
        # A phone that sends the date it has (If-Modified-Since) is given the file, too.
        assert all(card.last_modified > dates[card.serial] for card in await PassRow.all())


async def test_nothing_that_was_given_is_given_again(database: object):
    shop = await open_shop(giving())
    ada = await shop.enrol()
    await issue(shop, ada)
    await shop.buy(ada)
    await number(now=NOON)
    lease = await leased(numbering.NUMBERING)
    await numbering.number(lease)
    newest = await outbox.newest(shop.program_id)
    [tags] = await UpdateTagRow.all()
    async with running_process("serve 1", clock=utc_now):
        done = await prepare(made_at=NOON, now=NOON + HOUR)
        left = await read("select count(*) from running_process")

    await numbering.number(lease)
    await roll_out(shop)

    assert (done, left) == (Prepared(1, []), [(0,)])
    restored = await FactRow.get(kind="database.restored")
    assert restored.sequence == newest + SKIPPED + 1
    assert restored.change is not None
    assert restored.change["after"] == {"made_at": "2026-03-02T12:00:00+00:00"}
    assert (await PassRow.get()).update_tag > tags.highest + SKIPPED


async def test_google_is_given_everything_anew(database: object):
    shop = await open_shop(giving())
    ada = await shop.enrol()
    serial = await issue(shop, ada, Platform.GOOGLE)
    await GoogleClassRow.create(class_id="1.bean-club", digest="d", given_at=NOON)
    await GoogleObjectRow.create(
        program_id=shop.program_id, serial=serial, given={"a": "b"}, balance=5, notified=[1]
    )

    await prepare(made_at=NOON, now=NOON)

    assert not await GoogleClassRow.exists()
    row = await GoogleObjectRow.get()
    assert (row.given, row.balance, row.notified) == ({}, 5, [1])


async def test_a_programme_whose_cards_are_held_up_is_named(database: object):
    shop = await open_shop(giving())
    await issue(shop, await shop.enrol())
    await rollouts.start(shop.program_id, "a new look", now=NOON)
    await rollouts.pause(shop.program_id, now=NOON)

    done = await prepare(made_at=NOON, now=NOON)

    assert done == Prepared(1, ["bean-club"])


async def test_a_database_without_cards_needs_none_brought(database: object):
    await open_shop(giving())

    done = await prepare(made_at=NOON, now=NOON)

    assert done == Prepared(0, [])
    assert await rollouts.running() == []
    assert [row.highest for row in await UpdateTagRow.all()] == [SKIPPED]


@pytest.mark.sqlite
async def test_a_backup_is_of_one_moment_though_others_write(database_url: str, tmp_path: Path):
    url = database_url.partition("?")[0]
    place = Place(Settings(data_dir=tmp_path), url)
    async with open_database(url):
        shop = await open_shop(giving())
        ada = await shop.enrol()

        async def buy(times: int) -> None:
            for _ in range(times):
                await shop.buy(ada)

        await buy(20)
        made, _ = await asyncio.gather(
            backups.backup(place, tmp_path / "b.zip", with_keys=False, now=NOON), buy(20)
        )

    audits = await backups.verify(place, tmp_path / "b.zip", now=NOON)

    assert 20 <= made.counts["purchase"] == made.counts["transfer"] <= 40
    assert {slug: (one.transfers, one.findings) for slug, one in audits.items()} == {
        "bean-club": (made.counts["transfer"], [])
    }
