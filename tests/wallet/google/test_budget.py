"""Three notifications for each object in 24 hours, whoever asks how often at once."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from loyalty_graph.wallet.google.budget import give_back, take
from loyalty_graph.wallet.google.models import GoogleObjectRow
from tests.shop import NOON

PROGRAM, OTHER = UUID(int=1), UUID(int=2)
pytestmark = pytest.mark.usefixtures("database")


async def given(*serials: str, program_id: UUID = PROGRAM) -> None:
    for serial in serials:
        await GoogleObjectRow.create(
            program_id=program_id, serial=serial, given={}, balance=0, notified=[]
        )


async def taken(serial: str, *, now: datetime = NOON) -> bool:
    return await take({(PROGRAM, serial)}, now=now) == {(PROGRAM, serial)}


async def test_there_are_three_for_each_object():
    await given("a", "b")

    assert [await taken("a") for _ in range(4)] == [True, True, True, False]
    assert await taken("b")
    assert await take({(PROGRAM, "a"), (PROGRAM, "b")}, now=NOON) == {(PROGRAM, "b")}
    assert await taken("a", now=NOON + timedelta(hours=24))


async def test_under_concurrency_there_are_never_more():
    await given("a")

    answers = await asyncio.gather(*(taken("a") for _ in range(10)))

    assert sorted(answers) == [False] * 7 + [True] * 3
    assert len((await GoogleObjectRow.get()).notified) == 3


async def test_what_was_not_used_is_given_back():
    await given("a")
    for hours in range(3):
        await taken("a", now=NOON + timedelta(hours=hours))

    await give_back({(PROGRAM, "a")}, taken_at=NOON + timedelta(hours=1))
    await give_back({(PROGRAM, "a")}, taken_at=NOON + timedelta(hours=1))

    row = await GoogleObjectRow.get()
    hours_after = [(moment - int(NOON.timestamp() * 1000)) // 3_600_000 for moment in row.notified]
    assert hours_after == [0, 2]


async def test_an_object_google_never_had_has_none():
    await given("a", program_id=OTHER)

    assert await take({(PROGRAM, "a")}, now=NOON) == set()
    assert await take(set(), now=NOON) == set()
    assert (await GoogleObjectRow.get()).notified == []
