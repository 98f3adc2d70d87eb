from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import AsyncMock

import pytest

from loyalty_graph.config import Settings
from loyalty_graph.errors import InsufficientPointsError
from loyalty_graph.ledger import due, reads
from loyalty_graph.ledger.models import AccountRow, LotRow, TransferRow
from loyalty_graph.members.models import Member
from loyalty_graph.outbox import CardMark, FactRow
from loyalty_graph.purchases.rules import Line
from loyalty_graph.usecases import activations, adjustments, expiry, membership, proof, scheduled
from tests.delays import all_wait, waiting
from tests.shop import DAY, Shop, by_id, open_shop, program

TEN = (Line("TEA", 1, 1000),)
DUE = datetime(2026, 3, 15, 23, tzinfo=UTC)
"""Midnight in Berlin, the beginning of the day a fortnight after the shop's."""
MOMENT = timedelta.resolution


async def moves(member: Member) -> list[tuple[str, int]]:
    entries = await TransferRow.filter(member_id=member.id).order_by("sequence")
    return [(entry.kind, entry.points) for entry in entries]


async def has(shop: Shop, member: Member, now: datetime) -> tuple[int, int, int]:
    """Return what is available, what waits, and the ledger's balance."""
    found = (await reads.balances(shop.program_id, [member.id], now=now))[member.id]
    return found.available, found.pending, found.balance


async def is_proven(shop: Shop) -> bool:
    audit = await proof.verify(shop.program_id, now=shop.now)
    return audit.findings == [] and await proof.rebuild(shop.program_id, now=shop.now) == 0


@pytest.fixture
async def waits(shop: Shop, ada: Member) -> Member:
    """A member with 108 points that wait for a fortnight."""
    with waiting(all_wait(14)):
        await shop.buy(ada)
    return ada


async def test_points_are_activated_when_their_day_begins(shop: Shop, waits: Member):
    await CardMark.all().delete()

    early = await activations.run(shop.program_id, now=DUE - MOMENT)
    marked_early = await CardMark.all().count()
    activated = await activations.run(shop.program_id, now=DUE)
    again = await activations.run(shop.program_id, now=DUE)

    assert (early, activated, again) == (0, 108, 0)
    assert await moves(waits) == [("EARN_PENDING", 108), ("ACTIVATE", 108)]
    assert await has(shop, waits, DUE) == (108, 0, 108)
    fact = await FactRow.get(kind="points.activated")
    assert fact.payload == {"entries": [2], "points": 108, "balance": 108}
    assert (marked_early, [row.member_id for row in await CardMark.all()]) == (0, [waits.id])
    assert await is_proven(shop)


async def test_points_can_be_spent_from_their_day_on_though_no_job_has_run(
    shop: Shop, waits: Member
):
    before, due = shop.at(DUE - MOMENT), shop.at(DUE)

    assert await has(shop, waits, before.now) == (0, 108, 0)
    with pytest.raises(InsufficientPointsError):
        await before.redeem(waits, 1)
    assert await moves(waits) == [("EARN_PENDING", 108)]

    assert await has(shop, waits, DUE) == (108, 0, 0)
    spent = await due.redeem(waits, 100)

    assert spent.balance_points == 8
    assert await moves(waits) == [("EARN_PENDING", 108), ("ACTIVATE", 108), ("REDEEM", 100)]
    assert await has(shop, waits, DUE) == (8, 0, 8)
    assert await FactRow.filter(kind="points.activated").count() == 1
    assert await activations.run(shop.program_id, now=DUE) == 0
    assert await is_proven(shop)


async def test_a_refused_spend_activates_nothing(shop: Shop, waits: Member):
    command = adjustments.AdjustPoints("staff:1", "k", by_id(waits), -109, "a mistake")
    facts = await FactRow.all().count()

    with pytest.raises(InsufficientPointsError):
        await adjustments.adjust(shop.program_id, command, now=DUE)

    assert await moves(waits) == [("EARN_PENDING", 108)]
    assert await FactRow.all().count() == facts


async def test_a_refusal_or_a_retry_in_a_batch_activates_nothing(shop: Shop, waits: Member):
    await shop.buy(waits, TEN)
    spent = await shop.redeem(waits, 10, idempotency_key="k")
    facts = await FactRow.all().count()
    due = shop.at(DUE)

    with pytest.raises(InsufficientPointsError):
        await due.redeem(waits, 109, at=DUE)
    again = await due.redeem(waits, 10, idempotency_key="k", at=shop.now)

    assert again == replace(spent, replayed=True)
    assert [kind for kind, _ in await moves(waits)] == ["EARN_PENDING", "EARN", "REDEEM"]
    assert await FactRow.all().count() == facts


async def test_points_that_were_due_pay_debt_before_later_ones(database: object):
    shop = await open_shop(program(clawback="ALLOW_NEGATIVE"))
    ada = await shop.enrol()
    bought = await shop.buy(ada)
    await shop.redeem(ada, 100)
    await shop.bring_back(bought, None)
    with waiting(all_wait(14)):
        await shop.buy(ada, (Line("TEA", 1, 4000),))
        await shop.buy(ada, (Line("TEA", 1, 9000),), purchased_at=shop.now - 3 * DAY)
    available = await has(shop, ada, DUE)
    expirations = await reads.expirations(shop.program_id, [ada.id], now=DUE)

    await shop.at(DUE).buy(ada, TEN)

    assert (await moves(ada))[-3:] == [("ACTIVATE", 90), ("ACTIVATE", 40), ("EARN", 10)]
    assert available == (30, 0, -100)
    assert [(one.points, one.expires_at.day) for one in expirations[ada.id]] == [(30, 2)]
    lots = await LotRow.filter(remaining_points__gt=0).order_by("sequence")
    assert [(lot.points, lot.remaining_points) for lot in lots] == [(40, 30), (10, 10)]
    assert await has(shop, ada, DUE) == (40, 0, 40)
    assert await is_proven(shop)


async def test_goods_that_come_back_in_time_cancel_what_waits(shop: Shop, ada: Member):
    await shop.buy(ada, TEN)
    with waiting(lambda points: [(8, 0), (50, 14), (points - 58, 30)]):
        bought = await shop.buy(ada)

    part = await shop.bring_back(bought, {2: 1})
    rest = await shop.bring_back(bought, None)

    assert (part.due_points, part.clawed_back_points, part.shortfall_points) == (74, 74, 0)
    assert (rest.due_points, rest.clawed_back_points, rest.shortfall_points) == (34, 34, 0)
    assert (await moves(ada))[4:] == [("CANCEL", 74), ("CANCEL", 26), ("REVERSE", 8)]
    assert (part.entry_sequence, rest.entry_sequence) == (5, 7)
    assert await has(shop, ada, shop.now) == (10, 0, 10)
    account = await AccountRow.get(member_id=ada.id)
    assert (account.qualifying_points, account.lifetime_points) == (10, 118)
    assert await is_proven(shop)


async def test_goods_that_come_back_late_take_what_was_activated(shop: Shop, ada: Member):
    with waiting(lambda points: [(50, 14), (points - 50, 30)]):
        bought = await shop.buy(ada)
    await shop.buy(ada, TEN)

    back = await shop.at(DUE).bring_back(bought, None)

    assert back.clawed_back_points == 108
    assert (await moves(ada))[3:] == [("ACTIVATE", 50), ("CANCEL", 58), ("REVERSE", 50)]
    reversed_ = await TransferRow.get(kind="REVERSE")
    lots = await LotRow.all().order_by("sequence")
    assert [lot.remaining_points for lot in lots] == [0, 0, 10]
    assert reversed_.balance_after == 10
    assert await is_proven(shop)


async def test_what_waits_for_another_purchase_is_not_cancelled(shop: Shop, waits: Member):
    bought = await shop.buy(waits, TEN)
    await shop.redeem(waits, 10)

    back = await shop.bring_back(bought, None)

    assert (back.clawed_back_points, back.shortfall_points) == (0, 10)
    assert await has(shop, waits, shop.now) == (0, 108, 0)


async def test_who_leaves_forfeits_what_waits(shop: Shop, waits: Member):
    await shop.buy(waits, TEN)
    command = membership.CloseMember("partner:till", "leave", by_id(waits))

    closed = await membership.close(shop.program_id, command, now=shop.now)

    assert closed.forfeited_points == 118
    assert (await moves(waits))[2:] == [("EXPIRE", 10), ("EXPIRE", 108)]
    assert await has(shop, waits, DUE) == (0, 0, 0)
    assert await activations.run(shop.program_id, now=DUE) == 0
    assert await is_proven(shop)


async def test_goods_of_who_has_left_may_still_come_back(shop: Shop, ada: Member):
    with waiting(all_wait(14)):
        bought = await shop.buy(ada)
    await shop.close(ada)

    back = await shop.bring_back(bought, None)

    assert (back.clawed_back_points, back.shortfall_points) == (0, 108)
    account = await AccountRow.get(member_id=ada.id)
    assert (account.balance_points, account.pending_points, account.qualifying_points) == (0, 0, 0)
    assert await is_proven(shop)


async def test_points_that_would_expire_while_they_wait_are_activated_and_expire(
    shop: Shop, ada: Member
):
    with waiting(all_wait(365)):
        await shop.buy(ada)
    over = shop.now + 200 * DAY

    expired = await expiry.run(shop.program_id, now=over)

    assert expired == 108
    assert await moves(ada) == [("EARN_PENDING", 108), ("ACTIVATE", 108), ("EXPIRE", 108)]
    facts = await FactRow.filter(kind__startswith="points.").order_by("id")
    assert [(fact.kind, fact.payload["entries"]) for fact in facts] == [
        ("points.activated", [2]),
        ("points.expired", [3]),
    ]
    assert await is_proven(shop)


async def test_a_late_receipt_whose_time_to_wait_is_over_can_be_spent_at_once(
    shop: Shop, ada: Member
):
    with waiting(all_wait(14)):
        bought = await shop.buy(ada, purchased_at=shop.now - 20 * DAY)

    assert bought.balance_points == 108
    assert await moves(ada) == [("EARN_PENDING", 108), ("ACTIVATE", 108)]
    assert await FactRow.filter(kind="points.activated").count() == 1
    assert await is_proven(shop)


async def test_the_scheduled_job_activates_them(shop: Shop, waits: Member, data_dir: Path):
    now = DUE - 2 * DAY
    runner = scheduled.runner(lambda: now, Settings(data_dir=data_dir))

    for now in (DUE - 2 * DAY, DUE - MOMENT, DUE):
        await runner.run_due(now, 99)
        told = await has(shop, waits, now)

    assert told == (108, 0, 108)


async def test_what_was_activated_meanwhile_leaves_no_fact(
    shop: Shop, waits: Member, monkeypatch: pytest.MonkeyPatch
):
    await activations.run(shop.program_id, now=DUE)
    facts = await FactRow.all().count()
    monkeypatch.setattr(due, "members_with_points_to_activate", AsyncMock(return_value=[waits.id]))

    activated = await activations.run(shop.program_id, now=DUE)

    assert activated == 0
    assert await FactRow.all().count() == facts


async def test_one_run_takes_members_in_several_batches(
    shop: Shop, waits: Member, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(activations, "MEMBERS_AT_ONCE", 1)
    with waiting(all_wait(14)):
        await shop.buy(await shop.enrol(external_id="bob"))

    assert await activations.run(shop.program_id, now=DUE) == 216


async def test_activations_are_told_day_by_day(shop: Shop, ada: Member):
    with waiting(lambda points: [(50, 30), (points - 50, 14)]):
        await shop.buy(ada)
        await shop.buy(ada)

    told = await reads.activations(shop.program_id, [ada.id], now=DUE - MOMENT)
    later = await reads.activations(shop.program_id, [ada.id], now=DUE)

    assert [(one.points, one.activates_at) for one in told[ada.id]] == [
        (116, DUE),
        (100, datetime(2026, 3, 31, 22, tzinfo=UTC)),
    ]
    assert [one.points for one in later[ada.id]] == [100]


async def test_points_that_wait_are_outstanding(shop: Shop, waits: Member):
    await shop.buy(waits, TEN)

    assert await reads.outstanding(shop.program_id) == 118


async def test_what_expires_beside_many_lots_finds_what_waits_last_activated(
    shop: Shop, ada: Member
):
    for day in range(9):
        await shop.at(shop.now + day * DAY).buy(ada, lines=TEN)
    with waiting(all_wait(14)):
        await shop.at(shop.now + 10 * DAY).buy(ada, lines=TEN)
    first_ends = datetime(2026, 9, 2, 22, tzinfo=UTC)

    expired = await expiry.run(shop.program_id, now=first_ends)

    assert expired == 10
    assert (await moves(ada))[-2:] == [("ACTIVATE", 10), ("EXPIRE", 10)]
