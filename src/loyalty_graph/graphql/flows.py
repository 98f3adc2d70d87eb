"""The points flow in the API: why members have more points, or fewer, and the entries behind it."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry

from loyalty_graph.graphql.connections import After, Connection, First, connection
from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.enums import describe_enum
from loyalty_graph.graphql.ledger import LedgerEntry, entry_of
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.graphql.scalars import Points
from loyalty_graph.identity.rules import Scope
from loyalty_graph.ledger import reads
from loyalty_graph.paging import PAGE_SIZE_DEFAULT, Cursor, page_of, page_size
from loyalty_graph.reports import flow_reads, points_flow
from loyalty_graph.reports.flow_reads import By, Place
from loyalty_graph.reports.rules import Column, Flow

describe_enum(
    By,
    "What a points flow is told by.",
    {
        By.DAY: "Days in the programme's time zone, at most 366.",
        By.MONTH: "Months in the programme's time zone.",
        By.STORE: "Stores, by their codes: of purchases, what came back of them, and redemptions.",
        By.RULE: (
            "Rules that gave points, by their codes; LINES for what lines earn, MULTIPLIERS for "
            "what tiers and memberships add to it. What takes points is of no rule."
        ),
        By.KIND: "Kinds of entries.",
    },
    name="PointsFlowBy",
)
describe_enum(
    Column,
    "Why members have more points, or fewer.",
    {
        Column.ISSUED: "Earned by purchases and activities, also while they wait.",
        Column.REVERSED: "Taken back, because goods came back or an entry was reversed.",
        Column.FORGIVEN: "What was taken back of points that were spent, and forgiven.",
        Column.REDEEMED: "Given for rewards, or for a part of a purchase.",
        Column.RETURNED: "Given back after they were redeemed.",
        Column.EXPIRED: "Past their date, or forfeited.",
        Column.REINSTATED: "Expired, and valid again.",
        Column.ADJUSTED: "Added or taken by hand.",
        Column.MIGRATED: "Brought along from another system.",
        Column.TRANSFERRED: "On their way between members; below zero until they arrive.",
        Column.FEES: "Fees of transfers.",
    },
    name="PointsFlowColumn",
)

ENTRIES = Cursor("pointsFlowEntries", (datetime, UUID, int))


@strawberry.type
class _Figures:
    """The columns of a flow, signed by what they do."""

    issued: Points = strawberry.field(description="Earned by purchases and activities.")
    reversed: Points = strawberry.field(
        description="Taken back: goods came back, or an entry was reversed; zero or below."
    )
    forgiven: Points = strawberry.field(
        description="What was taken back of spent points, and forgiven."
    )
    redeemed: Points = strawberry.field(description="Given for something; zero or below.")
    returned: Points = strawberry.field(description="Given back after they were redeemed.")
    expired: Points = strawberry.field(description="Past their date, or forfeited; zero or below.")
    reinstated: Points = strawberry.field(description="Expired, and valid again.")
    adjusted: Points = strawberry.field(description="Added by hand, less what was taken.")
    migrated: Points = strawberry.field(description="Brought along from another system.")
    transferred: Points = strawberry.field(
        description="Received from members, less what was given to members; 0 once all arrived."
    )
    fees: Points = strawberry.field(description="Fees of transfers; zero or below.")
    change: Points = strawberry.field(description="All columns together.")


def _figures(flow: Flow) -> dict[str, Any]:
    figures = {column.lower(): Points(flow.columns[column]) for column in Column}
    return {**figures, "change": Points(flow.change)}


@strawberry.type(description="The points flow of a day, a month, a store, a rule or a kind.")
class PointsFlowPart(_Figures):
    """A part of a flow."""

    part: str | None = strawberry.field(
        description=(
            "Such as 2026-11-22, 2026-11, a store's or rule's code, or a kind; null for what has "
            "none of these."
        )
    )
    opening: Points | None = strawberry.field(
        description="What members had before; null where it is no time."
    )
    closing: Points | None = strawberry.field(
        description="What they had after it: opening and change; null where it is no time."
    )


@strawberry.type(
    description=(
        "What members had, why it became more or less, what they have. Entries count in the days "
        "they were recorded on, so what is over never changes."
    )
)
class PointsFlow(_Figures):
    """A trial balance."""

    opening: Points = strawberry.field(
        description="What members had: balances less debt, points set aside, points that wait."
    )
    closing: Points = strawberry.field(description="What they have: opening and change.")
    parts: list[PointsFlowPart] = strawberry.field(
        description="The same by what was asked for; the parts add up to the whole."
    )


def _part(one: points_flow.PartFlow, *, is_time: bool) -> PointsFlowPart:
    return PointsFlowPart(
        part=one.part,
        opening=Points(one.flow.opening) if is_time else None,
        closing=Points(one.flow.closing) if is_time else None,
        **_figures(one.flow),
    )


def flow_of(found: points_flow.PointsFlow) -> PointsFlow:
    """Return a points flow as the API shows it."""
    is_time = found.by in {By.DAY, By.MONTH}
    return PointsFlow(
        opening=Points(found.whole.opening),
        closing=Points(found.whole.closing),
        parts=[_part(one, is_time=is_time) for one in found.parts],
        **_figures(found.whole),
    )


@strawberry.input(description="Which entries: those behind a figure of the points flow.")
class PointsFlowEntriesInput:
    """The input of pointsFlowEntries."""

    from_day: date = strawberry.field(name="from", description="The first day of the flow.")
    to_day: date = strawberry.field(name="to", description="Its last day.")
    by: By = strawberry.field(default=By.MONTH, description="What it was told by.")
    part: str | None = strawberry.field(
        default=None,
        description="The part, as the flow names it; null for what has none, or for all times.",
    )
    column: Column | None = strawberry.field(
        default=None, description="Only those that moved points in this column."
    )

    async def page(
        self, context: Context, *, size: int, after: str | None
    ) -> Connection[LedgerEntry]:
        """Return a page of the entries, in the order they were recorded.

        Raises:
            InvalidInputError: no such days, no such part, or no such cursor.
        """
        program_id = context.program_id
        chosen = await points_flow.chosen(
            program_id,
            self.from_day,
            self.to_day,
            by=self.by,
            part=self.part,
            column=self.column,
            now=context.now,
        )
        place = None if after is None else _place(ENTRIES.decode(after))
        keys = await flow_reads.entry_keys(program_id, chosen, after=place, limit=size + 1)
        found = await reads.entries(program_id, keys)
        return connection(
            page_of([found[key] for key in keys], size=size, after=after),
            cursor=ENTRIES,
            key=lambda one: (one.recorded_at, one.member_id, one.sequence),
            node=entry_of,
            count=lambda: flow_reads.entry_count(program_id, chosen),
        )


def _place(parts: Iterable[Any]) -> Place:
    at, member_id, sequence = parts
    return at, member_id, sequence


@strawberry.type
class FlowQuery:
    """Queries about the points flow."""

    @strawberry.field(
        description=(
            "The trial balance of some days: opening, what was issued, redeemed, expired and so "
            "on, closing. It equals the ledger to the point."
        ),
        extensions=[NeedsScope(Scope.ADMIN)],
    )
    async def points_flow(
        self,
        info: Info,
        first: Annotated[
            date, strawberry.argument(name="from", description="The first day, in its time zone.")
        ],
        last: Annotated[date, strawberry.argument(name="to", description="The last day.")],
        by: Annotated[By, strawberry.argument(description="What the parts are.")] = By.MONTH,
    ) -> PointsFlow | None:
        context = info.context
        found = await points_flow.points_flow(
            context.program_id, first, last, by=by, now=context.now
        )
        return flow_of(found)

    @strawberry.field(
        description="The entries behind a figure of the points flow, in the order of recording.",
        extensions=[NeedsScope(Scope.ADMIN)],
    )
    async def points_flow_entries(
        self,
        info: Info,
        given: Annotated[
            PointsFlowEntriesInput, strawberry.argument(name="of", description="Which figure.")
        ],
        first: First = PAGE_SIZE_DEFAULT,
        after: After = None,
    ) -> Connection[LedgerEntry]:
        return await given.page(info.context, size=page_size(first), after=after)
