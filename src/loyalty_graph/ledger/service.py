"""Loading accounts to decide on, and storing what was decided: a fixed number of statements."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from tortoise.expressions import Q

from loyalty_graph import metrics
from loyalty_graph.db import after_commit, assert_in_transaction, connection
from loyalty_graph.db.sets import Insert, Lookup, Row, Update, Write, fetch, table_name
from loyalty_graph.errors import NotFoundError
from loyalty_graph.ledger import chain, lapses, pending, returning
from loyalty_graph.ledger.kinds import Book, Kind
from loyalty_graph.ledger.models import AccountRow, LotRow, LotUseRow, TransferRow
from loyalty_graph.ledger.rules import ACTIVE, Account, Lot, Transfer
from loyalty_graph.ledger.terms import PLAIN, Terms

LOTS_AT_ONCE = 64

TransferKey = tuple[UUID, Kind, str]
"""(member id, kind, reference)"""

_ACCOUNT = (
    "status",
    "balance_points",
    "held_points",
    "pending_points",
    "qualifying_points",
    "lifetime_points",
    "sequence",
    "head",
    "may_earn",
    "lapses_at",
)
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
_SOONEST_FIRST = "expires_at, sequence"


def open_accounts(program_id: UUID, member_ids: Iterable[UUID]) -> Insert:
    """Return the write that gives new members their empty accounts."""
    nothing = (ACTIVE, 0, 0, 0, 0, 0, 0)
    rows = [(one, *nothing, chain.genesis(program_id, one), False) for one in member_ids]
    return Insert(AccountRow, ("member_id", *_ACCOUNT[:-1]), rows)


def set_status(member_id: UUID, status: str, *, may_earn: bool = False) -> Update:
    """Return the write that lets an account be posted to (`ACTIVE`), or not (anything else).

    A suspended one that `may_earn` goes on earning.
    """
    columns = ("status", "may_earn")
    return Update(AccountRow, ("member_id",), columns, [(member_id, status, may_earn)])


class Wanted:
    """Accounts to be locked and loaded, perhaps beside other look-ups of the same batch.

    Spenders come with their first open lots, soonest to expire first; the members of `whole` with
    all their open lots; the others without any. Unknown members are absent. Lots end by the
    programme's `terms`; whoever loads lots says them.
    """

    def __init__(
        self,
        member_ids: Iterable[UUID],
        *,
        spenders: Iterable[UUID] = (),
        whole: Iterable[UUID] = (),
        lots_at_once: int | None = None,
        terms: Terms | None = None,
    ) -> None:
        self._members = sorted(set(member_ids))
        self._with_all = sorted(set(whole))
        self._with_some = sorted(set(spenders) - set(self._with_all))
        self._lots_at_once = lots_at_once or LOTS_AT_ONCE
        assert terms or not (self._with_all or self._with_some), "lots end by some terms"
        self._terms = terms or PLAIN

    def lookups(self) -> list[Lookup]:
        """Return the look-ups to be fetched first, in a transaction: they lock the accounts."""
        assert_in_transaction()
        keys = [(one,) for one in self._members]
        return [
            Lookup(AccountRow, ("member_id",), keys, _ACCOUNT, lock=True),
            _open_lots(self._with_some, self._lots_at_once),
            _open_lots(self._with_all, None),
        ]

    def accounts(self, found: Sequence[Sequence[Sequence[Row]]]) -> dict[UUID, Account]:
        """Return the accounts from what these look-ups found."""
        rows_of, some, every = found
        accounts = {
            member: _account(member, rows[0], self._terms)
            for member, rows in zip(self._members, rows_of, strict=True)
            if rows
        }
        groups = ((self._with_some, some, self._lots_at_once), (self._with_all, every, None))
        for group, lots_of, limit in groups:
            for member, rows in zip(group, lots_of, strict=True):
                if member in accounts:
                    lots = [accounts[member].dated(Lot(*row)) for row in rows]
                    accounts[member].lots = [lot for lot in lots if not lot.is_pending]
                    accounts[member].waiting = [lot for lot in lots if lot.is_pending]
                    accounts[member].has_all_lots = limit is None or len(rows) < limit
        return accounts


async def load_accounts(
    program_id: UUID,
    member_ids: Iterable[UUID],
    *,
    spenders: Iterable[UUID] = (),
    whole: Iterable[UUID] = (),
    lots_at_once: int | None = None,
    terms: Terms | None = None,
) -> dict[UUID, Account]:
    """Lock and return the accounts of these members; see `Wanted`."""
    wanted = Wanted(
        member_ids, spenders=spenders, whole=whole, lots_at_once=lots_at_once, terms=terms
    )
    return wanted.accounts(await fetch(program_id, *wanted.lookups()))


def _account(member_id: UUID, row: tuple[Any, ...], terms: Terms) -> Account:
    account = Account(member_id, *row)
    account.terms = terms
    account.has_all_lots = False
    return account


def _open_lots(members: Sequence[UUID], limit: int | None) -> Lookup:
    keys = [(one,) for one in members]
    return Lookup(
        LotRow, ("member_id",), keys, _LOT, where=_OPEN, order_by=_SOONEST_FIRST, limit=limit
    )


@dataclass(frozen=True, slots=True)
class Taken:
    """What a redemption took: (lot sequence, points), soonest to expire first."""

    sequence: int
    at: datetime
    uses: list[tuple[int, int]]


async def taken_by(
    program_id: UUID, account: Account, reference: str, *, kind: Kind = Kind.REDEEM
) -> Taken:
    """Return what a redemption (or, by its `kind`, a hold) took, and add its lots to the account.

    Raises:
        NotFoundError: The member has no such redemption.
    """
    key = (account.member_id, kind, reference)
    found = await all_taken_by(program_id, {account.member_id: account}, [key])
    if key not in found:
        raise NotFoundError("redemption", reference, field="redemption")
    return found[key]


async def all_taken_by(
    program_id: UUID, accounts: Mapping[UUID, Account], keys: Sequence[TransferKey]
) -> dict[TransferKey, Taken]:
    """Return what these transfers took, and add their lots to the accounts; unknown are absent.

    A key is (member id, kind, reference).
    """
    by = ("member_id", "kind", "reference")
    [transfers] = await fetch(program_id, Lookup(TransferRow, by, keys, ("sequence", "at")))
    known = {key: rows[0] for key, rows in zip(keys, transfers, strict=True) if rows}
    [uses] = await fetch(
        program_id,
        Lookup(
            LotUseRow,
            ("member_id", "sequence"),
            [(key[0], sequence) for key, (sequence, _) in known.items()],
            ("lot_sequence", "points"),
            order_by="lot_sequence",
        ),
    )
    used = dict(zip(known, uses, strict=True))
    await add_lots(program_id, accounts, {(key[0], lot) for key in used for lot, _ in used[key]})
    return {
        key: Taken(sequence, at, _soonest_first(used[key], accounts[key[0]]))
        for key, (sequence, at) in known.items()
    }


def _soonest_first(uses: Iterable[Row], account: Account) -> list[tuple[int, int]]:
    order = {lot.sequence: place for place, lot in enumerate(account.lots)}
    return sorted(((lot, points) for lot, points in uses), key=lambda use: order[use[0]])


async def add_lots(
    program_id: UUID, accounts: Mapping[UUID, Account], wanted: set[tuple[UUID, int]]
) -> None:
    """Add these lots (member id, sequence) to the accounts that do not hold them yet."""
    held = {(one.member_id, lot.sequence) for one in accounts.values() for lot in one.lots}
    missing = sorted(wanted - held)
    [lots] = await fetch(program_id, Lookup(LotRow, ("member_id", "sequence"), missing, _LOT))
    for (member_id, _), rows in zip(missing, lots, strict=True):
        accounts[member_id].lots.append(accounts[member_id].dated(Lot(*rows[0])))
    for member_id in {member_id for member_id, _ in missing}:
        accounts[member_id].lots.sort(key=lambda lot: (lot.expires_at, lot.sequence))


async def forgiveness(
    program_id: UUID, member_ids: Sequence[UUID]
) -> dict[UUID, list[returning.Forgiven]]:
    """Return what members were forgiven, and what of it was reclaimed, oldest first."""
    is_either = Q(debit=Book.FORGIVEN) | Q(credit=Book.FORGIVEN)
    rows: Any = (
        await TransferRow.filter(is_either, program_id=program_id, member_id__in=list(member_ids))
        .order_by("sequence")
        .values_list("member_id", "credit", "sequence", "points")
    )
    found: dict[UUID, list[returning.Forgiven]] = {one: [] for one in member_ids}
    for member_id, credit, sequence, points in rows:
        found[member_id].append((sequence, -points if credit == Book.FORGIVEN else points))
    return found


async def is_posted(program_id: UUID, member_id: UUID, kind: Kind, reference: str) -> bool:
    """Return whether the member has a transfer of this kind with this reference."""
    return bool(await posted(program_id, [(member_id, kind, reference)]))


async def posted(
    program_id: UUID, keys: Sequence[tuple[UUID, Kind, str]]
) -> set[tuple[UUID, Kind, str]]:
    """Return for which of these (member, kind, reference) there is a transfer."""
    [found] = await fetch(
        program_id, Lookup(TransferRow, ("member_id", "kind", "reference"), keys, ("sequence",))
    )
    return {key for key, rows in zip(keys, found, strict=True) if rows}


async def origins(program_id: UUID, account: Account, purchase_id: UUID) -> set[int]:
    """Return the lots of an account that a purchase's pending points had opened.

    Only those among the lots that the account holds; active ones too.
    """
    delayed = [lot for lot in (*account.lots, *account.waiting) if lot.activates_at is not None]
    keys = [(account.member_id, lot.sequence) for lot in delayed]
    [found] = await fetch(
        program_id, Lookup(TransferRow, ("member_id", "sequence"), keys, ("reference",))
    )
    return {
        lot.sequence
        for lot, rows in zip(delayed, found, strict=True)
        if pending.origin_of(rows[0][0]) == str(purchase_id)
    }


def writes(accounts: Iterable[Account]) -> list[Write]:
    """Return what stores all that was posted to these accounts; once kept, it is counted."""
    changed = [account for account in accounts if account.posted or account.slid_at]
    if kinds := [one.kind for account in changed for one in account.posted]:
        after_commit(partial(metrics.count_transfers, kinds))
    return [
        lapses.write(changed),
        Insert(TransferRow, _TRANSFER, [_row(a, t) for a in changed for t in a.posted]),
        Insert(
            LotRow,
            ("member_id", *_LOT),
            [_lot(a, lot) for a in changed for lot in (*a.lots, *a.waiting) if lot.is_new],
        ),
        Insert(
            LotUseRow,
            ("member_id", "sequence", "lot_sequence", "points"),
            [(a.member_id, t.sequence, *use) for a in changed for t in a.posted for use in t.uses],
        ),
        Update(
            LotRow,
            ("member_id", "sequence"),
            ("remaining_points", "is_pending"),
            [
                (a.member_id, lot.sequence, lot.remaining, lot.is_pending)
                for a in changed
                for lot in (*a.lots, *a.waiting)
                if lot.is_changed and not lot.is_new
            ],
        ),
        Update(
            AccountRow,
            ("member_id",),
            (*_ACCOUNT[1:-2], "lapses_at"),
            [(a.member_id, *_counters(a)) for a in changed],
        ),
    ]


_TRANSFER = (
    "member_id",
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
    "actor",
    "explanation",
    "salt",
    "details_hash",
    "hash",
)


def _row(account: Account, transfer: Transfer) -> tuple[object, ...]:
    cause = transfer.cause
    return (
        account.member_id,
        transfer.sequence,
        transfer.kind,
        transfer.debit,
        transfer.credit,
        transfer.points,
        transfer.qualifying,
        transfer.balance_after,
        cause.at,
        cause.recorded_at,
        cause.reference,
        cause.rule_version,
        cause.text,
        cause.actor,
        cause.explanation,
        cause.salt,
        transfer.details_hash,
        transfer.hash,
    )


def _lot(account: Account, lot: Lot) -> tuple[object, ...]:
    return (
        account.member_id,
        lot.sequence,
        lot.points,
        lot.remaining,
        lot.expires_at,
        lot.activates_at,
        lot.is_pending,
        lot.told_expires_at,
        lot.awaits,
    )


def _counters(account: Account) -> tuple[object, ...]:
    return (
        account.balance,
        account.held,
        account.pending,
        account.qualifying,
        account.lifetime,
        account.sequence,
        account.head,
        account.lapses_at,
    )


async def count(program_id: UUID, kind: Kind) -> int:
    """Return how many transfers of a kind the programme has."""
    return await TransferRow.filter(program_id=program_id, kind=kind).count()


async def net_of_books(program_id: UUID) -> dict[Book, int]:
    """Return what every book has received, less what it has given: all of them add up to 0."""
    table = table_name(TransferRow)
    mark = "$1" if connection().capabilities.dialect == "postgres" else "?"
    rows = await connection().execute_query_dict(
        f"select debit, credit, sum(points) as points from {table}"  # noqa: S608 - our own names
        f" where program_id = {mark} group by 1, 2",
        [program_id if mark == "$1" else str(program_id)],
    )
    net = dict.fromkeys(Book, 0)
    for row in rows:
        net[Book(row["credit"])] += int(row["points"])
        net[Book(row["debit"])] -= int(row["points"])
    return net
