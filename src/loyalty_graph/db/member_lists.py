"""What members have in one table, newest first: a page or a count, for many members at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tortoise.functions import Count
from tortoise.models import Model
from tortoise.queryset import QuerySet

from loyalty_graph.db.columns import Row
from loyalty_graph.db.set_values import Lookup, keys_below
from loyalty_graph.db.sets import fetch


@dataclass(frozen=True, slots=True)
class MemberRows:
    """The rows of a table whose key is the programme, the member, and `by`, which grows."""

    model: type[Model]
    columns: tuple[str, ...]
    by: str = "id"

    async def newest(
        self,
        program_id: UUID,
        member_ids: Sequence[UUID],
        *,
        limit: int,
        before: UUID | int | None = None,
    ) -> dict[UUID, list[Row]]:
        """Return each member's newest rows, at most `limit`, those below `before` if given."""
        lookup = Lookup(
            self.model,
            ("member_id",),
            keys_below(member_ids, before),
            self.columns,
            order_by=f"{self.by} DESC",
            limit=limit,
            below=None if before is None else self.by,
        )
        [found] = await fetch(program_id, lookup)
        return dict(zip(member_ids, found, strict=True))

    async def counts(self, program_id: UUID, member_ids: Sequence[UUID]) -> dict[UUID, int]:
        """Return how many rows each member has."""
        rows: Any = (
            await self.model.filter(program_id=program_id, member_id__in=list(member_ids))
            .annotate(total=Count(self.by))
            .group_by("member_id")
            .values_list("member_id", "total")
        )
        return dict.fromkeys(member_ids, 0) | dict(rows)


async def members_of(rows: QuerySet[Any], *, limit: int) -> list[UUID]:
    """Return whose these rows are, in their order, at most `limit` of them."""
    found: Any = await rows.limit(limit).values_list("member_id", flat=True)
    return list(found)
