"""The points flow equals the ledger to the point, whatever is cut out of it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loyalty_graph.db import open_database
from loyalty_graph.errors import InvalidInputError, LoyaltyError
from loyalty_graph.ledger import reads as ledger
from loyalty_graph.ledger.models import TransferRow
from loyalty_graph.members.models import Member
from loyalty_graph.purchases.rules import ActivityKind, Line
from loyalty_graph.reports import flow_reads
from loyalty_graph.reports.flow_reads import By
from loyalty_graph.reports.points_flow import PointsFlow, chosen, points_flow
from loyalty_graph.reports.rules import OWN, Column
from loyalty_graph.usecases import (
    adjustments,
    balances,
    erasing,
    expiry,
    merging,
    purchases,
    reinstatements,
    reversals,
    transfers,
)
from loyalty_graph.usecases.balance_rows import BalanceFormat
from loyalty_graph.usecases.points_holds import HoldStep
from tests.shop import COFFEE, DAY, NOON, NOTE, PROGRAM, Shop, by_id, open_shop

FIRST = NOON.date()
HOUR = timedelta(hours=1)
ZONE = ZoneInfo("Europe/Berlin")
BASKET = (Line("COFFEE", 10, 450),)
"""Earns 90 points."""
_numbers = count(1)


def data(**points: Any) -> dict[str, Any]:
    changed = {
        **PROGRAM["program"]["points"],
        "expiry_months": 1,
        "transfers": {"fee_points": 2},
        **points,
    }
    follow = {"code": "FOLLOW", "name": "Follow", "on": "SOCIAL_FOLLOW", "points": 5}
    return {
        **PROGRAM,
        "program": {**PROGRAM["program"], "slug": f"shop-{next(_numbers)}", "points": changed},
        "earning": {**PROGRAM["earning"], "rules": [follow]},
        "rewards": [COFFEE, NOTE],
    }


async def flow(shop: Shop, first: date, last: date, by: By = By.DAY) -> PointsFlow:
    return await points_flow(shop.program_id, first, last, by=by, now=shop.now)


async def adjust(shop: Shop, member: Member, points: int) -> None:
    command = adjustments.AdjustPoints(
        "staff:1", f"adjust-{next(_numbers)}", by_id(member), points, "x"
    )
    await adjustments.adjust(shop.program_id, command, now=shop.now)


async def migrate(shop: Shop, member: Member, points: int) -> None:
    text = f"id,points\n{member.id},{points}\n"
    file = balances.file_of(text, source=f"old-{next(_numbers)}", form=BalanceFormat.CSV)
    await balances.import_file(shop.program_id, file, caller="cli", now=shop.now)


async def test_a_month_of_a_shop(database: object):
    shop = await open_shop(data())
    ada = await shop.enrol()
    bought = await shop.buy(ada, BASKET, store="berlin")
    await migrate(shop, ada, 40)
    await adjust(shop, ada, 10)
    day2 = shop.later(DAY)
    await day2.redeem(ada, 30)
    await day2.buy(ada, BASKET, purchased_at=NOON)
    await day2.bring_back(bought, {1: 10})
    await day2.do(ada, ActivityKind.SOCIAL_FOLLOW, network="x")

    by_day = await flow(day2, FIRST, FIRST + 2 * DAY)
    by_store = await flow(day2, FIRST, FIRST + DAY, By.STORE)
    by_kind = await flow(day2, FIRST, FIRST + DAY, By.KIND)
    by_rule = await flow(day2, FIRST, FIRST + DAY, By.RULE)

    told = [
        (one.part, one.flow.opening, dict(one.flow.columns), one.flow.closing)
        for one in by_day.parts
    ]
    assert told == [
        ("2026-03-02", 0, {"ISSUED": 90, "MIGRATED": 40, "ADJUSTED": 10}, 140),
        ("2026-03-03", 140, {"REDEEMED": -30, "ISSUED": 95, "REVERSED": -90}, 115),
        ("2026-03-04", 115, {}, 115),
    ]
    assert (by_day.whole.opening, by_day.whole.closing) == (0, 115)
    assert {one.part: dict(one.flow.columns) for one in by_store.parts} == {
        "berlin": {"ISSUED": 90, "REVERSED": -90},
        None: {"ISSUED": 95, "MIGRATED": 40, "ADJUSTED": 10, "REDEEMED": -30},
    }
    assert {one.part: one.flow.change for one in by_kind.parts} == {
        "EARN": 185,
        "REVERSE": -90,
        "MIGRATE": 40,
        "ADJUST": 10,
        "REDEEM": -30,
    }
    assert {one.part: dict(one.flow.columns) for one in by_rule.parts} == {
        "FOLLOW": {"ISSUED": 5},
        "LINES": {"ISSUED": 180},
        None: {"MIGRATED": 40, "ADJUSTED": 10, "REDEEMED": -30, "REVERSED": -90},
    }
    assert await ledger.outstanding(shop.program_id) == 115


async def test_points_that_members_give_each_other_cancel_but_for_the_fee(database: object):
    shop = await open_shop(data())
    ada, bob = await shop.enrol(), await shop.enrol()
    await shop.buy(ada, BASKET)

    await Moment(shop, ada, bob, 29, []).give()

    found = await flow(shop, FIRST, FIRST)
    assert (dict(found.whole.columns), found.whole.closing) == ({"ISSUED": 90, "FEES": -2}, 88)
    by_kind = await flow(shop, FIRST, FIRST, By.KIND)
    assert {one.part: dict(one.flow.columns) for one in by_kind.parts} == {
        "EARN": {"ISSUED": 90},
        "TRANSFER_OUT": {"TRANSFERRED": -30, "FEES": -2},
        "TRANSFER_IN": {"TRANSFERRED": 30},
    }


async def test_what_comes_back_of_a_merged_member_is_of_its_store(database: object):
    shop = await open_shop(data())
    ada, bob = await shop.enrol(), await shop.enrol()
    bought = await shop.buy(ada, BASKET, store="berlin")
    await Moment(shop, ada, bob, 200, []).merge()

    await shop.bring_back(bought, None)

    found = await flow(shop, FIRST, FIRST, By.STORE)
    assert {one.part: dict(one.flow.columns) for one in found.parts} == {
        "berlin": {"ISSUED": 90, "REVERSED": -90}
    }
    assert found.whole.closing == await ledger.outstanding(shop.program_id) == 0


async def test_what_is_recorded_late_changes_no_period_that_is_closed(database: object):
    shop = await open_shop(data())
    ada = await shop.enrol()
    await shop.buy(ada, BASKET)
    before = await flow(shop.later(40 * DAY), FIRST, FIRST + 5 * DAY)

    late = shop.later(10 * DAY)
    await late.buy(ada, BASKET, purchased_at=NOON + DAY)
    await expiry.run(shop.program_id, now=NOON + 40 * DAY)

    assert await flow(shop.later(40 * DAY), FIRST, FIRST + 5 * DAY) == before
    month = await flow(shop.later(40 * DAY), FIRST, FIRST + 40 * DAY, By.MONTH)
    assert [(one.part, dict(one.flow.columns)) for one in month.parts] == [
        ("2026-03", {"ISSUED": 180}),
        ("2026-04", {"EXPIRED": -180}),
    ]


async def test_days_begin_at_midnight_of_the_programme(database: object):
    # In Berlin the clocks go forward on 29 March.
    for moment, day in (
        (datetime(2026, 3, 28, 22, 59, 59, tzinfo=UTC), "2026-03-28"),
        (datetime(2026, 3, 28, 23, tzinfo=UTC), "2026-03-29"),
        (datetime(2026, 3, 29, 21, 59, 59, 999999, tzinfo=UTC), "2026-03-29"),
        (datetime(2026, 3, 29, 22, tzinfo=UTC), "2026-03-30"),
    ):
        shop = (await open_shop(data())).at(moment)
        await shop.buy(await shop.enrol(), BASKET)
        found = await flow(shop, date(2026, 3, 28), date(2026, 3, 30))
        assert [one.part for one in found.parts if one.flow.columns] == [day]


@pytest.mark.parametrize(
    ("case", "first", "last", "by", "message"),
    [
        ("no day", FIRST, FIRST - DAY, By.MONTH, "is before .*, the first day"),
        (
            "too many days",
            FIRST,
            FIRST + 366 * DAY,
            By.DAY,
            "These are 367 days; by day, ask for at most 366",
        ),
        ("before all time", date(1969, 1, 1), date(1969, 1, 2), By.DAY, "no points from such"),
        ("the end of time", date(9999, 12, 1), date.max, By.DAY, "no points from such"),
    ],
)
async def test_a_period_that_is_none_is_refused(
    database: object, case: str, first: date, last: date, by: By, message: str
):
    shop = await open_shop(data())

    with pytest.raises(InvalidInputError, match=message):
        await flow(shop, first, last, by)


async def test_a_part_that_is_none_of_the_period_is_refused(database: object):
    shop = await open_shop(data())

    with pytest.raises(InvalidInputError, match="2026-04 is no month of this period"):
        await chosen(
            shop.program_id, FIRST, FIRST, by=By.MONTH, part="2026-04", column=None, now=NOON
        )


async def test_what_rules_gave_is_told_from_what_lines_and_tiers_did(database: object):
    given = data()
    first = {
        "code": "FIRST",
        "name": "First",
        "points": 25,
        "when": {"purchase": {"is_first": True}},
    }
    later = {"code": "LATER", "name": "Later", "points": 13, "pending": {"days": 14}}
    level = {"code": "BASE", "name": "Base", "entry": 0, "multiplier": "3/2"}
    shop = await open_shop(
        {
            **given,
            "earning": {**given["earning"], "rules": [first, later]},
            "tiers": {"basis": "SPEND", "window": "CALENDAR_YEAR", "levels": [level]},
        }
    )
    ada = await shop.enrol()
    await shop.buy(ada, BASKET)
    await shop.buy(ada, BASKET)

    found = await flow(shop, FIRST, FIRST, By.RULE)

    assert {one.part: dict(one.flow.columns) for one in found.parts} == {
        "FIRST": {"ISSUED": 25},
        "LATER": {"ISSUED": 26},
        "LINES": {"ISSUED": 180},
        "MULTIPLIERS": {"ISSUED": 90},
    }
    for part, kinds in {
        "FIRST": ["EARN"],
        "LATER": ["EARN_PENDING", "EARN_PENDING"],
        "MULTIPLIERS": ["EARN", "EARN"],
    }.items():
        wanted = await chosen(
            shop.program_id, FIRST, FIRST, by=By.RULE, part=part, column=None, now=NOON
        )
        keys = await flow_reads.entry_keys(shop.program_id, wanted, after=None, limit=9)
        rows = await TransferRow.filter(member_id=ada.id, sequence__in=[n for _, n in keys])
        assert sorted(row.kind for row in rows) == kinds


async def test_of_what_is_erased_the_sums_stay(database: object):
    shop = await open_shop(data())
    ada = await shop.enrol()
    bought = await shop.buy(ada, BASKET, store="berlin")
    await shop.bring_back(bought, {1: 1})
    before = await flow(shop, FIRST, FIRST, By.STORE)

    erased = await TransferRow.filter(member_id=ada.id).count()
    wanted = erasing.EraseMember("staff:eve", "forget", by_id(ada), b"k" * 32)
    await erasing.erase(shop.program_id, wanted, now=NOON + DAY)

    assert erased == 2
    assert await flow(shop, FIRST, FIRST, By.STORE) == before
    by_rule = await flow(shop, FIRST, FIRST, By.RULE)
    assert by_rule.whole.closing == before.whole.closing == 81
    assert {one.part: one.flow.change for one in by_rule.parts} == {None: 81}


# --- any history, any cut


@dataclass
class Moment:
    """A member of a shop at a moment, a number to choose by, and what he bought before."""

    shop: Shop
    member: Member
    other: Member
    number: int
    before: list[purchases.PurchaseRecorded]

    async def buy(self) -> object:
        lines = (Line("COFFEE", self.number % 20 + 1, 450),)
        return await self.shop.buy(self.member, lines, store=f"s{self.number % 2}")

    async def buy_late(self) -> object:
        at = self.shop.now - self.number % 40 * DAY
        return await self.shop.buy(self.member, BASKET, purchased_at=at)

    async def bring_back(self) -> object:
        if self.before:
            await self.shop.bring_back(self.before[self.number % len(self.before)], {1: 1})
        return None

    async def redeem(self) -> object:
        return await self.shop.redeem(self.member, self.number % 90 + 1)

    async def want(self) -> object:
        minutes = 10 if self.number % 2 else None
        return await self.shop.want(self.member, hold_minutes=minutes)

    async def adjust(self) -> object:
        return await adjust(self.shop, self.member, self.number - 150)

    async def migrate(self) -> object:
        return await migrate(self.shop, self.member, self.number + 1)

    async def follow(self) -> object:
        network = f"n{self.number}"
        return await self.shop.do(self.member, ActivityKind.SOCIAL_FOLLOW, network=network)

    async def expire(self) -> object:
        return await expiry.run(self.shop.program_id, now=self.shop.now)

    async def close(self) -> object:
        return await self.shop.close(self.member) if self.number > 290 else None

    async def give(self) -> object:
        key = f"give-{next(_numbers)}"
        command = transfers.TransferPoints(
            "partner:till", key, by_id(self.member), by_id(self.other), self.number % 60 + 1
        )
        return await transfers.transfer(self.shop.program_id, command, now=self.shop.now)

    async def hold(self) -> object:
        held = await self.shop.hold(self.member, self.number % 50 + 2)
        if self.number % 3 == 0:
            return await self.shop.end_hold(HoldStep.CAPTURE, held, points=1)
        return await self.shop.end_hold(HoldStep.RELEASE, held) if self.number % 3 == 1 else None

    async def void(self) -> object:
        if self.before:
            await self.shop.void(self.before[self.number % len(self.before)])
        return None

    async def merge(self) -> object:
        key = f"merge-{next(_numbers)}"
        command = merging.MergeMembers("staff:1", key, by_id(self.member), by_id(self.other), "x")
        merged = await merging.merge(self.shop.program_id, command, now=self.shop.now)
        return merged if self.number > 150 else None

    async def reinstate(self) -> object:
        key = f"reinstate-{next(_numbers)}"
        command = reinstatements.ReinstateExpired(
            "staff:1", key, by_id(self.member), "x", within_days=60
        )
        return await reinstatements.reinstate(self.shop.program_id, command, now=self.shop.now)

    async def reverse(self) -> object:
        key, sequence = f"reverse-{next(_numbers)}", self.number % 6 + 1
        command = reversals.ReverseEntry("staff:1", key, self.member.id, sequence, "x")
        return await reversals.reverse(self.shop.program_id, command, now=self.shop.now)


HAPPENINGS = [
    *(Moment.buy, Moment.buy_late, Moment.bring_back, Moment.redeem, Moment.want),
    *(Moment.adjust, Moment.migrate, Moment.follow, Moment.expire, Moment.close, Moment.give),
    *(Moment.hold, Moment.void, Moment.merge, Moment.reinstate, Moment.reverse),
]
History = list[tuple[Callable[[Moment], Awaitable[object]], int, int, int]]
steps = st.lists(
    st.tuples(
        st.sampled_from(HAPPENINGS), st.integers(0, 1), st.integers(0, 300), st.integers(0, 200)
    ),
    min_size=1,
    max_size=25,
)


async def live(history: History) -> Shop:
    """Return a shop after a history of (what, to whom, how much, how many hours later)."""
    shop = await open_shop(data(clawback="CLAMP_TO_ZERO" if len(history) % 2 else "ALLOW_NEGATIVE"))
    people = [await shop.enrol(), await shop.enrol()]
    bought: list[purchases.PurchaseRecorded] = []
    for happen, who, number, hours in history:
        shop = shop.later(hours * HOUR)
        mine = [one for one in bought if one.member_id == people[who].id]
        with suppress(LoyaltyError):
            done = await happen(Moment(shop, people[who], people[1 - who], number, mine))
            bought += [done] if isinstance(done, purchases.PurchaseRecorded) else []
    return shop


def gained(row: TransferRow) -> int:
    return row.points * ((row.credit in OWN) - (row.debit in OWN))


def within(rows: list[TransferRow], first: date, last: date) -> list[TransferRow]:
    return [row for row in rows if first <= row.recorded_at.astimezone(ZONE).date() <= last]


async def check(shop: Shop, first: date, last: date) -> None:
    rows = await TransferRow.filter(program_id=shop.program_id)
    opening = sum(map(gained, within(rows, date(2000, 1, 1), first - DAY)))
    moved = within(rows, first, last)
    for by in By:
        found = await flow(shop, first, last, by)
        assert found.whole.opening == opening
        assert found.whole.change == sum(map(gained, moved))
        assert found.whole.change == sum(one.flow.change for one in found.parts)
        for column in Column:
            assert found.whole.columns[column] == sum(
                one.flow.columns[column] for one in found.parts
            )
    by_kind = await flow(shop, first, last, By.KIND)
    for part in by_kind.parts:
        assert part.flow.change == sum(gained(row) for row in moved if row.kind == part.part)
    by_day = await flow(shop, first, last)
    assert by_day.parts[0].flow.opening == opening
    assert by_day.parts[-1].flow.closing == by_day.whole.closing
    by_store = await flow(shop, first, last, By.STORE)
    for found in (by_day, by_kind, by_store):
        await check_drill_down(shop, found, {(row.member_id, row.sequence): row for row in rows})


async def check_drill_down(
    shop: Shop, found: PointsFlow, rows: dict[tuple[UUID, int], TransferRow]
) -> None:
    """Every figure is what its entries add up to."""
    for part in found.parts:
        for column, points in part.flow.columns.items():
            wanted = await chosen(
                shop.program_id,
                found.first,
                found.last,
                by=found.by,
                part=part.part,
                column=column,
                now=shop.now,
            )
            keys = await flow_reads.entry_keys(shop.program_id, wanted, after=None, limit=1000)
            assert len(keys) == await flow_reads.entry_count(shop.program_id, wanted)
            assert sum(gained(rows[key]) for key in keys) == points


@pytest.fixture
def run(database_url: str) -> Iterator[Callable[[Awaitable[Any]], Any]]:
    """What runs a coroutine on the database of this test, opened once for all histories."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        runner.run(stack.enter_async_context(open_database(database_url)))
        yield runner.run  # type: ignore[misc] # it takes coroutines, which these are
        runner.run(stack.aclose())


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=steps, cut=st.tuples(st.integers(-3, 60), st.integers(0, 60)))
def test_any_cut_through_any_history_equals_the_ledger(
    run: Callable[[Awaitable[Any]], Any],
    history: History,
    cut: tuple[int, int],
):
    shop: Shop = run(live(history))

    first = FIRST + cut[0] * DAY
    run(check(shop, first, first + cut[1] * DAY))

    whole = run(flow(shop, FIRST, shop.now.date() + DAY, By.KIND)).whole
    assert whole.closing == run(ledger.outstanding(shop.program_id))
