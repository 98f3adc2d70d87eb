"""Loading accounts to decide on, and storing what was decided: a fixed number of statements."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty_graph.db import assert_in_transaction, connection
from loyalty_graph.db.sets import Insert, Lookup, Row, Update, Write, fetch, table_name
from loyalty_graph.errors import NotFoundError
from loyalty_graph.ledger import chain
from loyalty_graph.ledger.models import AccountRow, LotRow, LotUseRow, TransferRow
from loyalty_graph.ledger.rules import ACTIVE, Account, Kind, Lot, Transfer

LOTS_AT_ONCE = 64

_ACCOUNT = (
    "status",
    "balance_points",
    "qualifying_points",
    "lifetime_points",
    "sequence",
    "head",
)
_LOT = ("sequence", "points", "remaining_points", "expires_at")
_OPEN = "remaining_points > 0"
_SOONEST_FIRST = "expires_at, sequence"


def open_accounts(program_id: UUID, member_ids: Iterable[UUID]) -> Insert:
    """Return the write that gives new members their empty accounts."""
    rows = [(one, ACTIVE, 0, 0, 0, 0, chain.genesis(program_id, one)) for one in member_ids]
    return Insert(AccountRow, ("member_id", *_ACCOUNT), rows)


def set_status(member_id: UUID, status: str) -> Update:
    """Return the write that lets an account be posted to (`ACTIVE`), or not (anything else)."""
    return Update(AccountRow, ("member_id",), ("status",), [(member_id, status)])


class Wanted:
    """Accounts to be locked and loaded, perhaps beside other look-ups of the same batch.

    Spenders come with their first open lots, soonest to expire first; the members of `whole` with
    all their open lots; the others without any. Unknown members are absent.
    """

    def __init__(
        self,
        member_ids: Iterable[UUID],
        *,
        spenders: Iterable[UUID] = (),
        whole: Iterable[UUID] = (),
        lots_at_once: int | None = None,
    ) -> None:
        self._members = sorted(set(member_ids))
        self._with_all = sorted(set(whole))
        self._with_some = sorted(set(spenders) - set(self._with_all))
        self._lots_at_once = lots_at_once or LOTS_AT_ONCE

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
            member: _account(member, rows[0])
            for member, rows in zip(self._members, rows_of, strict=True)
            if rows
        }
        groups = ((self._with_some, some, self._lots_at_once), (self._with_all, every, None))
        for group, lots_of, limit in groups:
            for member, rows in zip(group, lots_of, strict=True):
                if member in accounts:
                    accounts[member].lots = [Lot(*row) for row in rows]
                    accounts[member].has_all_lots = limit is None or len(rows) < limit
        return accounts


async def load_accounts(
    program_id: UUID,
    member_ids: Iterable[UUID],
    *,
    spenders: Iterable[UUID] = (),
    whole: Iterable[UUID] = (),
    lots_at_once: int | None = None,
) -> dict[UUID, Account]:
    """Lock and return the accounts of these members; see `Wanted`."""
    wanted = Wanted(member_ids, spenders=spenders, whole=whole, lots_at_once=lots_at_once)
    return wanted.accounts(await fetch(program_id, *wanted.lookups()))


def _account(member_id: UUID, row: tuple[Any, ...]) -> Account:
    status, balance, qualifying, lifetime, sequence, head = row
    return Account(
        member_id, status, balance, qualifying, lifetime, sequence, head, has_all_lots=False
    )


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


async def taken_by(program_id: UUID, account: Account, redemption: str) -> Taken:
    """Return what a redemption took, and add its lots to the account.

    Raises:
        NotFoundError: The member has no such redemption.
    """
    key = (account.member_id, Kind.REDEEM, redemption)
    [[transfers]] = await fetch(
        program_id,
        Lookup(TransferRow, ("member_id", "kind", "reference"), [key], ("sequence", "at")),
    )
    if not transfers:
        raise NotFoundError("redemption", redemption, field="redemption")
    [[uses]] = await fetch(
        program_id,
        Lookup(
            LotUseRow,
            ("member_id", "sequence"),
            [(account.member_id, transfers[0][0])],
            ("lot_sequence", "points"),
            order_by="lot_sequence",
        ),
    )
    known = {lot.sequence for lot in account.lots}
    wanted = [(account.member_id, lot) for lot, _ in uses if lot not in known]
    [lots] = await fetch(program_id, Lookup(LotRow, ("member_id", "sequence"), wanted, _LOT))
    account.lots.extend(Lot(*rows[0]) for rows in lots)
    account.lots.sort(key=lambda lot: (lot.expires_at, lot.sequence))
    order = {lot.sequence: place for place, lot in enumerate(account.lots)}
    soonest_first = sorted(((lot, points) for lot, points in uses), key=lambda use: order[use[0]])
    sequence, at = transfers[0]
    return Taken(sequence, at, soonest_first)


async def forgiveness(program_id: UUID, member_id: UUID) -> list[tuple[Kind, int, int]]:
    """Return what a member was forgiven and what was reclaimed: (kind, sequence, points)."""
    rows: Any = (
        await TransferRow.filter(
            program_id=program_id, member_id=member_id, kind__in=[Kind.FORGIVE, Kind.RECLAIM]
        )
        .order_by("sequence")
        .values_list("kind", "sequence", "points")
    )
    return [(Kind(kind), sequence, points) for kind, sequence, points in rows]


async def is_posted(program_id: UUID, member_id: UUID, kind: Kind, reference: str) -> bool:
    """Return whether the member has a transfer of this kind with this reference."""
    key = (member_id, kind, reference)
    [[found]] = await fetch(
        program_id, Lookup(TransferRow, ("member_id", "kind", "reference"), [key], ("sequence",))
    )
    return bool(found)


async def members_with_due_lots(program_id: UUID, *, now: datetime, limit: int) -> list[UUID]:
    """Return members who hold points in lots past their date, at most `limit` of them."""
    rows = (
        await LotRow.filter(program_id=program_id, expires_at__lte=now, remaining_points__gt=0)
        .distinct()
        .limit(limit)
        .values_list("member_id", flat=True)
    )
    return list(rows)  # type: ignore[arg-type] # `flat=True` gives values, not tuples


def writes(accounts: Iterable[Account]) -> list[Write]:
    """Return what stores everything that was posted to these accounts."""
    changed = [account for account in accounts if account.posted]
    return [
        Insert(TransferRow, _TRANSFER, [_row(a, t) for a in changed for t in a.posted]),
        Insert(
            LotRow,
            ("member_id", *_LOT),
            [_lot(a, lot) for a in changed for lot in a.lots if lot.is_new],
        ),
        Insert(
            LotUseRow,
            ("member_id", "sequence", "lot_sequence", "points"),
            [(a.member_id, t.sequence, *use) for a in changed for t in a.posted for use in t.uses],
        ),
        Update(
            LotRow,
            ("member_id", "sequence"),
            ("remaining_points",),
            [
                (a.member_id, lot.sequence, lot.remaining)
                for a in changed
                for lot in a.lots
                if lot.is_changed and not lot.is_new
            ],
        ),
        Update(
            AccountRow,
            ("member_id",),
            ("balance_points", "qualifying_points", "lifetime_points", "sequence", "head"),
            [
                (a.member_id, a.balance, a.qualifying, a.lifetime, a.sequence, a.head)
                for a in changed
            ],
        ),
    ]


_TRANSFER = (
    "member_id",
    "sequence",
    "kind",
    "debit",
    "credit",
    "points",
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
    return (account.member_id, lot.sequence, lot.points, lot.remaining, lot.expires_at)


async def count(program_id: UUID, kind: Kind) -> int:
    """Return how many transfers of a kind the programme has."""
    return await TransferRow.filter(program_id=program_id, kind=kind).count()


async def totals(program_id: UUID) -> dict[tuple[Kind, bool], int]:
    """Return the points of all transfers by kind and direction (True: into members' accounts)."""
    table = table_name(TransferRow)
    mark = "$1" if connection().capabilities.dialect == "postgres" else "?"
    rows = await connection().execute_query_dict(
        f"select kind, credit = 'MEMBER' as inward, sum(points) as points from {table}"  # noqa: S608 - our own names
        f" where program_id = {mark} group by 1, 2",
        [program_id if mark == "$1" else str(program_id)],
    )
    return {(Kind(row["kind"]), bool(row["inward"])): int(row["points"]) for row in rows}
