"""Accounts, entries and what will expire, many members at once, one statement each."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from tortoise.functions import Sum

from loyalty_graph.db.member_lists import MemberRows
from loyalty_graph.db.sets import Lookup, Row, fetch
from loyalty_graph.ledger.kinds import Book, Kind
from loyalty_graph.ledger.models import AccountRow, LotRow, TransferRow
from loyalty_graph.ledger.terms import Terms, terms_of
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.rules import NEVER


@dataclass(frozen=True, slots=True)
class Balance:
    """What a member has. `available` can be spent now; `balance` below zero is debt.

    `held` is set aside for open redemptions and `pending` cannot be spent yet: part of neither.
    `lasting` is the part of `available` that never expires.
    """

    balance: int
    held: int
    pending: int
    available: int
    qualifying: int
    lifetime: int
    sequence: int
    lasting: int


@dataclass(frozen=True, slots=True)
class Expiration:
    """Points that expire together."""

    points: int
    expires_at: datetime


class OpenLot(NamedTuple):
    """What is left of a lot, in the order of the look-up."""

    expires_at: datetime
    points: int
    activates_at: datetime | None
    is_pending: bool
    told_expires_at: datetime | None
    awaits: str | None

    def waits(self, now: datetime) -> bool:
        """Return whether the points cannot be spent yet."""
        return self.is_pending and self.activates_at is not None and self.activates_at > now

    def has_ended(self, terms: Terms, now: datetime) -> bool:
        """Return whether the points cannot be spent any more."""
        return terms.ends_at(self.expires_at, self.told_expires_at) <= now


@dataclass(frozen=True, slots=True)
class Activation:
    """Points that become spendable together, or before, when the event comes that they await."""

    points: int
    activates_at: datetime
    awaits: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One transfer, as a member reads it; `points` are signed by what they do to the balance.

    `held` are the points it set aside (above zero), or spent or gave back of those; `pending` those
    that wait since then (above zero), or do not wait any more; `qualifying` what it adds to what
    counts for a tier, or takes from it.
    """

    member_id: UUID
    sequence: int
    kind: Kind
    debit: Book
    credit: Book
    points: int
    held: int
    pending: int
    qualifying: int
    balance_after: int
    at: datetime
    recorded_at: datetime
    reference: str
    rule_version: int | None
    text: str
    explanation: dict[str, Any] | None
    hash: bytes


@dataclass(frozen=True, slots=True)
class Move:
    """The gist of an entry: what it did to the balance, to what is set aside, to what waits."""

    kind: Kind
    debit: Book
    credit: Book
    points: int
    held: int
    pending: int
    at: datetime


_ACCOUNT = (
    "balance_points",
    "held_points",
    "qualifying_points",
    "lifetime_points",
    "sequence",
    "lapses_at",
)
_MOVE = ("kind", "debit", "credit", "points", "at")


def accounts_of(member_ids: Sequence[UUID]) -> Lookup:
    """Return the look-up of members' accounts, one key for each."""
    return Lookup(AccountRow, ("member_id",), [(one,) for one in member_ids], _ACCOUNT)


def open_lots_of(member_ids: Sequence[UUID]) -> Lookup:
    """Return the look-up of what is left of members' lots, soonest first, one key for each."""
    return Lookup(
        LotRow,
        ("member_id",),
        [(one,) for one in member_ids],
        (
            "expires_at",
            "remaining_points",
            "activates_at",
            "is_pending",
            "told_expires_at",
            "awaits",
        ),
        where="remaining_points > 0",
        order_by="expires_at, sequence",
    )


def last_moves_of(member_ids: Sequence[UUID]) -> Lookup:
    """Return the look-up of members' newest entries, one key for each."""
    keys = [(one,) for one in member_ids]
    return Lookup(TransferRow, ("member_id",), keys, _MOVE, order_by="sequence DESC", limit=1)


def balance_of(account: Row, open_lots: Sequence[Row], *, terms: Terms, now: datetime) -> Balance:
    """Return what a member has, by the rows that the look-ups found."""
    lots = dated(account, open_lots, terms)
    spendable = _spendable(account, lots, terms, now)
    return Balance(
        balance=account[0],
        available=sum(points for _, points in spendable),
        held=account[1],
        pending=sum(lot.points for lot in lots if lot.waits(now)),
        qualifying=account[2],
        lifetime=account[3],
        sequence=account[4],
        lasting=sum(points for expires_at, points in spendable if expires_at >= NEVER),
    )


def expirations_of(
    account: Row, open_lots: Sequence[Row], *, terms: Terms, now: datetime
) -> list[Expiration]:
    """Return when the points a member can spend expire, by the rows that the look-ups found."""
    spendable = _spendable(account, dated(account, open_lots, terms), terms, now)
    return [Expiration(points, at) for at, points in _together(spendable) if at < NEVER]


def dated(account: Row, open_lots: Sequence[Row], terms: Terms) -> list[OpenLot]:
    """Return the lots that the look-up found, with the dates that they have in this account."""
    lots = [OpenLot(*row) for row in open_lots]
    return [lot._replace(expires_at=terms.date_of(lot.expires_at, account[5])) for lot in lots]


def activations_of(open_lots: Sequence[Row], *, now: datetime) -> list[Activation]:
    """Return when a member's pending points can be spent, by the rows that the look-up found."""
    points: Counter[tuple[datetime, str | None]] = Counter()
    for lot in (OpenLot(*row) for row in open_lots):
        if lot.waits(now):
            points[lot.activates_at or now, lot.awaits] += lot.points
    soonest_first = sorted(points, key=lambda one: (one[0], one[1] or ""))
    return [Activation(points[one], *one) for one in soonest_first]


def _spendable(
    account: Row, lots: Sequence[OpenLot], terms: Terms, now: datetime
) -> list[tuple[datetime, int]]:
    """Return when the points of each lot that can be spent now will end, soonest first.

    Points whose waiting is over can be, whether or not they have been activated; they pay debt
    first, those whose time came first at first.
    """
    debt = max(0, -account[0])
    left: list[tuple[datetime, int]] = []
    mine = [lot for lot in lots if not lot.waits(now)]
    for lot in sorted(mine, key=lambda lot: lot.activates_at or now) if debt else mine:
        paid = min(debt, lot.points)
        debt -= paid
        if lot.points > paid and not lot.has_ended(terms, now):
            end = terms.expected(lot.expires_at, lot.told_expires_at, now=now)
            left.append((end, lot.points - paid))
    return sorted(left)


def move_of(row: Row) -> Move:
    """Return the gist of an entry that the look-up found."""
    kind, debit, credit, points, at = row
    return Move(Kind(kind), Book(debit), Book(credit), *_signed(debit, credit, points), at)


async def terms_in_force(program_id: UUID, *, now: datetime) -> Terms:
    """Return when points end in a programme, as things stand.

    Raises:
        NotFoundError: No such programme.
    """
    version = await programs.in_force(program_id, now, now=now)
    return terms_of(version.settings)


async def balances(
    program_id: UUID, member_ids: Sequence[UUID], *, now: datetime
) -> dict[UUID, Balance]:
    """Return what these members have; unknown ones are absent.

    Points past their date are not available, whether or not the expiry has run.
    """
    terms = await terms_in_force(program_id, now=now)
    accounts, lots = await fetch(program_id, accounts_of(member_ids), open_lots_of(member_ids))
    return {
        member_id: balance_of(rows[0], open_lots, terms=terms, now=now)
        for member_id, rows, open_lots in zip(member_ids, accounts, lots, strict=True)
        if rows
    }


async def expirations(
    program_id: UUID, member_ids: Sequence[UUID], *, now: datetime
) -> dict[UUID, list[Expiration]]:
    """Return when these members' points expire, soonest first, without those that never do."""
    terms = await terms_in_force(program_id, now=now)
    accounts, lots = await fetch(program_id, accounts_of(member_ids), open_lots_of(member_ids))
    return {
        member_id: expirations_of(rows[0], open_lots, terms=terms, now=now)
        for member_id, rows, open_lots in zip(member_ids, accounts, lots, strict=True)
        if rows
    }


async def activations(
    program_id: UUID, member_ids: Sequence[UUID], *, now: datetime
) -> dict[UUID, list[Activation]]:
    """Return when these members' pending points can be spent, soonest first."""
    [found] = await fetch(program_id, open_lots_of(member_ids))
    return {
        member_id: activations_of(rows, now=now)
        for member_id, rows in zip(member_ids, found, strict=True)
    }


def _together(rows: Iterable[tuple[datetime, int]]) -> list[tuple[datetime, int]]:
    points: dict[datetime, int] = {}
    for at, remaining in rows:
        points[at] = points.get(at, 0) + remaining
    return list(points.items())


_ENTRY = (
    "sequence",
    "kind",
    "debit",
    "credit",
    "points",
    "qualifying_points",
    "balance_after",
    "at",
    "recorded_at",
    "reference",
    "rule_version",
    "text",
    "explanation",
    "hash",
)
_ENTRIES = MemberRows(TransferRow, _ENTRY, by="sequence")


def _entry(member_id: UUID, row: tuple[Any, ...]) -> Entry:
    sequence, kind, debit, credit, points, *rest = row
    balance, held, waiting = _signed(debit, credit, points)
    books = Book(debit), Book(credit)
    return Entry(member_id, sequence, Kind(kind), *books, balance, held, waiting, *rest)


def _signed(debit: str, credit: str, points: int) -> tuple[int, int, int]:
    """Return what points did to the balance, to what is set aside, and to what waits."""
    return (
        points * ((credit == Book.MEMBER) - (debit == Book.MEMBER)),
        points * ((credit == Book.HELD) - (debit == Book.HELD)),
        points * ((credit == Book.PENDING) - (debit == Book.PENDING)),
    )


async def entries(
    program_id: UUID, keys: Sequence[tuple[UUID, int]]
) -> dict[tuple[UUID, int], Entry]:
    """Return the entries with these (member id, sequence) keys; unknown ones are absent."""
    [found] = await fetch(program_id, Lookup(TransferRow, ("member_id", "sequence"), keys, _ENTRY))
    return {key: _entry(key[0], rows[0]) for key, rows in zip(keys, found, strict=True) if rows}


async def earnings(program_id: UUID, member_ids: Sequence[UUID]) -> dict[UUID, list[Entry]]:
    """Return every entry by which these members earned points, also those that wait."""
    kinds = f"kind IN ('{Kind.EARN}', '{Kind.EARN_PENDING}')"
    keys = [(one,) for one in member_ids]
    lookup = Lookup(TransferRow, ("member_id",), keys, _ENTRY, order_by="sequence", where=kinds)
    [found] = await fetch(program_id, lookup)
    return {
        member_id: [_entry(member_id, row) for row in rows]
        for member_id, rows in zip(member_ids, found, strict=True)
    }


async def newest_entries(
    program_id: UUID, member_ids: Sequence[UUID], *, limit: int, before: int | None = None
) -> dict[UUID, list[Entry]]:
    """Return each member's newest entries, at most `limit`, those before a sequence if given."""
    found = await _ENTRIES.newest(program_id, member_ids, limit=limit, before=before)
    return {
        member_id: [_entry(member_id, row) for row in rows] for member_id, rows in found.items()
    }


async def entry_counts(program_id: UUID, member_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Return how many entries each member has: the sequence of the newest one."""
    rows = await AccountRow.filter(program_id=program_id, member_id__in=list(member_ids))
    return {row.member_id: row.sequence for row in rows}


async def outstanding(program_id: UUID) -> int:
    """Return the sum of all balances, of what is set aside and what waits, debts taken off."""
    rows: Any = (
        await AccountRow.filter(program_id=program_id)
        .annotate(
            balances=Sum("balance_points"), held=Sum("held_points"), waiting=Sum("pending_points")
        )
        .values("balances", "held", "waiting")
    )
    return sum(int(total or 0) for total in rows[0].values())


async def accounts(program_id: UUID) -> int:
    """Return how many accounts there are."""
    return await AccountRow.filter(program_id=program_id).count()
