"""Finding out whose rows of balances are, and what is wrong with them before any is written."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import TypeVar
from uuid import UUID

from loyalty_graph.db.sets import fetch
from loyalty_graph.errors import (
    InvalidInputError,
    LoyaltyError,
    MemberNotActiveError,
    NotFoundError,
)
from loyalty_graph.ledger import migrating
from loyalty_graph.ledger.migrating import Migrated
from loyalty_graph.members import reads as member_reads
from loyalty_graph.members import service as members
from loyalty_graph.members.rules import MemberStatus, Reference, ReferenceKind
from loyalty_graph.tiers.standing import Scheme
from loyalty_graph.usecases.balance_rows import BalanceRow, RowFault

Item = TypeVar("Item")

ROWS_AT_ONCE = 500
ROWS_MAX = 1_000_000
FAULTS_KEPT_MAX = 1_000
NEEDS_A_MEMBER = {ReferenceKind.ID, ReferenceKind.NUMBER}
"""What we gave to members ourselves: nobody joins with it."""
_JOINING_BELOW = 1 << 64


@dataclass(slots=True)
class BalanceCheck:
    """What an import would do: `known` rows are in the ledger already; `faults` are the first."""

    rows: int = 0
    known: int = 0
    joining: int = 0
    points: int = 0
    faulty: int = 0
    faults: list[RowFault] = field(default_factory=list)

    def refuse(self, fault: RowFault) -> None:
        """Count a row that cannot be used."""
        self.faulty += 1
        if len(self.faults) < FAULTS_KEPT_MAX:
            self.faults.append(fault)


def in_pages(items: Iterable[Item], size: int = ROWS_AT_ONCE) -> Iterator[list[Item]]:
    """Yield items in lists of that many; the last one may hold fewer."""
    rest = iter(items)
    while page := list(islice(rest, size)):
        yield page


async def check(
    program_id: UUID,
    items: Iterable[BalanceRow | RowFault],
    *,
    source: str,
    scheme: Scheme | None,
    now: datetime,
    tell: Callable[[int], None] = lambda _: None,
) -> BalanceCheck:
    """Return what these rows would do, and everything that is wrong with them; writes nothing."""
    checker = _Checker(program_id, source, scheme, now)
    for page in in_pages(items):
        await checker.look_at(page)
        tell(checker.result.rows)
        if checker.result.rows > ROWS_MAX:
            raise InvalidInputError(f"At most {ROWS_MAX:,} rows at once.", field="content")
    return checker.result


class _Checker:
    """Checks page by page; remembers keys, and who joins with a row before."""

    def __init__(self, program_id: UUID, source: str, scheme: Scheme | None, now: datetime) -> None:
        self._program_id, self._source = program_id, source
        self._scheme, self._now = scheme, now
        self._lines: dict[str, int] = {}
        self._joining: dict[Reference, UUID] = {}
        self.result = BalanceCheck()

    async def look_at(self, page: Sequence[BalanceRow | RowFault]) -> None:
        """Check a page of rows against each other and against what is stored."""
        faults = [one for one in page if isinstance(one, RowFault)]
        rows = [one for one in page if isinstance(one, BalanceRow)]
        owners = whose(rows, await find_members(self._program_id, rows, self._joining))
        ids = sorted({one for one in owners if isinstance(one, UUID)})
        references = [migrating.reference(self._source, one.key) for one in rows]
        found, known = await fetch(
            self._program_id, member_reads.known_of(ids), migrating.rows_known(references)
        )
        statuses = {one: hits[0][0] for one, hits in zip(ids, found, strict=True) if hits}
        for row, owner, hits in zip(rows, owners, known, strict=True):
            try:
                self._take(row, owner, statuses, migrating.migrated(hits))
            except LoyaltyError as error:
                faults.append(RowFault.of(row.line, error))
        self.result.rows += len(page)
        for fault in sorted(faults, key=lambda one: one.line):
            self.result.refuse(fault)

    def _take(
        self,
        row: BalanceRow,
        owner: UUID | LoyaltyError,
        statuses: Mapping[UUID, str],
        before: Migrated | None,
    ) -> None:
        if (first := self._lines.setdefault(row.key, row.line)) != row.line:
            raise InvalidInputError(f"The key {row.key} stands in line {first} too.", field="key")
        if isinstance(owner, LoyaltyError):
            raise owner
        if before is not None:
            check_same(row, owner, before)
            self.result.known += 1
            return
        check_new(row, self._scheme, now=self._now)
        if not is_joining(owner):
            _check_status(row, owner, statuses)
        elif owner == joining_at(row.line):
            self.result.joining += 1
            self._joining |= dict.fromkeys(row.references, owner)
        self.result.points += row.points


def joining_at(line: int) -> UUID:
    """Return what stands for the member who joins with a line until he has his id."""
    return UUID(int=line)


def is_joining(owner: UUID) -> bool:
    """Return whether this stands for a member who joins with a line."""
    return owner.int < _JOINING_BELOW


async def find_members(
    program_id: UUID,
    rows: Sequence[BalanceRow],
    joining: Mapping[Reference, UUID] | None = None,
) -> dict[Reference, UUID | None]:
    """Return whom each reference of these rows finds, those who are joining included."""
    wanted = list(dict.fromkeys(one for row in rows for one in row.references))
    found = dict(zip(wanted, await members.resolve(program_id, wanted), strict=True))
    for one in wanted:
        if found[one] is None and joining is not None:
            found[one] = joining.get(one)
    return found


def whose(
    rows: Sequence[BalanceRow], found: dict[Reference, UUID | None]
) -> list[UUID | LoyaltyError]:
    """Return for each row whose it is, or why that cannot be said; see `joining_at`.

    All references of a row must lead to one member; or none of them to anybody: then a member joins
    with it, and rows after it with the same references are his.
    """
    owners: list[UUID | LoyaltyError] = []
    for row in rows:
        try:
            owner = _owner(row, found)
        except LoyaltyError as error:
            owners.append(error)
            continue
        if owner is None:
            owner = joining_at(row.line)
            found |= dict.fromkeys(row.references, owner)
        owners.append(owner)
    return owners


def _owner(row: BalanceRow, found: Mapping[Reference, UUID | None]) -> UUID | None:
    known = [one for one in row.references if found[one] is not None]
    if len({found[one] for one in known}) > 1:
        names = " and ".join(_column(one) for one in known)
        raise InvalidInputError(f"The {names} belong to different members.")
    unknown = [one for one in row.references if found[one] is None]
    if known and unknown:
        raise InvalidInputError(
            f"The {_column(known[0])} belongs to a member, but the {_column(unknown[0])} is not"
            " known; name the member by what is known of him."
        )
    for one in unknown:
        if one.kind in NEEDS_A_MEMBER:
            raise NotFoundError("member", one.value, field=_column(one))
    return found[known[0]] if known else None


def _column(one: Reference) -> str:
    """Return the column of a reference: faults are kept, and what is in it may be personal."""
    return one.kind.lower()


def _check_status(row: BalanceRow, owner: UUID, statuses: Mapping[UUID, str]) -> None:
    if owner not in statuses:
        raise NotFoundError("member", row.references[0].value, field="id")
    if statuses[owner] != MemberStatus.ACTIVE:
        raise MemberNotActiveError(row.references[0].value, statuses[owner])


def check_same(row: BalanceRow, owner: UUID, before: Migrated) -> None:
    """Refuse a row whose key stands for other points in the ledger already.

    Raises:
        InvalidInputError: They are another member's, or not as many.
    """
    if before.member_id != owner:
        raise InvalidInputError(
            f"The key {row.key} was imported before, for another member.", field="key"
        )
    if before.points not in (None, row.points):
        raise InvalidInputError(
            f"The key {row.key} was imported before, with {before.points} points"
            f" instead of {row.points}.",
            field="key",
        )


def check_new(row: BalanceRow, scheme: Scheme | None, *, now: datetime) -> None:
    """Refuse points that have ended, and a tier that has, or that the programme does not have.

    Raises:
        NotFoundError: There is no such tier.
        InvalidInputError: The points' end has passed, or the tier's.
    """
    if row.ended is not None:
        raise row.ended
    if row.tier is None:
        return
    if scheme is None or scheme.settings.level(row.tier) is None:
        raise NotFoundError("tier", row.tier, field="tier")
    assert row.tier_until is not None, "a tier and its end go together"
    if row.tier_until <= now:
        raise InvalidInputError(
            f"The tier's end {row.tier_until.isoformat()} has passed.", field="tier_until"
        )
