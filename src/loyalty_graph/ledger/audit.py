"""Proving the ledger: every sum, lot, use, sequence and hash is worked out again and compared.

Nothing here trusts a projection: transfers and lot uses are replayed from the first one on, and
what is stored beside them must agree.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from tortoise.models import Model

from loyalty_graph.db.sets import Insert, Lookup, Update, fetch, store
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger import chain
from loyalty_graph.ledger.models import AccountRow, AuditRow, LotRow, LotUseRow, TransferRow
from loyalty_graph.ledger.rules import Book, Kind
from loyalty_graph.members import reads as members
from loyalty_graph.members.models import Member

FINDINGS_KEPT_MAX = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it must be; `sequence` is None when it concerns the account."""

    member_id: UUID
    sequence: int | None
    problem: str

    def as_json(self) -> dict[str, Any]:
        """Return the finding as JSON values."""
        return {
            "member": str(self.member_id),
            "sequence": self.sequence,
            "problem": self.problem,
        }


@dataclass(slots=True)
class Audit:
    """What an audit looked at and found."""

    accounts: int = 0
    transfers: int = 0
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Account:
    balance: int
    held: int
    qualifying: int
    lifetime: int
    sequence: int
    head: bytes


@dataclass(frozen=True, slots=True)
class _Lot:
    points: int
    remaining: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class _Transfer:
    sequence: int
    kind: str
    debit: str
    credit: str
    points: int
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
    def is_erased(self) -> bool:
        """Return whether all that may be taken out is gone, as when a person is erased."""
        return self.explanation is None and not (self.text or self.actor or self.salt)


@dataclass(frozen=True, slots=True)
class _Books:
    """Everything stored of one member; uses are (sequence, lot sequence, points)."""

    member_id: UUID
    account: _Account | None
    transfers: Sequence[_Transfer]
    lots: dict[int, _Lot]
    uses: Sequence[tuple[int, int, int]]


_TRANSFER = tuple(_Transfer.__dataclass_fields__)


async def audit(program_id: UUID, member_ids: Sequence[UUID]) -> Audit:
    """Audit these members' books; the caller's transaction holds their accounts still."""
    result = Audit()
    for books in await _read(program_id, member_ids):
        result.accounts += 1
        result.transfers += len(books.transfers)
        result.findings.extend(_check(program_id, books))
    return result


async def keep(program_id: UUID, result: Audit, *, now: datetime) -> None:
    """Store the outcome of an audit; `ledgerIntegrity` answers from the newest one."""
    await AuditRow.create(
        id=new_id(now),
        program_id=program_id,
        at=now,
        accounts=result.accounts,
        transfers=result.transfers,
        differences=len(result.findings),
        findings=[one.as_json() for one in result.findings[:FINDINGS_KEPT_MAX]],
    )


async def latest(program_id: UUID) -> AuditRow | None:
    """Return the newest stored audit, or None when there was none."""
    return await AuditRow.filter(program_id=program_id).order_by("-at", "-id").first()


async def page_of_members(program_id: UUID, *, after: UUID | None, limit: int) -> list[UUID]:
    """Return up to `limit` members in the order of their ids.

    Whoever has a row in any book is among them: an account that was removed is missed then.
    """
    found: set[Any] = set()
    for model, column in _WHO_HAS_BOOKS:
        query = model.filter(program_id=program_id)
        if after is not None:
            query = query.filter(**{f"{column}__gt": after})
        page = query.distinct().order_by(column).limit(limit)
        found.update(await page.values_list(column, flat=True))
    return sorted(found)[:limit]


_WHO_HAS_BOOKS: tuple[tuple[type[Model], str], ...] = (
    (Member, "id"),
    (AccountRow, "member_id"),
    (TransferRow, "member_id"),
    (LotRow, "member_id"),
    (LotUseRow, "member_id"),
)


async def rebuild(program_id: UUID, member_ids: Sequence[UUID]) -> int:
    """Derive account rows and lots' remaining points from the transfers again.

    A missing account is opened again with its member's status. Runs in the caller's transaction;
    returns how many rows were different.
    """
    accounts: list[tuple[object, ...]] = []
    missing: list[tuple[object, ...]] = []
    lots: list[tuple[object, ...]] = []
    owners = await members.members(program_id, member_ids)
    for books in await _read(program_id, member_ids):
        derived = _derive(program_id, books)
        if books.account is None and books.member_id in owners:
            status = owners[books.member_id].status
            missing.append((books.member_id, status, *_as_row(derived)))
        elif books.account not in (None, derived):
            accounts.append((books.member_id, *_as_row(derived)))
        left = _left(books)
        lots.extend(
            (books.member_id, sequence, left[sequence])
            for sequence, lot in books.lots.items()
            if left[sequence] != lot.remaining
        )
    await store(
        program_id,
        [
            Insert(AccountRow, ("member_id", "status", *_ACCOUNT), missing),
            Update(AccountRow, ("member_id",), _ACCOUNT, accounts),
            Update(LotRow, ("member_id", "sequence"), ("remaining_points",), lots),
        ],
    )
    return len(missing) + len(accounts) + len(lots)


_ACCOUNT = (
    "balance_points",
    "held_points",
    "qualifying_points",
    "lifetime_points",
    "sequence",
    "head",
)


def _as_row(account: _Account) -> tuple[object, ...]:
    return (
        account.balance,
        account.held,
        account.qualifying,
        account.lifetime,
        account.sequence,
        account.head,
    )


async def _read(program_id: UUID, member_ids: Sequence[UUID]) -> list[_Books]:
    keys = [(one,) for one in member_ids]
    accounts, transfers, lots, uses = await fetch(
        program_id,
        Lookup(AccountRow, ("member_id",), keys, _ACCOUNT),
        Lookup(TransferRow, ("member_id",), keys, _TRANSFER, order_by="sequence"),
        Lookup(
            LotRow,
            ("member_id",),
            keys,
            ("sequence", "points", "remaining_points", "expires_at"),
            order_by="sequence",
        ),
        Lookup(
            LotUseRow,
            ("member_id",),
            keys,
            ("sequence", "lot_sequence", "points"),
            order_by="sequence, lot_sequence",
        ),
    )
    return [
        _Books(
            member_id,
            _Account(*accounts[place][0]) if accounts[place] else None,
            [_Transfer(*row) for row in transfers[place]],
            {row[0]: _Lot(*row[1:]) for row in lots[place]},
            [(row[0], row[1], row[2]) for row in uses[place]],
        )
        for place, member_id in enumerate(member_ids)
    ]


def _check(program_id: UUID, books: _Books) -> Iterator[Finding]:
    for sequence, problem in _problems(program_id, books):
        yield Finding(books.member_id, sequence, problem)


def _problems(program_id: UUID, books: _Books) -> Iterator[tuple[int | None, str]]:
    yield from _chain_problems(program_id, books)
    yield from _balance_problems(books)
    yield from _hold_problems(books)
    yield from _lot_problems(books)
    if books.account is None:
        yield None, "the account is missing"
    else:
        yield from _account_problems(books.account, _derive(program_id, books))


def _account_problems(stored: _Account, derived: _Account) -> Iterator[tuple[None, str]]:
    for name in ("balance", "held", "qualifying", "lifetime", "sequence"):
        says, is_ = getattr(stored, name), getattr(derived, name)
        if says != is_:
            yield None, f"the account's {name} is {says}, the transfers' {is_}"
    if stored.head != derived.head:
        yield None, "the account's hash is not that of the last transfer"


def _chain_problems(program_id: UUID, books: _Books) -> Iterator[tuple[int | None, str]]:
    """Follow the chain; after a break go on from the stored hash, so that each break is told."""
    previous = chain.genesis(program_id, books.member_id)
    uses = _uses_by_transfer(books)
    for expected, transfer in enumerate(books.transfers, 1):
        if transfer.sequence != expected:
            yield transfer.sequence, f"transfer {expected} is missing"
            return
        if not transfer.is_erased and transfer.details_hash != chain.details_hash(
            transfer.salt, transfer.text, transfer.actor, transfer.explanation
        ):
            yield expected, "text, actor or explanation was changed"
        if transfer.hash != chain.link(previous, _covered(transfer, books, uses)):
            yield expected, "the transfer was changed, or the one before it"
        previous = transfer.hash
    told = books.account.sequence if books.account else 0
    if told > len(books.transfers):
        yield len(books.transfers) + 1, f"transfer {len(books.transfers) + 1} is missing"


def _covered(
    transfer: _Transfer, books: _Books, uses: dict[int, list[tuple[int, int]]]
) -> chain.Fields:
    lot = books.lots.get(transfer.sequence)
    return chain.Fields(
        sequence=transfer.sequence,
        kind=transfer.kind,
        debit=transfer.debit,
        credit=transfer.credit,
        points=transfer.points,
        at=transfer.at,
        recorded_at=transfer.recorded_at,
        reference=transfer.reference,
        rule_version=transfer.rule_version,
        opened=None if lot is None else (lot.points, lot.expires_at),
        uses=uses.get(transfer.sequence, []),
        details_hash=transfer.details_hash,
    )


def _uses_by_transfer(books: _Books) -> dict[int, list[tuple[int, int]]]:
    found: dict[int, list[tuple[int, int]]] = {}
    for sequence, lot_sequence, points in books.uses:
        found.setdefault(sequence, []).append((lot_sequence, points))
    return found


def _balance_problems(books: _Books) -> Iterator[tuple[int | None, str]]:
    balance = 0
    for transfer in books.transfers:
        balance += transfer.signed
        if transfer.balance_after != balance:
            yield (
                transfer.sequence,
                f"the balance after it is {transfer.balance_after}, not {balance}",
            )
            return


def _hold_problems(books: _Books) -> Iterator[tuple[int | None, str]]:
    """Check that each hold ends once at most, as a whole, and that nothing else ends."""
    open_: dict[str, int] = {}
    for transfer in books.transfers:
        if transfer.holding > 0:
            open_[transfer.reference] = open_.get(transfer.reference, 0) + transfer.points
        elif transfer.holding < 0 and open_.pop(transfer.reference, 0) != transfer.points:
            yield transfer.sequence, "it ends a hold that is not open, or not the whole of it"


def _lot_problems(books: _Books) -> Iterator[tuple[int | None, str]]:
    known = {transfer.sequence for transfer in books.transfers}
    for sequence in sorted({one for use in books.uses for one in use[:2]} - known):
        yield sequence, "a lot use names a transfer that does not exist"
    left = _left(books)
    for sequence, lot in books.lots.items():
        if sequence not in known:
            yield sequence, "a lot has no transfer"
        if lot.remaining != left[sequence]:
            yield sequence, f"the lot says {lot.remaining} points left, its uses {left[sequence]}"
        if not 0 <= left[sequence] <= lot.points:
            yield sequence, f"uses leave {left[sequence]} of the lot's {lot.points} points"
    balance = sum(transfer.signed for transfer in books.transfers)
    in_lots = sum(left.values())
    if in_lots != max(balance, 0):
        yield None, f"lots hold {in_lots} points, transfers add up to {balance}"


def _left(books: _Books) -> dict[int, int]:
    left = {sequence: lot.points for sequence, lot in books.lots.items()}
    for _, lot_sequence, points in books.uses:
        if lot_sequence in left:
            left[lot_sequence] -= points
    return left


def _derive(program_id: UUID, books: _Books) -> _Account:
    """Return the account that the transfers add up to."""
    balance = held = qualifying = lifetime = 0
    for transfer in books.transfers:
        balance += transfer.signed
        held += transfer.holding
        if transfer.kind == Kind.EARN:
            qualifying += transfer.points
            lifetime += transfer.points
        elif transfer.kind == Kind.REVERSE:
            qualifying -= transfer.points
    if not books.transfers:
        return _Account(0, 0, 0, 0, 0, chain.genesis(program_id, books.member_id))
    last = books.transfers[-1]
    return _Account(balance, held, qualifying, lifetime, last.sequence, last.hash)
