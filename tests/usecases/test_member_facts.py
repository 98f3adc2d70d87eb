"""What bonus rules know of a member: in a batch as in a simulation, at the moment of a purchase."""

from datetime import date, timedelta
from typing import Any

from loyalty_graph.members.models import Member
from loyalty_graph.purchases.rules import Line
from loyalty_graph.usecases import expiry, purchases
from tests.shop import DAY, NOON, PROGRAM, Shop, open_shop, program
from tests.tiers.shop import with_tiers
from tests.usecases.subscribing import PLANS, Club
from tests.usecases.test_bonuses import rule, ruled

TEA = (Line("TEA", 10, 100),)


def when(**terms: Any) -> dict[str, Any]:
    """Return a rule that gives a point more when all of this holds."""
    return rule("KNOWN", points=1, when=terms)


async def gives(shop: Shop, member: Member, **changes: Any) -> bool:
    """Return whether the rule holds for the member's next purchase, which is made."""
    simulated = await shop.simulate(TEA, member=member, **changes)
    recorded = await shop.buy(member, TEA, **changes)
    assert (simulated.points, simulated.rules) == (recorded.points, recorded.rules)
    return bool(recorded.rules)


async def test_rules_know_a_members_profile(database: object):
    known = {"language": "de", "has_email": True, "has_phone": False, "enrolled_days": 3}
    shop = await open_shop(ruled(when(member={**known, "birthday_month": 3, "status": "ACTIVE"})))
    ada = await shop.enrol(email="ada@example.com", locale="de-AT", birthday=date(1990, 3, 5))
    bob = await shop.enrol(locale="de-AT", birthday=date(1990, 3, 5))
    later = shop.later(3 * DAY)

    assert await gives(later, ada)
    assert not await gives(later, bob)
    assert not await gives(shop.later(4 * DAY), ada)


async def test_a_birthday_is_the_day_of_the_purchase(database: object):
    shop = await open_shop(ruled(when(member={"is_birthday": True})))
    ada = await shop.enrol(birthday=date(1990, 3, 2))
    night = shop.at(NOON.replace(hour=23))

    assert await gives(shop, ada)
    assert not await gives(night, ada)
    assert await gives(night, ada, purchased_at=NOON)


async def test_rules_know_what_was_bought_before(database: object):
    before = {"purchase_count": 2, "spend_minor": 1900, "days_since_purchase": 5}
    shop = await open_shop(ruled(when(member=before)))
    ada = await shop.enrol()
    first = await shop.buy(ada, TEA)
    await shop.later(DAY).buy(ada, TEA)
    await shop.later(DAY).bring_back(first, {1: 1})

    assert await gives(shop.later(6 * DAY), ada)
    assert not await gives(shop.later(6 * DAY), ada)


async def test_rules_know_the_balance_without_points_past_their_date(database: object):
    data = program(expiry_months=1)
    shop = await open_shop(ruled(when(member={"balance_points": 7}), data=data))
    ada, bob = await shop.enrol(), await shop.enrol()
    for member in (ada, bob):
        await shop.buy(member, TEA)
        await shop.later(20 * DAY).buy(member, (Line("TEA", 1, 700),))
    later = shop.later(40 * DAY)

    before_the_job = await gives(later, ada)
    await expiry.run(shop.program_id, now=later.now)

    assert before_the_job
    assert await gives(later, bob)
    assert not await gives(later, bob)


async def test_rules_know_lifetime_points_as_the_batch_has_them(database: object):
    shop = await open_shop(ruled(when(member={"lifetime_points": {"at_least": 20}})))
    ada = await shop.enrol()
    receipts = [shop.receipt(ada, TEA) for _ in range(3)]

    answers = await purchases.record(shop.program_id, receipts, now=NOON)

    earned = [one.points for one in answers if isinstance(one, purchases.PurchaseRecorded)]
    assert earned == [10, 10, 11]


async def test_rules_know_the_tier_of_the_day(database: object):
    of_silver = when(tier={"code": "SILVER", "rank": 1})
    shop = await open_shop(ruled(of_silver, data=with_tiers()))
    ada = await shop.enrol()
    before = await gives(shop, ada)
    await shop.buy(ada, (Line("TEA", 100, 100),))
    later = shop.later(DAY)

    assert not before
    assert await gives(later, ada)
    assert not await gives(later, ada, purchased_at=NOON - DAY)


async def test_rules_know_the_plan_of_the_day(database: object):
    of_plan = when(subscription={"plan": "TRY", "is_active": True})
    data = {**PROGRAM, "subscription_plans": PLANS}
    shop = await open_shop(ruled(of_plan, data=data))
    ada = await shop.enrol()
    await Club(shop, NOON).subscribe(ada, "TRY")
    later = shop.later(timedelta(hours=1))

    assert await gives(later, ada)
    assert not await gives(later, ada, purchased_at=NOON - DAY)


async def test_a_segment_is_known_by_its_members_facts(database: object):
    regulars = {
        "code": "REGULARS",
        "name": "Regulars",
        "when": {"member": {"purchase_count": {"at_least": 1}}},
    }
    data = ruled(rule("KNOWN", points=1, segments=["REGULARS"]))
    shop = await open_shop({**data, "segments": [regulars]})
    ada = await shop.enrol()

    assert not await gives(shop, ada)
    assert await gives(shop, ada)


async def test_nobody_in_particular_is_told_what_everybody_gets(database: object):
    limited = rule("SHARED", points=9, budget={"points": 12})
    shop = await open_shop(
        ruled(rule("HELLO", points=5), limited, when(member={"has_email": True}))
    )
    ada = await shop.enrol(email="ada@example.com")
    at_first = await shop.simulate(TEA)
    await shop.buy(ada, TEA)

    after = await shop.simulate(TEA)

    assert (at_first.points, after.points) == (24, 18)
