"""How many messages a transaction costs on PostgreSQL: each is a wait for the server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from loyalty_graph.db import connection, transaction
from loyalty_graph.db.sets import Lookup, fetch, store
from loyalty_graph.db.transactions import savepoint
from loyalty_graph.outbox import mark_cards
from loyalty_graph.outbox.models import CardMark

pytestmark = [pytest.mark.postgres, pytest.mark.usefixtures("database")]

NOW = datetime(2026, 3, 2, tzinfo=UTC)
PROGRAM, ADA, BOB = (UUID(int=number) for number in (1, 2, 3))


@asynccontextmanager
async def heard() -> AsyncIterator[list[str]]:
    """Yield the messages that the only connection of the pool sends meanwhile."""
    messages: list[str] = []

    def note(record: Any) -> None:
        messages.append(record.query)

    client: Any = connection()
    [raw] = [one._con for one in client._pool._holders if one._con is not None]
    raw.add_query_logger(note)
    try:
        yield messages
    finally:
        raw.remove_query_logger(note)


@transaction
async def marks(*, lock: bool = False) -> list[list[list[Any]]]:
    by = ("member_id",)
    locked = Lookup(CardMark, by, [(ADA,), (BOB,)], ("member_id",), lock=lock)
    return await fetch(PROGRAM, locked, Lookup(CardMark, by, [(ADA,)], ("marked_at",)))


@transaction
async def mark(*members: UUID) -> None:
    await store(PROGRAM, [mark_cards(members, now=NOW)])


async def test_a_transaction_that_says_nothing_costs_no_message():
    await mark(ADA)

    async with heard() as messages:
        await transaction(nothing)()

    assert messages == []


async def nothing() -> None:
    pass


async def test_a_transaction_begins_with_its_first_statement():
    await mark(ADA)

    async with heard() as messages:
        await marks()

    begin, read, commit = messages
    assert begin == "BEGIN; SET LOCAL enable_seqscan = off"
    assert read.startswith("select")
    assert commit == "COMMIT"


async def test_rows_are_locked_as_the_transaction_begins_and_read_once_they_are():
    await mark(ADA)
    await marks(lock=True)

    async with heard() as messages:
        found = await marks(lock=True)

    begin, read, commit = messages
    assert begin.startswith("BEGIN; SET LOCAL enable_seqscan = off; EXECUTE prepared_0")
    assert "for no key update" not in read
    assert commit == "COMMIT"
    assert found == [[[(ADA,)], []], [[(NOW,)]]]


async def test_rows_are_locked_by_themselves_when_the_transaction_has_begun():
    await mark(ADA)

    @transaction
    async def later() -> None:
        await marks()
        await marks(lock=True)

    async with heard() as messages:
        await later()

    assert ["for no key update" in one for one in messages] == [False, False, True, False, False]


async def test_a_savepoint_begins_the_transaction_around_it():
    await mark(ADA)

    @transaction
    async def within() -> None:
        async with savepoint():
            await marks(lock=True)

    async with heard() as messages:
        await within()

    assert [one.split()[0] for one in messages[:3]] == ["BEGIN;", "SAVEPOINT", "select"]
    assert messages[-1] == "COMMIT"


async def test_what_fails_before_it_said_anything_is_not_undone_on_the_server():
    await mark(ADA)

    @transaction
    async def fail() -> None:
        raise LookupError

    async with heard() as messages:
        with pytest.raises(LookupError):
            await fail()

    assert messages == []
