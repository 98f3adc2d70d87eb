"""What the replay does with baskets, beside buying them: returns, redemptions, expiry."""

from array import array
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from loyalty_graph.ledger.models import TransferRow
from loyalty_graph.purchases.models import Purchase, Refund
from loyalty_graph.rewards.models import RedemptionRow
from loyalty_graph.sandbox.baskets import MINUTES_PER_DAY, Baskets
from loyalty_graph.sandbox.chance import Chance
from loyalty_graph.sandbox.redeeming import HELD_ONE_IN, LEFT_ONE_IN, REDEEMS_ONE_IN
from loyalty_graph.sandbox.replay import LATE_ONE_IN, RETURNED_ONE_IN, Replay
from tests.shop import CODES, COFFEE, DAY, PROGRAM, open_shop

NEW_YORK = ZoneInfo("America/New_York")
IN_NEW_YORK: dict[str, Any] = {
    **PROGRAM,
    "program": {**PROGRAM["program"], "time_zone": "America/New_York"},
}
SEED = 1


def baskets_of(first: date, minutes: Sequence[int], *, cents: int = 1000) -> Baskets:
    """One household's baskets, a line of two mugs each, at these minutes since `first`."""
    count = len(minutes)
    return Baskets(
        first_date=first,
        last_date=first + timedelta(days=max(minutes) // MINUTES_PER_DAY),
        product_types=("MUG",),
        household=array("H", [0] * count),
        minute=array("I", minutes),
        store=array("H", [7] * count),
        first_line=array("I", range(count + 1)),
        order=array("I", range(count)),
        product_type=array("B", [0] * count),
        cents=array("I", [cents] * count),
        quantity=array("H", [2] * count),
        discount=array("I", [0] * count),
        coupon=array("I", [0] * count),
    )


def is_returned(row: int, seed: int = SEED) -> bool:
    digest = sha256(f"{seed}:returned:{row}".encode()).digest()
    return int.from_bytes(digest[:8]) % RETURNED_ONE_IN == 0


def seed_that_returns_only_row(row: int, *, of: int) -> int:
    return next(
        seed
        for seed in range(1_000_000)
        if [one for one in range(of) if is_returned(one, seed)] == [row]
    )


async def replay(
    baskets: Baskets, today: date, *, seed: int = SEED, data: dict[str, Any] = IN_NEW_YORK
) -> None:
    opening = datetime.combine(baskets.first_date, datetime.min.time(), tzinfo=NEW_YORK)
    shop = await open_shop(data, now=opening.astimezone(UTC))
    await Replay(shop.program_id, baskets, NEW_YORK, Chance(seed), CODES).run(today)


async def refunds() -> list[tuple[str, datetime]]:
    """Return the basket each refund belongs to, and when it was made, at the shop's clock."""
    bought = {row.id: row.external_id for row in await Purchase.all()}
    found = await Refund.all().order_by("refunded_at")
    return [(bought[one.purchase_id], one.refunded_at.astimezone(NEW_YORK)) for one in found]


@pytest.mark.usefixtures("database")
async def test_one_basket_in_a_hundred_comes_back_a_week_later_at_the_same_minute():
    first, count = date(2026, 9, 1), 600
    minutes = [number * 37 + 480 for number in range(count)]

    await replay(baskets_of(first, minutes, cents=4), date(2026, 10, 1))

    expected = [
        (f"basket-{row}", divmod(minutes[row] + 7 * MINUTES_PER_DAY, MINUTES_PER_DAY))
        for row in range(count)
        if is_returned(row)
    ]
    found = [
        (name, ((at.date() - first).days, at.hour * 60 + at.minute)) for name, at in await refunds()
    ]
    assert found == expected
    assert 1 < len(found) < 15


@pytest.mark.usefixtures("database")
async def test_one_basket_in_a_hundred_is_recorded_three_days_late_but_for_those_of_the_last_days():
    first, count = date(2026, 9, 1), 600
    minutes = [number * 37 + 480 for number in range(count)]
    last = first + timedelta(days=minutes[-1] // MINUTES_PER_DAY)
    chance = Chance(SEED)

    await replay(baskets_of(first, minutes, cents=4), date(2026, 10, 1))

    found = {
        row.external_id: (
            row.purchased_at.astimezone(NEW_YORK).date(),
            (row.recorded_at - timedelta(seconds=1)).astimezone(NEW_YORK).date(),
        )
        for row in await Purchase.all()
    }
    late = {name for name, (bought, recorded) in found.items() if bought != recorded}
    assert len(found) == count
    assert late == {
        f"basket-{row}"
        for row in range(count)
        if chance.falls(LATE_ONE_IN, "late", row)
        and first + timedelta(days=minutes[row] // MINUTES_PER_DAY + 3) <= last
    }
    assert 1 < len(late) < 15
    assert {recorded - bought for bought, recorded in map(found.__getitem__, late)} == {3 * DAY}


@pytest.mark.usefixtures("database")
async def test_a_return_that_would_fall_on_today_or_later_is_left_out():
    seed = seed_that_returns_only_row(0, of=1)
    baskets = baskets_of(date(2026, 9, 1), [600])

    await replay(baskets, date(2026, 9, 8), seed=seed)

    assert await refunds() == []


@pytest.mark.usefixtures("database")
async def test_a_return_on_the_day_before_today_is_made():
    seed = seed_that_returns_only_row(0, of=1)

    await replay(baskets_of(date(2026, 9, 1), [600]), date(2026, 9, 9), seed=seed)

    assert await refunds() == [("basket-0", datetime(2026, 9, 8, 10, tzinfo=NEW_YORK))]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("case", "first", "expected"),
    [
        ("skipped in spring", date(2026, 3, 1), datetime(2026, 3, 8, 7, 30, tzinfo=UTC)),
        ("standard time in autumn", date(2026, 10, 25), datetime(2026, 11, 1, 7, 30, tzinfo=UTC)),
    ],
)
async def test_the_same_local_minute_is_meant_when_the_clocks_change(
    case: str, first: date, expected: datetime
):
    half_past_two = 150

    await replay(
        baskets_of(first, [half_past_two]),
        first + timedelta(days=9),
        seed=seed_that_returns_only_row(0, of=1),
    )

    [(_, at)] = await refunds()
    assert at.astimezone(UTC) == expected


@pytest.mark.usefixtures("database")
async def test_what_one_day_left_in_hand_is_used_on_a_later_one():
    first = date(2026, 9, 1)
    rewarding = {**IN_NEW_YORK, "rewards": [COFFEE]}
    baskets = baskets_of(first, [day * MINUTES_PER_DAY + 600 for day in range(30)])

    await replay(baskets, first + timedelta(days=30), data=rewarding)

    days = {
        one.id: (one.created_at.astimezone(NEW_YORK).date(), one.used_at)
        for one in await RedemptionRow.filter(state="USED")
    }
    assert len(days) > 1
    for redeemed_on, used_at in days.values():
        assert used_at is not None
        assert used_at.astimezone(NEW_YORK).date() == redeemed_on + timedelta(days=1)


@pytest.mark.usefixtures("database")
async def test_a_hold_that_nobody_confirmed_is_released_on_the_next_evening():
    first = date(2026, 9, 1)
    seed = next(
        seed
        for seed in range(100_000)
        if all(
            Chance(seed).falls(one_in, purpose, 0, first)
            for one_in, purpose in (
                (REDEEMS_ONE_IN, "redeems"),
                (HELD_ONE_IN, "held"),
                (LEFT_ONE_IN, "left"),
            )
        )
        and not is_returned(0, seed)
    )

    await replay(
        baskets_of(first, [600]),
        first + timedelta(days=2),
        seed=seed,
        data={**IN_NEW_YORK, "rewards": [COFFEE]},
    )

    rows = await TransferRow.all().order_by("sequence").values_list("kind", "points", "at")
    assert [(kind, points, at.astimezone(NEW_YORK).date()) for kind, points, at in rows] == [
        ("EARN", 50, first),
        ("HOLD", 40, first + timedelta(days=1)),
        ("RELEASE", 40, first + timedelta(days=2)),
    ]


@pytest.mark.usefixtures("database")
async def test_points_expire_up_to_the_day_before_today():
    await replay(baskets_of(date(2026, 1, 5), [600]), date(2026, 7, 7), seed=SEED)

    entries = await TransferRow.all().order_by("sequence")
    assert [(one.kind, one.points) for one in entries] == [("EARN", 50), ("EXPIRE", 50)]
    assert entries[-1].at.astimezone(NEW_YORK) == datetime(2026, 7, 6, tzinfo=NEW_YORK)


@pytest.mark.usefixtures("database")
async def test_a_second_run_goes_on_where_the_first_one_ended():
    baskets = baskets_of(date(2026, 9, 1), [number * 1000 for number in range(9)])
    shop = await open_shop(IN_NEW_YORK, now=datetime(2026, 9, 1, 4, tzinfo=UTC))
    one = Replay(shop.program_id, baskets, NEW_YORK, Chance(SEED), CODES)
    told: list[int] = []

    await one.run(date(2026, 9, 4), progress=told.append)
    await one.run(date(2026, 9, 8), progress=told.append)

    names = {row.external_id for row in await Purchase.all()}
    assert told == [2, 3, 5, 6, 8, 9, 9]
    assert names == {f"basket-{row}" for row in range(9)}
