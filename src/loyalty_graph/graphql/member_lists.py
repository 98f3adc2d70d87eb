"""Lists that members have, newest first: a page and its total, batched over all who ask."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from loyalty_graph.graphql.connections import Connection, connection
from loyalty_graph.graphql.context import Info
from loyalty_graph.graphql.nodes import batched
from loyalty_graph.paging import Cursor, CursorPart, page_of, page_size

Node = TypeVar("Node")
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class MemberList(Generic[Row]):
    """A list that every member has; `key` is what its cursors hold of a row."""

    cursor: Cursor
    key: Callable[[Row], CursorPart]
    newest: Callable[..., Awaitable[Mapping[UUID, Sequence[Row]]]]
    counts: Callable[[UUID, Sequence[UUID]], Awaitable[Mapping[UUID, int]]]

    async def page(
        self,
        info: Info,
        member_id: UUID,
        *,
        first: int,
        after: str | None,
        node: Callable[[Row], Node],
    ) -> Connection[Node]:
        """Return the member's page, of `first` rows after a cursor.

        Raises:
            InvalidInputError: `first` is no page size, or `after` no cursor of this list.
        """
        size = page_size(first)
        before = None if after is None else self.cursor.decode(after)[0]
        rows = await batched(info, self._pages, member_id, limit=size + 1, before=before)
        return connection(
            page_of(rows, size=size, after=after),
            cursor=self.cursor,
            key=lambda row: (self.key(row),),
            node=node,
            count=lambda: batched(info, self._totals, member_id),
        )

    async def _pages(
        self,
        member_ids: Sequence[UUID],
        *,
        program_id: UUID,
        now: datetime,
        limit: int,
        before: CursorPart | None,
    ) -> list[Sequence[Row]]:
        del now
        found = await self.newest(program_id, member_ids, limit=limit, before=before)
        return [found[member_id] for member_id in member_ids]

    async def _totals(
        self, member_ids: Sequence[UUID], *, program_id: UUID, now: datetime
    ) -> list[int]:
        del now
        found = await self.counts(program_id, member_ids)
        return [found[member_id] for member_id in member_ids]
