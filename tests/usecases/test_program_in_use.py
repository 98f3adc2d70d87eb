"""What members count on cannot be taken out of a programme."""

from collections.abc import Sequence
from datetime import datetime

import pytest

from loyalty_graph.db import transaction
from loyalty_graph.earning import tallies
from loyalty_graph.earning.counters import BudgetKey
from loyalty_graph.errors import ProgramFileError
from loyalty_graph.members.models import Member
from loyalty_graph.programs.models import Program, ProgramVersion
from loyalty_graph.rewards.rules import Step
from loyalty_graph.usecases import adjustments, offers, program_versions
from loyalty_graph.usecases.program_versions import ApplyProgram, ProgramApplied
from loyalty_graph.usecases.tier_overrides import OverrideTier, override_tier
from tests.shop import DAY, NOON, Shop, by_id
from tests.usecases.subscribing import Club
from tests.usecases.test_program_versions import TEXT

PLAN = """[[subscription_plans]]
code = "PLUS"
name = "Plus"
interval = "MONTH"
price_minor = 500
"""
TIER = '[[tiers.levels]]\ncode = "GOLD"\nname = "Gold"\nentry = 30000\n'
COFFEE = TEXT[TEXT.index('[[rewards]]\ncode = "COFFEE"') : TEXT.index('[[rewards]]\ncode = "CAKE"')]
OFFER = '[[earning.offers]]\ncode = "CLIP"\nname = "Clip"\npoints = 50\n'
RULE = """[[earning.rules]]
code = "BUSY"
name = "Busy"
points = 5
budget = { points = 1000, per = "MONTH" }
"""
WHOLE = f"{TEXT}hold_minutes_max = 60\ncode_days = 30\n{OFFER}{RULE}".replace(
    COFFEE, f"{COFFEE}hold_minutes_max = 60\ncode_days = 30\n"
)
COFFEE = f"{COFFEE}hold_minutes_max = 60\ncode_days = 30\n"


async def apply(text: str, *, now: datetime = NOON) -> ProgramApplied:
    draft = program_versions.draft(text, name="club.toml")
    return await program_versions.apply(ApplyProgram(draft, "cli"), now=now)


async def opened() -> tuple[Shop, Member]:
    """Return the shop of the whole file, and a member with 200 points."""
    await apply(WHOLE)
    shop = Shop((await Program.get()).id, NOON)
    ada = await shop.enrol()
    gift = adjustments.AdjustPoints("cli", "gift", by_id(ada), 200, "a gift")
    await adjustments.adjust(shop.program_id, gift, now=NOON)
    return shop, ada


async def refused(text: str, *, now: datetime = NOON) -> Sequence[str]:
    """Return why a file is refused, by plan and by apply, and that nothing changed."""
    versions = await ProgramVersion.all().count()
    with pytest.raises(ProgramFileError) as planned:
        await program_versions.plan(program_versions.draft(text, name="club.toml"), now=now)
    with pytest.raises(ProgramFileError) as applied:
        await apply(text, now=now)
    assert planned.value.faults == applied.value.faults
    assert await ProgramVersion.all().count() == versions
    return applied.value.faults


def without(part: str) -> str:
    assert WHOLE.count(part) == 1
    return WHOLE.replace(part, "")


@pytest.mark.parametrize("part", [PLAN, TIER, COFFEE, OFFER, RULE])
async def test_what_nobody_holds_can_be_taken_out(database: object, part: str):
    await opened()

    assert (await apply(without(part))).version == 2


async def test_a_plan_with_subscribers_stays(database: object):
    shop, ada = await opened()
    await Club(shop, NOON).subscribe(ada)

    assert await refused(without(PLAN)) == (
        (
            "club.toml:1:1: subscription_plans: PLUS is gone, but has 1 subscription that did not "
            "end; keep it until they have, or moved to another plan."
        ),
    )


async def test_a_tier_that_is_held_by_hand_stays_until_then(database: object):
    shop, ada = await opened()
    until = NOON + 30 * DAY
    given = OverrideTier("cli", "k", by_id(ada), "GOLD", until, "a gesture")
    await override_tier(shop.program_id, given, now=NOON)

    line = WHOLE[: WHOLE.index("[[tiers.levels]]")].count("\n") + 1
    assert await refused(without(TIER)) == (
        (
            f"club.toml:{line}:9: tiers.levels: GOLD is gone, but is held by hand by 1 member; "
            "keep it until then, or end the overrides first."
        ),
    )
    assert (await apply(without(TIER), now=until)).version == 2


async def test_a_reward_with_open_codes_stays_until_they_are_used_or_over(database: object):
    shop, ada = await opened()
    code = await shop.want(ada)
    await shop.want(ada, hold_minutes=30)

    line = WHOLE[: WHOLE.index("[[rewards]]")].count("\n") + 1
    assert await refused(without(COFFEE)) == (
        (
            f"club.toml:{line}:3: rewards: COFFEE is gone, but has 2 redemptions held or issued "
            "and not used; keep it, and let closes_at end it for others."
        ),
    )
    [fault] = await refused(without(COFFEE), now=NOON + DAY)
    assert "has 1 redemption held" in fault
    await shop.take(Step.USE, code)
    assert (await apply(without(COFFEE), now=NOON + DAY)).version == 2


async def test_an_offer_that_members_activated_stays(database: object):
    shop, ada = await opened()
    wish = offers.ActivateOffer("cli", "k", by_id(ada), "CLIP")
    await offers.activate(shop.program_id, wish, now=NOON)

    assert await refused(without(OFFER)) == (
        (
            f"club.toml:{WHOLE[: WHOLE.index('[earning.')].count(chr(10)) + 1}:2: earning.offers: "
            "CLIP is gone, but is activated by 1 member who can still use it; keep it, and let "
            "closes_at end it."
        ),
    )


async def test_a_budget_is_not_below_what_was_given_in_its_period(database: object):
    shop, _ = await opened()
    month = BudgetKey("BUSY", "2026-03")
    give = transaction(tallies.move_budgets)
    await give(shop.program_id, {month: 600}, limits={month: 1000})
    lower = WHOLE.replace("points = 1000,", "points = 599,")

    place = WHOLE[: WHOLE.index("budget = {")].count("\n") + 1
    assert await refused(lower) == (
        (
            f"club.toml:{place}:21: earning.rules[0].budget.points: 600 points were given already "
            "in the present month; a budget cannot be below that."
        ),
    )
    assert (await apply(WHOLE.replace("points = 1000,", "points = 600,"))).version == 2
    assert (await apply(lower, now=NOON + 31 * DAY)).version == 3


async def test_all_that_is_in_use_is_told_at_once(database: object):
    shop, ada = await opened()
    await Club(shop, NOON).subscribe(ada)
    await shop.want(ada)

    told = await refused(without(PLAN).replace(COFFEE, "").replace('"EUR"', '"USD"'))

    assert [one.split(": ")[1] for one in told] == [
        "subscription_plans",
        "program.currency",
        "rewards",
    ]
