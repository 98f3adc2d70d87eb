"""What the processes do by themselves, with everything joined."""

import asyncio
import sqlite3
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from loyalty_graph.clock import utc_now
from loyalty_graph.config import Settings
from loyalty_graph.jobs.models import JobRow, ScheduleRow
from loyalty_graph.outbox import FactRow
from loyalty_graph.outbox.live import Live
from loyalty_graph.rewards.rules import RedemptionState
from loyalty_graph.sandbox.apns import FakeApns
from loyalty_graph.wallet.apple.development_ca import (
    DEVELOPMENT_FOLDER,
    IDENTITY,
    development_root,
    development_signer,
)
from loyalty_graph.wallet.models import CardPushRow
from loyalty_graph.worker.duties import serving_duties, worker_duties
from loyalty_graph.worker.loops import running
from tests.jobs.making import until
from tests.shop import DAY, giving, open_shop
from tests.wallet.google.making import account_file, write_account
from tests.wallet.holding import install, issue

KINDS = {
    "cards.age",
    "holds.release",
    "ledger.checkpoint",
    "members.anniversaries",
    "points.activate",
    "points.expire",
    "points.notice",
    "redemptions.expire",
    "redemptions.release",
    "retention.prune",
    "subscriptions.renew",
    "tiers.review",
    "transfers.deliver",
}
WORK = ["numbering", "roll-outs", "jobs"]


def names(settings: Settings) -> list[str]:
    return [one.name for one in serving_duties(settings, Live(), clock=utc_now)]


def test_a_process_that_serves_works_too_unless_workers_do():
    assert names(Settings()) == ["live", "storage", *WORK]
    assert names(Settings(worker=False)) == ["live", "storage"]
    assert [one.name for one in worker_duties(Settings(), clock=utc_now)] == ["storage", *WORK]


def test_an_account_at_google_makes_a_loop_more(tmp_path: Path):
    account = write_account(tmp_path, account_file(token_url="http://127.0.0.1:9/token"))
    google = {
        "google_service_account": account,
        "google_issuer_id": "1",
        "public_url": "https://cards.example",
    }

    assert names(Settings(**google)) == [*names(Settings()), "google"]


def pushing_to(fake: FakeApns, data_dir: Path, folder: Path) -> Settings:
    (folder / "root.pem").write_bytes(fake.root)
    return Settings(data_dir=data_dir, apns_url=fake.url, apns_root=folder / "root.pem")


async def test_a_purchase_is_told_to_the_phone_whichever_process_numbers_it(
    database: object, data_dir: Path, tmp_path: Path
):
    now = utc_now()
    shop = await open_shop(giving(), now=now)
    ada = await shop.enrol()
    development_signer(data_dir / DEVELOPMENT_FOLDER, now=now)
    fake = FakeApns(development_root(data_dir / DEVELOPMENT_FOLDER), clock=utc_now)
    await fake.start()
    await install(await issue(shop, ada, now=now), "phone", pass_type=IDENTITY.pass_type_identifier)
    settings = pushing_to(fake, data_dir, tmp_path)
    duties = [
        *serving_duties(settings, Live(), clock=utc_now),
        *worker_duties(settings, clock=utc_now),
    ]

    async def is_told() -> bool:
        return bool(fake.pushes) and not await CardPushRow.filter(due_at__isnull=False).exists()

    async with running(duties):
        await shop.buy(ada)
        await until(is_told)

    await fake.stop()
    assert Counter(one.name for one in duties) >= Counter({"apple": 2, "certificates": 2})
    assert [push.token for push in fake.pushes] == ["token of phone"]


async def test_two_workers_do_what_is_due_once_and_stop(database: object, data_dir: Path):
    opened = utc_now() - timedelta(days=2)
    shop = await open_shop(giving(), now=opened)
    ada = await shop.enrol()
    await shop.buy(ada)
    held = await shop.want(ada, "COFFEE", hold_minutes=5)
    settings = Settings(data_dir=data_dir)
    duties = [worker_duties(settings, clock=utc_now) for _ in range(2)]

    async def is_done() -> bool:
        numbered = not await FactRow.filter(sequence=None).exists()
        released = await FactRow.filter(kind="redemption.released").exists()
        return numbered and released and not await JobRow.exists()

    async with running(duties[0]), running(duties[1]):
        await until(is_done)

    assert (await shop.redemption(held)).state is RedemptionState.RELEASED
    assert await FactRow.filter(kind="redemption.released").count() == 1
    schedules = await ScheduleRow.all()
    assert {row.kind for row in schedules} == KINDS
    assert all(row.next_at > opened + DAY for row in schedules)


@pytest.mark.sqlite
async def test_an_idle_process_neither_waits_for_writers_nor_holds_them_up(
    database: object, database_url: str, data_dir: Path
):
    now = utc_now()
    await open_shop(now=now)

    def clock() -> datetime:
        return now

    duties = serving_duties(Settings(data_dir=data_dir), Live(), clock=clock)
    for _ in range(3):
        await asyncio.gather(*(one.step() for one in duties))
    path = database_url.removeprefix("sqlite://").partition("?")[0]
    writer = sqlite3.connect(path, timeout=0, isolation_level=None)

    for _ in range(3):
        writer.execute("BEGIN IMMEDIATE")
        async with asyncio.timeout(5):
            await asyncio.gather(*(one.step() for one in duties))
        writer.execute("COMMIT")

    writer.close()
    for one in duties:
        await one.close()
