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

from loyalty_graph.db.sets import Insert, Update, store
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger import chain, chart, end_checks, holding
from loyalty_graph.ledger.books import (
    ACCOUNT,
    Books,
    StoredAccount,
    as_row,
    derive,
    lots_by_uses,
    read,
    with_fields,
)
from loyalty_graph.ledger.kinds import Book
from loyalty_graph.ledger.models import AccountRow, AuditRow, LotRow, LotUseRow, TransferRow
from loyalty_graph.members import reads as members
from loyalty_graph.members.models import Member

FINDINGS_KEPT_MAX = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it must be; `sequence` is None when it concerns the account.

    What is wrong with a checkpoint concerns no member.
    """

    member_id: UUID | None
    sequence: int | None
    problem: str
    checkpoint: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the finding as JSON values."""
        return {
            "member": self.member_id and str(self.member_id),
            "sequence": self.sequence,
            "checkpoint": self.checkpoint,
            "problem": self.problem,
        }


@dataclass(slots=True)
class Audit:
    """What an audit looked at and found."""

    accounts: int = 0
    transfers: int = 0
    checkpoints: int = 0
    findings: list[Finding] = field(default_factory=list)

    def add(self, part: "Audit") -> None:
        """Count in what an audit of others found."""
        self.accounts += part.accounts
        self.transfers += part.transfers
        self.findings.extend(part.findings)


async def audit(
    program_id: UUID, member_ids: Sequence[UUID], *, with_details: bool = True
) -> Audit:
    """Audit these members' books; each is read as of one moment, and nobody is held up.

    Without details, the hash of what may be erased is taken as it is stored.
    """
    result = Audit()
    for books in await read(program_id, member_ids, with_details=with_details):
        result.accounts += 1
        result.transfers += len(books.transfers)
        result.findings.extend(_check(books))
    wrong = await end_checks.problems(program_id, member_ids)
    result.findings.extend(Finding(*one) for one in wrong)
    return result


async def keep(program_id: UUID, result: Audit, *, now: datetime) -> None:
    """Store the outcome of an audit; `ledgerIntegrity` answers from the newest one."""
    await AuditRow.create(
        id=new_id(now),
        program_id=program_id,
        at=now,
        accounts=result.accounts,
        transfers=result.transfers,
        checkpoints=result.checkpoints,
        differences=len(result.findings),
        findings=[one.as_json() for one in result.findings[:FINDINGS_KEPT_MAX]],
    )


async def latest(program_id: UUID) -> AuditRow | None:
    """Return the newest stored audit, or None when there was none."""
    return await AuditRow.filter(program_id=program_id).order_by("-at", "-id").first()


async def page_of_members(
    program_id: UUID, *, after: UUID | None, limit: int, since: datetime | None = None
) -> list[UUID]:
    """Return up to `limit` members in the order of their ids; those with entries `since`, if given.

    Whoever has a row in any book is among them: an account that was removed is missed then.
    """
    found: set[Any] = set()
    recorded = {} if since is None else {"recorded_at__gte": since}
    for model, column in _WHO_HAS_BOOKS if since is None else _WHO_HAS_ENTRIES:
        query = model.filter(program_id=program_id, **recorded)
        if after is not None:
            query = query.filter(**{f"{column}__gt": after})
        page = query.distinct().order_by(column).limit(limit)
        found.update(await page.values_list(column, flat=True))
    return sorted(found)[:limit]


async def first_and_last_member(program_id: UUID) -> tuple[UUID, UUID] | None:
    """Return the lowest and the highest id of the members; None where there are none."""
    ids = Member.filter(program_id=program_id)
    first = await ids.order_by("id").limit(1).values_list("id", flat=True)
    last = await ids.order_by("-id").limit(1).values_list("id", flat=True)
    return (first[0], last[0]) if first and last else None  # type: ignore[return-value] # one column


_WHO_HAS_BOOKS: tuple[tuple[type[Model], str], ...] = (
    (Member, "id"),
    (AccountRow, "member_id"),
    (TransferRow, "member_id"),
    (LotRow, "member_id"),
    (LotUseRow, "member_id"),
)
_WHO_HAS_ENTRIES = ((TransferRow, "member_id"),)


async def rebuild(program_id: UUID, member_ids: Sequence[UUID]) -> int:
    """Derive account rows and lots' remaining points from the transfers again.

    A missing account is opened again with its member's status. Runs in the caller's transaction;
    returns how many rows were different.
    """
    accounts: list[tuple[object, ...]] = []
    missing: list[tuple[object, ...]] = []
    lots: list[tuple[object, ...]] = []
    owners = await members.members(program_id, member_ids)
    for books in await read(program_id, member_ids):
        derived = derive(books)
        if books.account is None and books.member_id in owners:
            status = owners[books.member_id].status
            missing.append((books.member_id, status, *as_row(derived)))
        elif books.account not in (None, derived):
            accounts.append((books.member_id, *as_row(derived)))
        found = lots_by_uses(books)
        lots.extend(
            (books.member_id, sequence, *found[sequence])
            for sequence, lot in books.lots.items()
            if found[sequence] != (lot.remaining, lot.is_pending)
        )
    await store(
        program_id,
        [
            Insert(AccountRow, ("member_id", "status", *ACCOUNT), missing),
            Update(AccountRow, ("member_id",), ACCOUNT, accounts),
            Update(LotRow, ("member_id", "sequence"), ("remaining_points", "is_pending"), lots),
        ],
    )
    ends = await end_checks.differing(program_id, member_ids)
    await store(program_id, ends.writes())
    return len(missing) + len(accounts) + len(lots) + len(ends.lots) + len(ends.accounts)


def _check(books: Books) -> Iterator[Finding]:
    for sequence, problem in _problems(books):
        yield Finding(books.member_id, sequence, problem)


def _problems(books: Books) -> Iterator[tuple[int | None, str]]:
    yield from _chain_problems(books)
    yield from _chart_problems(books)
    yield from _balance_problems(books)
    yield from holding.problems(books.transfers)
    yield from holding.stored_problems(books.transfers, books.holds)
    yield from _lot_problems(books)
    yield from _use_problems(books)
    yield from _return_problems(books)
    yield from _head_problems(books)
    if books.account is None:
        yield None, "the account is missing"
    else:
        yield from _account_problems(books.account, derive(books))


def _account_problems(stored: StoredAccount, derived: StoredAccount) -> Iterator[tuple[None, str]]:
    for name in ("balance", "held", "pending", "qualifying", "lifetime", "sequence"):
        says, is_ = getattr(stored, name), getattr(derived, name)
        if says != is_:
            yield None, f"the account's {name} is {says}, the transfers' {is_}"
    if stored.head != derived.head:
        yield None, "the account's hash is not that of the last transfer"


def _chain_problems(books: Books) -> Iterator[tuple[int | None, str]]:
    """Follow the chain; after a break go on from the stored hash, so that each break is told."""
    previous = books.genesis
    for expected, (transfer, fields) in enumerate(with_fields(books), 1):
        if transfer.sequence != expected:
            yield transfer.sequence, f"transfer {expected} is missing"
            return
        if not transfer.is_erased and transfer.details_hash != chain.details_hash(
            transfer.salt, transfer.text, transfer.actor, transfer.explanation
        ):
            yield expected, "text, actor or explanation was changed"
        if transfer.hash != chain.link(previous, fields):
            yield expected, "the transfer was changed, or the one before it"
        previous = transfer.hash
    told = books.account.sequence if books.account else 0
    if told > len(books.transfers):
        yield len(books.transfers) + 1, f"transfer {len(books.transfers) + 1} is missing"


def _head_problems(books: Books) -> Iterator[tuple[int, str]]:
    """Check that the chain still leads through every head that was put under a checkpoint."""
    links = {transfer.sequence: transfer.hash for transfer in books.transfers}
    links[0] = books.genesis
    before = -1
    for number, sequence, head in books.heads:
        if links.get(sequence) != head:
            yield sequence, f"the chain does not lead through what checkpoint {number} covers"
        if sequence <= before:
            yield sequence, f"checkpoint {number} covers no more than the one before it"
        before = sequence


def _chart_problems(books: Books) -> Iterator[tuple[int | None, str]]:
    for one in books.transfers:
        if not chart.is_legal(one.kind, one.debit, one.credit):
            yield one.sequence, f"{one.kind} moves nothing from {one.debit} to {one.credit}"


def _balance_problems(books: Books) -> Iterator[tuple[int | None, str]]:
    balance = 0
    for transfer in books.transfers:
        balance += transfer.signed
        if transfer.balance_after != balance:
            yield (
                transfer.sequence,
                f"the balance after it is {transfer.balance_after}, not {balance}",
            )
            return


def _lot_problems(books: Books) -> Iterator[tuple[int | None, str]]:
    known = {transfer.sequence for transfer in books.transfers}
    for sequence in sorted({one for use in books.uses for one in use[:2]} - known):
        yield sequence, "a lot use names a transfer that does not exist"
    found = lots_by_uses(books)
    for sequence, lot in books.lots.items():
        left, is_pending = found[sequence]
        if sequence not in known:
            yield sequence, "a lot has no transfer"
        if lot.remaining != left:
            yield sequence, f"the lot says {lot.remaining} points left, its uses {left}"
        if lot.is_pending != is_pending:
            told = "is" if lot.is_pending else "is not"
            yield sequence, f"the lot says it {told} pending, which the transfers deny"
    yield from _sum_problems(books, list(found.values()))


def _use_problems(books: Books) -> Iterator[tuple[int, str]]:
    """Check every lot after every use: it was open, and held from nothing to all its points."""
    left = {sequence: lot.points for sequence, lot in books.lots.items()}
    for sequence, lot_sequence, points in books.uses:
        if lot_sequence not in left:
            continue
        if sequence < lot_sequence:
            yield sequence, f"it uses lot {lot_sequence}, which was not yet open"
        left[lot_sequence] -= points
        if not 0 <= left[lot_sequence] <= books.lots[lot_sequence].points:
            yield sequence, f"it leaves {left[lot_sequence]} points in lot {lot_sequence}"
            del left[lot_sequence]


def _return_problems(books: Books) -> Iterator[tuple[int, str]]:
    """Check that no more comes back of a redemption than it took."""
    spent: dict[str, int] = {}
    for one in books.transfers:
        if one.credit == Book.REDEEMED:
            spent[one.reference] = spent.get(one.reference, 0) + one.points
        elif one.debit == Book.REDEEMED and one.reference in spent:
            spent[one.reference] -= one.points
            if spent[one.reference] < 0:
                yield one.sequence, "more comes back of a redemption than it took"


def _sum_problems(
    books: Books, lots: Sequence[tuple[int, bool]]
) -> Iterator[tuple[int | None, str]]:
    balance = sum(transfer.signed for transfer in books.transfers)
    waiting = sum(transfer.waiting for transfer in books.transfers)
    in_lots = [sum(left for left, waits in lots if waits is pending) for pending in (False, True)]
    if in_lots[0] != max(balance, 0):
        yield None, f"lots hold {in_lots[0]} points, transfers add up to {balance}"
    if in_lots[1] != waiting:
        yield None, f"lots hold {in_lots[1]} pending points, transfers add up to {waiting}"
