"""What ends with a membership, beside the points."""

from datetime import timedelta
from typing import Any

import pytest

from loyalty_graph.errors import SubscriptionCancelledError
from loyalty_graph.ledger.models import LotRow, TransferRow
from loyalty_graph.members.models import Member
from loyalty_graph.outbox import FactRow
from loyalty_graph.purchases.rules import Line
from loyalty_graph.rewards import reads
from loyalty_graph.rewards.errors import (
    RedemptionCancelledError,
    RedemptionStateError,
    VoucherVoidError,
)
from loyalty_graph.rewards.rules import Step
from loyalty_graph.subscriptions.models import MemberSubscription, SubscriptionPeriod
from loyalty_graph.subscriptions.rules import Status
from loyalty_graph.usecases import membership, proof, renewals, subscriptions
from tests.shop import COFFEE, DAY, NOON, NOTE, Shop, by_id, giving, open_shop
from tests.usecases.subscribing import PLANS, Club

MINUTE = timedelta(minutes=1)
TEA: dict[str, Any] = {**COFFEE, "code": "TEA", "cost_points": 10, "stock": 9, "code_days": 10}
KIND: dict[str, Any] = {**TEA, "code": "KIND", "expired_points": "RETURN"}
BILL: dict[str, Any] = {**NOTE, "cost_points": 20, "code_days": 10}
CLUB = {**giving(TEA, KIND, BILL), "subscription_plans": PLANS}


async def opened() -> tuple[Shop, Member]:
    shop = await open_shop(CLUB)
    ada = await shop.enrol()
    await shop.buy(ada, (Line("TEA", 1, 10000),))
    return shop, ada


async def leave(shop: Shop, member: Member) -> membership.MemberClosed:
    command = membership.CloseMember("partner:till", "leave", by_id(member))
    return await membership.close(shop.program_id, command, now=shop.now)


async def kinds(member: Member, *, after: str = "") -> list[str]:
    facts = await FactRow.filter(member_id=member.id).order_by("id")
    found = [fact.kind for fact in facts]
    return found[found.index(after) + 1 :] if after else found


async def moves(member: Member) -> list[tuple[str, int]]:
    entries = await TransferRow.filter(member_id=member.id).order_by("sequence")
    return [(entry.kind, entry.points) for entry in entries]


async def taken(shop: Shop, reward: str) -> int:
    return (await reads.taken(shop.program_id, [reward]))[reward]


async def test_points_set_aside_come_back_and_are_forfeited_with_the_others(database: object):
    shop, ada = await opened()
    held = await shop.want(ada, "TEA", hold_minutes=5)

    done = await leave(shop, ada)

    assert done.forfeited_points == 100
    assert await moves(ada) == [("EARN", 100), ("HOLD", 10), ("RELEASE", 10), ("EXPIRE", 100)]
    assert (await shop.redemption(held)).state == "CANCELLED"
    assert (await shop.balance(ada), await shop.held(ada), await taken(shop, "TEA")) == (0, 0, 0)
    assert await kinds(ada, after="redemption.held") == ["redemption.cancelled", "member.closed"]
    assert (await proof.verify(shop.program_id, now=NOON)).findings == []


async def test_codes_that_were_not_used_are_worth_nothing_and_used_ones_stay(database: object):
    shop, ada = await opened()
    used, issued = await shop.want(ada, "TEA"), await shop.want(ada, "TEA")
    await shop.take(Step.USE, used)

    done = await leave(shop, ada)

    assert done.forfeited_points == 90
    assert (await moves(ada))[3:] == [("UNREDEEM", 10), ("EXPIRE", 90)]
    states = [(await shop.redemption(one)).state for one in (used, issued)]
    assert (states, await taken(shop, "TEA")) == (["USED", "CANCELLED"], 1)
    with pytest.raises(RedemptionCancelledError):
        await shop.take(Step.USE, issued)
    assert (await proof.verify(shop.program_id, now=NOON)).findings == []


async def test_what_time_had_ended_before_ends_as_time_would_have_it(database: object):
    shop, ada = await opened()
    held = await shop.want(ada, "TEA", hold_minutes=5)
    lost, kind, bill = [await shop.want(ada, one) for one in ("TEA", "KIND", "NOTE")]
    late = shop.later(20 * DAY)

    done = await leave(late, ada)

    states = [(await shop.redemption(one)).state for one in (held, lost, kind, bill)]
    assert states == ["RELEASED", "EXPIRED", "EXPIRED", "EXPIRED"]
    assert (await shop.voucher(bill)).state == "EXPIRED"
    assert done.forfeited_points == 70
    assert (await taken(shop, "TEA"), await taken(shop, "KIND")) == (0, 0)
    assert (await proof.verify(shop.program_id, now=late.now)).findings == []


async def test_vouchers_are_void_also_those_with_some_money_left(database: object):
    shop, ada = await opened()
    whole, part, gone = [await shop.want(ada, "NOTE") for _ in range(3)]
    await shop.use_money(part, 500)
    await shop.use_money(gone, 2000)

    done = await leave(shop, ada)

    vouchers = [await shop.voucher(one) for one in (whole, part, gone)]
    assert [(one.state, one.remaining_minor) for one in vouchers] == [
        ("VOID", 2000),
        ("VOID", 1500),
        ("USED", 0),
    ]
    assert done.forfeited_points == 60
    with pytest.raises(VoucherVoidError):
        await shop.use_money(part, 1)
    [fact] = await FactRow.filter(kind="voucher.voided")
    assert fact.payload == {"voucher": str(part.redemption_id), "remaining": 1500}


async def test_a_voucher_whose_date_had_passed_expires(database: object):
    shop, ada = await opened()
    part = await shop.want(ada, "NOTE")
    await shop.use_money(part, 500)

    await leave(shop.later(20 * DAY), ada)

    assert (await shop.voucher(part)).state == "EXPIRED"
    assert await FactRow.filter(kind="voucher.expired").count() == 1


async def test_the_subscription_ends_at_once_and_is_not_renewed(database: object):
    shop, ada = await opened()
    club = Club(shop, NOON)
    key = (await club.subscribe(ada)).key
    await club.pay(key)
    later = shop.later(3 * DAY)

    await leave(later, ada)

    row = await MemberSubscription.get(id=key[1])
    assert (row.status, row.ended_at, row.next_step_at) == (Status.EXPIRED, later.now, None)
    assert (await SubscriptionPeriod.get(subscription_id=key[1])).ends_at == later.now
    assert (await kinds(ada))[-3:] == [
        "subscription.cancelled",
        "subscription.expired",
        "member.closed",
    ]
    club.now = NOON + 60 * DAY
    assert await renewals.run(shop.program_id, billing=club.billing, now=club.now) == 0
    with pytest.raises(SubscriptionCancelledError):
        await club.pay(key)


async def test_a_subscription_that_was_to_end_later_ends_now(database: object):
    shop, ada = await opened()
    club = Club(shop, NOON)
    key = (await club.subscribe(ada)).key
    await club.pay(key)
    command = subscriptions.CancelSubscription("partner:app", "cancel", key)
    await subscriptions.change(shop.program_id, command, now=NOON)
    later = shop.later(3 * DAY)

    await leave(later, ada)

    row = await MemberSubscription.get(id=key[1])
    assert (row.status, row.cancelled_at, row.ended_at) == (Status.EXPIRED, NOON, later.now)
    assert (await kinds(ada))[-2:] == ["subscription.expired", "member.closed"]


async def test_a_subscription_that_had_ended_stays_as_it_ended(database: object):
    shop, ada = await opened()
    key = (await Club(shop, NOON).subscribe(ada)).key
    late = shop.later(40 * DAY)

    await leave(late, ada)

    row = await MemberSubscription.get(id=key[1])
    assert (row.status, row.ended_at) == (Status.EXPIRED, NOON + DAY)
    assert row.cancelled_at is None


async def test_a_member_who_cannot_leave_loses_nothing(database: object):
    from loyalty_graph.errors import InvalidInputError
    from loyalty_graph.ledger.models import AccountRow

    shop, ada = await opened()
    issued = await shop.want(ada, "TEA")
    await AccountRow.filter(member_id=ada.id).update(status="MERGED")
    before = await moves(ada)

    with pytest.raises(InvalidInputError):
        await leave(shop, ada)

    assert (await shop.redemption(issued)).state == "ISSUED"
    assert await moves(ada) == before
    assert [lot.remaining_points for lot in await LotRow.all()] == [90]


async def test_nothing_ends_twice(database: object):
    shop, ada = await opened()
    issued = await shop.want(ada, "TEA")
    await leave(shop, ada)
    before = await moves(ada)

    again = await leave(shop, ada)

    assert again.replayed
    assert await moves(ada) == before
    with pytest.raises(RedemptionStateError):
        await shop.take(Step.CANCEL, issued)
