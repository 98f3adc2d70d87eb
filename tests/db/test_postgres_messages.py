"""How many messages a transaction costs on PostgreSQL: each is a wait for the server."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from unittest import mock
from uuid import UUID

import pytest
from tortoise.exceptions import IntegrityError, OperationalError

from loyalty_graph.db import connection, pipelining, transaction
from loyalty_graph.db.pipelining import Statement
from loyalty_graph.db.postgres import PostgresTransaction
from loyalty_graph.db.sets import Insert, Lookup, fetch, store
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

    async def prepared(raw: Any, ahead: Sequence[Statement], last: Statement) -> bytes:
        messages.append("; ".join(one.text for one in (*ahead, last)))
        return await prepared_really(raw, ahead, last)

    async def send(present: PostgresTransaction, text: str) -> str:
        messages.append(text)
        return await send_really(present, text)

    prepared_really, send_really = pipelining.prepared, PostgresTransaction.send
    client: Any = connection()
    [raw] = [one._con for one in client._pool._holders if one._con is not None]
    before = raw._protocol.queries_count
    with (
        mock.patch.object(pipelining, "prepared", prepared),
        mock.patch.object(PostgresTransaction, "send", send),
    ):
        yield messages
    assert raw._protocol.queries_count - before == len(messages)


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

    read, commit = messages
    assert read.startswith("BEGIN; SET LOCAL enable_seqscan = off; select")
    assert commit == "COMMIT"


async def test_rows_are_locked_as_the_transaction_begins_and_read_once_they_are():
    await mark(ADA)
    await marks(lock=True)

    async with heard() as messages:
        found = await marks(lock=True)

    read, commit = messages
    begin, settings, lock, select = read.split("; ")
    assert (begin, settings) == ("BEGIN", "SET LOCAL enable_seqscan = off")
    assert ["for no key update" in one for one in (lock, select)] == [True, False]
    assert commit == "COMMIT"
    assert found == [[[(ADA,)], []], [[(NOW,)]]]


async def test_rows_are_locked_just_before_they_are_read_when_the_transaction_has_begun():
    await mark(ADA)

    @transaction
    async def later() -> None:
        await marks()
        await marks(lock=True)

    async with heard() as messages:
        await later()

    begin, read, commit = messages
    assert begin.startswith("BEGIN")
    assert ["for no key update" in one for one in read.split("; ")] == [True, False]
    assert commit == "COMMIT"


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


async def test_what_is_written_last_goes_along_with_commit():
    await mark(ADA)

    async with heard() as messages:
        await mark(BOB)

    [message] = messages
    assert message.startswith("BEGIN; SET LOCAL enable_seqscan = off; insert into")
    assert message.endswith("; COMMIT")
    assert await marked(ADA, BOB) == 2


async def test_what_was_written_is_read_in_the_same_transaction():
    await mark(ADA)

    @transaction
    async def twice() -> int:
        await mark(BOB)
        return await marked(ADA, BOB)

    async with heard() as messages:
        found = await twice()

    assert found == 2
    assert ["insert" in one for one in messages] == [True, False]


async def test_what_is_written_next_lets_what_was_written_before_go_first():
    await mark(ADA)

    @transaction
    async def both() -> None:
        await mark(BOB)
        await store(PROGRAM, [plain(ADA)])

    async with heard() as messages:
        with pytest.raises(IntegrityError):
            await both()

    first, second, third = messages
    assert first.startswith("BEGIN")
    assert second.endswith("; COMMIT")
    assert third == "ROLLBACK"
    assert await marked(ADA, BOB) == 1


async def test_what_fails_along_with_commit_is_told_and_the_connection_used_again():
    await mark(ADA)

    @transaction
    async def again() -> None:
        await store(PROGRAM, [plain(ADA)])

    with pytest.raises(IntegrityError):
        await again()
    async with heard() as messages:
        await mark(BOB)

    assert messages[0].endswith("; COMMIT")
    assert await marked(ADA, BOB) == 2


async def test_a_value_that_cannot_be_sent_leaves_the_connection_as_it_was():
    await mark(ADA)

    @transaction
    async def spoilt() -> None:
        await store(PROGRAM, [Insert(CardMark, ("member_id", "marked_at"), [(BOB, "noon")])])

    with pytest.raises(TypeError):
        await spoilt()
    async with heard() as messages:
        await mark(BOB)

    assert messages[0].endswith("; COMMIT")
    assert await marked(ADA, BOB) == 2


async def test_a_look_up_that_cannot_be_sent_does_not_leave_others_a_half_message():
    await mark(ADA)

    @transaction
    async def spoilt() -> None:
        await fetch(PROGRAM, Lookup(CardMark, ("member_id",), [("nobody",)], ("marked_at",)))

    with pytest.raises(OperationalError, match="invalid UUID 'nobody'"):
        await spoilt()

    await mark(BOB)
    assert await marked(ADA, BOB) == 2


async def test_what_fails_in_a_part_of_a_transaction_is_told_before_the_part_ends():
    await mark(ADA)

    @transaction
    async def within() -> None:
        with pytest.raises(IntegrityError):
            async with savepoint():
                await store(PROGRAM, [plain(ADA)])
        await mark(BOB)

    await within()

    assert await marked(ADA, BOB) == 2


async def test_what_waits_to_be_written_is_not_when_the_transaction_fails():
    await mark(ADA)

    @transaction
    async def fail() -> None:
        await mark(BOB)
        raise LookupError

    async with heard() as messages:
        with pytest.raises(LookupError):
            await fail()

    assert messages == []
    assert await marked(ADA, BOB) == 1


async def test_outside_of_a_transaction_rows_are_written_at_once():
    await store(PROGRAM, [mark_cards([ADA], now=NOW)])

    assert await marked(ADA) == 1


@pytest.mark.parametrize("is_noticed", [True, False])
async def test_a_connection_that_is_closed_is_not_written_to(*, is_noticed: bool):
    await mark(ADA)
    assert await transaction(marked)(ADA) == 1

    @transaction
    async def close() -> None:
        await mark(BOB)
        present: Any = connection()
        if not closed:
            closed.append(present)
            present._connection.add_termination_listener(lambda _: gone.set())
            present._connection._con._transport.abort()
            if is_noticed:
                await gone.wait()
            await marked(BOB)

    closed: list[Any] = []
    gone = asyncio.Event()
    await close()

    assert await marked(ADA, BOB) == 2


def plain(member: UUID) -> Insert:
    """Return a mark that does not mind whether there is one."""
    return Insert(CardMark, ("member_id", "marked_at"), [(member, NOW)])


async def marked(*members: UUID) -> int:
    """Return how many of these members' cards are marked."""
    [found] = await fetch(
        PROGRAM, Lookup(CardMark, ("member_id",), [(one,) for one in members], ("marked_at",))
    )
    return sum(map(len, found))
