"""Segments: groups of members that the programme names, and who is in them now."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import strawberry

from loyalty_graph.graphql.connections import After, Connection, First, connection
from loyalty_graph.graphql.context import Info
from loyalty_graph.graphql.members import MEMBERS, Member, last_seen, member_of
from loyalty_graph.graphql.nodes import batched
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.identity.rules import Scope
from loyalty_graph.members import reads as members
from loyalty_graph.paging import PAGE_SIZE_DEFAULT, page_of, page_size
from loyalty_graph.segments import reads


@strawberry.type(
    description="Members of whom a condition holds; who they are is looked up when it is asked."
)
class Segment:
    """A segment of the programme's present version."""

    code: str = strawberry.field(description="What rules call it, such as REGULARS.")
    name: str = strawberry.field(description="What people call it.")

    @strawberry.field(description="How many members are in it now.")
    async def member_count(self, info: Info) -> int:
        return await batched(info, _counts, self.code)

    @strawberry.field(description="The members who are in it now, in the order they joined.")
    async def members(
        self, info: Info, first: First = PAGE_SIZE_DEFAULT, after: After = None
    ) -> Connection[Member]:
        size = page_size(first)
        rows = await batched(info, _pages, self.code, first=size + 1, after=last_seen(after))
        return connection(
            page_of(rows, size=size, after=after),
            cursor=MEMBERS,
            key=lambda row: (row.id,),
            node=member_of,
            count=lambda: batched(info, _counts, self.code),
        )


async def _counts(codes: Sequence[str], *, program_id: UUID, now: datetime) -> list[int]:
    known = {one.code: one for one in await reads.segments(program_id, now=now)}
    conditions = [known[code].condition for code in codes]
    return await reads.counts(program_id, conditions, now=now)


async def _pages(
    codes: Sequence[str], *, program_id: UUID, now: datetime, first: int, after: UUID | None
) -> list[list[members.Member]]:
    known = {one.code: one for one in await reads.segments(program_id, now=now)}
    conditions = [known[code].condition for code in codes]
    pages = await reads.pages(program_id, conditions, first=first, after=after, now=now)
    rows = await members.members(program_id, list({one for page in pages for one in page}))
    return [[rows[one] for one in page] for page in pages]


@strawberry.type
class SegmentQuery:
    """Queries about segments."""

    @strawberry.field(
        description="The segments of the programme, in the order of its file.",
        extensions=[NeedsScope(Scope.MEMBERS_READ)],
    )
    async def segments(self, info: Info) -> list[Segment]:
        found = await reads.segments(info.context.program_id, now=info.context.now)
        return [Segment(code=one.code, name=one.name) for one in found]
