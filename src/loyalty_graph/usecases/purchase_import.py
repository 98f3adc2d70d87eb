"""Importing receipts from a file: checked as a whole first, then recorded in batches, each once.

A receipt is known by its source and id, for good. So an import that was stopped goes on where it
was: what is recorded already is passed over by one look-up for each batch. Batches are recorded
side by side, since one can be decided while the database writes another; but what names one member
is recorded in the file's order.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from uuid import UUID

from loyalty_graph.db.sets import fetch
from loyalty_graph.errors import DuplicatePurchaseError, LoyaltyError, NotFoundError
from loyalty_graph.members import service as members
from loyalty_graph.programs import service as programs
from loyalty_graph.purchases import service as receipts
from loyalty_graph.usecases import purchases
from loyalty_graph.usecases.balance_checks import FAULTS_KEPT_MAX, ROWS_AT_ONCE, in_pages
from loyalty_graph.usecases.balance_rows import RowFault
from loyalty_graph.usecases.balances import BalanceFile, Tell
from loyalty_graph.usecases.lanes import side_by_side
from loyalty_graph.usecases.purchase_rows import Origin, ReceiptRow, receipts_of

LANES = 2

Rows = Sequence[ReceiptRow | RowFault]


@dataclass(slots=True)
class Imported:
    """What an import did, or would do: of its `receipts`, `known` were recorded before.

    `faults` are the first of those that were `refused`. Nothing was written unless `is_written`.
    """

    receipts: int = 0
    known: int = 0
    recorded: int = 0
    points: int = 0
    refused: int = 0
    faults: list[RowFault] = field(default_factory=list)
    is_written: bool = False

    def refuse(self, fault: RowFault) -> None:
        """Count a receipt that cannot be recorded."""
        self.refused += 1
        if len(self.faults) < FAULTS_KEPT_MAX:
            self.faults.append(fault)

    def add(self, part: "Imported") -> None:
        """Count what was done of another part of the file."""
        self.receipts += part.receipts
        self.known += part.known
        self.recorded += part.recorded
        self.points += part.points
        self.refused += part.refused
        found = sorted([*self.faults, *part.faults], key=lambda one: one.line)
        self.faults = found[:FAULTS_KEPT_MAX]


async def import_file(
    program_id: UUID,
    file: BalanceFile,
    *,
    caller: str,
    now: datetime,
    tell: Tell,
    dry_run: bool = False,
) -> Imported:
    """Record the receipts of a file; when one of them is wrong, or on a `dry_run`, none.

    What the programme refuses only as it is recorded, such as a receipt that is too old, is told
    and does not keep back the others.
    """
    version = await programs.in_force(program_id, now, now=now)
    origin = Origin(file.source, caller, version.settings.currency)
    with file.open() as lines:
        total = sum(1 for _ in lines)
    checked = Imported()
    with _pages(file, origin) as pages:
        for page in pages:
            await _check(program_id, page, checked)
            tell("check", page[-1].line, total)
    if checked.refused or dry_run:
        return checked
    done = Imported(is_written=True)
    with file.open() as lines:
        parts = side_by_side(
            _by_member(receipts_of(lines, file.form, origin)),
            partial(_record, program_id, now=now, is_fresh=not checked.known),
            lanes=LANES,
            at_once=ROWS_AT_ONCE,
        )
        async with aclosing(parts):
            async for part in parts:
                done.add(part)
                tell("import", done.receipts, checked.receipts)
    return done


@contextmanager
def _pages(file: BalanceFile, origin: Origin) -> Iterator[Iterator[list[ReceiptRow | RowFault]]]:
    with file.open() as lines:
        yield in_pages(receipts_of(lines, file.form, origin))


async def _check(program_id: UUID, page: Rows, result: Imported) -> None:
    """Count what a page would do, and what is wrong with it."""
    rows = [one for one in page if isinstance(one, ReceiptRow)]
    known = await _known(program_id, rows)
    found = await members.resolve(program_id, [one.command.member for one in rows])
    for row, owner in zip(rows, found, strict=True):
        if owner is None:
            wanted = row.command.member
            unknown = NotFoundError("member", wanted.value, field=wanted.kind.lower())
            result.refuse(RowFault.of(row.line, unknown))
    for fault in page:
        if isinstance(fault, RowFault):
            result.refuse(fault)
    result.receipts += len(page)
    result.known += len(known)


def _by_member(
    rows: Iterable[ReceiptRow | RowFault],
) -> Iterator[tuple[int, ReceiptRow | RowFault]]:
    for row in rows:
        yield hash(row.command.member) if isinstance(row, ReceiptRow) else row.line, row


async def _record(program_id: UUID, page: Rows, *, now: datetime, is_fresh: bool) -> Imported:
    """Record what of a page is not recorded yet; `is_fresh` says that nothing of the file was."""
    result = Imported()
    rows = [one for one in page if isinstance(one, ReceiptRow)]
    known = set() if is_fresh else await _known(program_id, rows)
    fresh = [one for one in rows if one.command.external_id not in known]
    result.receipts += len(page)
    result.known += len(rows) - len(fresh)
    if not fresh:
        return result
    outcomes = await purchases.record(program_id, [one.command for one in fresh], now=now)
    for row, outcome in zip(fresh, outcomes, strict=True):
        if isinstance(outcome, DuplicatePurchaseError):
            # Another process is importing the same, or the file holds it twice.
            result.known += 1
        elif isinstance(outcome, LoyaltyError):
            result.refuse(RowFault.of(row.line, outcome))
        elif outcome.replayed:
            result.known += 1
        else:
            result.recorded += 1
            result.points += outcome.points
    return result


async def _known(program_id: UUID, rows: Sequence[ReceiptRow]) -> set[str]:
    """Return the ids of receipts that are recorded already."""
    keys = [(one.command.source, one.command.external_id) for one in rows]
    [found] = await fetch(program_id, receipts.receipts(keys))
    return {external_id for (_, external_id), hits in zip(keys, found, strict=True) if hits}
