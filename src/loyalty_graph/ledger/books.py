"""Everything that is stored of members' points, read at once, and what follows from it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty_graph.db.sets import Lookup, Row, fetch
from loyalty_graph.ledger import chain, holds
from loyalty_graph.ledger.holding import Hold
from loyalty_graph.ledger.kinds import Book, Kind, earned
from loyalty_graph.ledger.models import (
    AccountRow,
    CheckpointHeadRow,
    LotRow,
    LotUseRow,
    TransferRow,
)
from loyalty_graph.ledger.pending import activation

ACCOUNT = (
    "balance_points",
    "held_points",
    "pending_points",
    "qualifying_points",
    "lifetime_points",
    "sequence",
    "head",
)


@dataclass(frozen=True, slots=True)
class StoredAccount:
    """What an account's row says."""

    balance: int
    held: int
    pending: int
    qualifying: int
    lifetime: int
    sequence: int
    head: bytes


@dataclass(frozen=True, slots=True)
class StoredLot:
    """A lot's row."""

    points: int
    remaining: int
    expires_at: datetime
    activates_at: datetime | None
    is_pending: bool


@dataclass(frozen=True, slots=True)
class StoredTransfer:
    """A transfer's row."""

    sequence: int
    kind: str
    debit: str
    credit: str
    points: int
    qualifying: int
    balance_after: int
    at: datetime
    recorded_at: datetime
    reference: str
    rule_version: int | None
    text: str
    actor: str
    explanation: dict[str, Any] | None
    salt: bytes
    details_hash: bytes
    hash: bytes

    @property
    def signed(self) -> int:
        """Return what the transfer adds to the member's balance."""
        return self.points * ((self.credit == Book.MEMBER) - (self.debit == Book.MEMBER))

    @property
    def holding(self) -> int:
        """Return what the transfer adds to the points that are set aside."""
        return self.points * ((self.credit == Book.HELD) - (self.debit == Book.HELD))

    @property
    def waiting(self) -> int:
        """Return what the transfer adds to the points that cannot be spent yet."""
        return self.points * ((self.credit == Book.PENDING) - (self.debit == Book.PENDING))

    @property
    def is_erased(self) -> bool:
        """Return whether all that may be taken out is gone, as when a person is erased."""
        return self.explanation is None and not (self.text or self.actor or self.salt)


@dataclass(frozen=True, slots=True)
class Books:
    """Everything stored of one member; uses are (sequence, lot sequence, points).

    `heads` are (checkpoint number, sequence, hash): where its chain stood at checkpoints.
    """

    program_id: UUID
    member_id: UUID
    account: StoredAccount | None
    transfers: Sequence[StoredTransfer]
    lots: dict[int, StoredLot]
    uses: Sequence[tuple[int, int, int]]
    heads: Sequence[tuple[int, int, bytes]]
    holds: Sequence[Hold]

    @property
    def genesis(self) -> bytes:
        """Return what the first transfer is linked to."""
        return chain.genesis(self.program_id, self.member_id)


_TRANSFER = tuple(
    "qualifying_points" if name == "qualifying" else name
    for name in StoredTransfer.__dataclass_fields__
)


_DETAILS = slice(_TRANSFER.index("text"), _TRANSFER.index("details_hash"))


def as_row(account: StoredAccount) -> tuple[object, ...]:
    """Return an account in the order of `ACCOUNT`."""
    return (
        account.balance,
        account.held,
        account.pending,
        account.qualifying,
        account.lifetime,
        account.sequence,
        account.head,
    )


async def read(
    program_id: UUID, member_ids: Sequence[UUID], *, with_details: bool = True
) -> list[Books]:
    """Return these members' books, in order, each as of one moment.

    Without details, texts, actors and explanations are not read, and seem to have been erased.
    """
    lookups = _lookups(member_ids, with_details=with_details)
    accounts, transfers, lots, uses, heads, held = await fetch(program_id, *lookups)
    return [
        Books(
            program_id,
            member_id,
            StoredAccount(*accounts[place][0]) if accounts[place] else None,
            [_transfer(row) for row in transfers[place]],
            {row[0]: StoredLot(*row[1:]) for row in lots[place]},
            [(row[0], row[1], row[2]) for row in uses[place]],
            [(row[0], row[1], row[2]) for row in heads[place]],
            [holds.hold_of(row) for row in held[place]],
        )
        for place, member_id in enumerate(member_ids)
    ]


def _lookups(member_ids: Sequence[UUID], *, with_details: bool) -> list[Lookup]:
    columns = (
        _TRANSFER if with_details else (*_TRANSFER[: _DETAILS.start], *_TRANSFER[_DETAILS.stop :])
    )
    keys = [(one,) for one in member_ids]
    return [
        Lookup(AccountRow, ("member_id",), keys, ACCOUNT),
        Lookup(TransferRow, ("member_id",), keys, columns, order_by="sequence"),
        Lookup(
            LotRow,
            ("member_id",),
            keys,
            ("sequence", "points", "remaining_points", "expires_at", "activates_at", "is_pending"),
            order_by="sequence",
        ),
        Lookup(
            LotUseRow,
            ("member_id",),
            keys,
            ("sequence", "lot_sequence", "points"),
            order_by="sequence, lot_sequence",
        ),
        Lookup(
            CheckpointHeadRow,
            ("member_id",),
            keys,
            ("number", "sequence", "hash"),
            order_by="number",
        ),
        holds.all_of(member_ids),
    ]


def _transfer(row: Row) -> StoredTransfer:
    if len(row) < len(_TRANSFER):
        row = (*row[: _DETAILS.start], "", "", None, b"", *row[_DETAILS.start :])
    return StoredTransfer(*row)


def with_fields(books: Books) -> Iterator[tuple[StoredTransfer, chain.Fields]]:
    """Yield every transfer with what its hash covers."""
    uses: dict[int, list[tuple[int, int]]] = {}
    for sequence, lot_sequence, points in books.uses:
        uses.setdefault(sequence, []).append((lot_sequence, points))
    for transfer in books.transfers:
        lot = books.lots.get(transfer.sequence)
        yield (
            transfer,
            chain.Fields(
                sequence=transfer.sequence,
                kind=transfer.kind,
                debit=transfer.debit,
                credit=transfer.credit,
                points=transfer.points,
                qualifying=transfer.qualifying,
                at=transfer.at,
                recorded_at=transfer.recorded_at,
                reference=transfer.reference,
                rule_version=transfer.rule_version,
                opened=None if lot is None else (lot.points, lot.expires_at, lot.activates_at),
                uses=uses.get(transfer.sequence, []),
                details_hash=transfer.details_hash,
            ),
        )


def lots_by_uses(books: Books) -> dict[int, tuple[int, bool]]:
    """Return what the uses leave of each lot, and whether that is still pending."""
    left = {sequence: lot.points for sequence, lot in books.lots.items()}
    for _, lot_sequence, points in books.uses:
        if lot_sequence in left:
            left[lot_sequence] -= points
    opened = {one.sequence for one in books.transfers if one.credit == Book.PENDING}
    activated = {one.reference for one in books.transfers if one.kind == Kind.ACTIVATE}
    return {
        sequence: (
            points,
            points > 0 and sequence in opened and activation(sequence) not in activated,
        )
        for sequence, points in left.items()
    }


def derive(books: Books) -> StoredAccount:
    """Return the account that the transfers add up to."""
    balance = held = pending = qualifying = lifetime = 0
    for transfer in books.transfers:
        balance += transfer.signed
        held += transfer.holding
        pending += transfer.waiting
        qualifying += transfer.qualifying
        lifetime += earned(Kind(transfer.kind), transfer.qualifying)
    if not books.transfers:
        return StoredAccount(0, 0, 0, 0, 0, 0, books.genesis)
    last = books.transfers[-1]
    return StoredAccount(balance, held, pending, qualifying, lifetime, last.sequence, last.hash)
