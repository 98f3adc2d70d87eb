"""Lots and what was taken from them, many at once: where every point came from and went to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from loyalty_graph.db.set_values import SEQUENCE_MAX
from loyalty_graph.db.sets import Lookup, Row, fetch, keys_below, table_name
from loyalty_graph.db.statements import read
from loyalty_graph.ledger.models import AccountRow, LotRow, LotUseRow, TransferRow
from loyalty_graph.ledger.terms import Terms

LotKey = tuple[UUID, int]
"""(member id, sequence): a lot is named by the entry that opened it."""

_LOT = (
    "sequence",
    "points",
    "remaining_points",
    "expires_at",
    "activates_at",
    "is_pending",
    "told_expires_at",
    "awaits",
)
_OPEN = "remaining_points > 0"


class LotState(StrEnum):
    """What can be done with what is left of a lot."""

    PENDING = "PENDING"
    OPEN = "OPEN"
    EXPIRED = "EXPIRED"
    SPENT = "SPENT"


@dataclass(frozen=True, slots=True)
class Lot:
    """Points that came in together, by the entry with the lot's `sequence`, and what is left.

    `activates_at` is None if they never waited, `awaits` the event they waited for, if for one;
    `told_expires_at` if their owner was told of no end yet. `earned_at` is when they came in,
    `recorded_at` when that was written down.
    """

    member_id: UUID
    sequence: int
    points: int
    remaining: int
    expires_at: datetime
    activates_at: datetime | None
    is_pending: bool
    told_expires_at: datetime | None
    awaits: str | None
    earned_at: datetime
    recorded_at: datetime
    lapses_at: datetime | None

    @property
    def key(self) -> LotKey:
        """Return what finds it."""
        return self.member_id, self.sequence

    def ends_at(self, terms: Terms, *, now: datetime) -> datetime:
        """Return from when on they cannot be spent, as is expected now."""
        date = terms.date_of(self.expires_at, self.lapses_at)
        return terms.expected(date, self.told_expires_at, now=now)

    def state(self, terms: Terms, *, now: datetime) -> LotState:
        """Return what can be done with what is left, whether or not any job has run."""
        if not self.remaining:
            return LotState.SPENT
        if self.is_pending and self.activates_at is not None and self.activates_at > now:
            return LotState.PENDING
        return LotState.EXPIRED if self.ends_at(terms, now=now) <= now else LotState.OPEN


@dataclass(frozen=True, slots=True)
class Use:
    """Points an entry took from a lot (above zero) or gave back to it (below zero)."""

    member_id: UUID
    sequence: int
    lot_sequence: int
    points: int


async def lots(program_id: UUID, keys: Sequence[LotKey]) -> dict[LotKey, Lot]:
    """Return the lots with these keys; unknown ones are absent."""
    by = ("member_id", "sequence")
    found, opened, accounts = await fetch(
        program_id,
        Lookup(LotRow, by, keys, _LOT),
        Lookup(TransferRow, by, keys, ("at", "recorded_at")),
        Lookup(AccountRow, ("member_id",), [key[:1] for key in keys], ("lapses_at",)),
    )
    return {
        key: Lot(key[0], *(*rows[0], *entries[0], *(account or [(None,)])[0]))
        for key, rows, entries, account in zip(keys, found, opened, accounts, strict=True)
        if rows
    }


async def newest_lots(
    program_id: UUID,
    member_ids: Sequence[UUID],
    *,
    limit: int,
    before: int | None = None,
    only_open: bool,
) -> dict[UUID, list[Lot]]:
    """Return each member's newest lots, at most `limit`, those before a sequence if given."""
    [found] = await fetch(
        program_id,
        Lookup(
            LotRow,
            ("member_id",),
            keys_below(member_ids, before),
            ("sequence",),
            where=_OPEN if only_open else "",
            order_by="sequence DESC",
            limit=limit,
            below=None if before is None else "sequence",
        ),
    )
    keys = [
        (member_id, sequence)
        for member_id, rows in zip(member_ids, found, strict=True)
        for (sequence,) in rows
    ]
    return _by_member(member_ids, (await lots(program_id, keys)).values())


def _by_member(member_ids: Sequence[UUID], found: Iterable[Lot]) -> dict[UUID, list[Lot]]:
    mine: dict[UUID, list[Lot]] = {member_id: [] for member_id in member_ids}
    for lot in found:
        mine[lot.member_id].append(lot)
    return mine


async def lot_counts(
    program_id: UUID, member_ids: Sequence[UUID], *, only_open: bool
) -> dict[UUID, int]:
    """Return how many lots each member has."""
    rows = await read(
        f"select member_id::text, count(*) from {table_name(LotRow)}"  # noqa: S608 - our own names
        " where program_id = $1 and member_id = any($2)"
        f"{' and ' + _OPEN if only_open else ''} group by 1",
        program_id,
        list(member_ids),
    )
    return _counted(member_ids, {UUID(member_id): int(many) for member_id, many in rows})


def _counted(member_ids: Sequence[UUID], found: dict[UUID, int]) -> dict[UUID, int]:
    return {member_id: found.get(member_id, 0) for member_id in member_ids}


async def uses_of_entries(
    program_id: UUID, keys: Sequence[LotKey], *, limit: int, before: int | None = None
) -> dict[LotKey, list[Use]]:
    """Return what each of these entries took from lots or gave back, the newest lots first."""
    lookup = _uses("sequence", "lot_sequence", keys, limit=limit, before=before)
    [found] = await fetch(program_id, lookup)
    return {
        key: [Use(key[0], key[1], lot, points) for lot, points in rows]
        for key, rows in zip(keys, found, strict=True)
    }


async def uses_of_lots(
    program_id: UUID, keys: Sequence[LotKey], *, limit: int, before: int | None = None
) -> dict[LotKey, list[Use]]:
    """Return which entries took from each of these lots or gave back, the newest first."""
    lookup = _uses("lot_sequence", "sequence", keys, limit=limit, before=before)
    [found] = await fetch(program_id, lookup)
    return {
        key: [Use(key[0], entry, key[1], points) for entry, points in rows]
        for key, rows in zip(keys, found, strict=True)
    }


def _uses(of: str, by: str, keys: Sequence[LotKey], *, limit: int, before: int | None) -> Lookup:
    bounded: list[Row] = [
        (*one, *rest)
        for one, (_, *rest) in zip(keys, keys_below([key[0] for key in keys], before), strict=True)
    ]
    return Lookup(
        LotUseRow,
        ("member_id", of),
        bounded,
        (by, "points"),
        order_by=f"{by} DESC",
        limit=limit,
        below=None if before is None else by,
    )


async def use_counts(
    program_id: UUID, keys: Sequence[LotKey], *, of: str, last: int | None = None
) -> dict[LotKey, int]:
    """Return how many uses entries (`of` = sequence) or lots (`of` = lot_sequence) have.

    Those after the `last` entry of a member are not counted, if it is given.
    """
    rows = await read(
        f"select member_id::text, {of}, count(*) from {table_name(LotUseRow)}"  # noqa: S608 - our own names
        f" where program_id = $1 and member_id = any($2) and {of} = any($3) and sequence <= $4"
        " group by 1, 2",
        program_id,
        sorted({member_id for member_id, _ in keys}),
        sorted({sequence for _, sequence in keys}),
        SEQUENCE_MAX if last is None else last,
    )
    found = {(UUID(member_id), sequence): int(many) for member_id, sequence, many in rows}
    return {key: found.get(key, 0) for key in keys}


def as_it_was(
    lot: Lot, *, remaining: int, activated: bool, told: datetime | None, lapses_at: datetime | None
) -> Lot:
    """Return a lot as it was when this was left of it."""
    is_pending = lot.activates_at is not None and not activated and remaining > 0
    return replace(
        lot, remaining=remaining, is_pending=is_pending, told_expires_at=told, lapses_at=lapses_at
    )
