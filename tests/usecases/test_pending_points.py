from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from loyalty_graph.errors import LoyaltyError
from loyalty_graph.ledger.models import AccountRow, LotRow, TransferRow
from loyalty_graph.members.models import Member
from loyalty_graph.outbox import CardMark, FactRow
from loyalty_graph.purchases.models import Refund
from loyalty_graph.tiers.models import TierStanding
from loyalty_graph.usecases import activations, proof
from loyalty_graph.usecases.pending_points import Earning, PendingMoved
from loyalty_graph.usecases.purchases import PurchaseRecorded
from tests.delays import all_wait, waiting
from tests.shop import DAY, NOON, Shop, open_shop, program

TABLES = (TransferRow, LotRow, AccountRow, FactRow, CardMark, TierStanding, Refund)


async def everything() -> list[object]:
    return [sorted(map(str, await table.all().values_list())) for table in TABLES]


async def moves(member: Member) -> list[tuple[str, int]]:
    entries = await TransferRow.filter(member_id=member.id).order_by("sequence")
    return [(entry.kind, entry.points) for entry in entries]


async def has(shop: Shop, member: Member) -> tuple[int, int]:
    """Return what a member has and what waits; the books are in order and can be worked out."""
    assert (await proof.verify(shop.program_id, now=shop.now)).findings == []
    assert await proof.rebuild(shop.program_id, now=shop.now) == 0
    account = await AccountRow.get(member_id=member.id)
    return account.balance_points, account.pending_points


async def refused(work: Any) -> str:
    """Return the code of what is refused, nothing having changed."""
    before = await everything()
    with pytest.raises(LoyaltyError) as refusal:
        await work
    assert await everything() == before
    return refusal.value.code


def of(bought: PurchaseRecorded) -> Earning:
    return Earning(bought.member_id, bought.purchase_id)


@pytest.fixture
async def bought(shop: Shop, ada: Member) -> PurchaseRecorded:
    """A purchase with 8 points at once, 60 after a fortnight and 40 after thirty days."""
    with waiting(lambda points: [(points - 100, 0), (60, 14), (40, 30)]):
        return await shop.buy(ada)


async def test_what_a_purchase_earned_is_activated_before_its_time(
    shop: Shop, ada: Member, bought: PurchaseRecorded
):
    await CardMark.all().delete()
    later = shop.later(2 * DAY)

    done = await later.activate_pending(of(bought), at=NOON + DAY, reason="delivered")

    assert done == PendingMoved(ada.id, 100, 108, 4)
    assert await has(later, ada) == (108, 0)
    assert (await moves(ada))[3:] == [("ACTIVATE", 60), ("ACTIVATE", 40)]
    row = await TransferRow.get(sequence=4)
    assert (row.at, row.recorded_at, row.text, row.actor) == (
        NOON + DAY,
        later.now,
        "delivered",
        "partner:shop",
    )
    fact = await FactRow.get(kind="points.activated")
    assert fact.payload == {"entries": [4, 5], "points": 100, "balance": 108}
    assert await CardMark.all().count() == 1
    await later.redeem(ada, 108)
    assert await activations.run(shop.program_id, now=NOON + 40 * DAY) == 0


async def test_what_one_entry_earned_is_activated_alone(
    shop: Shop, ada: Member, bought: PurchaseRecorded
):
    done = await shop.activate_pending(Earning(ada.id, 3))

    assert (done.points, await has(shop, ada)) == (40, (48, 60))


async def test_points_that_are_activated_pay_debt_first(database: object):
    shop = await open_shop(program(clawback="ALLOW_NEGATIVE"))
    ada = await shop.enrol()
    first = await shop.buy(ada)
    await shop.redeem(ada, 100)
    await shop.bring_back(first, None)
    with waiting(all_wait(14)):
        bought = await shop.buy(ada)

    await shop.activate_pending(of(bought))

    assert await has(shop, ada) == (8, 0)
    assert [lot.remaining_points for lot in await LotRow.all().order_by("sequence")] == [0, 8]


async def test_what_waits_is_cancelled_the_longest_first(
    shop: Shop, ada: Member, bought: PurchaseRecorded
):
    await CardMark.all().delete()

    done = await shop.cancel_pending(of(bought), 50)

    assert done == PendingMoved(ada.id, 50, 8, 4)
    assert await has(shop, ada) == (8, 50)
    assert (await moves(ada))[3:] == [("CANCEL", 40), ("CANCEL", 10)]
    account = await AccountRow.get(member_id=ada.id)
    assert (account.qualifying_points, account.lifetime_points) == (58, 108)
    fact = await FactRow.get(kind="points.cancelled")
    assert fact.payload == {"entries": [4, 5], "points": 50, "balance": 8}
    assert await CardMark.all().count() == 1


async def test_all_that_waits_is_cancelled_where_no_number_is_said(
    shop: Shop, ada: Member, bought: PurchaseRecorded
):
    await shop.cancel_pending(Earning(ada.id, 2), 1)
    await shop.cancel_pending(Earning(ada.id, 2))

    assert await has(shop, ada) == (8, 40)
    assert (await moves(ada))[3:] == [("CANCEL", 1), ("CANCEL", 59)]


async def test_points_that_were_cancelled_can_neither_be_activated_nor_cancelled(
    shop: Shop, ada: Member, bought: PurchaseRecorded
):
    await shop.cancel_pending(of(bought))

    for earning in (of(bought), Earning(ada.id, 2)):
        assert await refused(shop.activate_pending(earning)) == "PENDING_CANCELLED"
        assert await refused(shop.cancel_pending(earning)) == "PENDING_CANCELLED"


async def test_points_that_were_activated_can_neither_be_activated_nor_cancelled(
    shop: Shop, ada: Member, bought: PurchaseRecorded
):
    await shop.activate_pending(of(bought))

    for earning in (of(bought), Earning(ada.id, 2)):
        assert await refused(shop.activate_pending(earning)) == "PENDING_ACTIVATED"
        assert await refused(shop.cancel_pending(earning)) == "PENDING_ACTIVATED"


async def test_points_whose_time_has_come_wait_no_more_though_no_job_has_run(
    shop: Shop, ada: Member, bought: PurchaseRecorded
):
    due = shop.later(20 * DAY)

    assert await refused(due.cancel_pending(Earning(ada.id, 2))) == "PENDING_ACTIVATED"


async def test_what_never_waited_is_refused(shop: Shop, ada: Member):
    bought = await shop.buy(ada)

    for earning in (of(bought), Earning(ada.id, 1)):
        assert await refused(shop.activate_pending(earning)) == "NOT_PENDING"
        assert await refused(shop.cancel_pending(earning)) == "NOT_PENDING"
    for earning in (Earning(ada.id, 9), Earning(ada.id, ada.id)):
        assert await refused(shop.activate_pending(earning)) == "NOT_FOUND"


@pytest.mark.parametrize(
    ("points", "code"), [(0, "INVALID_INPUT"), (-1, "INVALID_INPUT"), (101, "PENDING_AMOUNT")]
)
async def test_no_more_is_cancelled_than_waits(
    shop: Shop, bought: PurchaseRecorded, points: int, code: str
):
    assert await refused(shop.cancel_pending(of(bought), points)) == code


async def test_points_are_not_activated_before_they_were_earned_nor_ahead(
    shop: Shop, bought: PurchaseRecorded
):
    moment = timedelta.resolution

    for at in (NOON - moment, NOON + 6 * DAY / 1440 + moment):
        assert await refused(shop.activate_pending(of(bought), at=at)) == "INVALID_INPUT"


async def test_a_retry_gets_the_first_answer(shop: Shop, ada: Member, bought: PurchaseRecorded):
    entry = Earning(ada.id, 2)

    first = await shop.cancel_pending(entry, 5, idempotency_key="k")
    again = await shop.cancel_pending(entry, 5, idempotency_key="k")
    other = await refused(shop.cancel_pending(entry, 6, idempotency_key="k"))
    active = await shop.activate_pending(entry, idempotency_key="a", is_dated=False)
    repeated = await shop.later(DAY).activate_pending(entry, idempotency_key="a", is_dated=False)

    assert (again.entry_sequence, again.replayed) == (first.entry_sequence, True)
    assert other == "IDEMPOTENCY_MISMATCH"
    assert (active.points, repeated) == (55, replace(active, replayed=True))
    assert (await moves(ada))[3:] == [("CANCEL", 5), ("ACTIVATE", 55)]


@pytest.mark.parametrize("first", [0, 1, 2])
async def test_refunds_take_only_what_was_not_cancelled_by_hand(
    shop: Shop, ada: Member, bought: PurchaseRecorded, first: int
):
    """108 points came from 27 + 74 + 7; whatever the order, all of them go once."""
    parts: list[dict[int, int]] = [{2: 1}, {1: 3}, {4: 2}]

    await shop.cancel_pending(of(bought), 30)
    await shop.bring_back(bought, parts[first])
    if (await AccountRow.get(member_id=ada.id)).pending_points:
        await shop.cancel_pending(of(bought), 5)
    await shop.bring_back(bought, None)

    assert await has(shop, ada) == (0, 0)
    account = await AccountRow.get(member_id=ada.id)
    assert account.qualifying_points == 0
    cancelled = await TransferRow.filter(reference__startswith="cancelled:")
    due = [row.due_points for row in await Refund.all()]
    assert sum(due) + sum(row.points for row in cancelled) == 108


async def test_a_refund_of_less_than_was_cancelled_takes_nothing(
    shop: Shop, ada: Member, bought: PurchaseRecorded
):
    await shop.cancel_pending(of(bought), 80)

    back = await shop.bring_back(bought, {2: 1})

    assert (back.due_points, back.entry_sequence) == (0, None)
    assert await has(shop, ada) == (8, 20)


async def test_points_that_a_refund_left_count_for_tiers_no_more_when_they_are_cancelled(
    database: object,
):
    shop = await open_shop(program(clawback="KEEP"))
    ada = await shop.enrol()
    with waiting(lambda points: [(points - 100, 0), (60, 14), (40, 30)]):
        bought = await shop.buy(ada)
    await shop.bring_back(bought, {2: 1})

    await shop.cancel_pending(of(bought), 20)
    await shop.cancel_pending(of(bought), 30)

    assert await has(shop, ada) == (8, 50)
    account = await AccountRow.get(member_id=ada.id)
    assert (account.qualifying_points, account.lifetime_points) == (0, 108)
    cancelled = await TransferRow.filter(kind="CANCEL").order_by("sequence")
    assert [(row.points, row.qualifying_points) for row in cancelled] == [
        (20, -20),
        (20, -14),
        (10, 0),
    ]
