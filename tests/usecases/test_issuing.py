"""Daily caps of partners: kept to by all of their calls together, to the last point."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from loyalty_graph.earning import tallies
from loyalty_graph.errors import LoyaltyError
from loyalty_graph.identity.models import PartnerIssuance
from loyalty_graph.identity.rules import Issuer
from loyalty_graph.ledger.errors import IssuanceCapError
from loyalty_graph.ledger.models import TransferRow
from loyalty_graph.members.models import Member
from loyalty_graph.purchases.rules import ActivityKind, Deed, Line
from loyalty_graph.usecases import activities, adjustments, issuing, purchases
from tests.shop import NOON, PROGRAM, Shop, by_id, open_shop

TEA = (Line("TEA", 10, 100),)
"""Ten euros: 10 points by itself."""

TILL = UUID(int=7)
SHOP = UUID(int=8)
CAP = 50
DAY_OF_NOON = "2026-03-02"
CHECK_IN: dict[str, Any] = {
    "code": "CHECK_IN",
    "name": "Looking in",
    "on": "CHECK_IN",
    "points": 7,
}


async def capped_shop(**changes: Any) -> tuple[Shop, Member]:
    shop = await open_shop({**PROGRAM, "earning": {**PROGRAM["earning"], **changes}})
    return shop, await shop.enrol()


async def issued() -> dict[tuple[UUID, str], int]:
    rows = await PartnerIssuance.all()
    return {(row.partner_id, row.day): row.issued_points for row in rows}


async def adjust(
    shop: Shop, member: Member, points: int, *, cap: int = CAP
) -> adjustments.PointsAdjusted:
    key = f"adjust {points} {member.id}"
    command = adjustments.AdjustPoints(
        f"partner:{TILL}", key, by_id(member), points, "a gift", issuer=Issuer(TILL, cap)
    )
    return await adjustments.adjust(shop.program_id, command, now=shop.now)


async def test_a_purchase_above_what_is_left_of_the_day_is_refused_whole(database: object):
    shop, ada = await capped_shop()
    till = Issuer(TILL, 15)
    await shop.buy(ada, TEA, issuer=till)

    with pytest.raises(IssuanceCapError) as refused:
        await shop.buy(ada, TEA, issuer=till)

    assert refused.value.message == (
        "This partner issues at most 15 points in a day, of which 10 are issued;"
        " 10 more are too many."
    )
    assert await issued() == {(TILL, DAY_OF_NOON): 10}
    assert await purchases_of(ada) == 1
    assert await shop.balance(ada) == 10


async def purchases_of(member: Member) -> int:
    return await TransferRow.filter(member_id=member.id, kind="EARN").count()


async def test_purchases_activities_and_gifts_share_the_cap_and_what_is_taken_does_not(
    database: object,
):
    shop, ada = await capped_shop(rules=[CHECK_IN])
    till = Issuer(TILL, CAP)
    visit = activities.RecordActivity(
        f"partner:{TILL}",
        "v",
        by_id(ada),
        Deed(ActivityKind.CHECK_IN, store="mitte"),
        NOON,
        issuer=till,
    )

    await shop.buy(ada, TEA, issuer=till)
    [visited] = await activities.record(shop.program_id, [visit], now=NOON)
    await adjust(shop, ada, 33)
    await adjust(shop, ada, -20)
    with pytest.raises(IssuanceCapError):
        await adjust(shop, ada, 1)

    assert not isinstance(visited, LoyaltyError)
    assert await issued() == {(TILL, DAY_OF_NOON): 50}
    assert await shop.balance(ada) == 30


async def test_a_retry_counts_once_and_a_refund_gives_nothing_back(database: object):
    shop, ada = await capped_shop()
    till = Issuer(TILL, 10)
    bought = await shop.buy(ada, TEA, issuer=till, idempotency_key="k", external_id="r")

    again = await shop.buy(ada, TEA, issuer=till, idempotency_key="k", external_id="r")
    await shop.bring_back(bought, None)

    assert again.replayed
    assert await issued() == {(TILL, DAY_OF_NOON): 10}
    with pytest.raises(IssuanceCapError):
        await shop.buy(ada, TEA, issuer=till)


async def test_the_day_is_that_of_the_programme(database: object):
    shop, ada = await capped_shop()
    till = Issuer(TILL, 10)
    before_midnight = shop.later(timedelta(hours=10, minutes=59))
    await before_midnight.buy(ada, TEA, issuer=till)

    await shop.later(timedelta(hours=11)).buy(ada, TEA, issuer=till)

    assert await issued() == {(TILL, DAY_OF_NOON): 10, (TILL, "2026-03-03"): 10}


async def test_partners_without_a_cap_are_not_counted(database: object):
    shop, ada = await capped_shop()

    await shop.buy(ada, TEA)

    assert await issued() == {}


async def test_in_a_batch_each_partner_keeps_to_its_own_cap(database: object):
    shop, ada = await capped_shop()
    issuers = [Issuer(TILL, 20), Issuer(SHOP, 10), None]
    receipts = [shop.receipt(ada, TEA, issuer=one) for one in issuers for _ in range(3)]

    answers = await purchases.record(shop.program_id, receipts, now=NOON)

    refused = [place for place, one in enumerate(answers) if isinstance(one, IssuanceCapError)]
    assert refused == [2, 4, 5]
    assert await issued() == {(TILL, DAY_OF_NOON): 20, (SHOP, DAY_OF_NOON): 10}
    assert await shop.balance(ada) == 60


async def test_twenty_callers_at_once_never_exceed_the_cap(database: object):
    shop, _ = await capped_shop()
    members = [await shop.enrol() for _ in range(20)]
    receipts = [shop.receipt(one, TEA, issuer=Issuer(TILL, 75)) for one in members]

    async def record(receipt: purchases.RecordPurchase) -> int:
        [answer] = await purchases.record(shop.program_id, [receipt], now=NOON)
        return 0 if isinstance(answer, LoyaltyError) else answer.points

    points = await asyncio.gather(*map(record, receipts))

    assert sorted(points) == [0] * 13 + [10] * 7
    assert await issued() == {(TILL, DAY_OF_NOON): 70}


async def test_twenty_gifts_at_once_never_exceed_the_cap(database: object):
    shop, _ = await capped_shop()
    members = [await shop.enrol() for _ in range(20)]

    gifts = (adjust(shop, one, 10, cap=75) for one in members)
    answers = await asyncio.gather(*gifts, return_exceptions=True)

    assert sum(isinstance(one, IssuanceCapError) for one in answers) == 13
    assert await issued() == {(TILL, DAY_OF_NOON): 70}


async def test_what_others_issued_meanwhile_is_seen_by_another_try(
    database: object, monkeypatch: pytest.MonkeyPatch
):
    shop, ada = await capped_shop()
    bob = await shop.enrol()
    settle, others = issuing.Issuing.settle, iter([True])

    async def settle_after_others(self: issuing.Issuing, program_id: UUID) -> None:
        if next(others, False):
            raise tallies.BudgetTakenMeanwhileError
        await settle(self, program_id)

    await shop.buy(bob, TEA, issuer=Issuer(TILL, 20))
    monkeypatch.setattr(issuing.Issuing, "settle", settle_after_others)

    bought = await shop.buy(ada, TEA, issuer=Issuer(TILL, 20))

    assert bought.points == 10
    assert await issued() == {(TILL, DAY_OF_NOON): 20}


async def test_a_count_that_is_over_the_cap_by_now_is_not_taken(database: object):
    shop, ada = await capped_shop()
    await shop.buy(ada, TEA, issuer=Issuer(TILL, 50))

    with pytest.raises(IssuanceCapError):
        await shop.buy(ada, TEA, issuer=Issuer(TILL, 5))

    assert await issued() == {(TILL, DAY_OF_NOON): 10}
