"""Purchases whose points wait for days, until a date, or for an event."""

from datetime import UTC, datetime
from typing import Any

import pytest

from loyalty_graph.errors import ProgramFileError
from loyalty_graph.ledger import reads
from loyalty_graph.ledger.models import LotRow, TransferRow
from loyalty_graph.ledger.reads import Activation
from loyalty_graph.members.models import Member
from loyalty_graph.purchases.rules import ActivityKind, Line
from loyalty_graph.usecases import activations, offers, program_file, proof
from loyalty_graph.usecases.pending_points import Earning
from loyalty_graph.usecases.purchases import PurchaseRecorded
from tests.shop import DAY, PROGRAM, Shop, by_id, open_shop
from tests.usecases.test_pending_points import refused

TEN = (Line("TEA", 1, 1000),)
DELIVERY = {"event": "DELIVERY", "latest_days": 60}
IN_TWO_MONTHS = datetime(2026, 4, 30, 22, tzinfo=UTC)
"""Midnight in Berlin sixty days after the shop's day, in summer."""


def bonus(**given: Any) -> dict[str, Any]:
    return {"code": "BONUS", "name": "Bonus", "points": 5, **given}


def earning(*rules: dict[str, Any], **given: Any) -> dict[str, Any]:
    return {**PROGRAM, "earning": {**PROGRAM["earning"], "rules": list(rules), **given}}


async def opened(*rules: dict[str, Any], **given: Any) -> tuple[Shop, Member]:
    shop = await open_shop(earning(*rules, **given))
    return shop, await shop.enrol()


async def moves(member: Member) -> list[tuple[str, int]]:
    entries = await TransferRow.filter(member_id=member.id).order_by("sequence")
    return [(entry.kind, entry.points) for entry in entries]


async def waits(shop: Shop, member: Member) -> list[Activation]:
    assert (await proof.verify(shop.program_id, now=shop.now)).findings == []
    return (await reads.activations(shop.program_id, [member.id], now=shop.now))[member.id]


def of(bought: PurchaseRecorded) -> Earning:
    return Earning(bought.member_id, bought.purchase_id)


async def test_what_purchases_earn_waits_for_days(database: object):
    shop, ada = await opened(pending={"days": 14})

    bought = await shop.buy(ada, TEN)

    assert (bought.points, bought.balance_points) == (10, 0)
    assert await moves(ada) == [("EARN_PENDING", 10)]
    due = datetime(2026, 3, 15, 23, tzinfo=UTC)
    assert await waits(shop, ada) == [Activation(10, due, None)]
    assert await activations.run(shop.program_id, now=due) == 10


async def test_what_purchases_earn_waits_until_a_day_and_later_ones_do_not(database: object):
    shop, ada = await opened(pending={"until": "2026-03-04"})
    eve = shop.at(datetime(2026, 3, 3, 22, 59, tzinfo=UTC))
    begun = shop.at(datetime(2026, 3, 3, 23, 0, tzinfo=UTC))

    await eve.buy(ada, TEN)
    await begun.buy(ada, TEN)

    assert await moves(ada) == [("EARN_PENDING", 10), ("EARN", 10)]
    assert await waits(eve, ada) == [Activation(10, begun.now, None)]
    assert await waits(begun, ada) == []


async def test_points_that_await_an_event_become_active_when_it_comes(database: object):
    shop, ada = await opened(bonus(pending={"days": 3}), pending=DELIVERY)
    bought = await shop.buy(ada, TEN)
    before = await waits(shop, ada)
    later = shop.later(DAY)

    done = await later.activate_pending(of(bought), event="DELIVERY")

    assert [(one.points, one.awaits) for one in before] == [(5, None), (10, "DELIVERY")]
    assert before[1].activates_at == IN_TWO_MONTHS
    assert (done.points, done.balance_points) == (10, 10)
    assert [(one.points, one.awaits) for one in await waits(later, ada)] == [(5, None)]
    assert await refused(later.activate_pending(of(bought), event="DELIVERY")) == (
        "PENDING_ACTIVATED"
    )
    assert await refused(later.activate_pending(of(bought), event="RETURN")) == "NOT_PENDING"


async def test_points_become_active_at_the_latest_though_the_event_never_comes(database: object):
    shop, ada = await opened(pending=DELIVERY)
    await shop.buy(ada, TEN)

    early = await activations.run(shop.program_id, now=IN_TWO_MONTHS - DAY / 86400)
    in_time = await activations.run(shop.program_id, now=IN_TWO_MONTHS)

    assert (early, in_time) == (0, 10)
    [lot] = await LotRow.all()
    assert (lot.awaits, lot.activates_at, lot.is_pending) == ("DELIVERY", IN_TWO_MONTHS, False)


async def test_bonuses_wait_as_the_lines_do_unless_they_say_otherwise(database: object):
    shop, ada = await opened(
        bonus(code="SAME"),
        bonus(code="AT_ONCE", pending={"days": 0}),
        bonus(code="PARTY", pending={"until": "2026-12-24"}),
        pending={"days": 14},
    )

    bought = await shop.buy(ada, TEN)

    assert await moves(ada) == [("EARN", 5), ("EARN_PENDING", 15), ("EARN_PENDING", 5)]
    due = {one.code: one.activates_at for one in bought.rules}
    assert due == {
        "SAME": datetime(2026, 3, 15, 23, tzinfo=UTC),
        "AT_ONCE": None,
        "PARTY": datetime(2026, 12, 23, 23, tzinfo=UTC),
    }


async def test_goods_that_come_back_before_they_were_delivered_cancel_their_points(
    database: object,
):
    shop, ada = await opened(bonus(pending={"days": 0}), pending=DELIVERY)
    bought = await shop.buy(ada, TEN)

    await shop.bring_back(bought, None)

    assert (await moves(ada))[2:] == [("CANCEL", 10), ("REVERSE", 5)]
    assert await refused(shop.activate_pending(of(bought))) == "PENDING_CANCELLED"
    assert await waits(shop, ada) == []


async def test_activities_earn_at_once_unless_their_rule_says_otherwise(database: object):
    share = {"code": "SHARE", "name": "Share", "points": 5, "on": "SOCIAL_SHARE"}
    review = {"code": "REVIEW", "name": "Review", "points": 7, "on": "REVIEW"}
    shop, ada = await opened(share, {**review, "pending": DELIVERY}, pending={"days": 14})

    await shop.do(ada, ActivityKind.SOCIAL_SHARE, network="instagram")
    await shop.do(ada, ActivityKind.REVIEW)

    assert await moves(ada) == [("EARN", 5), ("EARN_PENDING", 7)]
    assert [one.awaits for one in await waits(shop, ada)] == ["DELIVERY"]


async def test_an_offer_may_wait_for_an_event(database: object):
    offer = {"code": "BREAD", "name": "Bread", "points": 9, "pending": DELIVERY}
    shop, ada = await opened(offers=[offer])
    wish = offers.ActivateOffer("member:ada", "k", by_id(ada), "BREAD")
    await offers.activate(shop.program_id, wish, now=shop.now)

    await shop.buy(ada, TEN)

    assert await moves(ada) == [("EARN", 10), ("EARN_PENDING", 9)]


@pytest.mark.parametrize(
    "pending", [{}, {"days": 1, "event": "X"}, {"event": "DELIVERY"}, {"until": "soon"}]
)
def test_a_wait_that_cannot_be_is_refused_with_its_place(pending: dict[str, Any]):
    with pytest.raises(ProgramFileError) as refusal:
        program_file.check(earning(pending=pending), name="test")

    assert "earning.pending" in refusal.value.message
