"""Backtests: what real purchases would have earned under another version of the programme."""

from datetime import date
from typing import Self

import strawberry

from loyalty_graph.graphql.context import Info
from loyalty_graph.graphql.ids import encode_id
from loyalty_graph.graphql.inputs import Input
from loyalty_graph.graphql.money import Money, money_of
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.graphql.scalars import Points
from loyalty_graph.identity.rules import Scope
from loyalty_graph.usecases import backtest
from loyalty_graph.usecases.backtest_chart import draw
from loyalty_graph.usecases.backtest_report import (
    Backtest as Report,
)
from loyalty_graph.usecases.backtest_report import (
    MemberChange,
    RuleTotal,
    sorted_moves,
)


@strawberry.type(description="Points as they were, and as they would have been.")
class BeforeAndAfter:
    """Two sums, and what they cost."""

    before: Points = strawberry.field(description="As it was.")
    after: Points = strawberry.field(description="Under the proposed version.")
    cost: Money | None = strawberry.field(
        description="What the difference costs; null when nothing says what a point costs."
    )


@strawberry.type(description="The points of a month.")
class BacktestMonth:
    """A month in the programme's time zone."""

    month: str = strawberry.field(description="Such as 2026-11.")
    points: Points = strawberry.field(description="Under the proposed version, before refunds.")
    points_before: Points | None = strawberry.field(
        default=None, description="As they were; null where that is not told by rule."
    )


@strawberry.type(description="What a rule would have given.")
class BacktestRule:
    """A rule, or LINES, MULTIPLIERS and CAPS for what is no rule's."""

    code: str = strawberry.field(
        description=(
            "The rule's; LINES for the lines' rates, MULTIPLIERS for tiers and plans, CAPS (below "
            "zero) for what caps on all points took of the lines."
        )
    )
    name: str = strawberry.field(description="What people call it.")
    purchases: int = strawberry.field(description="How many it would have given points for.")
    points: Points = strawberry.field(description="All of them, before refunds.")
    wanted: Points = strawberry.field(description="What it would give without caps and budgets.")
    cost: Money | None = strawberry.field(description="What the points cost, where that is known.")
    months: list[BacktestMonth] = strawberry.field(description="Month by month.")


@strawberry.type(description="More or less points by one cause.")
class BacktestReason:
    """A cause of a difference."""

    code: str = strawberry.field(
        description="The rule's code, LINES, MULTIPLIERS, CAPS or REFUNDS."
    )
    name: str = strawberry.field(description="What people call it.")
    points: Points = strawberry.field(description="Below zero when it is less than it was.")


@strawberry.type(description="A member whose points would be others.")
class BacktestMember:
    """One of the most changed."""

    member_id: strawberry.ID = strawberry.field(description="The member's id.")
    number: str = strawberry.field(description="The number of the card.")
    before: Points = strawberry.field(description="Earned, less what refunds took back.")
    after: Points = strawberry.field(description="The same under the proposed version.")
    tier_before: str | None = strawberry.field(description="The tier's code as it is.")
    tier_after: str | None = strawberry.field(description="As it would be.")
    reasons: list[BacktestReason] = strawberry.field(description="What makes the difference.")


@strawberry.type(description="Members who would have another tier.")
class TierMove:
    """How many members go from one tier to another."""

    before: str | None = strawberry.field(description="The tier's code as it is.")
    after: str | None = strawberry.field(description="As it would be.")
    members: int = strawberry.field(description="How many.")


@strawberry.type(description="What purchases would have earned. Nothing was written.")
class Backtest:
    """The outcome of a backtest."""

    purchases: int = strawberry.field(description="How many were replayed.")
    refunds: int = strawberry.field(description="Of those, how often something came back.")
    refused: int = strawberry.field(
        description="Purchases that the version does not take, such as of an unknown product type."
    )
    points: BeforeAndAfter = strawberry.field(description="What was earned.")
    taken_back: BeforeAndAfter = strawberry.field(description="What refunds took back of it.")
    liability: BeforeAndAfter = strawberry.field(
        description="The balances of these members today, with what each has more or less."
    )
    gaining: int = strawberry.field(description="Members who would have more points.")
    losing: int = strawberry.field(description="Members who would have fewer.")
    unchanged: int = strawberry.field(description="Members who would have as many.")
    tier_moves: list[TierMove] = strawberry.field(description="Most members first.")
    rules: list[BacktestRule] = strawberry.field(description="The largest first.")
    months: list[BacktestMonth] = strawberry.field(description="In order.")
    most_changed: list[BacktestMember] = strawberry.field(description="At most ten.")
    chart_svg: str = strawberry.field(description="The months as a picture.")

    @classmethod
    def of(cls, report: Report) -> Self:
        """Return a report as the API shows it."""
        moves = sorted_moves(report.tier_moves.items())
        rules = sorted(report.rules.values(), key=lambda one: -one.points)
        return cls(
            purchases=report.purchases,
            refunds=report.refunds,
            refused=report.refused,
            points=_pair(report, report.points_before, report.points_after),
            taken_back=_pair(report, report.taken_back_before, report.taken_back_after),
            liability=_pair(report, report.liability_before, report.liability_after),
            gaining=report.gaining,
            losing=report.losing,
            unchanged=report.unchanged,
            tier_moves=[TierMove(before=b, after=a, members=n) for (b, a), n in moves],
            rules=[_rule(report, one) for one in rules],
            months=[
                BacktestMonth(month=month, points=Points(after), points_before=Points(before))
                for month, (before, after) in sorted(report.months.items())
            ],
            most_changed=[_member(report, one) for one in report.most_changed],
            chart_svg=draw(report, title="Points by month"),
        )


def _cost(report: Report, points: int) -> Money | None:
    minor = report.cost_minor(points)
    return None if minor is None else money_of(minor, report.currency)


def _pair(report: Report, before: int, after: int) -> BeforeAndAfter:
    return BeforeAndAfter(
        before=Points(before), after=Points(after), cost=_cost(report, after - before)
    )


def _rule(report: Report, rule: RuleTotal) -> BacktestRule:
    return BacktestRule(
        code=rule.code,
        name=rule.name,
        purchases=rule.purchases,
        points=Points(rule.points),
        wanted=Points(rule.wanted),
        cost=_cost(report, rule.points),
        months=[
            BacktestMonth(month=month, points=Points(points))
            for month, points in sorted(rule.by_month.items())
        ],
    )


def _member(report: Report, change: MemberChange) -> BacktestMember:
    return BacktestMember(
        member_id=encode_id("Member", change.member_id),
        number=change.number,
        before=Points(change.points_before),
        after=Points(change.points_after),
        tier_before=change.tier_before,
        tier_after=change.tier_after,
        reasons=[
            BacktestReason(code=code, name=report.names[code], points=Points(points))
            for code, points in change.reasons.items()
        ],
    )


@strawberry.input
class PastInput:
    """Which past something is tried on, by days in the programme's time zone."""

    from_day: date | None = strawberry.field(
        default=None, name="from", description="The first day that is reported, if not all are."
    )
    to_day: date | None = strawberry.field(
        default=None, name="to", description="The last day that is reported, if not all are."
    )


@strawberry.input(description="A rule to be tried on the past, and which past.")
class BacktestRuleInput(PastInput):
    """The input of backtestRule."""

    rule: str = strawberry.field(
        description=(
            "A rule in TOML, as it stands under [[earning.rules]], without that header. "
            "It takes the place of the rule with its code, or is added to the present ones."
        )
    )


@strawberry.input(description="A programme file to be tried on the past, and which past.")
class BacktestProgramInput(PastInput):
    """The input of backtestProgram."""

    toml: str = strawberry.field(description="The whole programme file, at most 1 MB.")


@strawberry.type
class BacktestQuery:
    """What the past would have been."""

    @strawberry.field(
        description=(
            "What the purchases there are would have earned with a rule more, or another one. "
            "Writes nothing; reads everything, so it takes a while."
        ),
        extensions=[NeedsScope(Scope.PROGRAM_WRITE)],
    )
    async def backtest_rule(self, info: Info, given: Input[BacktestRuleInput]) -> Backtest | None:
        context = info.context
        report = await backtest.try_rule(
            context.program_id,
            given.rule,
            since=given.from_day,
            until=given.to_day,
            now=context.now,
        )
        return Backtest.of(report)

    @strawberry.field(
        description=(
            "What the purchases there are would have earned under a programme file. "
            "Writes nothing; reads everything, so it takes a while."
        ),
        extensions=[NeedsScope(Scope.PROGRAM_WRITE)],
    )
    async def backtest_program(
        self, info: Info, given: Input[BacktestProgramInput]
    ) -> Backtest | None:
        context = info.context
        report = await backtest.try_text(
            context.program_id,
            given.toml,
            since=given.from_day,
            until=given.to_day,
            now=context.now,
        )
        return Backtest.of(report)
