"""What members had at an instant, from what had been recorded by then: history never changes.

Nothing of the present is read but what can never change: entries, lots as they were opened, and
uses. So what is answered now is what was answered then, whatever has been recorded since.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from loyalty_graph.db.sets import Lookup, Row, fetch, table_name
from loyalty_graph.db.statements import read
from loyalty_graph.ledger import lapses, lots, notices
from loyalty_graph.ledger.kinds import Book, Kind, earned
from loyalty_graph.ledger.lots import Lot, LotKey
from loyalty_graph.ledger.models import LotRow, LotUseRow, TransferRow
from loyalty_graph.ledger.pending import activation
from loyalty_graph.ledger.reads import (
    Activation,
    Balance,
    Expiration,
    OpenLot,
    activations_of,
    balance_of,
    expirations_of,
)
from loyalty_graph.ledger.terms import Terms, terms_of
from loyalty_graph.programs import service as programs


@dataclass(frozen=True, slots=True)
class Past:
    """A member's account as it was at an instant.

    `sequence` is that of the last entry recorded by then, 0 before the first. `left` says what was
    left of every lot that had been opened, `open` are those of them that held points. They ended by
    the `terms` of that time.
    """

    member_id: UUID
    at: datetime
    balance: int
    held: int
    qualifying: int
    lifetime: int
    sequence: int
    left: Mapping[int, int]
    open: Sequence[Lot]
    terms: Terms
    lapses_at: datetime | None

    @property
    def wallet(self) -> Balance:
        """Return what the member had."""
        return balance_of(self._account, self._open_lots, terms=self.terms, now=self.at)

    @property
    def expirations(self) -> list[Expiration]:
        """Return when what could be spent then was to expire."""
        return expirations_of(self._account, self._open_lots, terms=self.terms, now=self.at)

    @property
    def activations(self) -> list[Activation]:
        """Return when what waited then was to be spendable."""
        return activations_of(self._open_lots, now=self.at)

    @property
    def _account(self) -> Row:
        counters = (self.balance, self.held, self.qualifying, self.lifetime)
        return (*counters, self.sequence, self.lapses_at)

    @property
    def _open_lots(self) -> list[Row]:
        soonest_first = sorted(self.open, key=lambda lot: (lot.expires_at, lot.sequence))
        return [
            OpenLot(
                lot.expires_at,
                lot.remaining,
                lot.activates_at,
                lot.is_pending,
                lot.told_expires_at,
                lot.awaits,
            )
            for lot in soonest_first
        ]


async def accounts(
    program_id: UUID, member_ids: Sequence[UUID], *, at: datetime, now: datetime
) -> dict[UUID, Past]:
    """Return what these members had at an instant, by what was recorded until then.

    Points past their date were not to be spent, and those whose waiting was over were, whether or
    not a job had run. It costs as much as the member's history up to then is long.
    """
    moved = await _moved(program_id, member_ids, at)
    left = await _left(program_id, member_ids, at)
    held = [(one, lot) for one, mine in left.items() for lot, points in mine.items() if points]
    last = {one: max((row[-1] for row in rows), default=0) for one, rows in moved.items()}
    open_ = await as_they_were(program_id, held, left=left, last=last, at=dict.fromkeys(left, at))
    version = await programs.in_force(program_id, at, now=now)
    terms = terms_of(version.settings)
    lapsing = await lapses.known(program_id, member_ids, at=dict.fromkeys(member_ids, at))
    by_member = defaultdict(list)
    for lot in open_.values():
        by_member[lot.member_id].append(lot)
    return {
        member_id: Past(
            member_id,
            at,
            *_sums(moved[member_id]),
            left[member_id],
            by_member[member_id],
            terms,
            lapsing[member_id],
        )
        for member_id in member_ids
    }


def _sums(moved: Sequence[Row]) -> tuple[int, int, int, int, int]:
    """Return balance, held, qualifying and lifetime points, and the last sequence."""
    balance = held = qualifying = lifetime = sequence = 0
    for kind, debit, credit, points, counted, last in moved:
        balance += points * ((credit == Book.MEMBER) - (debit == Book.MEMBER))
        held += points * ((credit == Book.HELD) - (debit == Book.HELD))
        qualifying += counted
        lifetime += earned(Kind(kind), counted)
        sequence = max(sequence, last)
    return balance, held, qualifying, lifetime, sequence


async def lots_of(
    program_id: UUID,
    pasts: Sequence[Past],
    *,
    limit: int,
    before: int | None = None,
    only_open: bool,
) -> list[list[Lot]]:
    """Return the newest lots of each account as they were, at most `limit`.

    Those before a sequence if given; `only_open` leaves out those of which nothing was left.
    """
    chosen = [
        [
            (past.member_id, sequence)
            for sequence in sorted(past.left, reverse=True)
            if (before is None or sequence < before) and (past.left[sequence] or not only_open)
        ][:limit]
        for past in pasts
    ]
    found = await as_they_were(
        program_id,
        [key for keys in chosen for key in keys],
        left={past.member_id: past.left for past in pasts},
        last={past.member_id: past.sequence for past in pasts},
        at={past.member_id: past.at for past in pasts},
    )
    return [[found[key] for key in keys] for keys in chosen]


async def as_they_were(
    program_id: UUID,
    keys: Sequence[LotKey],
    *,
    left: Mapping[UUID, Mapping[int, int]],
    last: Mapping[UUID, int],
    at: Mapping[UUID, datetime],
) -> dict[LotKey, Lot]:
    """Return lots as they were when this was `left` of them, after members' `last` entries.

    What owners were told until then (`at`, by member) counts.
    """
    found = await lots.lots(program_id, keys)
    waited = [
        (key[0], Kind.ACTIVATE, activation(key[1])) for key in found if found[key].activates_at
    ]
    by = ("member_id", "kind", "reference")
    [activated] = await fetch(program_id, Lookup(TransferRow, by, waited, ("sequence",)))
    told = await notices.told(program_id, list(found), until=at)
    lapsing = await lapses.known(program_id, sorted({key[0] for key in found}), at=at)
    over = {
        (member_id, reference)
        for (member_id, _, reference), rows in zip(waited, activated, strict=True)
        if rows and rows[0][0] <= last[member_id]
    }
    return {
        key: lots.as_it_was(
            lot,
            remaining=left[key[0]][key[1]],
            activated=(key[0], activation(key[1])) in over,
            told=told.get(key),
            lapses_at=lapsing[key[0]],
        )
        for key, lot in found.items()
    }


_LAST = f"""with last as (
    select member_id, max(sequence) as sequence from {table_name(TransferRow)}
    where program_id = $1 and member_id = any($2) and recorded_at <= $3 group by member_id
)"""  # noqa: S608 - our own names


async def _moved(
    program_id: UUID, member_ids: Sequence[UUID], at: datetime
) -> dict[UUID, list[Row]]:
    """Return what members' entries until then add up to, by their kinds and books."""
    rows = await read(
        f"""{_LAST} select one.member_id::text, one.kind, one.debit, one.credit,
            sum(one.points)::bigint, sum(one.qualifying_points)::bigint, max(one.sequence)
        from last join {table_name(TransferRow)} one on one.program_id = $1
            and one.member_id = last.member_id and one.sequence <= last.sequence
        group by one.member_id, one.kind, one.debit, one.credit""",  # noqa: S608 - our own names
        program_id,
        list(member_ids),
        at,
    )
    found: dict[UUID, list[Row]] = {member_id: [] for member_id in member_ids}
    for member_id, *row in rows:
        found[UUID(member_id)].append(tuple(row))
    return found


async def _left(
    program_id: UUID, member_ids: Sequence[UUID], at: datetime
) -> dict[UUID, dict[int, int]]:
    """Return what the entries until then left of every lot."""
    rows = await read(
        f"""{_LAST}, used as (
            select one.member_id, one.lot_sequence, sum(one.points) as points
            from last join {table_name(LotUseRow)} one on one.program_id = $1
                and one.member_id = last.member_id and one.sequence <= last.sequence
            group by one.member_id, one.lot_sequence
        )
        select lot.member_id::text, lot.sequence, (lot.points - coalesce(used.points, 0))::bigint
        from last join {table_name(LotRow)} lot on lot.program_id = $1
            and lot.member_id = last.member_id and lot.sequence <= last.sequence
        left join used on used.member_id = lot.member_id and used.lot_sequence = lot.sequence
        order by lot.sequence""",  # noqa: S608 - our own names
        program_id,
        list(member_ids),
        at,
    )
    found: dict[UUID, dict[int, int]] = {member_id: {} for member_id in member_ids}
    for member_id, sequence, points in rows:
        found[UUID(member_id)][sequence] = points
    return found
