import asyncio
from functools import partial
from typing import Any

import pytest

from loyalty_graph.errors import LoyaltyError
from loyalty_graph.ledger import holds
from loyalty_graph.ledger.holding import Hold, HoldState
from loyalty_graph.ledger.models import HoldRow, LotRow, TransferRow
from loyalty_graph.members.models import Member
from loyalty_graph.members.rules import MemberStatus
from loyalty_graph.outbox import CardMark, FactRow
from loyalty_graph.purchases.rules import Line
from loyalty_graph.usecases import hold_deadlines, members, proof
from loyalty_graph.usecases.hold_deadlines import release_due
from loyalty_graph.usecases.points_holds import HoldMoved, HoldStep
from tests.shop import DAY, NOON, Shop, by_id

CAPTURE, RELEASE = HoldStep.CAPTURE, HoldStep.RELEASE
IN_TIME = NOON + DAY / 100


async def stored(shop: Shop, of: HoldMoved) -> Hold:
    return await holds.load(shop.program_id, of.member_id, of.hold_id)


async def has(shop: Shop, member: Member) -> tuple[int, int]:
    """Return what a member has, and what of that is set aside; the books are in order."""
    assert (await proof.verify(shop.program_id, now=shop.now)).findings == []
    return await shop.balance(member), await shop.held(member)


async def entries(member: Member) -> list[tuple[str, int]]:
    rows = await TransferRow.filter(member_id=member.id).order_by("sequence")
    return [(row.kind, row.points) for row in rows]


async def lots(member: Member) -> list[int]:
    rows = await LotRow.filter(member_id=member.id).order_by("sequence")
    return [row.remaining_points for row in rows]


async def refused(shop: Shop, step: HoldStep, of: HoldMoved, **changes: Any) -> str:
    """Return the code of what is refused, nothing having changed."""
    before = await everything()
    with pytest.raises(LoyaltyError) as refusal:
        await shop.end_hold(step, of, **changes)
    assert await everything() == before
    return refusal.value.code


async def everything() -> list[object]:
    tables = (TransferRow, LotRow, FactRow, CardMark)
    return [sorted(map(str, await table.all().values_list())) for table in tables]


@pytest.fixture
async def rich(shop: Shop, ada: Member) -> Member:
    """A member with a lot of 60 points, and one of 50 that lives two days longer."""
    await shop.buy(ada, (Line("TEA", 1, 6000),))
    await shop.later(2 * DAY).buy(ada, (Line("TEA", 1, 5000),))
    return ada


async def test_points_are_set_aside_from_those_that_expire_first(shop: Shop, rich: Member):
    done = await shop.hold(rich, 80)

    assert await has(shop, rich) == (30, 80)
    assert (done.balance_points, done.entry_sequence, await lots(rich)) == (30, 3, [0, 30])
    one = await stored(shop, done)
    assert (one.state, one.points, one.created_at) == (HoldState.HELD, 80, NOON)
    fact = await FactRow.get(kind="points.held")
    assert fact.payload == {
        "hold": str(one.id),
        "entry": 3,
        "points": 80,
        "until": "2026-03-02T12:30:00+00:00",
        "balance": 30,
    }


async def test_a_part_is_captured_and_the_rest_is_back_in_the_lots_that_live_longest(
    shop: Shop, rich: Member
):
    held = await shop.hold(rich, 80)

    done = await shop.at(IN_TIME).end_hold(CAPTURE, held, points=65)

    assert await has(shop, rich) == (45, 0)
    assert (await entries(rich))[2:] == [("HOLD", 80), ("CAPTURE", 65), ("RELEASE", 15)]
    assert (await lots(rich), done.balance_points, done.entry_sequence) == ([0, 45], 45, 4)
    one = await stored(shop, held)
    assert (one.state, one.captured_points, one.ended_at) == (HoldState.CAPTURED, 65, IN_TIME)
    fact = await FactRow.get(kind="points.captured")
    assert (fact.payload["points"], fact.payload["released"], fact.payload["balance"]) == (
        65,
        15,
        45,
    )


async def test_a_hold_is_captured_whole_where_nothing_else_is_said(shop: Shop, rich: Member):
    held = await shop.hold(rich, 80)

    await shop.end_hold(CAPTURE, held)

    assert await has(shop, rich) == (30, 0)
    assert (await entries(rich))[3:] == [("CAPTURE", 80)]


async def test_a_hold_is_released_to_the_same_lots(shop: Shop, rich: Member):
    held = await shop.hold(rich, 80)

    done = await shop.end_hold(RELEASE, held, reason="they did not come")

    assert (await has(shop, rich), await lots(rich)) == ((110, 0), [60, 50])
    assert (await stored(shop, held)).state is HoldState.RELEASED
    row = await TransferRow.get(member_id=rich.id, sequence=done.entry_sequence)
    assert (row.kind, row.text) == ("RELEASE", "they did not come")


@pytest.mark.parametrize("first", [CAPTURE, RELEASE])
@pytest.mark.parametrize("then", [CAPTURE, RELEASE])
async def test_a_hold_ends_once(shop: Shop, rich: Member, first: HoldStep, then: HoldStep):
    held = await shop.hold(rich, 80)
    await shop.end_hold(first, held)

    assert await refused(shop, then, held) == "HOLD_ENDED"


@pytest.mark.parametrize("step", [CAPTURE, RELEASE])
async def test_a_hold_whose_time_is_over_is_neither_captured_nor_released(
    shop: Shop, rich: Member, step: HoldStep
):
    held = await shop.hold(rich, 80, minutes=5)
    late = shop.at(NOON + DAY / 288)

    before_the_job = await refused(late, step, held)
    await release_due(shop.program_id, now=late.now)
    after_it = await refused(late, step, held)

    assert (before_the_job, after_it) == ("HOLD_EXPIRED", "HOLD_EXPIRED")
    assert await has(late, rich) == (110, 0)


async def test_more_than_is_set_aside_cannot_be_captured(shop: Shop, rich: Member):
    held = await shop.hold(rich, 80)

    assert await refused(shop, CAPTURE, held, points=81) == "HOLD_AMOUNT"
    assert await refused(shop, CAPTURE, held, points=0) == "INVALID_INPUT"


async def test_a_retry_ends_a_hold_once(shop: Shop, rich: Member):
    held = await shop.hold(rich, 80)

    first = await shop.end_hold(CAPTURE, held, points=10, idempotency_key="k")
    again = await shop.end_hold(CAPTURE, held, points=10, idempotency_key="k")
    other = await refused(shop, CAPTURE, held, points=11, idempotency_key="k")

    assert (again.entry_sequence, again.replayed) == (first.entry_sequence, True)
    assert other == "IDEMPOTENCY_MISMATCH"
    assert (await entries(rich))[3:] == [("CAPTURE", 10), ("RELEASE", 70)]


async def test_of_many_who_end_a_hold_at_once_one_does(shop: Shop, rich: Member):
    held = await shop.hold(rich, 80)
    wishes = [shop.end_hold(step, held) for step in (CAPTURE, RELEASE) for _ in range(5)]

    done = await asyncio.gather(*wishes, return_exceptions=True)

    codes = [one.code for one in done if isinstance(one, LoyaltyError)]
    assert codes == ["HOLD_ENDED"] * 9
    assert await has(shop, rich) in {(30, 0), (110, 0)}


async def test_a_suspended_member_gets_points_back_but_cannot_spend_them(shop: Shop, rich: Member):
    held = await shop.hold(rich, 80)
    await members.set_status(shop.program_id, by_id(rich), MemberStatus.SUSPENDED, now=NOON)

    assert await refused(shop, CAPTURE, held) == "MEMBER_NOT_ACTIVE"
    await shop.end_hold(RELEASE, held)

    assert await has(shop, rich) == (110, 0)


async def test_points_that_are_back_pay_what_was_forgiven_meanwhile(shop: Shop, ada: Member):
    bought = await shop.buy(ada, (Line("TEA", 1, 10000),))
    held = await shop.hold(ada, 90)
    back = await shop.bring_back(bought, None)

    await shop.end_hold(CAPTURE, held, points=60)

    assert (back.clawed_back_points, back.shortfall_points) == (10, 90)
    assert await has(shop, ada) == (0, 0)
    assert (await entries(ada))[-3:] == [("CAPTURE", 60), ("RELEASE", 30), ("RELEASE", 30)]


async def test_points_whose_date_passed_while_they_were_set_aside_expire(shop: Shop, ada: Member):
    await shop.buy(ada, (Line("TEA", 1, 6000),))
    late = shop.at(NOON.replace(month=9, day=2))
    held = await late.hold(ada, 20, minutes=24 * 60)
    next_day = late.later(DAY / 2 + DAY / 24)

    await next_day.end_hold(RELEASE, held)

    assert await has(next_day, ada) == (0, 0)
    assert (await entries(ada))[2:] == [("RELEASE", 20), ("EXPIRE", 60)]


async def test_holds_that_are_over_end_before_others_are_set_aside(shop: Shop, rich: Member):
    first = await shop.hold(rich, 100, minutes=5)
    other = await shop.hold(rich, 10, minutes=6)

    await shop.later(DAY / 288).hold(rich, 90)

    assert await has(shop, rich) == (10, 100)
    states = [(await stored(shop, one)).state for one in (first, other)]
    assert states == [HoldState.EXPIRED, HoldState.HELD]
    fact = await FactRow.get(kind="points.released")
    assert (fact.payload["status"], fact.payload["points"]) == ("EXPIRED", 100)


async def test_holds_whose_time_is_over_are_released(shop: Shop, rich: Member):
    early, late = await shop.hold(rich, 10, minutes=5), await shop.hold(rich, 20, minutes=6)
    await CardMark.all().delete()

    done = await release_due(shop.program_id, now=NOON + DAY / 288)

    assert (done, await has(shop, rich)) == (1, (90, 20))
    assert (await stored(shop, early)).state is HoldState.EXPIRED
    assert (await stored(shop, late)).state is HoldState.HELD
    assert await CardMark.all().count() == 1
    fact = await FactRow.get(kind="points.released")
    assert fact.payload == {
        "hold": str(early.hold_id),
        "status": "EXPIRED",
        "entry": 5,
        "points": 10,
        "balance": 90,
    }


async def test_every_batch_is_done_until_nothing_is_left(
    shop: Shop, rich: Member, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(hold_deadlines, "release_due", partial(release_due, limit=2))
    for _ in range(5):
        await shop.hold(rich, 10, minutes=5)

    await hold_deadlines.release_all(shop.program_id, now=NOON + DAY)

    assert await has(shop, rich) == (110, 0)


async def test_several_workers_at_once_release_each_hold_once(shop: Shop, rich: Member):
    for _ in range(5):
        await shop.hold(rich, 10, minutes=5)

    done = await asyncio.gather(*(release_due(shop.program_id, now=NOON + DAY) for _ in range(4)))

    assert (sum(done), await has(shop, rich)) == (5, (110, 0))


async def test_who_leaves_forfeits_what_was_set_aside_too(shop: Shop, rich: Member):
    in_time = await shop.hold(rich, 80, minutes=30)
    over = await shop.hold(rich, 10, minutes=5)
    late = shop.later(DAY / 144)

    await late.close(rich)

    assert await has(late, rich) == (0, 0)
    states = [(await stored(late, one)).state for one in (in_time, over)]
    assert states == [HoldState.RELEASED, HoldState.EXPIRED]
    assert (await entries(rich))[4:] == [("RELEASE", 80), ("RELEASE", 10), ("EXPIRE", 110)]


async def test_points_in_many_lots_are_set_aside_and_come_back(shop: Shop, ada: Member):
    many = [shop.receipt(ada, (Line("TEA", 1, 100),)) for _ in range(70)]
    for one in many:
        await shop.buy(ada, one.lines)

    held = await shop.hold(ada, 69)
    await shop.end_hold(CAPTURE, held, points=1)

    assert await has(shop, ada) == (69, 0)
    assert (await lots(ada))[:2] == [0, 1]


async def test_a_hold_that_was_tampered_with_is_found(shop: Shop, rich: Member):
    held = await shop.hold(rich, 80)
    await HoldRow.filter(id=held.hold_id).update(points=81)

    [found] = (await proof.verify(shop.program_id, now=NOON)).findings

    assert (found.sequence, found.problem) == (
        3,
        "the hold says 81 points set aside, its entries 80",
    )
