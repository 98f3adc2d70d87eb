"""Keyset connections (Relay): nodes, edges, page info, and a total that is counted when asked."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Generic, TypeVar

import strawberry

from loyalty_graph.paging import Cursor, CursorPart, Page

Node = TypeVar("Node")
Row = TypeVar("Row")

First = Annotated[int, strawberry.argument(name="first", description="How many: 1 to 100.")]
After = Annotated[
    str | None,
    strawberry.argument(name="after", description="pageInfo.endCursor of the page before."),
]


@strawberry.type(description="Where a page lies in its list.")
class PageInfo:
    """Relay's page info."""

    has_next_page: bool = strawberry.field(description="There are more after endCursor.")
    has_previous_page: bool = strawberry.field(description="There are some before startCursor.")
    start_cursor: str | None = strawberry.field(description="The cursor of the first node.")
    end_cursor: str | None = strawberry.field(
        description="The cursor of the last node: give it as `after` for the next page."
    )


@strawberry.type(description="A node and its place in the list.")
class Edge(Generic[Node]):
    """Relay's edge."""

    node: Node = strawberry.field(description="The thing itself.")
    cursor: str = strawberry.field(description="Its place: give it as `after` to go on from here.")


@strawberry.type(description="One page of a list.")
class Connection(Generic[Node]):
    """Relay's connection, with `nodes` for those who need no cursors."""

    nodes: list[Node] = strawberry.field(description="The things on this page, in order.")
    cursors: strawberry.Private[Callable[[], list[str]]]
    place: strawberry.Private[Callable[[], PageInfo]]
    count: strawberry.Private[Callable[[], Awaitable[int]]]

    @strawberry.field(description="The same with their cursors.")
    def edges(self) -> list[Edge[Node]]:
        # Made when asked for, like page_info: most ask for nodes alone, and a cursor costs as much
        # as its node.
        return [
            Edge(node=node, cursor=cursor)
            for node, cursor in zip(self.nodes, self.cursors(), strict=True)
        ]

    @strawberry.field(description="Where this page lies.")
    def page_info(self) -> PageInfo:
        return self.place()

    @strawberry.field(description="How many there are in all pages; counted only when asked for.")
    async def total_count(self) -> int:
        return await self.count()


def connection(
    page: Page[Row],
    *,
    cursor: Cursor,
    key: Callable[[Row], Sequence[CursorPart]],
    node: Callable[[Row], Node],
    count: Callable[[], Awaitable[int]],
) -> Connection[Node]:
    """Wrap a page of rows.

    Args:
        page: The rows, in order.
        cursor: The codec of this list's cursors.
        key: A row's sort key.
        node: A row as its GraphQL type.
        count: Counts the whole list. A list inside a list counts through the operation's batchers,
            or it would be one statement per parent.
    """
    rows = page.rows
    return Connection(
        nodes=[node(row) for row in rows],
        cursors=lambda: [cursor.encode(key(row)) for row in rows],
        place=lambda: PageInfo(
            has_next_page=page.has_next,
            has_previous_page=page.has_previous,
            start_cursor=cursor.encode(key(rows[0])) if rows else None,
            end_cursor=cursor.encode(key(rows[-1])) if rows else None,
        ),
        count=count,
    )
