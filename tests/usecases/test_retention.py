"""What is kept for a time only is forgotten then, a little at a time, and nothing else is."""

from datetime import datetime
from uuid import UUID, uuid4

import pytest

from loyalty_graph import idempotency
from loyalty_graph.idempotency import BEGINNING, IdempotencyRow
from loyalty_graph.identifiers import new_id
from loyalty_graph.jobs.models import JobRow
from loyalty_graph.outbox import FactRow, numbering
from loyalty_graph.usecases import retention
from loyalty_graph.wallet.apple import logs
from loyalty_graph.wallet.apple.models import DeviceLogRow
from loyalty_graph.wallet.google.models import GoogleCallbackRow
from tests.outbox.test_numbering import lease
from tests.shop import DAY, NOON, giving, open_shop

pytestmark = pytest.mark.usefixtures("database")
CLUB, OTHER = uuid4(), uuid4()


async def answered(program_id: UUID, caller: str, key: str, at: datetime) -> None:
    await IdempotencyRow.create(
        program_id=program_id, caller=caller, key=key, input_hash=b"1", result={}, created_at=at
    )


async def keys(program_id: UUID = CLUB) -> list[str]:
    rows = await IdempotencyRow.filter(program_id=program_id).order_by("caller", "key")
    return [f"{row.caller} {row.key}" for row in rows]


async def test_answers_are_kept_for_thirty_days():
    await answered(CLUB, "cli", "old", NOON)
    await answered(CLUB, "cli", "on the day", NOON + DAY)
    await answered(CLUB, "partner:1", "new", NOON + 31 * DAY)
    await answered(CLUB, "partner:1", "old", NOON)
    await answered(OTHER, "cli", "old", NOON)

    await retention.run(CLUB, now=NOON + 31 * DAY)

    assert await keys() == ["cli on the day", "partner:1 new"]
    assert await keys(OTHER) == ["cli old"]


async def test_answers_are_walked_through_page_by_page():
    now = NOON + 31 * DAY
    for caller in ("a", "b", "c"):
        await answered(CLUB, caller, "1", NOON)
        await answered(CLUB, caller, "2", now)

    place: idempotency.Place | None = BEGINNING
    visited = []
    while place is not None:
        place = await idempotency.prune(CLUB, after=place, now=now, limit=2)
        visited.append((place, len(await keys())))

    assert visited == [(("a", "2"), 5), (("b", "2"), 4), (("c", "2"), 3), (None, 3)]


async def test_a_page_without_old_answers_is_left_alone():
    await answered(CLUB, "cli", "new", NOON)

    assert await idempotency.prune(CLUB, after=BEGINNING, now=NOON) is None
    assert await keys() == ["cli new"]


async def test_a_retry_within_the_time_gets_its_first_answer_and_a_fact_goes_after_it():
    shop = await open_shop(giving())
    ada = await shop.enrol()
    receipt = shop.receipt(ada)
    first = await shop.buy(ada, idempotency_key=receipt.idempotency_key)
    await numbering.number(await lease())
    await retention.run(shop.program_id, now=NOON + 30 * DAY)
    facts = await FactRow.all().count()
    held = await IdempotencyRow.exists(key=receipt.idempotency_key)

    await retention.run(shop.program_id, now=NOON + 30 * DAY + DAY)

    assert facts > 0
    assert held
    assert await FactRow.all().count() == 0
    assert not await IdempotencyRow.exists()
    assert await shop.balance(ada) == first.points == 108


async def test_dead_jobs_lines_of_phones_and_callbacks_end_too():
    now = NOON + 91 * DAY
    for dead_at in (NOON, now, None):
        await JobRow.create(
            id=new_id(NOON),
            program_id=CLUB,
            kind="points.expire",
            key=str(dead_at),
            due_at=NOON,
            attempts=8,
            dead_at=dead_at,
            error="KeyError",
        )
    await logs.keep(["old"], now=now - 31 * DAY)
    await logs.keep(["new"], now=now - 30 * DAY)
    for name, expires_at in (("old", now), ("new", now + DAY)):
        await GoogleCallbackRow.create(nonce_sha256=name, serial="1", expires_at=expires_at)

    await retention.run(CLUB, now=now)

    assert {row.key for row in await JobRow.all()} == {str(now), "None"}
    assert [row.message for row in await DeviceLogRow.all()] == ["new"]
    assert [row.nonce_sha256 for row in await GoogleCallbackRow.all()] == ["new"]
