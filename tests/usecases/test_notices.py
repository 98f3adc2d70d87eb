"""Points that end only after their owner was told: domain rule I9."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from loyalty_graph.errors import InsufficientPointsError
from loyalty_graph.ledger import due, past, reads
from loyalty_graph.ledger.models import AccountRow, ExpiryNoticeRow, LotRow, TransferRow
from loyalty_graph.members.models import Member
from loyalty_graph.outbox import CardMark, FactRow
from loyalty_graph.purchases.rules import Line
from loyalty_graph.usecases import activations, expiry, notices
from tests.shop import DAY, GUARDED, Shop, open_shop, program

GONE = datetime(2026, 9, 2, 22, tzinfo=UTC)
"""When points end that were earned on 2 March."""

MUG = (Line("MUG", 1, 1000),)
"""Earns 50 points."""

HOUR = timedelta(hours=1)


@pytest.fixture
async def shop(database: object) -> Shop:
    return await open_shop(program(**GUARDED))


async def tell(shop: Shop, at: datetime) -> int:
    return await notices.run(shop.program_id, now=at)


async def expire(shop: Shop, at: datetime) -> int:
    return await expiry.run(shop.program_id, now=at)


async def wallet(
    shop: Shop, member: Member, at: datetime
) -> tuple[int, list[tuple[int, datetime]]]:
    """Return what can be spent, and when it ends."""
    balances = await reads.balances(shop.program_id, [member.id], now=at)
    ends = await reads.expirations(shop.program_id, [member.id], now=at)
    return balances[member.id].available, [(one.points, one.expires_at) for one in ends[member.id]]


async def test_owners_are_told_in_time_and_points_end_on_their_date(shop: Shop, ada: Member):
    await shop.buy(ada, MUG)
    await shop.later(HOUR).buy(ada, MUG)
    await CardMark.all().delete()

    early = await tell(shop, GONE - 15 * DAY - HOUR)
    told = await tell(shop, GONE - 15 * DAY)
    again = await tell(shop, GONE - 15 * DAY + HOUR)

    assert (early, told, again) == (0, 100, 0)
    rows = await ExpiryNoticeRow.all().order_by("lot_sequence")
    assert [(one.lot_sequence, one.points, one.expires_at, one.told_at) for one in rows] == [
        (1, 50, GONE, GONE - 15 * DAY),
        (2, 50, GONE, GONE - 15 * DAY),
    ]
    fact = await FactRow.get(kind="points.expiring")
    assert fact.member_id == ada.id
    assert fact.payload == {"points": 100, "expiresAt": "2026-09-02T22:00:00+00:00"}
    assert await CardMark.all().count() == 1
    assert await wallet(shop, ada, GONE - HOUR) == (100, [(100, GONE)])
    assert await wallet(shop, ada, GONE) == (0, [])
    assert await expire(shop, GONE) == 100
    assert [row.at for row in await TransferRow.filter(kind="EXPIRE")] == [GONE, GONE]


async def test_points_nobody_was_told_of_stay_and_can_be_spent(shop: Shop, ada: Member):
    await shop.buy(ada, MUG)
    late = GONE + 40 * DAY

    expired = await expire(shop, late)
    spent = await shop.at(late).redeem(ada, 20)

    assert expired == 0
    assert spent.balance_points == 30
    told_now = datetime(2026, 10, 26, 23, tzinfo=UTC)
    assert await wallet(shop, ada, late) == (30, [(30, told_now)])
    assert not await TransferRow.filter(kind="EXPIRE").exists()


async def test_who_is_told_late_keeps_the_points_for_the_days_of_the_notice(
    shop: Shop, ada: Member
):
    await shop.buy(ada, MUG)
    late = GONE + 3 * HOUR
    ends = datetime(2026, 9, 17, 22, tzinfo=UTC)

    told = await tell(shop, late)

    assert told == 50
    assert await wallet(shop, ada, ends - HOUR) == (50, [(50, ends)])
    assert await expire(shop, ends - HOUR) == 0
    assert await expire(shop, ends) == 50
    entry = await TransferRow.get(kind="EXPIRE")
    assert (entry.at, (await ExpiryNoticeRow.get()).expires_at) == (ends, ends)
    with pytest.raises(InsufficientPointsError):
        await shop.at(ends).redeem(ada, 1)


async def test_points_that_were_spent_when_others_were_told_stay_once_they_are_back(
    shop: Shop, ada: Member
):
    await shop.buy(ada, MUG)
    await shop.later(HOUR).buy(ada, MUG)
    taken = await shop.later(2 * HOUR).redeem(ada, 50)
    told = await tell(shop, GONE - 15 * DAY)

    await shop.at(GONE - DAY).give_back(taken)
    expired = await expire(shop, GONE)

    assert (told, expired) == (50, 50)
    assert (await wallet(shop, ada, GONE))[0] == 50
    assert await tell(shop, GONE) == 50
    assert await expire(shop, GONE + 15 * DAY) == 50


async def test_points_that_wait_are_told_of_once_they_can_be_spent(database: object):
    rule = {
        "code": "LATER",
        "name": "Later",
        "points": 30,
        "pending": {"days": 200},
        "on": "PURCHASE",
    }
    data = program(**GUARDED)
    shop = await open_shop({**data, "earning": {**data["earning"], "rules": [rule]}})
    ada = await shop.enrol()
    await shop.buy(ada, MUG)

    told = await tell(shop, GONE - DAY)
    waiting = await LotRow.filter(is_pending=True).count(), await tell(shop, GONE)
    # What would end while it waits becomes active at that moment.
    await activations.run(shop.program_id, now=GONE)
    then = await tell(shop, GONE)

    assert (told, waiting, then) == (50, (1, 0), 30)


async def test_a_programme_without_the_guard_tells_nobody(database: object):
    shop = await open_shop()
    ada = await shop.enrol()
    await shop.buy(ada, MUG)

    told = await tell(shop, GONE)

    assert told == 0
    assert not await FactRow.filter(kind="points.expiring").exists()


async def test_a_guard_switched_on_keeps_points_of_before_and_what_was_told_holds_without_it(
    database: object,
):
    before = await open_shop()
    ada = await before.enrol()
    await before.buy(ada, MUG)
    guarded = await open_shop(program(**GUARDED), now=before.now + DAY)
    assert (await wallet(guarded, ada, GONE + HOUR))[0] == 50
    await tell(guarded, GONE + HOUR)

    await open_shop(now=GONE + 2 * HOUR)

    ends = datetime(2026, 9, 17, 22, tzinfo=UTC)
    assert await wallet(guarded, ada, GONE + DAY) == (50, [(50, ends)])
    assert await expire(guarded, ends) == 50


async def test_a_missing_account_does_not_keep_the_notices_busy_forever(shop: Shop, ada: Member):
    await shop.buy(ada, MUG)
    await AccountRow.filter(member_id=ada.id).delete()

    assert await tell(shop, GONE) == 0


async def test_members_are_told_in_several_batches(
    shop: Shop, ada: Member, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(notices, "MEMBERS_AT_ONCE", 1)
    await shop.buy(ada, MUG)
    await shop.buy(await shop.enrol(external_id="bob"), MUG)

    assert await tell(shop, GONE) == 100
    assert await ExpiryNoticeRow.all().count() == 2


async def test_the_members_of_many_batches_are_looked_for_together(
    shop: Shop, ada: Member, monkeypatch: pytest.MonkeyPatch
):
    look, lists = due.members_to_tell, []

    async def listed(*given: Any, **named: Any) -> list[UUID]:
        lists.append(await look(*given, **named))
        return lists[-1]

    monkeypatch.setattr(due, "members_to_tell", listed)
    monkeypatch.setattr(notices, "MEMBERS_AT_ONCE", 1)
    monkeypatch.setattr(notices, "MEMBERS_LISTED", 2)
    for member in (ada, await shop.enrol(external_id="bob"), await shop.enrol(external_id="eve")):
        await shop.buy(member, MUG)

    assert await tell(shop, GONE) == 150
    assert [len(one) for one in lists] == [2, 1, 0]


async def test_who_was_told_meanwhile_is_not_told_twice(
    shop: Shop, ada: Member, monkeypatch: pytest.MonkeyPatch
):
    await shop.buy(ada, MUG)
    look = due.members_to_tell

    async def too_late(*given: Any, **named: Any) -> list[UUID]:
        found = await look(*given, **named)
        monkeypatch.undo()
        assert await tell(shop, GONE) == 50
        return found

    monkeypatch.setattr(due, "members_to_tell", too_late)

    assert await tell(shop, GONE) == 0
    assert await ExpiryNoticeRow.all().count() == 1
    assert await FactRow.filter(kind="points.expiring").count() == 1


async def test_what_points_were_expected_to_do_is_answered_later_as_it_was_then(
    shop: Shop, ada: Member
):
    await shop.buy(ada, MUG)
    late, ends = GONE + 3 * HOUR, datetime(2026, 9, 17, 22, tzinfo=UTC)
    moments = [GONE - DAY, late - HOUR, late, ends - HOUR, ends]

    then = []
    for at in moments:
        if at == late:
            await tell(shop, late)
        then.append(await wallet(shop, ada, at))
    await expire(shop, ends)
    await open_shop(now=ends)
    later = []
    for at in moments:
        [was] = (await past.accounts(shop.program_id, [ada.id], at=at, now=ends + DAY)).values()
        told = [(one.points, one.expires_at) for one in was.expirations]
        later.append((was.wallet.available, told))

    early_told = datetime(2026, 9, 16, 22, tzinfo=UTC)
    assert then == [
        (50, [(50, early_told)]),
        (50, [(50, ends)]),
        (50, [(50, ends)]),
        (50, [(50, ends)]),
        (0, []),
    ]
    assert later == then
