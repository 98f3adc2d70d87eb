import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tortoise.backends.base.client import BaseDBAsyncClient

from loyalty_graph.outbox import CardMark
from loyalty_graph.purchases.models import Purchase
from loyalty_graph.tiers import reads
from loyalty_graph.tiers.models import TierChange, TierStanding
from loyalty_graph.usecases import program_file, purchases, tier_reviews
from tests.shop import DAY, NOON, PROGRAM, Shop, open_shop
from tests.tiers.shop import Watch, tea, with_tiers

REVIEW = datetime(2027, 12, 31, 23, tzinfo=UTC)
"""When 2028 begins in Berlin."""


@pytest.fixture
async def shop(database: BaseDBAsyncClient) -> Shop:
    return await open_shop(with_tiers())


@pytest.fixture
async def ada(shop: Shop) -> Watch:
    return Watch(shop, await shop.enrol())


async def change_programme(shop: Shop, data: dict[str, Any], *, now: datetime) -> None:
    await program_file.load(program_file.check(data, name="test"), now=now)


async def test_a_purchase_that_reaches_a_tier_is_followed_at_once(shop: Shop, ada: Watch):
    await shop.buy(ada.member, tea(9_999))
    before = (await ada.tier(), await ada.history())

    await shop.later(DAY).buy(ada.member, tea(1))

    assert before == ("BASE", [])
    assert await ada.tier() == "SILVER"
    assert await ada.history() == [("UPGRADED", "BASE", "SILVER")]
    assert await ada.facts() == [
        {
            "change": "UPGRADED",
            "number": 1,
            "tierBefore": "BASE",
            "tierAfter": "SILVER",
            "at": (NOON + DAY).isoformat(),
        }
    ]
    row = await ada.row()
    assert (row.earned, row.since, row.amounts) == ("SILVER", NOON + DAY, {"2026": 10_000})


async def test_the_card_is_marked_when_the_tier_moves_and_no_points_do(shop: Shop, ada: Watch):
    [free] = tea(10_000)
    card = replace(free, product_type="GIFT_CARD")

    bought = await shop.buy(ada.member, (card,))

    assert (bought.points, await ada.tier()) == (0, "SILVER")
    assert await CardMark.filter(member_id=ada.member.id).count() == 1


async def test_the_purchase_that_reaches_a_tier_earns_as_before_and_the_next_one_more(
    shop: Shop, ada: Watch
):
    first = await shop.buy(ada.member, tea(10_000))
    plain = await ada.newest_explanation()

    second = await shop.buy(ada.member, tea(1_000))

    assert (first.points, second.points, second.balance_points) == (100, 12, 112)
    assert "multiplied" not in plain
    assert (await ada.newest_explanation())["multiplied"] == {
        "from": 10,
        "by": [["TIER", "SILVER", "5/4", "Silver"]],
        "to": 12,
    }
    pinned = await Purchase.filter(member_id=ada.member.id).order_by("points")
    assert [one.pinned for one in pinned] == [
        {"multipliers": [["TIER", "SILVER", "5/4", "Silver"]]},
        None,
    ]


async def test_refunds_in_parts_take_back_exactly_what_was_multiplied(shop: Shop, ada: Watch):
    await shop.buy(ada.member, tea(10_000))
    [line] = tea(333)
    bought = await shop.buy(ada.member, (replace(line, quantity=3),))
    data = with_tiers(levels=[{"code": "BASE", "name": "Base", "entry": 0, "multiplier": "9"}])
    await change_programme(shop, data, now=NOON + DAY)

    back = [await shop.later(DAY * 2).bring_back(bought, {1: 1}) for _ in range(3)]

    assert bought.points == 11  # 9 x 5/4 = 11.25
    assert [one.due_points for one in back] == [4, 4, 3]
    assert await shop.balance(ada.member) == 100


async def test_a_refund_lowers_the_progress_and_the_tier_when_the_year_is_over(
    shop: Shop, ada: Watch
):
    bought = await shop.buy(ada.member, tea(10_000))

    await shop.later(DAY).bring_back(bought, None)

    status = await ada.status(NOON + DAY)
    assert (status.tier, status.value, status.missing) == ("SILVER", 0, 30_000)
    assert status.outlook.falls_at == datetime(2026, 12, 31, 23, tzinfo=UTC)
    assert (status.outlook.projected, status.outlook.missing) == ("BASE", 8_000)


async def test_redemptions_and_adjustments_are_no_progress(database: BaseDBAsyncClient):
    shop = await open_shop(with_tiers(basis="QUALIFYING_POINTS"))
    ada = Watch(shop, await shop.enrol())
    await shop.buy(ada.member, tea(1_000_000))
    assert await ada.tier() == "SILVER"

    await shop.redeem(ada.member, 9_000)

    status = await ada.status()
    assert (status.tier, status.value, status.missing) == ("SILVER", 10_000, 20_000)


async def test_reads_never_show_a_tier_past_its_end(shop: Shop, ada: Watch):
    await shop.buy(ada.member, tea(30_000))
    await shop.at(datetime(2027, 6, 1, tzinfo=UTC)).buy(ada.member, tea(29_999))

    before = await ada.status(REVIEW - timedelta(microseconds=1))
    after = await ada.status(REVIEW)

    assert (before.tier, before.outlook.until) == ("GOLD", REVIEW)
    assert (after.tier, after.since) == ("SILVER", REVIEW)
    assert await ada.history() == [("UPGRADED", "BASE", "GOLD")]


async def test_a_review_records_what_time_has_brought(shop: Shop, ada: Watch):
    await shop.buy(ada.member, tea(30_000))
    late = datetime(2028, 2, 1, tzinfo=UTC)
    await shop.enrol()

    first = await tier_reviews.review_due(shop.program_id, now=late, limit=10)
    again = await tier_reviews.review_due(shop.program_id, now=late, limit=10)

    assert (first, again) == (1, 0)
    assert await ada.history() == [("UPGRADED", "BASE", "GOLD"), ("DOWNGRADED", "GOLD", "SILVER")]
    assert (await ada.facts())[1]["at"] == REVIEW.isoformat()
    row = await ada.row()
    assert (row.earned, row.since, row.sequence) == ("SILVER", REVIEW, 2)
    assert row.review_at == datetime(2028, 12, 31, 23, tzinfo=UTC)


async def test_reviews_come_in_portions_longest_due_first(shop: Shop):
    watches = [Watch(shop, await shop.enrol()) for _ in range(3)]
    for watch in watches:
        await shop.buy(watch.member, tea(10_000))
    late = datetime(2028, 2, 1, tzinfo=UTC)

    done = [await tier_reviews.review_due(shop.program_id, now=late, limit=2) for _ in range(3)]

    assert done == [2, 1, 0]
    assert await TierChange.filter(kind="DOWNGRADED").count() == 3


async def test_a_purchase_after_the_review_was_due_reviews_first(shop: Shop, ada: Watch):
    await shop.buy(ada.member, tea(10_000))

    bought = await shop.at(REVIEW + DAY).buy(ada.member, tea(1_000))

    assert bought.points == 10
    assert await ada.history() == [
        ("UPGRADED", "BASE", "SILVER"),
        ("DOWNGRADED", "SILVER", "BASE"),
    ]


@pytest.mark.parametrize("reviewed", ["before", "after"])
async def test_a_late_receipt_or_refund_counts_alike_whenever_the_review_runs(
    shop: Shop, ada: Watch, reviewed: str
):
    in_2027 = shop.at(datetime(2027, 6, 1, tzinfo=UTC))
    await shop.buy(ada.member, tea(30_000))
    bought = await in_2027.buy(ada.member, tea(29_000))
    late = shop.at(REVIEW + DAY)

    if reviewed == "before":
        await tier_reviews.review_due(shop.program_id, now=late.now, limit=10)
    points = (await late.buy(ada.member, tea(500), purchased_at=REVIEW - DAY)).points
    await late.bring_back(bought, None)
    if reviewed == "after":
        await tier_reviews.review_due(shop.program_id, now=late.now, limit=10)

    assert points == 7  # as a gold member's of the day before
    assert await ada.history() == [("UPGRADED", "BASE", "GOLD"), ("DOWNGRADED", "GOLD", "SILVER")]
    assert (await ada.row()).amounts == {"2027": 500}


async def test_what_is_counted_is_what_the_purchases_say(shop: Shop, ada: Watch):
    chance = random.Random(7)  # noqa: S311 - no secret
    bought = []
    for day in range(0, 400, 9):
        there = shop.later(timedelta(days=day))
        bought.append(await there.buy(ada.member, tea(chance.randrange(1, 9_000))))
        if day % 4 == 0:
            await there.bring_back(bought.pop(chance.randrange(len(bought))), None)
    kept = (await ada.row()).amounts
    end = shop.later(timedelta(days=400)).now
    tier = await ada.tier(end)

    await TierStanding.all().delete()

    seen = await ada.status(end)
    assert sum(kept.values()) > 0
    assert (seen.tier, seen.value) == (tier, kept["2027"])


async def test_a_batch_is_decided_in_its_order(shop: Shop, ada: Watch):
    receipts = [
        shop.receipt(ada.member, tea(10_000), purchased_at=NOON - DAY),
        shop.receipt(ada.member, tea(1_000), purchased_at=NOON - DAY + timedelta(hours=1)),
        shop.receipt(ada.member, tea(20_000), purchased_at=NOON),
    ]

    answers = await purchases.record(shop.program_id, receipts, now=NOON)

    points = [one.points for one in answers if isinstance(one, purchases.PurchaseRecorded)]
    assert points == [100, 12, 250]
    assert await ada.tier() == "GOLD"
    assert await TierStanding.filter(member_id=ada.member.id).count() == 1


async def test_tills_at_once_count_every_purchase_and_raise_the_member_once(shop: Shop, ada: Watch):
    await asyncio.gather(*(shop.buy(ada.member, tea(1_000)) for _ in range(10)))

    assert (await ada.row()).amounts == {"2026": 10_000}
    assert await ada.history() == [("UPGRADED", "BASE", "SILVER")]


async def test_a_retry_counts_once(shop: Shop, ada: Watch):
    receipt = shop.receipt(ada.member, tea(6_000))

    answers = [await purchases.record(shop.program_id, [receipt], now=NOON) for _ in range(2)]

    assert len(answers) == 2
    assert (await ada.row()).amounts == {"2026": 6_000}


async def test_a_late_receipt_earns_as_its_day_did(shop: Shop, ada: Watch):
    await shop.buy(ada.member, tea(10_000))
    later = shop.later(DAY * 3)

    before = await later.buy(ada.member, tea(1_000), purchased_at=NOON - DAY)
    after = await later.buy(ada.member, tea(1_000), purchased_at=NOON + DAY)

    assert (before.points, after.points) == (10, 12)


async def test_a_refused_purchase_counts_nothing(shop: Shop, ada: Watch):
    old = shop.receipt(ada.member, tea(10_000), purchased_at=NOON - timedelta(days=400))

    [refusal] = await purchases.record(shop.program_id, [old], now=NOON)

    assert not isinstance(refusal, purchases.PurchaseRecorded)
    assert (await ada.row()).amounts == {}


async def test_a_programme_without_tiers_keeps_no_standings(database: BaseDBAsyncClient):
    shop = await open_shop(PROGRAM)
    ada = Watch(shop, await shop.enrol())
    bought = await shop.buy(ada.member)
    await shop.bring_back(bought, None)

    assert await TierStanding.all().count() == 0
    assert await ada.tier() is None
    assert await reads.grants(shop.program_id, [ada.member.id], now=NOON) == {}
    assert await reads.tier_at(shop.program_id, ada.member.id, NOON, now=NOON) is None
    assert await tier_reviews.review_due(shop.program_id, now=REVIEW, limit=10) == 0


async def test_tiers_that_come_later_see_what_was_bought_before(database: BaseDBAsyncClient):
    shop = await open_shop(PROGRAM)
    ada = Watch(shop, await shop.enrol())
    first = await shop.buy(ada.member, tea(20_000))
    await shop.bring_back(await shop.buy(ada.member, tea(5_000)), None)

    await change_programme(shop, with_tiers(), now=NOON + DAY)
    later = shop.later(DAY)
    seen = await ada.status(NOON + DAY)
    await later.bring_back(first, None)
    more = await later.buy(ada.member, tea(1_000))

    assert (seen.tier, seen.value, seen.since) == ("SILVER", 20_000, None)
    assert more.points == 12
    assert (await ada.row()).amounts == {"2026": 1_000}


async def test_another_window_counts_the_same_purchases_anew(shop: Shop, ada: Watch):
    await shop.buy(ada.member, tea(10_000))

    data = with_tiers(window="ROLLING_12_MONTHS", basis="QUALIFYING_POINTS")
    await change_programme(shop, data, now=NOON + DAY)
    seen = await ada.status(NOON + DAY)
    await shop.later(DAY).buy(ada.member, tea(2_000))

    assert (seen.tier, seen.value) == ("SILVER", 100)
    row = await ada.row()
    day = NOON.date().toordinal()
    assert (row.measure, row.amounts) == (
        "QUALIFYING_POINTS ROLLING_12_MONTHS",
        {str(day): 100, str(day + 1): 25},
    )


async def test_a_simulation_for_a_member_says_what_the_purchase_will_earn(shop: Shop, ada: Watch):
    await shop.buy(ada.member, tea(10_000))
    later = shop.later(DAY)

    async def simulated(at: datetime) -> int:
        done = await later.simulate(tea(1_000), member=ada.member, purchased_at=at)
        return done.points

    assert await simulated(later.now) == 12
    assert await simulated(NOON - DAY) == 10
    assert (await later.buy(ada.member, tea(1_000))).points == 12
