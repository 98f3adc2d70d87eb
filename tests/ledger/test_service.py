from datetime import datetime, timedelta
from uuid import UUID

import pytest

from loyalty_graph.db import transaction
from loyalty_graph.db.sets import Write, store
from loyalty_graph.errors import NotFoundError
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger import due, pending, rules, service
from loyalty_graph.ledger.kinds import Book, Kind
from loyalty_graph.ledger.models import AccountRow, LotRow
from loyalty_graph.ledger.rules import Account, Cause
from loyalty_graph.ledger.terms import PLAIN
from tests.shop import DAY, NOON

PROGRAM, OTHER, ADA, BOB, CARL = (new_id(NOON + timedelta(seconds=n)) for n in range(5))


@pytest.fixture(autouse=True)
async def accounts(database: object):
    """Empty accounts of ada and bob."""
    await write(service.open_accounts(PROGRAM, [ADA, BOB]))


@transaction
async def write(*writes: Write) -> None:
    await store(PROGRAM, writes)


def cause(reference: str) -> Cause:
    return Cause(reference, NOON, NOON, "till", {}, salt=b"s")


def earn(account: Account, *lots: tuple[int, int]) -> None:
    """Earn (points, days to live)."""
    for points, days in lots:
        given = cause(f"receipt {account.sequence}")
        rules.earn(account, points, given, expires_at=NOON + days * DAY)


@transaction
async def ada_earns(*lots: tuple[int, int], member_id: UUID = ADA) -> None:
    found = await service.load_accounts(PROGRAM, [member_id])
    earn(found[member_id], *lots)
    await store(PROGRAM, service.writes(found.values()))


@transaction
async def load(**how: object) -> dict[object, Account]:
    return dict(await service.load_accounts(PROGRAM, [BOB, ADA, CARL, ADA], **how))


async def test_accounts_are_loaded_without_lots_unless_somebody_spends():
    await ada_earns((10, 1), (20, 2))

    found = await load()

    assert set(found) == {ADA, BOB}
    assert (found[ADA].balance, found[ADA].sequence, found[ADA].lots) == (30, 2, [])
    assert not found[ADA].has_all_lots


async def test_spenders_come_with_the_lots_that_expire_first(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(service, "LOTS_AT_ONCE", 2)
    await ada_earns((10, 3), (20, 1), (30, 2))

    found = await load(spenders=[ADA, BOB, CARL], terms=PLAIN)

    assert [lot.sequence for lot in found[ADA].lots] == [2, 3]
    assert (found[ADA].has_all_lots, found[BOB].has_all_lots) == (False, True)
    assert found[BOB].lots == []


async def test_a_claw_back_comes_with_all_open_lots(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(service, "LOTS_AT_ONCE", 2)
    await ada_earns((10, 3), (20, 1), (30, 2))
    await LotRow.filter(sequence=3).update(remaining_points=0)

    found = await load(spenders=[ADA], whole=[ADA], terms=PLAIN)

    assert [lot.sequence for lot in found[ADA].lots] == [2, 1]
    assert found[ADA].has_all_lots


async def test_nothing_is_written_for_accounts_that_did_not_move():
    found = await load()

    assert [write.rows for write in service.writes(found.values())] == [[], [], [], [], [], []]


async def test_what_a_redemption_took_is_found_with_its_empty_lots():
    await ada_earns((10, 3), (20, 1), (30, 2))

    @transaction
    async def spend() -> None:
        found = await service.load_accounts(PROGRAM, [ADA], whole=[ADA], terms=PLAIN)
        rules.redeem(found[ADA], 55, cause("coffee"))
        await store(PROGRAM, service.writes(found.values()))

    @transaction
    async def taken() -> tuple[service.Taken, Account]:
        found = await service.load_accounts(PROGRAM, [ADA], spenders=[ADA], terms=PLAIN)
        return await service.taken_by(PROGRAM, found[ADA], "coffee"), found[ADA]

    await spend()
    coffee, account = await taken()

    assert coffee.uses == [(2, 20), (3, 30), (1, 5)]
    assert [(lot.sequence, lot.remaining) for lot in account.lots] == [(2, 0), (3, 0), (1, 5)]


async def test_an_entry_that_was_never_posted_is_not_found():
    await ada_earns((10, 3))

    @transaction
    async def look() -> None:
        found = await service.load_accounts(PROGRAM, [ADA])
        assert await service.is_posted(PROGRAM, ADA, Kind.EARN, "receipt 0")
        assert not await service.is_posted(PROGRAM, ADA, Kind.REDEEM, "receipt 0")
        assert not await service.is_posted(PROGRAM, BOB, Kind.EARN, "receipt 0")
        await service.taken_by(PROGRAM, found[ADA], "receipt 0")

    with pytest.raises(NotFoundError, match="receipt 0"):
        await look()


async def test_members_with_points_past_their_date_are_found():
    await ada_earns((10, 1), (20, 2))

    found = [
        await due.members_with_due_lots(PROGRAM, terms=PLAIN, now=NOON + days, limit=5)
        for days in (DAY - timedelta(microseconds=1), DAY, 2 * DAY)
    ]
    others = await due.members_with_due_lots(OTHER, terms=PLAIN, now=NOON + 9 * DAY, limit=5)

    assert found == [[], [ADA], [ADA]]
    assert others == []


async def test_of_those_whose_points_have_ended_no_more_is_read_than_is_asked_for():
    await ada_earns((10, 3), (20, 2))
    await ada_earns((10, 1), (10, 4), member_id=BOB)

    found = [
        await due.members_with_due_lots(PROGRAM, terms=PLAIN, now=NOON + 9 * DAY, limit=limit)
        for limit in (1, 3, 4)
    ]

    assert found == [[BOB], [BOB, ADA], [BOB, ADA]]
    await ada_earns((10, 1), member_id=BOB)
    assert await due.members_with_due_lots(PROGRAM, terms=PLAIN, now=NOON + 9 * DAY, limit=2) == [
        BOB
    ]


@transaction
async def ada_waits(*lots: tuple[str, int, int]) -> None:
    """Earn (reference, points, days to wait); they live for 90 days."""
    found = await service.load_accounts(PROGRAM, [ADA])
    for reference, points, days in lots:
        until, expires = NOON + days * DAY, NOON + 90 * DAY
        pending.earn_pending(
            found[ADA], points, cause(reference), activates_at=until, expires_at=expires
        )
    await store(PROGRAM, service.writes(found.values()))


@transaction
async def ada_activates(now: datetime) -> None:
    found = await service.load_accounts(PROGRAM, [ADA], whole=[ADA], terms=PLAIN)
    pending.activate_due(found[ADA], now=now)
    await store(PROGRAM, service.writes(found.values()))


async def test_lots_that_wait_are_loaded_apart():
    await ada_earns((10, 3))
    await ada_waits(("a", 20, 7), ("b", 30, 14))

    before = (await load(spenders=[ADA], terms=PLAIN))[ADA]
    await ada_activates(NOON + 7 * DAY)
    after = (await load(whole=[ADA], terms=PLAIN))[ADA]

    assert [lot.sequence for lot in before.lots] == [1]
    assert [lot.sequence for lot in before.waiting] == [2, 3]
    assert (before.balance, before.pending) == (10, 50)
    assert [lot.sequence for lot in after.lots] == [1, 2]
    assert [lot.activates_at for lot in after.waiting] == [NOON + 14 * DAY]
    assert (after.balance, after.pending) == (30, 30)


async def test_members_whose_points_have_waited_long_enough_are_found():
    await ada_earns((10, 3))
    await ada_waits(("a", 20, 7))
    times = [NOON + 7 * DAY - timedelta(microseconds=1), NOON + 7 * DAY]

    found = [await due.members_with_points_to_activate(PROGRAM, now=now, limit=5) for now in times]
    others = await due.members_with_points_to_activate(OTHER, now=times[1], limit=5)
    await ada_activates(times[1])
    again = await due.members_with_points_to_activate(PROGRAM, now=times[1], limit=5)

    assert (found, others, again) == ([[], [ADA]], [], [])


async def test_the_lots_of_a_purchase_are_found_while_they_wait_and_after():
    first, second = UUID(int=1), UUID(int=2)
    await ada_earns((10, 3))
    await ada_waits(
        (pending.reference(first, "7"), 20, 7),
        (pending.reference(second, "7"), 20, 7),
        (pending.reference(first, "14"), 30, 14),
        (str(second), 30, 14),
    )
    await ada_activates(NOON + 7 * DAY)
    account = (await load(whole=[ADA], terms=PLAIN))[ADA]

    found = [await service.origins(PROGRAM, account, one) for one in (first, second, UUID(int=3))]

    assert found == [{2, 4}, {3, 5}, set()]


async def test_every_book_tells_what_it_received_less_what_it_gave():
    await ada_earns((10, 3), (20, 1))

    @transaction
    async def adjust() -> None:
        found = await service.load_accounts(PROGRAM, [ADA], whole=[ADA], terms=PLAIN)
        rules.adjust(found[ADA], 7, cause("gift"), expires_at=NOON + DAY)
        rules.adjust(found[ADA], -3, cause("correction"), expires_at=NOON)
        await store(PROGRAM, service.writes(found.values()))

    await adjust()

    net = await service.net_of_books(PROGRAM)
    assert {book: points for book, points in net.items() if points} == {
        Book.MEMBER: 34,
        Book.ISSUED: -30,
        Book.ADJUSTED: -4,
    }
    assert set((await service.net_of_books(OTHER)).values()) == {0}


async def test_accounts_are_loaded_in_a_transaction_only():
    with pytest.raises(AssertionError, match="inside a transaction only"):
        await service.load_accounts(PROGRAM, [ADA])

    assert await AccountRow.all().count() == 2
