"""Statements written once say the same on both databases."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from loyalty_graph.db import transaction
from loyalty_graph.db.statements import execute, select, upsert
from loyalty_graph.leases import LeaseRow

pytestmark = pytest.mark.usefixtures("database")

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ISTANBUL = timezone(timedelta(hours=3))
HOLDERS = (UUID(int=1), UUID(int=2))
COLUMNS = ("name", "holder", "process", "fence", "until")
KEEP_THE_HIGHER = """on conflict (name) do update set
    fence = case when lease.fence > excluded.fence then lease.fence else excluded.fence end"""


@transaction
async def given(*names: str, fence: int = 1) -> None:
    rows = [(name, HOLDERS[0], "till:7", fence, NOON) for name in names]
    await upsert(LeaseRow, COLUMNS, rows, ending=KEEP_THE_HIGHER)


async def test_rows_come_back_as_the_values_they_were():
    await given("a")

    [row] = await select(LeaseRow, COLUMNS, "where holder = $1", HOLDERS[0])

    assert row == ("a", HOLDERS[0], "till:7", 1, NOON)


async def test_rows_are_inserted_or_merged():
    await given("a", "b", fence=3)
    await given("b", "c", fence=2)
    await given()

    rows = await select(LeaseRow, ("name", "fence"), "order by name")

    assert rows == [("a", 3), ("b", 3), ("c", 2)]


async def test_lists_times_and_casts_are_given_as_parameters():
    await given("a", "b", "c")
    later = (NOON + timedelta(hours=1)).astimezone(ISTANBUL)

    changed = await execute(
        "update lease set holder = $1, until = $2::timestamptz where name = any($3) and fence = $4",
        HOLDERS[1],
        later,
        ["a", "c", "d"],
        1,
    )

    assert changed == 2
    rows = await select(LeaseRow, ("name", "until"), "where until > $1 order by name", NOON)
    assert rows == [("a", later), ("c", later)]


async def test_rows_may_be_locked():
    await given("a", "b")

    @transaction
    async def locked() -> list[tuple[object, ...]]:
        ending = "where fence = $1 order by name limit $2 for no key update skip locked"
        return await select(LeaseRow, ("name",), ending, 1, 1)

    assert await locked() == [("a",)]
