"""Bonus rules in purchases and refunds: caps, budgets, delays, and what a batch knows."""

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from loyalty_graph.db import transaction
from loyalty_graph.earning import tallies
from loyalty_graph.earning.models import EarningBudget, EarningCounter, OfferActivation
from loyalty_graph.earning.outcomes import Cut
from loyalty_graph.ledger.models import AccountRow, TransferRow
from loyalty_graph.members.models import Member
from loyalty_graph.purchases.models import Purchase
from loyalty_graph.purchases.rules import Line
from loyalty_graph.usecases import bonuses, offers, program_file, purchases
from loyalty_graph.usecases.purchase_command import PurchaseRecorded, RulePoints
from tests.shop import DAY, NOON, PROGRAM, Shop, by_id, open_shop, program

TEA = (Line("TEA", 10, 100),)
"""Ten euros: 10 points by itself."""


def rule(code: str, **settings: Any) -> dict[str, Any]:
    return {"code": code, "name": code.capitalize(), **settings}


def ruled(*rules: dict[str, Any], **base: Any) -> dict[str, Any]:
    """Return the programme's data with bonus rules."""
    data = base.get("data", PROGRAM)
    return {**data, "earning": {**data["earning"], "rules": list(rules)}}


FIRST = rule("WELCOME", points=50, when={"purchase": {"is_first": True}})
DAILY = rule("DAILY", points=7, caps=[{"times": 2, "per": "DAY"}])
DOUBLE = rule("DOUBLE", multiplier="2", lines={"product_type": "TEA"})
LATER = rule("LATER", points=30, pending={"days": 14})


async def opened(*rules: dict[str, Any], **base: Any) -> tuple[Shop, Member]:
    shop = await open_shop(ruled(*rules, **base))
    return shop, await shop.enrol(email="ada@example.com")


async def counts(member: Member) -> dict[tuple[str, str], tuple[int, int]]:
    rows = await EarningCounter.filter(member_id=member.id)
    return {(row.rule, row.period): (row.points, row.times) for row in rows}


async def spent() -> dict[tuple[str, str], int]:
    return {(row.rule, row.period): row.used_points for row in await EarningBudget.all()}


def points(answers: Sequence[object]) -> list[int]:
    return [one.points for one in answers if isinstance(one, PurchaseRecorded)]


async def test_a_bonus_is_part_of_the_points_and_of_the_explanation(database: object):
    shop, ada = await opened(DOUBLE, FIRST)

    bought = await shop.buy(ada, TEA)

    assert (bought.points, bought.balance_points) == (70, 70)
    assert bought.rules == (
        RulePoints("DOUBLE", "Double", 10, 10),
        RulePoints("WELCOME", "Welcome", 50, 50),
    )
    entry = await TransferRow.get(member_id=ada.id)
    assert (entry.kind, entry.points) == ("EARN", 70)
    assert entry.explanation is not None
    assert entry.explanation["rules"] == [
        {"code": "DOUBLE", "name": "Double", "points": 10},
        {"code": "WELCOME", "name": "Welcome", "points": 50},
    ]
    account = await AccountRow.get(member_id=ada.id)
    assert (account.qualifying_points, account.lifetime_points) == (70, 70)
    assert await counts(ada) == await spent() == {}


async def test_only_the_first_purchase_is_the_first_also_within_a_batch(database: object):
    shop, ada = await opened(FIRST)
    bob = await shop.enrol(email="bob@example.com")
    late = shop.receipt(ada, TEA, purchased_at=NOON - 30 * DAY)
    receipts = [shop.receipt(ada, TEA), late, shop.receipt(bob, TEA)]

    answers = await purchases.record(shop.program_id, receipts, now=NOON)
    after = await shop.buy(bob, TEA)

    assert points(answers) == [60, 10, 60]
    assert after.points == 10


async def test_a_refused_purchase_is_no_purchase_and_takes_no_room(database: object):
    shop, ada = await opened(FIRST, DAILY, data=program(payment=None))
    refused = shop.receipt(ada, TEA, pay_points=1)

    answers = await purchases.record(shop.program_id, [refused, shop.receipt(ada, TEA)], now=NOON)

    assert points(answers) == [67]
    assert await counts(ada) == {("DAILY", "2026-03-02"): (7, 1)}


async def test_a_cap_holds_in_a_batch_and_over_the_day_in_the_programmes_zone(database: object):
    shop, ada = await opened(DAILY)
    two = [shop.receipt(ada, TEA), shop.receipt(ada, TEA)]
    await purchases.record(shop.program_id, two, now=NOON)

    third = await shop.buy(ada, TEA)
    last = NOON.replace(hour=22, minute=59)
    tonight = await shop.at(last).buy(ada, TEA)
    tomorrow = await shop.at(last + timedelta(minutes=1)).buy(ada, TEA)

    cut = RulePoints("DAILY", "Daily", 0, 7, (Cut("TIMES", "DAY", 2, 7),))
    assert (third.points, third.rules) == (10, (cut,))
    assert (tonight.points, tomorrow.points) == (10, 17)
    assert await counts(ada) == {
        ("DAILY", "2026-03-02"): (14, 2),
        ("DAILY", "2026-03-03"): (7, 1),
    }


async def test_caps_are_taken_in_the_order_of_recording(database: object):
    shop, ada = await opened(DAILY)
    evening = shop.later(timedelta(hours=8))
    await evening.buy(ada, TEA)
    await evening.buy(ada, TEA)

    of_the_morning = await evening.buy(ada, TEA, purchased_at=NOON)

    assert of_the_morning.points == 10


async def test_late_receipts_earn_by_the_rules_of_their_day(database: object):
    shop, ada = await opened(DOUBLE)
    changed = program_file.check(ruled(FIRST), name="test")
    await program_file.load(changed, now=NOON + DAY)
    later = shop.later(2 * DAY)

    late = await later.buy(ada, TEA, purchased_at=NOON)
    today = await later.buy(ada, TEA)

    assert [one.code for one in late.rules] == ["DOUBLE"]
    assert (today.points, today.rules) == (10, ())


async def test_points_that_wait_are_entries_of_their_own(database: object):
    shop, ada = await opened(LATER, rule("SOON", points=5, pending={"days": 1}), DAILY)

    bought = await shop.buy(ada, TEA)

    assert (bought.points, bought.balance_points, bought.entry_sequence) == (52, 17, 1)
    entries = await TransferRow.filter(member_id=ada.id).order_by("sequence")
    assert [(one.kind, one.points) for one in entries] == [
        ("EARN", 17),
        ("EARN_PENDING", 5),
        ("EARN_PENDING", 30),
    ]
    told = [[rule["code"] for rule in (one.explanation or {})["rules"]] for one in entries]
    assert told == [["DAILY"], ["SOON"], ["LATER"]]
    assert [one.activates_at for one in bought.rules] == [
        datetime(2026, 3, 15, 23, tzinfo=UTC),
        datetime(2026, 3, 2, 23, tzinfo=UTC),
        None,
    ]
    account = await AccountRow.get(member_id=ada.id)
    assert (account.balance_points, account.pending_points) == (17, 35)


async def test_points_wait_for_whole_days_of_the_programmes_zone(database: object):
    shop, ada = await opened(rule("SPRING", points=5, pending={"days": 30}))
    night = shop.at(NOON.replace(hour=23, minute=30))

    by_day = await shop.buy(ada, TEA)
    after_midnight = await night.buy(ada, TEA)

    assert by_day.rules[0].activates_at == datetime(2026, 3, 31, 22, tzinfo=UTC)
    assert after_midnight.rules[0].activates_at == datetime(2026, 4, 1, 22, tzinfo=UTC)


async def test_a_purchase_whose_points_all_wait_has_the_entry_they_wait_in(database: object):
    shop, ada = await opened(LATER)

    bought = await shop.buy(ada, (Line("TEA", 1, 50),))

    assert (bought.points, bought.balance_points, bought.entry_sequence) == (30, 0, 1)
    assert (await TransferRow.get(member_id=ada.id)).kind == "EARN_PENDING"


async def test_a_retry_gets_the_rules_of_the_first_answer(database: object):
    shop, ada = await opened(DOUBLE, LATER, DAILY)
    receipt = shop.receipt(ada, TEA)
    first = await purchases.record(shop.program_id, [receipt], now=NOON)
    before = await counts(ada)

    [again] = await purchases.record(shop.program_id, [receipt], now=NOON)

    assert isinstance(again, PurchaseRecorded)
    assert isinstance(first[0], PurchaseRecorded)
    assert (again.rules, again.points, again.replayed) == (first[0].rules, 57, True)
    assert await counts(ada) == before == {("DAILY", "2026-03-02"): (7, 1)}


async def test_a_refund_takes_back_bonuses_and_gives_caps_their_room_back(database: object):
    capped = rule("TEAS", multiplier="3", caps=[{"points": 25, "per": "MONTH"}])
    shop, ada = await opened(capped)
    first = await shop.buy(ada, TEA)
    second = await shop.buy(ada, TEA)

    back = await shop.bring_back(first, {1: 4})
    third = await shop.buy(ada, TEA)

    assert (first.points, second.points) == (30, 15)
    assert (back.due_points, back.balance_points) == (12, 33)
    assert third.points == 18
    assert await counts(ada) == {("TEAS", "2026-03"): (25, 3)}


async def test_goods_brought_back_in_any_parts_take_back_all_they_earned(database: object):
    rules = (
        DOUBLE,
        DAILY,
        rule("BIG", points=40, when={"purchase": {"total_minor": {"at_least": 800}}}),
    )
    shop, ada = await opened(*rules)
    bought = await shop.buy(ada, TEA)

    dues = [(await shop.bring_back(bought, {1: units})).due_points for units in (1, 2, 7)]

    assert (bought.points, dues) == (67, [2, 44, 21])
    assert await shop.balance(ada) == 0
    assert await counts(ada) == {("DAILY", "2026-03-02"): (0, 0)}


async def test_a_refund_cancels_what_waits_first(database: object):
    shop, ada = await opened(rule("LATER", multiplier="3", pending={"days": 14}))
    bought = await shop.buy(ada, TEA)

    back = await shop.bring_back(bought, {1: 5})

    assert (bought.points, bought.balance_points) == (30, 10)
    assert (back.due_points, back.clawed_back_points, back.balance_points) == (15, 15, 10)
    account = await AccountRow.get(member_id=ada.id)
    assert account.pending_points == 5


async def test_what_a_step_left_over_is_carried_on_and_corrected_by_refunds(database: object):
    carried = rule(
        "STAMPS",
        rate={"points": 1, "per_amount_minor": 700, "granularity": "STEP", "carry": True},
    )
    shop, ada = await opened(carried)

    bought = [await shop.buy(ada, TEA) for _ in range(3)]
    carries = await counts(ada)
    back = await shop.bring_back(bought[1], None)

    assert [one.points for one in bought] == [11, 11, 12]
    assert carries == {("STAMPS", "CARRY"): (200, 0)}
    assert back.due_points == 11
    assert await counts(ada) == {("STAMPS", "CARRY"): (-100, 0)}


async def test_refunds_give_budgets_their_room_back(database: object):
    shop, ada = await opened(rule("GRAND", points=30, budget={"points": 50}))
    first = await shop.buy(ada, TEA)
    second = await shop.buy(ada, TEA)

    await shop.bring_back(first, None)
    third = await shop.buy(ada, TEA)

    assert [one.points for one in (first, second, third)] == [40, 30, 40]
    assert second.rules[0].cuts == (Cut("BUDGET", "EVER", 50, 10),)
    assert await spent() == {("GRAND", "EVER"): 50}


async def test_a_refund_recomputes_by_the_version_and_the_facts_of_the_purchase(database: object):
    shop, ada = await opened(FIRST)
    bought = await shop.buy(ada, TEA)
    await program_file.load(program_file.check(ruled(DOUBLE), name="test"), now=NOON + DAY)
    later = shop.later(2 * DAY)
    await later.buy(ada, TEA)

    half = await later.bring_back(bought, {1: 5})
    rest = await later.bring_back(bought, None)

    assert (half.due_points, rest.due_points) == (5, 55)
    purchase = await Purchase.get(id=bought.purchase_id)
    assert purchase.pinned is not None
    assert purchase.pinned["rules"] == []


BUDGETS = (
    rule("GRAND", points=7, budget={"points": 100}),
    rule("DAILY_GRAND", points=3, budget={"points": 40, "per": "DAY"}),
)


async def test_many_purchases_at_once_never_exceed_a_budget(database: object):
    shop, _ = await opened(*BUDGETS)
    members = [await shop.enrol() for _ in range(20)]
    receipts = [shop.receipt(member, TEA) for member in members]

    async def record(receipt: purchases.RecordPurchase) -> int:
        return sum(points(await purchases.record(shop.program_id, [receipt], now=NOON)))

    earned = await asyncio.gather(*map(record, receipts))

    assert sum(earned) == 200 + 100 + 40
    assert await spent() == {("DAILY_GRAND", "2026-03-02"): 40, ("GRAND", "EVER"): 100}


async def test_gathered_purchases_share_a_budget_to_the_last_point(database: object):
    shop, ada = await opened(*BUDGETS)
    calls = [purchases.RecordCall(shop.program_id, shop.receipt(ada, TEA), NOON) for _ in range(20)]

    some, others = await asyncio.gather(
        purchases.record_gathered(calls[:10]), purchases.record_gathered(calls[10:])
    )

    assert sum(points([*some, *others])) == 200 + 100 + 40
    assert await spent() == {("DAILY_GRAND", "2026-03-02"): 40, ("GRAND", "EVER"): 100}


async def test_a_budget_that_was_used_up_meanwhile_is_cut_to_what_is_left(
    database: object, monkeypatch: pytest.MonkeyPatch
):
    shop, ada = await opened(*BUDGETS)
    bob = await shop.enrol()
    settle, others = bonuses.Bonuses.settle, iter([True])

    async def settle_after_others(self: bonuses.Bonuses, program_id: UUID) -> None:
        if next(others, False):
            raise tallies.BudgetTakenMeanwhileError
        await settle(self, program_id)

    await shop.buy(bob, TEA)
    monkeypatch.setattr(bonuses.Bonuses, "settle", settle_after_others)
    bought = await shop.buy(ada, TEA)

    assert bought.points == 20
    assert await shop.balance(ada) == 20
    assert await spent() == {("DAILY_GRAND", "2026-03-02"): 6, ("GRAND", "EVER"): 14}


async def test_inside_a_callers_transaction_budgets_are_locked_at_once(database: object):
    shop, ada = await opened(*BUDGETS)

    bought = await transaction(shop.buy)(ada, TEA)

    assert bought.points == 20
    assert await spent() == {("DAILY_GRAND", "2026-03-02"): 3, ("GRAND", "EVER"): 7}


CLIPPED = rule("CLIPPED", points=20, uses=2)


async def offering() -> tuple[Shop, Member]:
    """Return a shop and a member who activated its offer."""
    data = {**PROGRAM, "earning": {**PROGRAM["earning"], "offers": [CLIPPED]}}
    shop = await open_shop(data)
    ada = await shop.enrol()
    wish = offers.ActivateOffer("partner:till", "clip", by_id(ada), "CLIPPED")
    await offers.activate(shop.program_id, wish, now=NOON)
    return shop, ada


async def left(member: Member) -> list[int]:
    return [row.uses_left for row in await OfferActivation.filter(member_id=member.id)]


async def test_an_activated_offer_is_used_as_often_as_it_may_be_also_in_a_batch(database: object):
    shop, ada = await offering()
    before = shop.receipt(ada, TEA, purchased_at=NOON - DAY)
    receipts = [before, *(shop.receipt(ada, TEA) for _ in range(3))]
    simulated = await shop.simulate(TEA, member=ada)

    answers = await purchases.record(shop.program_id, receipts, now=NOON)

    assert simulated.points == 30
    assert points(answers) == [10, 30, 30, 10]
    assert await left(ada) == [0]


async def test_an_offer_can_be_used_again_once_all_it_gave_for_came_back(database: object):
    shop, ada = await offering()
    bought = await shop.buy(ada, TEA)

    await shop.bring_back(bought, {1: 9})
    after_most = await left(ada)
    await shop.bring_back(bought, None)

    assert (after_most, await left(ada)) == ([1], [2])
    assert await shop.balance(ada) == 0


async def test_two_processes_never_exceed_a_budget_together(database: object, database_url: str):
    shop, _ = await opened(*BUDGETS)
    tills = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "tests.usecases.till_process"),
            *(database_url, str(shop.program_id), name, "15"),
            stdout=asyncio.subprocess.PIPE,
        )
        for name in ("north", "south")
    ]

    told = [(await till.communicate())[0].decode().split() for till in tills]

    assert [int(purchases_) for purchases_, _ in told] == [15, 15]
    assert sum(int(points_) for _, points_ in told) == 300 + 100 + 40
    assert await spent() == {("DAILY_GRAND", "2026-03-02"): 40, ("GRAND", "EVER"): 100}


@pytest.mark.parametrize(
    "at", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, tzinfo=UTC)], ids=str
)
async def test_a_day_beyond_the_calendar_is_refused_without_its_neighbours(
    database: object, at: datetime
):
    weekly = {"rrule": "FREQ=WEEKLY", "begins": "2026-01-05T00:00:00", "minutes": 60}
    shop, ada = await opened(DAILY, rule("MORNING", points=1, schedule=weekly))
    receipts = [shop.receipt(ada, TEA, purchased_at=at), shop.receipt(ada, TEA)]
    foreign = shop.receipt(ada, TEA, purchased_at=at, currency="USD")

    answers = await purchases.record(shop.program_id, [*receipts, foreign], now=NOON)

    assert [getattr(one, "field", None) for one in answers] == ["purchasedAt", None, "purchasedAt"]
    assert points(answers) == [17]
    assert await Purchase.all().count() == 1
