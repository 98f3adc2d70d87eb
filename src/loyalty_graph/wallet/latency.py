"""How long changes take to reach cards: one small histogram for each programme, day and platform.

Samples are counted in buckets whose bounds grow by 5 %, so that a day takes a few hundred rows
however much happens, and the samples of many processes add up.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from itertools import accumulate
from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.functions import Sum
from tortoise.models import Model

from loyalty_graph import metrics
from loyalty_graph.db import transaction
from loyalty_graph.db.constraints import FillFactor, PrimaryKey
from loyalty_graph.db.sets import Upsert, store
from loyalty_graph.wallet.service import Platform

SHORTEST_S = 0.001
GROWTH = 1.05
BUCKET_MAX = 415
"""The last bucket begins beyond a week and takes whatever was slower."""
DAYS_KEPT = 35


class Stage(StrEnum):
    """How far a change has come."""

    PUSHED = "PUSHED"
    FETCHED = "FETCHED"


class LatencyRow(Model):
    """How many samples of a day fell into one bucket."""

    day: date = fields.DateField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    platform = fields.CharField(max_length=8)
    stage = fields.CharField(max_length=8)
    bucket: int = fields.IntField()
    samples: int = fields.BigIntField()

    class Meta(Model.Meta):
        table = "card_latency"
        constraints = (
            PrimaryKey("program_id", "day", "platform", "stage", "bucket"),
            FillFactor(70),
        )


@dataclass(frozen=True, slots=True)
class Percentiles:
    """How long it took for half, for 95 and for 99 of 100 changes, at most; in seconds.

    At least one sample was counted; each figure is at most 5 % too high.
    """

    count: int
    p50_s: float
    p95_s: float
    p99_s: float


async def record(
    program_id: UUID,
    platform: Platform,
    stage: Stage,
    seconds: Sequence[float],
    *,
    now: datetime,
) -> None:
    """Count how long these changes took, from their commit to this stage; below zero is zero.

    Many processes may do so at once. What is older than 35 days is removed. Call it beside other
    transactions, not inside: its rows are shared by everybody.
    """
    if not seconds:
        return
    await _record(program_id, platform, stage, seconds, now=now)
    lag = metrics.push_lag_seconds.labels(platform, stage)
    for one in seconds:
        lag.observe(max(0.0, one))


@transaction
async def _record(
    program_id: UUID, platform: Platform, stage: Stage, seconds: Sequence[float], *, now: datetime
) -> None:
    day = now.astimezone(UTC).date()
    rows = [
        (day, platform, stage, bucket, samples)
        for bucket, samples in sorted(Counter(map(bucket_of, seconds)).items())
    ]
    by = ("day", "platform", "stage", "bucket")
    added = (("samples", "card_latency.samples + excluded.samples"),)
    await LatencyRow.filter(program_id=program_id, day__lt=day - timedelta(days=DAYS_KEPT)).delete()
    await store(program_id, [Upsert(LatencyRow, by, (*by, "samples"), rows, added)])


async def percentiles(
    program_id: UUID, *, since: datetime
) -> dict[tuple[Platform, Stage], Percentiles]:
    """Return what was counted from the day of `since` (UTC) on; without samples there is no key."""
    rows: list[Any] = (
        await LatencyRow.filter(program_id=program_id, day__gte=since.astimezone(UTC).date())
        .group_by("platform", "stage", "bucket")
        .annotate(total=Sum("samples"))
        .values_list("platform", "stage", "bucket", "total")
    )
    counted: dict[tuple[Platform, Stage], dict[int, int]] = {}
    for platform, stage, bucket, total in rows:
        counted.setdefault((Platform(platform), Stage(stage)), {})[bucket] = int(total)
    return {key: summary(buckets) for key, buckets in counted.items()}


async def forget(program_id: UUID) -> None:
    """Forget what was counted in a programme."""
    await LatencyRow.filter(program_id=program_id).delete()


def bucket_of(seconds: float) -> int:
    """Return the bucket that a duration falls into."""
    if seconds <= SHORTEST_S:
        return 0
    return min(math.ceil(math.log(seconds / SHORTEST_S, GROWTH)), BUCKET_MAX)


def summary(buckets: Mapping[int, int]) -> Percentiles:
    """Return the percentiles of samples by bucket, by nearest rank; there must be some."""
    count = sum(buckets.values())
    return Percentiles(count, *(_rank(buckets, math.ceil(count * of)) for of in (0.5, 0.95, 0.99)))


def _rank(buckets: Mapping[int, int], rank: int) -> float:
    """Return the upper bound of the bucket that holds the sample with this rank."""
    order = sorted(buckets)
    reached = accumulate(buckets[bucket] for bucket in order)
    holds = next(bucket for bucket, so_far in zip(order, reached, strict=True) if so_far >= rank)
    return float(SHORTEST_S * GROWTH**holds)
