"""Who is in a segment, by what members did and what time did to them."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from loyalty_graph.conditions.reading import read
from loyalty_graph.members.models import Member
from loyalty_graph.segments import loading, reads
from loyalty_graph.segments.vocabulary import MEMBERS
from tests.segments.people import CLUB
from tests.shop import DAY, NOON, PROGRAM, Shop, open_shop
from tests.tiers.shop import tea

BERLIN = ZoneInfo("Europe/Berlin")
REGULARS = {
    "code": "REGULARS",
    "name": "Regulars",
    "when": {"member": {"purchase_count": {"at_least": 2}}},
}
STRANGERS = {
    "code": "STRANGERS",
    "name": "Strangers",
    "when": {"member": {"purchase_count": 0}},
}


@pytest.fixture
async def shop(database: object) -> Shop:
    """A club with tiers, plans and two segments, open at noon."""
    return await open_shop({**CLUB, "segments": [REGULARS, STRANGERS]})


async def found(shop: Shop, **asked: Any) -> list[Any]:
    """Return the members that SQL finds, which must be those that their facts find."""
    condition = read(asked, MEMBERS)
    [page] = await reads.pages(shop.program_id, [condition], first=100, after=None, now=shop.now)
    return page


async def test_segments_are_found_in_the_order_of_the_file_with_their_sizes(shop: Shop):
    ada = await shop.enrol()
    await shop.enrol()
    await shop.buy(ada)
    await shop.buy(ada)

    sizes = await reads.sizes(shop.program_id, now=shop.now)

    assert [(one.code, one.name, size) for one, size in sizes] == [
        ("REGULARS", "Regulars", 1),
        ("STRANGERS", "Strangers", 1),
    ]


async def test_a_programme_without_segments_has_none(database: object):
    shop = await open_shop(PROGRAM)

    assert await reads.sizes(shop.program_id, now=shop.now) == []


async def test_members_of_other_programmes_are_in_no_segment_of_this_one(shop: Shop):
    other = await open_shop({**CLUB, "program": {**CLUB["program"], "slug": "tea-club"}})
    await other.enrol()
    ada = await shop.enrol()

    assert await found(shop, member={"status": "ACTIVE"}) == [ada.id]


async def test_pages_follow_one_another(shop: Shop):
    joined = [(await shop.enrol()).id for _ in range(5)]
    everybody = read({"member": {"purchase_count": 0}}, MEMBERS)

    async def page(after: Any) -> list[Any]:
        [ids] = await reads.pages(shop.program_id, [everybody], first=2, after=after, now=shop.now)
        return ids

    assert await page(None) == joined[:2]
    assert await page(joined[1]) == joined[2:4]
    assert await page(joined[3]) == joined[4:]


async def test_days_are_those_of_the_programmes_time_zone(shop: Shop):
    late = shop.at(datetime(2026, 3, 2, 22, 30, tzinfo=UTC))
    ada = await late.enrol()
    before = late.later(timedelta(minutes=29))
    after = late.later(timedelta(minutes=30))

    assert await found(before, member={"enrolled_days": 0}) == [ada.id]
    assert await found(after, member={"enrolled_days": 0}) == []
    assert await found(after, member={"enrolled_days": 1}) == [ada.id]


async def test_a_day_of_25_hours_is_one_day(shop: Shop):
    evening = shop.at(datetime(2026, 10, 24, 21, 59, tzinfo=UTC))
    ada = await evening.enrol()

    assert await found(evening.later(timedelta(hours=25)), member={"enrolled_days": 1}) == [ada.id]
    assert await found(evening.later(timedelta(hours=26)), member={"enrolled_days": 2}) == [ada.id]


@pytest.mark.parametrize(
    ("day", "is_kept"),
    [
        (date(2026, 2, 27), False),
        (date(2026, 2, 28), True),
        (date(2026, 3, 1), False),
        (date(2028, 2, 28), False),
        (date(2028, 2, 29), True),
    ],
    ids=str,
)
async def test_a_birthday_on_29_february_is_kept_each_year(shop: Shop, day: date, *, is_kept: bool):
    ada = await shop.enrol(birthday=date(2000, 2, 29))
    await shop.enrol(birthday=date(2000, 6, 1))
    then = shop.at(datetime(day.year, day.month, day.day, 12, tzinfo=UTC))

    assert await found(then, member={"is_birthday": True}) == ([ada.id] if is_kept else [])


async def test_points_past_their_date_do_not_count_before_the_job_was_here(shop: Shop):
    ada = await shop.enrol()
    await shop.buy(ada)
    half_a_year = shop.at(datetime(2026, 9, 2, 22, tzinfo=UTC))

    rich = {"balance_points": {"at_least": 108}}
    assert await found(shop, member=rich) == [ada.id]
    assert await found(half_a_year, member=rich) == []
    assert await found(half_a_year, member={"balance_points": 0}) == [ada.id]
    assert await found(half_a_year, member=rich | {"lifetime_points": 108}) == []


async def test_members_are_found_by_tier_from_the_day_they_join(shop: Shop):
    ada, bob = await shop.enrol(), await shop.enrol()
    await shop.buy(ada, tea(10_000))

    assert await found(shop, tier={"code": "SILVER"}) == [ada.id]
    assert await found(shop, tier={"code": ["BASE", "GOLD"]}) == [bob.id]
    assert await found(shop, tier={"rank": {"at_least": 0}}) == [ada.id, bob.id]


async def test_without_tiers_nobody_has_one(database: object):
    shop = await open_shop(PROGRAM)
    ada = await shop.enrol()

    assert await found(shop, tier={"code": {"is_set": True}}) == []
    assert await found(shop, tier={"rank": {"is_set": False}}) == [ada.id]
    facts = await facts_of(shop, ada)
    assert (facts.tier, facts.tier_rank) == (None, None)


async def test_tiers_that_came_later_are_everybodys_who_reached_the_lowest(database: object):
    shop = await open_shop(PROGRAM)
    ada = await shop.enrol()
    later = await open_shop({**CLUB}, now=NOON + DAY)

    assert await found(later, tier={"code": "BASE", "rank": 0}) == [ada.id]
    assert (await facts_of(later, ada)).tier == "BASE"


async def facts_of(shop: Shop, member: Member) -> loading.MemberFacts:
    facts = await loading.facts_of(
        shop.program_id, [member.id], at=shop.now, now=shop.now, zone=BERLIN
    )
    return facts[member.id]


async def test_the_facts_of_a_member_are_what_he_did(shop: Shop):
    ada = await shop.enrol(email="ada@example.com", birthday=date(1990, 12, 10), locale="de-AT")
    await shop.buy(ada)
    later = shop.later(3 * DAY)

    facts = await facts_of(later, ada)

    assert (facts.status, facts.language, facts.has_email, facts.has_phone) == (
        "ACTIVE",
        "de",
        True,
        False,
    )
    assert (facts.enrolled_days, facts.days_since_purchase) == (3, 3)
    assert (facts.birthday_month, facts.is_birthday) == (12, False)
    assert (facts.purchase_count, facts.spend_minor) == (1, 6099)
    assert (facts.balance_points, facts.lifetime_points) == (108, 108)
    assert (facts.tier, facts.tier_rank) == ("BASE", 0)
    assert (facts.plan, facts.is_subscribed) == (None, False)


async def test_the_facts_of_who_bought_nothing_are_unknown_or_zero(shop: Shop):
    facts = await facts_of(shop, await shop.enrol())

    assert (facts.purchase_count, facts.days_since_purchase) == (0, None)
    assert (facts.birthday_month, facts.is_birthday) == (None, None)


async def test_there_are_no_facts_of_strangers(shop: Shop):
    facts = await loading.facts_of(
        shop.program_id, [shop.program_id], at=shop.now, now=shop.now, zone=BERLIN
    )

    assert facts == {}
