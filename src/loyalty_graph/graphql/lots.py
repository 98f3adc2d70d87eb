"""Lots: points that came in together, what is left of them, and where the others went."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry

from loyalty_graph.graphql.connections import After, Connection, First, connection
from loyalty_graph.graphql.context import Info
from loyalty_graph.graphql.enums import describe_enum
from loyalty_graph.graphql.ids import encode_id
from loyalty_graph.graphql.nodes import Node, batched, load, loads
from loyalty_graph.graphql.scalars import Points
from loyalty_graph.ledger import lots, past, reads
from loyalty_graph.ledger.lots import LotKey, LotState
from loyalty_graph.ledger.past import Past
from loyalty_graph.ledger.terms import Terms
from loyalty_graph.paging import PAGE_SIZE_DEFAULT, Cursor, page_of, page_size
from loyalty_graph.programs.rules import NEVER

if TYPE_CHECKING:
    from loyalty_graph.graphql.ledger import LedgerEntry

NODE = "Lot"
LOTS = Cursor("lots", (int,))
USES = Cursor("lotUses", (int,))
Spent = Annotated[
    bool,
    strawberry.argument(name="spent", description="Also those of which nothing is left."),
]

describe_enum(
    LotState,
    "What can be done with what is left of a lot.",
    {
        LotState.PENDING: "It waits and cannot be spent yet.",
        LotState.OPEN: "It can be spent.",
        LotState.EXPIRED: "Its date has passed: what is left cannot be spent.",
        LotState.SPENT: "Nothing is left; `consumedBy` says where it went.",
    },
)


@strawberry.type(description="Points that an entry took from a lot, or gave back to it.")
class LotUse:
    """One consumption of a lot."""

    use: strawberry.Private[lots.Use]
    points: Points = strawberry.field(
        description="Above zero taken from the lot, below zero given back to it."
    )

    @strawberry.field(description="The lot.")
    async def lot(self, info: Info) -> "Lot | None":
        found: Lot | None = await load(info, NODE, self.use.member_id, self.use.lot_sequence)
        return found

    @strawberry.field(description="The entry.")
    async def entry(
        self, info: Info
    ) -> Annotated["LedgerEntry", strawberry.lazy("loyalty_graph.graphql.ledger")] | None:
        key = self.use.member_id, self.use.sequence
        found: LedgerEntry | None = await load(info, "LedgerEntry", *key)
        return found


@strawberry.type(description="Points that came in together and expire together.")
class Lot(Node):
    """A lot of points."""

    key: strawberry.Private[LotKey]
    last: strawberry.Private[int | None]
    points: Points = strawberry.field(description="How many came in.")
    remaining: Points = strawberry.field(description="How many are left.")
    state: LotState = strawberry.field(description="What can be done with them.")
    earned_at: datetime = strawberry.field(description="When they came in.")
    expires_at: datetime | None = strawberry.field(
        description="From this instant on they cannot be spent any more; null when they never end."
    )
    activates_at: datetime | None = strawberry.field(
        description="From this instant on they can be spent; null when they never waited."
    )
    awaits: str | None = strawberry.field(
        description="The event they waited for, if for one, such as DELIVERY."
    )

    @strawberry.field(description="The entry they came in by.")
    async def entry(
        self, info: Info
    ) -> Annotated["LedgerEntry", strawberry.lazy("loyalty_graph.graphql.ledger")] | None:
        found: LedgerEntry | None = await load(info, "LedgerEntry", *self.key)
        return found

    @strawberry.field(description="What was taken from them and given back, newest first.")
    async def consumed_by(
        self, info: Info, first: First = PAGE_SIZE_DEFAULT, after: After = None
    ) -> Connection[LotUse]:
        size, before = page_size(first), _before(after, last=self.last)
        rows = await batched(info, _uses_of_lots, self.key, limit=size + 1, before=before)
        return connection(
            page_of(rows, size=size, after=after),
            cursor=USES,
            key=lambda use: (use.sequence,),
            node=_use,
            count=lambda: batched(info, _lot_use_counts, self.key, last=self.last),
        )


def _before(after: str | None, *, last: int | None) -> int | None:
    """Return the sequence that uses lie below: that of a cursor, or the one after the `last`."""
    bounds = [None if after is None else USES.decode(after)[0], None if last is None else last + 1]
    return min((one for one in bounds if isinstance(one, int)), default=None)


def lot_of(lot: lots.Lot, *, terms: Terms, now: datetime, last: int | None = None) -> Lot:
    """Return a lot as the API shows it at `now`, when `last` was the member's newest entry."""
    ends_at = lot.ends_at(terms, now=now)
    return Lot(
        id=encode_id(NODE, *lot.key),
        key=lot.key,
        last=last,
        points=Points(lot.points),
        remaining=Points(lot.remaining),
        state=lot.state(terms, now=now),
        earned_at=lot.earned_at,
        expires_at=None if ends_at >= NEVER else ends_at,
        activates_at=lot.activates_at,
        awaits=lot.awaits,
    )


def _use(use: lots.Use) -> LotUse:
    return LotUse(use=use, points=Points(use.points))


@strawberry.type
class WalletOfLots:
    """The lots of a wallet; `past` is None in the wallet of this moment."""

    member_id: strawberry.Private[UUID]
    past: strawberry.Private[Past | None]

    @strawberry.field(
        description="The lots that hold the points, newest first; with `spent` all there ever were."
    )
    async def lots(
        self,
        info: Info,
        first: First = PAGE_SIZE_DEFAULT,
        after: After = None,
        *,
        spent: Spent = False,
    ) -> Connection[Lot]:
        size, was = page_size(first), self.past
        now, last = (was.at, was.sequence) if was else (info.context.now, None)
        terms = was.terms if was else await _terms(info)
        rows = await _page(info, self, spent=spent, limit=size + 1, after=after)
        return connection(
            page_of(rows, size=size, after=after),
            cursor=LOTS,
            key=lambda lot: (lot.sequence,),
            node=lambda lot: lot_of(lot, terms=terms, now=now, last=last),
            count=lambda: _count(info, self, spent=spent),
        )


async def _terms(info: Info) -> Terms:
    return await reads.terms_in_force(info.context.program_id, now=info.context.now)


async def _page(
    info: Info, wallet: WalletOfLots, *, spent: bool, limit: int, after: str | None
) -> list[lots.Lot]:
    asked = {
        "limit": limit,
        "before": None if after is None else LOTS.decode(after)[0],
        "only_open": not spent,
    }
    if wallet.past is not None:
        return await batched(info, _lots_then, wallet.past, **asked)
    return await batched(info, _lots, wallet.member_id, **asked)


async def _count(info: Info, wallet: WalletOfLots, *, spent: bool) -> int:
    if wallet.past is not None:
        return sum(bool(points or spent) for points in wallet.past.left.values())
    return await batched(info, _lot_counts, wallet.member_id, only_open=not spent)


@strawberry.type
class EntryOfLots:
    """What an entry did to lots."""

    entry: strawberry.Private[reads.Entry]

    @strawberry.field(description="The lot it opened; null when it opened none.")
    async def lot(self, info: Info) -> Lot | None:
        found: Lot | None = await load(info, NODE, self.entry.member_id, self.entry.sequence)
        return found

    @strawberry.field(description="What it took from lots or gave back, the newest lot first.")
    async def lots(
        self, info: Info, first: First = PAGE_SIZE_DEFAULT, after: After = None
    ) -> Connection[LotUse]:
        size, key = page_size(first), (self.entry.member_id, self.entry.sequence)
        before = None if after is None else USES.decode(after)[0]
        rows = await batched(info, _uses_of_entries, key, limit=size + 1, before=before)
        return connection(
            page_of(rows, size=size, after=after),
            cursor=USES,
            key=lambda use: (use.lot_sequence,),
            node=_use,
            count=lambda: batched(info, _entry_use_counts, key),
        )


@loads(NODE, UUID, int, owner=0)
async def lots_by_key(
    keys: Sequence[LotKey], *, program_id: UUID, now: datetime
) -> list[Lot | None]:
    """Return the lots with these keys."""
    found = await lots.lots(program_id, keys)
    terms = await reads.terms_in_force(program_id, now=now)
    return [lot_of(found[key], terms=terms, now=now) if key in found else None for key in keys]


async def _lots(
    member_ids: Sequence[UUID],
    *,
    program_id: UUID,
    now: datetime,
    limit: int,
    before: int | None,
    only_open: bool,
) -> list[list[lots.Lot]]:
    del now
    found = await lots.newest_lots(
        program_id, member_ids, limit=limit, before=before, only_open=only_open
    )
    return [found[member_id] for member_id in member_ids]


async def _lots_then(
    pasts: Sequence[Past],
    *,
    program_id: UUID,
    now: datetime,
    limit: int,
    before: int | None,
    only_open: bool,
) -> list[list[lots.Lot]]:
    del now
    return await past.lots_of(program_id, pasts, limit=limit, before=before, only_open=only_open)


async def _lot_counts(
    member_ids: Sequence[UUID], *, program_id: UUID, now: datetime, only_open: bool
) -> list[int]:
    del now
    found = await lots.lot_counts(program_id, member_ids, only_open=only_open)
    return [found[member_id] for member_id in member_ids]


async def _uses_of_lots(
    keys: Sequence[LotKey], *, program_id: UUID, now: datetime, limit: int, before: int | None
) -> list[list[lots.Use]]:
    del now
    found = await lots.uses_of_lots(program_id, keys, limit=limit, before=before)
    return [found[key] for key in keys]


async def _uses_of_entries(
    keys: Sequence[LotKey], *, program_id: UUID, now: datetime, limit: int, before: int | None
) -> list[list[lots.Use]]:
    del now
    found = await lots.uses_of_entries(program_id, keys, limit=limit, before=before)
    return [found[key] for key in keys]


async def _lot_use_counts(
    keys: Sequence[LotKey], *, program_id: UUID, now: datetime, last: int | None
) -> list[int]:
    del now
    found = await lots.use_counts(program_id, keys, of="lot_sequence", last=last)
    return [found[key] for key in keys]


async def _entry_use_counts(
    keys: Sequence[LotKey], *, program_id: UUID, now: datetime
) -> list[int]:
    del now
    found = await lots.use_counts(program_id, keys, of="sequence")
    return [found[key] for key in keys]
