"""The way to the next tier and what may be used, as the card page tells them."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from loyalty_graph.benefits.rules import UsePeriod
from loyalty_graph.members.models import Member
from loyalty_graph.subscriptions.rules import Status
from loyalty_graph.tiers.rules import Window
from loyalty_graph.usecases import card_standing
from loyalty_graph.usecases.card_standing import Keeping, PaidPlan, Perk, Progress
from loyalty_graph.usecases.entitlements import UseEntitlement, use_entitlement
from loyalty_graph.wallet.locales import Script
from tests.shop import DAY, NOTE, Shop, by_id, giving, open_shop
from tests.tiers.shop import tea, with_tiers
from tests.usecases.subscribing import Club, open_club

GERMAN = Script("de_DE")


async def way_of(shop: Shop, member: Member) -> Progress:
    found = await card_standing.progress(shop.program_id, member.id, script=GERMAN, now=shop.now)
    assert found is not None
    return found


async def test_money_that_is_missing_is_written_for_the_member(database: object):
    shop = await open_shop(with_tiers())
    ada = await shop.enrol()
    await shop.buy(ada, tea(12_550))

    way = await way_of(shop, ada)

    assert way == Progress(
        tier="Silver",
        next="Gold",
        counted="125,50\xa0€",
        entry="300,00\xa0€",
        missing="174,50\xa0€",
        percent=41,
        window=Window.CALENDAR_YEAR,
        keeping=None,
    )


async def test_points_that_are_missing_have_their_name(database: object):
    shop = await open_shop(with_tiers(basis="QUALIFYING_POINTS"))
    ada = await shop.enrol()
    await shop.buy(ada, tea(999_900))

    way = await way_of(shop, ada)

    assert (way.next, way.missing, way.counted) == ("Silver", "1 bean", "9.999 beans")


async def test_at_the_highest_tier_nothing_is_missing(database: object):
    shop = await open_shop(with_tiers())
    ada = await shop.enrol()
    await shop.buy(ada, tea(30_000))

    way = await way_of(shop, ada)

    assert (way.tier, way.next, way.percent) == ("Gold", None, 0)


async def test_what_keeps_a_tier_is_told_when_the_end_is_near(database: object):
    shop = await open_shop(with_tiers())
    ada = await shop.enrol()
    await shop.buy(ada, tea(10_000))
    spring, autumn = (datetime(2027, month, 1, 12, tzinfo=UTC) for month in (5, 11))

    far, near = [await way_of(shop.at(at), ada) for at in (spring, autumn)]

    assert far.keeping is None
    assert near.keeping == Keeping("80,00\xa0€", date(2027, 12, 31))


async def test_a_programme_without_tiers_has_no_way(shop: Shop):
    ada = await shop.enrol()

    assert (
        await card_standing.progress(shop.program_id, ada.id, script=GERMAN, now=shop.now) is None
    )
    assert await card_standing.perks(shop.program_id, ada.id, now=shop.now) == []


@pytest.mark.parametrize(
    ("uses", "left", "again_from"), [(0, 2, None), (1, 1, None), (2, 0, date(2026, 3, 3))]
)
async def test_what_may_be_used_says_how_often_or_from_when_again(
    database: object, uses: int, left: int, again_from: date | None
):
    shop = await open_shop(with_tiers())
    ada = await shop.enrol()
    await shop.buy(ada, tea(10_000))
    for number in range(uses):
        wanted = UseEntitlement("partner:till", f"use-{number}", by_id(ada), "REFILL")
        await use_entitlement(shop.program_id, wanted, now=shop.now + timedelta(seconds=number))

    perks = await card_standing.perks(shop.program_id, ada.id, now=shop.now)

    refill = Perk(
        name="Free refill", description="", left=left, per=UsePeriod.DAY, again_from=again_from
    )
    assert perks == [refill]


async def plan_of(club: Club, member: Member) -> PaidPlan | None:
    return await card_standing.paid_plan(
        club.shop.program_id, member.id, script=GERMAN, now=club.now
    )


async def test_a_paid_plan_tells_when_it_renews_and_for_what(database: object):
    club = await open_club()
    ada = await club.shop.enrol()
    waiting = await club.subscribe(ada)
    before = await plan_of(club, ada)
    await club.pay(waiting.key)

    paid = await plan_of(club, ada)

    assert before == PaidPlan(
        name="Bean Plus",
        status=Status.INCOMPLETE,
        renews_on=date(2026, 3, 2),
        until=date(2026, 3, 3),
        price="10,00\xa0€",
        due="10,00\xa0€",
    )
    assert paid == replace(
        before,
        status=Status.ACTIVE,
        renews_on=date(2026, 4, 2),
        until=date(2026, 4, 2),
        due="0,00\xa0€",
    )


async def test_a_trial_a_fee_that_is_due_and_what_is_over(database: object):
    club = await open_club()
    ada = await club.shop.enrol()
    await club.subscribe(ada, "TRY")
    told = []

    for days in (0, 15, 40):
        club.now = club.shop.now + days * DAY
        plan = await plan_of(club, ada)
        told.append(plan and (plan.status, plan.until, plan.due))

    assert told == [
        (Status.TRIALING, date(2026, 3, 16), "0,00\xa0€"),
        (Status.PAST_DUE, date(2026, 3, 23), "5,00\xa0€"),
        None,
    ]


async def test_who_never_subscribed_has_no_plan(database: object):
    club = await open_club()

    assert await plan_of(club, await club.shop.enrol()) is None


async def test_rewards_in_reach_are_the_dearest_had_now_and_the_next_ones(database: object):
    more = [
        {**NOTE, "code": f"NOTE_{cost}", "name": f"Note {cost}", "cost_points": cost}
        for cost in (10, 20, 30, 60, 90, 100)
    ]
    gone = {**NOTE, "code": "GONE", "name": "Gone", "stock": 0}
    shop = await open_shop(giving(*more, gone))
    ada = await shop.enrol()
    await shop.buy(ada, tea(5_000))

    found = await card_standing.rewards(shop.program_id, ada.id, now=shop.now)

    assert [(one.name, one.cost_points, one.missing_points) for one in found] == [
        ("Note 20", 20, 0),
        ("Note 30", 30, 0),
        ("Coffee", 40, 0),
        ("Note 60", 60, 10),
        ("Note 90", 90, 40),
    ]
