"""A backtest says what really applying the version to an empty copy gives, and writes nothing."""

import random
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tortoise.functions import Sum

from loyalty_graph.errors import InvalidInputError
from loyalty_graph.ledger.models import TransferRow
from loyalty_graph.members.models import Member
from loyalty_graph.purchases.models import Purchase, Refund
from loyalty_graph.purchases.rules import Channel, Line
from loyalty_graph.tiers import reads as tiers
from loyalty_graph.usecases import backtest, program_file
from loyalty_graph.usecases.backtest_report import Backtest
from tests.shop import NOON, PROGRAM, Shop, open_shop

END = NOON + timedelta(days=300)
SHELF = ("COFFEE", "MUG", "TEA", "GIFT_CARD")
LEVELS = [
    {"code": "GREEN", "name": "Green", "entry": 0, "multiplier": "1"},
    {"code": "SILVER", "name": "Silver", "entry": 20_000, "multiplier": "5/4"},
    {"code": "GOLD", "name": "Gold", "entry": 60_000, "keep": 40_000, "multiplier": "3/2"},
]
TIERS = {"basis": "SPEND", "window": "ROLLING_12_MONTHS", "levels": LEVELS}
RULES = [
    {"code": "FIRST", "name": "First one", "points": 50, "when": {"purchase": {"is_first": True}}},
    {
        "code": "APP",
        "name": "By the app",
        "multiplier": "2",
        "when": {"purchase": {"channel": "MOBILE"}},
        "caps": [{"points": 60, "per": "MONTH"}],
    },
    {
        "code": "BIG",
        "name": "Big basket",
        "steps": [{"from_minor": 5000, "points": 20}, {"from_minor": 9000, "points": 70}],
    },
    {
        "code": "EACH_TEN",
        "name": "Each ten of coffee",
        "rate": {"points": 3, "per_amount_minor": 1000, "granularity": "STEP", "carry": True},
        "lines": {"product_type": "COFFEE"},
    },
    {
        "code": "WEEKEND",
        "name": "Weekend",
        "points": 5,
        "when": {"time": {"weekday": ["SATURDAY", "SUNDAY"]}},
        "tiers": ["SILVER", "GOLD"],
    },
]
WAITING = (
    {"code": "LATER", "name": "Later", "points": 30, "pending": {"days": 30}},
    {"code": "SOON", "name": "Soon", "multiplier": "2", "pending": {"days": 2}},
    *(
        {
            "code": f"HAS_{least}",
            "name": "A certain balance",
            "points": 1 + least,
            "when": {"member": {"balance_points": {"between": [least, least + 39]}}},
        }
        for least in range(0, 1000, 40)
    ),
)
BUDGETED = {"code": "GIFT", "name": "A gift", "points": 40, "budget": {"points": 500}}


OTHERWISE = {
    "program": {
        **PROGRAM["program"],
        "points": {**PROGRAM["program"]["points"], "clawback": "ALLOW_NEGATIVE"},
    },
    "tiers": {
        "basis": "QUALIFYING_POINTS",
        "window": "CALENDAR_YEAR",
        "levels": [
            {**level, "entry": entry, "keep": entry}
            for level, entry in zip(LEVELS, (0, 150, 400), strict=True)
        ],
    },
}
"""Tiers by points, and debt, where the first version has tiers by spend and forgives."""


@dataclass(frozen=True)
class Bought:
    """A purchase of the past: by whom, when, of what, how, and what came back when."""

    who: int
    at: datetime
    lines: tuple[Line, ...]
    channel: Channel
    back: tuple[tuple[datetime, dict[int, int] | int], ...]


def proposal(slug: str = "bean-club", *more_rules: dict[str, Any]) -> dict[str, Any]:
    earning = {**PROGRAM["earning"], "rules": [*RULES, *more_rules]}
    return {
        "program": {**PROGRAM["program"], "slug": slug},
        "earning": earning,
        "tiers": TIERS,
    }


def past(seed: int, *, members: int = 6, purchases: int = 90) -> list[Bought]:
    """Return purchases of members within three hundred days.

    A third became cheaper and was brought back in parts.
    """
    chance = random.Random(seed)  # noqa: S311 - a shop, not a secret
    found = []
    for _ in range(purchases):
        at = NOON + timedelta(minutes=chance.randrange(280 * 24 * 60))
        lines = tuple(
            Line(kind, chance.randint(1, 3), chance.randint(50, 4000))
            for kind in chance.sample(SHELF, chance.randint(1, 3))
        )
        back: list[tuple[datetime, dict[int, int] | int]] = []
        if chance.random() < 0.35:
            later = at + timedelta(days=chance.randint(1, 15))
            back.append((later - timedelta(hours=1), chance.randint(1, 40)))
            back.append((later, {1: 1}))
            if lines[0].quantity > 1:
                back.append((later + timedelta(hours=1), {1: lines[0].quantity - 1}))
        channel = chance.choice((Channel.POS, Channel.MOBILE))
        found.append(Bought(chance.randrange(members), at, lines, channel, tuple(back)))
    return found


async def play(shop: Shop, bought: list[Bought], *, members: int = 6) -> list[Member]:
    """Let it all happen in a programme, in order."""
    people = [
        await shop.enrol(external_id=f"m{number}", birthday=date(1990, 5, 1 + number))
        for number in range(members)
    ]
    events = [(one.at, place, -1) for place, one in enumerate(bought)]
    events += [
        (at, place, part)
        for place, one in enumerate(bought)
        for part, (at, _) in enumerate(one.back)
    ]
    recorded: dict[int, Any] = {}
    for at, place, part in sorted(events):
        one = bought[place]
        if part < 0:
            recorded[place] = await shop.at(at).buy(
                people[one.who], one.lines, channel=one.channel, purchased_at=at
            )
        else:
            what = one.back[part][1]
            units, amount = (None, what) if isinstance(what, int) else (what, None)
            await shop.at(at).bring_back(
                recorded[place], units, refunded_at=at, amount_minor=amount
            )
    return people


async def tried(shop: Shop, data: dict[str, Any], **changes: Any) -> Backtest:
    file = program_file.check(data, name="test")
    given = {"since": None, "until": None, "now": END, **changes}
    return await backtest.run(shop.program_id, file, **given)


async def sum_of(query: Any, column: str) -> int:
    [row] = await query.annotate(total=Sum(column)).values("total")
    return int(row["total"] or 0)


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(n, marks=pytest.mark.soak) for n in (2, 3))])
@pytest.mark.parametrize(
    "more",
    [(), (BUDGETED,), WAITING],
    ids=["without budgets", "with a budget", "with points that wait"],
)
async def test_it_equals_an_empty_copy_that_really_has_the_version(
    shop: Shop, seed: int, more: tuple[dict[str, Any], ...]
):
    bought = past(seed)
    await play(shop, bought)
    other = OTHERWISE if seed % 2 else {}

    report = await tried(shop, {**proposal("bean-club", *more), **other})

    copied = proposal("copy", *more)
    copied["program"] |= other.get("program", {}) | {"slug": "copy"}
    copy = await open_shop({**copied, "tiers": other.get("tiers", TIERS)})
    people = await play(copy, bought)
    purchases = Purchase.filter(program_id=copy.program_id)
    refunds = Refund.filter(program_id=copy.program_id)
    assert report.purchases == len(bought)
    assert report.points_after == await sum_of(purchases, "points")
    assert report.taken_back_after == await sum_of(refunds, "due_points")
    standing = await tiers.tiers_of(copy.program_id, [one.id for one in people], now=END)
    moved = Counter(tier for tier in standing.values() if tier)
    assert Counter(after for (_, after), n in report.tier_moves.items() for _ in range(n)) == moved
    by_rule: Counter[str] = Counter()
    for row in await purchases:
        transfer = await TransferRow.get_or_none(
            program_id=copy.program_id, kind="EARN", reference=str(row.id)
        )
        for one in (transfer.explanation or {}).get("rules", ()) if transfer else ():
            by_rule[one["code"]] += one["points"]
    told = {code: one.points for code, one in report.rules.items() if code in by_rule}
    assert told == dict(by_rule)


@pytest.mark.parametrize("scope", ["MEMBER", "PROGRAM"])
async def test_caps_on_all_points_hold_as_in_an_empty_copy(shop: Shop, scope: str):
    bought = past(7)
    await play(shop, bought)
    given = proposal("bean-club", BUDGETED)
    given["earning"] |= {"caps": [{"points": 150, "per": "MONTH", "scope": scope}]}

    report = await tried(shop, given)

    copied = {**given, "program": {**given["program"], "slug": "copy"}}
    copy = await open_shop(copied)
    await play(copy, bought)
    points = await sum_of(Purchase.filter(program_id=copy.program_id), "points")
    refunds = Refund.filter(program_id=copy.program_id)
    assert report.points_after == points
    assert report.taken_back_after == await sum_of(refunds, "due_points")
    by_rule = {code: one.points for code, one in report.rules.items()}
    assert by_rule["CAPS"] < 0
    assert sum(by_rule.values()) == points


async def test_the_points_left_equal_those_of_an_empty_copy(shop: Shop):
    bought = past(11)
    await play(shop, bought)

    report = await tried(shop, proposal())

    copy = await open_shop(proposal("copy"))
    people = await play(copy, bought)
    accounts = [await copy.at(END).balance(one) for one in people]
    spendable = report.outstanding_points
    assert spendable <= sum(accounts)
    assert spendable > 0


async def test_nothing_is_written(shop: Shop):
    await play(shop, past(5, purchases=20))
    purchases = await Purchase.all().order_by("id").values()
    transfers = await TransferRow.all().count()

    await tried(shop, proposal())

    assert await Purchase.all().order_by("id").values() == purchases
    assert await TransferRow.all().count() == transfers


async def test_the_present_rules_change_nobody(shop: Shop):
    await play(shop, past(3))

    report = await tried(shop, PROGRAM)

    assert (report.gaining, report.losing, report.unchanged) == (0, 0, 6)
    assert report.points_before == report.points_after
    assert report.taken_back_before == report.taken_back_after
    assert report.most_changed == []


async def test_who_gains_is_named_with_what_gave_it(shop: Shop):
    ada, bob = await shop.enrol(external_id="a"), await shop.enrol(external_id="b")
    await shop.buy(ada, (Line("TEA", 1, 6000),))
    await shop.buy(bob, (Line("GIFT_CARD", 1, 6000),))

    report = await tried(shop, proposal())

    [change] = report.most_changed
    assert (change.member_id, change.points_before, change.points_after) == (ada.id, 60, 130)
    assert change.rules == {"LINES": 60, "FIRST": 50, "BIG": 20}
    assert (report.gaining, report.losing, report.unchanged) == (1, 0, 1)


async def test_what_lies_before_the_time_counts_for_tiers_alone(shop: Shop):
    ada = await shop.enrol(external_id="a")
    await shop.buy(ada, (Line("TEA", 1, 30_000),))
    later = shop.later(timedelta(days=42))
    await later.buy(ada, (Line("TEA", 1, 1000),))

    report = await tried(shop, proposal(), since=later.now.date())

    assert (report.purchases, report.points_before) == (1, 10)
    assert report.points_after == 10 * 5 // 4


@pytest.mark.parametrize(
    ("until", "purchases"), [(0, 1), (1, 2), (30, 2), ((date.max - NOON.date()).days, 2)]
)
async def test_the_last_day_is_reported_too(shop: Shop, until: int, purchases: int):
    ada = await shop.enrol(external_id="a")
    await shop.buy(ada, (Line("TEA", 1, 1000),))
    await shop.later(timedelta(days=1)).buy(ada, (Line("TEA", 1, 1000),))

    report = await tried(
        shop, PROGRAM, since=NOON.date(), until=NOON.date() + timedelta(days=until)
    )

    assert report.purchases == purchases
    assert report.since == datetime.combine(
        NOON.date(), time(), tzinfo=ZoneInfo(PROGRAM["program"]["time_zone"])
    )


async def test_a_type_the_version_does_not_take_is_told(shop: Shop):
    ada = await shop.enrol(external_id="a")
    bought = await shop.buy(ada, (Line("TEA", 1, 1000),))
    await shop.later(timedelta(days=1)).bring_back(bought, None)
    without_tea = {**PROGRAM["earning"], "product_types": []}

    report = await tried(shop, {**PROGRAM, "earning": without_tea})

    assert (report.purchases, report.refused, report.points_after) == (1, 1, 0)
    assert (report.refunds, report.taken_back_before, report.taken_back_after) == (1, 10, 0)


async def test_a_purchase_that_would_earn_beyond_all_bounds_is_not_taken(shop: Shop):
    ada = await shop.enrol(external_id="a")
    await shop.buy(ada, (Line("TEA", 1, 10**13),))
    await shop.buy(ada, (Line("TEA", 1, 100),))
    generous = {**PROGRAM["earning"], "default_rate": {"points": 1_000_000, "per_amount_minor": 1}}

    report = await tried(shop, {**PROGRAM, "earning": generous})

    assert (report.purchases, report.refused, report.points_after) == (2, 1, 100_000_000)


async def test_an_empty_time_is_refused(shop: Shop):
    with pytest.raises(InvalidInputError, match="ends before it begins"):
        await tried(shop, PROGRAM, since=NOON.date(), until=NOON.date() - timedelta(days=1))


async def test_what_a_point_costs_is_said_by_what_it_pays_or_buys(shop: Shop):
    ada = await shop.enrol(external_id="a")
    await shop.buy(ada, (Line("TEA", 1, 10_000),))
    paying = replace_points(payment={"points": 100, "worth_minor": 50})
    note = {
        "code": "NOTE",
        "name": "A note",
        "kind": "STORED_VALUE",
        "value_minor": 500,
        "cost_points": 250,
    }

    by_payment = await tried(shop, paying)
    by_reward = await tried(shop, {**PROGRAM, "rewards": [note]})
    by_nothing = await tried(shop, PROGRAM)

    assert by_payment.cost_minor(100) == 50
    assert by_reward.cost_minor(100) == 200
    assert by_nothing.cost_minor(100) is None


def replace_points(**points: Any) -> dict[str, Any]:
    program = {**PROGRAM["program"], "points": {**PROGRAM["program"]["points"], **points}}
    return {**PROGRAM, "program": program}
