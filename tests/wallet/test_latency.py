import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from loyalty_graph.wallet.latency import (
    BUCKET_MAX,
    LatencyRow,
    Percentiles,
    Stage,
    bucket_of,
    percentiles,
    record,
    summary,
)
from loyalty_graph.wallet.service import Platform
from tests.shop import DAY, NOON

database = pytest.mark.usefixtures("database")

BEANS, TEAS = UUID(int=1), UUID(int=2)
PUSHED_TO_APPLE = (Platform.APPLE, Stage.PUSHED)


@database
async def test_samples_of_many_writers_at_once_add_up():
    writers = [
        record(BEANS, Platform.APPLE, Stage.PUSHED, [0.0005, 1.0, 1.0], now=NOON) for _ in range(8)
    ]

    await asyncio.gather(*writers)

    [found] = (await percentiles(BEANS, since=NOON)).values()
    assert found.count == 24
    assert found.p50_s == found.p99_s == pytest.approx(1.0, rel=0.05)


@database
async def test_platforms_stages_and_programmes_are_counted_apart():
    await record(BEANS, Platform.APPLE, Stage.PUSHED, [0.1], now=NOON)
    await record(BEANS, Platform.APPLE, Stage.FETCHED, [0.2, 0.2], now=NOON)
    await record(BEANS, Platform.GOOGLE, Stage.PUSHED, [0.3] * 3, now=NOON)
    await record(TEAS, Platform.APPLE, Stage.PUSHED, [0.4] * 4, now=NOON)

    found = await percentiles(BEANS, since=NOON)

    assert {key: one.count for key, one in found.items()} == {
        (Platform.APPLE, Stage.PUSHED): 1,
        (Platform.APPLE, Stage.FETCHED): 2,
        (Platform.GOOGLE, Stage.PUSHED): 3,
    }


@database
async def test_days_add_up_from_the_first_one_asked_for():
    for days_ago in (0, 1, 2):
        await record(BEANS, *PUSHED_TO_APPLE, [1.0], now=NOON - days_ago * DAY)

    found = await percentiles(BEANS, since=NOON - DAY + timedelta(hours=3))

    assert found[PUSHED_TO_APPLE].count == 2


@database
async def test_old_days_are_removed_so_that_the_table_stays_small():
    await record(BEANS, *PUSHED_TO_APPLE, [1.0], now=NOON - 36 * DAY)
    await record(BEANS, *PUSHED_TO_APPLE, [1.0], now=NOON - 35 * DAY)
    await record(TEAS, *PUSHED_TO_APPLE, [1.0], now=NOON - 36 * DAY)

    await record(BEANS, *PUSHED_TO_APPLE, [1.0], now=NOON)

    assert await LatencyRow.filter(program_id=BEANS).count() == 2
    assert await LatencyRow.filter(program_id=TEAS).count() == 1


@database
async def test_no_samples_are_no_rows_and_no_figures():
    await record(BEANS, *PUSHED_TO_APPLE, [], now=NOON)

    assert await LatencyRow.all().count() == 0
    assert await percentiles(BEANS, since=NOON) == {}


@pytest.mark.parametrize(
    ("case", "seconds", "bucket"),
    [
        ("a clock that runs behind", -3.0, 0),
        ("at once", 0.0, 0),
        ("the shortest", 0.001, 0),
        ("a little more", 0.00101, 1),
        ("a second", 1.0, 142),
        ("a month", 30 * 86_400.0, BUCKET_MAX),
    ],
)
def test_every_duration_has_a_bucket(case: str, seconds: float, bucket: int):
    assert bucket_of(seconds) == bucket, case


@pytest.mark.parametrize("seconds", [0.002, 0.35, 1.0, 61.7, 86_400.0])
def test_a_figure_is_at_most_5_percent_too_high_and_never_too_low(seconds: float):
    told = summary({bucket_of(seconds): 1}).p50_s

    assert seconds <= told <= seconds * 1.05


def test_percentiles_are_those_of_the_sample_with_that_rank():
    # given a hundred samples: 50 of bucket 0, 45 of bucket 10, 4 of bucket 20 and one of 30
    buckets = {30: 1, 0: 50, 10: 45, 20: 4}

    found = summary(buckets)

    assert found == Percentiles(100, 0.001, 0.001 * 1.05**10, 0.001 * 1.05**20)
