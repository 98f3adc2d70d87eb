"""How changes reach the cards: how long it takes, and which cards still show something old."""

import math
from datetime import datetime, timedelta
from typing import Annotated

import strawberry

from loyalty_graph.errors import InvalidInputError
from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.enums import describe_enum
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.graphql.platforms import Platform
from loyalty_graph.graphql.scalars import Count
from loyalty_graph.identity.rules import Scope
from loyalty_graph.wallet import latency, reads
from loyalty_graph.wallet.latency import Stage

DAYS_DEFAULT = 7

describe_enum(
    Stage,
    "How far a change has come.",
    {
        Stage.PUSHED: "The wallet's servers took the news.",
        Stage.FETCHED: (
            "The new card was handed out. Google gets it with the news, and has no such stage."
        ),
    },
    name="DeliveryStage",
)


@strawberry.type(
    description="How long changes took from their commit to a stage, at most 5 % too high."
)
class DeliveryTimes:
    """Percentiles of one platform and stage."""

    platform: Platform = strawberry.field(description="Whose wallet.")
    stage: Stage = strawberry.field(description="Until when it was measured.")
    count: Count = strawberry.field(description="How many were measured; at least one.")
    p50_milliseconds: int = strawberry.field(description="Half took at most this long.")
    p95_milliseconds: int = strawberry.field(description="95 of 100 took at most this long.")
    p99_milliseconds: int = strawberry.field(description="99 of 100 took at most this long.")


@strawberry.type(description="How changes reach the cards.")
class DeliveryStats:
    """What deliveryStats answers."""

    since: datetime = strawberry.field(description="Measured from the day (UTC) of this moment on.")
    times: list[DeliveryTimes] = strawberry.field(
        description="By platform and stage; what did not happen is absent."
    )
    stale_cards: Count = strawberry.field(
        description="How many cards in wallets show something old at this moment."
    )


@strawberry.type
class DeliveryQuery:
    """Queries about deliveries."""

    @strawberry.field(
        description="How quickly changes reach the cards, and how many have not yet.",
        extensions=[NeedsScope(Scope.ADMIN)],
    )
    async def delivery_stats(
        self,
        info: Info,
        days: Annotated[
            int, strawberry.argument(description="Of so many days, today included: 1 to 35.")
        ] = DAYS_DEFAULT,
    ) -> DeliveryStats | None:
        return await _stats(info.context, days)


async def _stats(context: Context, days: int) -> DeliveryStats:
    """Return what was measured in so many days.

    Raises:
        InvalidInputError: So many are not kept.
    """
    if not 1 <= days <= latency.DAYS_KEPT:
        raise InvalidInputError(f"1 to {latency.DAYS_KEPT} days are kept.", field="days")
    since = context.now - timedelta(days=days - 1)
    measured = await latency.percentiles(context.program_id, since=since)
    return DeliveryStats(
        since=since,
        times=[_times(*key, measured[key]) for key in sorted(measured)],
        stale_cards=Count(await reads.stale_cards(context.program_id)),
    )


def _times(platform: Platform, stage: Stage, found: latency.Percentiles) -> DeliveryTimes:
    return DeliveryTimes(
        platform=platform,
        stage=stage,
        count=Count(found.count),
        p50_milliseconds=math.ceil(1000 * found.p50_s),
        p95_milliseconds=math.ceil(1000 * found.p95_s),
        p99_milliseconds=math.ceil(1000 * found.p99_s),
    )
