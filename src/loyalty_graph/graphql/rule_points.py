"""What bonus rules gave for a purchase, as the API shows it."""

from collections.abc import Iterable
from datetime import datetime

import strawberry

from loyalty_graph.earning.outcomes import Cut, CutKind
from loyalty_graph.earning.rule_settings import CapPeriod
from loyalty_graph.graphql.enums import describe_enum
from loyalty_graph.graphql.scalars import Points
from loyalty_graph.usecases import purchase_command

BY_RULE = (
    "What bonus rules and offers gave of the points, in the programme's order. A rule that gave "
    "nothing is listed only when a limit took everything."
)

describe_enum(
    CutKind,
    "What a limit is.",
    {
        CutKind.POINTS: "Points of a member.",
        CutKind.TIMES: "How often it counts for a member.",
        CutKind.BUDGET: "Points of all members together.",
        CutKind.MEMBER_TOTAL: "All points of a member's purchases, whatever gave them.",
        CutKind.PROGRAM_TOTAL: "All points of everybody's purchases.",
    },
)
describe_enum(
    CapPeriod,
    "Over what a limit counts, in the programme's time zone.",
    {
        CapPeriod.PURCHASE: "Each purchase by itself.",
        CapPeriod.DAY: "A day.",
        CapPeriod.WEEK: "A week from Monday.",
        CapPeriod.MONTH: "A month.",
        CapPeriod.YEAR: "A year.",
        CapPeriod.EVER: "All time.",
    },
)


@strawberry.type(description="What a limit left out.")
class PointsCut:
    """A cut."""

    kind: CutKind = strawberry.field(description="What the limit is.")
    per: CapPeriod = strawberry.field(description="Over what it counts.")
    limit: Points = strawberry.field(description="So many points, or for TIMES so often.")
    taken: Points = strawberry.field(description="The points it took.")


@strawberry.type(description="What a bonus rule or an offer gives for a purchase.")
class RulePoints:
    """A rule and its points."""

    code: str = strawberry.field(description="The code of the rule or offer.")
    name: str = strawberry.field(description="Its name.")
    points: Points = strawberry.field(description="What it gives.")
    wanted: Points = strawberry.field(description="What it would give without limits.")
    cuts: list[PointsCut] = strawberry.field(description="What limits took, one after the other.")
    activates_at: datetime | None = strawberry.field(
        description="When the points can be spent; null when they can at once."
    )


def points_by_rule(gave: purchase_command.RulePoints) -> RulePoints:
    """Return what a rule gave as the API shows it."""
    return RulePoints(
        code=gave.code,
        name=gave.name,
        points=Points(gave.points),
        wanted=Points(gave.wanted),
        cuts=_cuts(gave.cuts),
        activates_at=gave.activates_at,
    )


CAPPED = "What caps on all points of purchases left out; null when they left out nothing."


@strawberry.type(description="What caps on all points of purchases left out.")
class PointsCapped:
    """What was wanted, and why that was not granted."""

    wanted: Points = strawberry.field(description="What it would earn without these caps.")
    cuts: list[PointsCut] = strawberry.field(description="What each cap took, in their order.")


def points_capped(capped: purchase_command.Capped | None) -> PointsCapped | None:
    """Return what caps left out as the API shows it."""
    if capped is None:
        return None
    return PointsCapped(wanted=Points(capped.wanted), cuts=_cuts(capped.cuts))


def _cuts(cuts: Iterable[Cut]) -> list[PointsCut]:
    return [
        PointsCut(kind=CutKind(kind), per=CapPeriod(per), limit=Points(limit), taken=Points(taken))
        for kind, per, limit, taken in cuts
    ]
