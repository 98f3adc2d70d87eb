"""Two accounts that become one, and part again: pure functions like those of `rules.py`.

What leaves is told lot by lot, and each arrives as a lot of its own with the dates it had; pending
points stay pending. Both keep their chains, and every point passes the book CLEARING.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from loyalty_graph.ledger.kinds import PART, Book, Kind
from loyalty_graph.ledger.moving import Part, bring_in
from loyalty_graph.ledger.pending import activate_due, take_waiting
from loyalty_graph.ledger.rules import (
    Account,
    Cause,
    Lot,
    Transfer,
    expire,
    post,
    soonest_first,
    take,
)

WAITING = "pending"
DEBT = "debt"

Uses = list[tuple[int, int]]
_Move = tuple[Book, Book, str, Uses, int]
"""From a book to another, under a part of the reference, which lots, how many points."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """All that an account held: what is left of its lots by their sequences, and the rest."""

    parts: Mapping[int, Part]
    debt: int
    qualifying: int


def arrival(reference: str, lot: int) -> str:
    """Return the reference under which what is left of another account's lot arrives."""
    return f"{reference}{PART}{lot}"


def leave(account: Account, cause: Cause) -> Leaving:
    """Take everything out of an account: points, pending ones, debt, what counts for a tier.

    Points past their date expire first. The account must hold all its open lots.
    """
    assert account.has_all_lots, "every lot is emptied"
    expire(account, now=cause.recorded_at)
    active = [lot for lot in account.lots if lot.remaining]
    parts = {lot.sequence: _part_of(lot) for lot in (*active, *account.waiting)}
    left = Leaving(parts, account.debt, account.qualifying)
    points, waiting = sum(lot.remaining for lot in active), account.pending
    moves = [
        (Book.MEMBER, Book.CLEARING, "", take(active, points), points),
        (
            *(Book.PENDING, Book.CLEARING, WAITING),
            *(take_waiting(account, list(account.waiting), waiting), waiting),
        ),
        (Book.CLEARING, Book.MEMBER, DEBT, list[tuple[int, int]](), left.debt),
    ]
    _post_all(account, Kind.MERGE_OUT, moves, cause, qualifying=-left.qualifying)
    return left


def _part_of(lot: Lot) -> Part:
    if lot.is_pending:
        return Part(lot.remaining, lot.expires_at, lot.activates_at, lot.awaits)
    return Part(lot.remaining, lot.expires_at)


def arrive(account: Account, left: Leaving, cause: Cause) -> None:
    """Add to an account everything that left another one; debt takes what is there first.

    Points past their date expire before. The account must hold all its open lots.
    """
    assert account.has_all_lots, "debt may take every lot"
    expire(account, now=cause.recorded_at)
    qualifying = left.qualifying
    for lot, part in left.parts.items():
        because = replace(cause, reference=arrival(cause.reference, lot))
        bring_in(account, Kind.MERGE_IN, Book.CLEARING, [part], because, qualifying=qualifying)
        qualifying = 0
    owed = (Book.MEMBER, Book.CLEARING, DEBT, take(account.lots, left.debt), left.debt)
    _post_all(account, Kind.MERGE_IN, [owed], cause, qualifying=qualifying)


@dataclass(frozen=True, slots=True)
class Moved:
    """A lot (`new`) that arrived from another account, where it was `old`, pending or not."""

    new: int
    old: int
    was_pending: bool


def part(
    survivor: Account, merged: Account, lots: Iterable[Moved], cause: Cause, *, qualifying: int
) -> None:
    """Give what is left of lots back to the account they came from, into the lots they were.

    What was spent stays spent, and debt that was paid stays paid. `qualifying` is what goes back of
    what counts for a tier. `survivor` holds all its open lots, `merged` those that are named.
    """
    expire(survivor, now=cause.recorded_at)
    open_ = {lot.sequence: lot for lot in (*survivor.lots, *survivor.waiting) if lot.remaining}
    moved = [(open_[one.new], one) for one in lots if one.new in open_]
    back = [(one, lot.remaining) for lot, one in moved]
    active = [lot for lot, _ in moved if not lot.is_pending]
    waiting = [lot for lot, _ in moved if lot.is_pending]
    points, pending = (sum(lot.remaining for lot in some) for some in (active, waiting))
    leaving: list[_Move] = [
        (Book.MEMBER, Book.CLEARING, "", take(active, points), points),
        (Book.PENDING, Book.CLEARING, WAITING, take_waiting(survivor, waiting, pending), pending),
    ]
    _post_all(survivor, Kind.MERGE_OUT, leaving, cause, qualifying=-qualifying)
    arriving: list[_Move] = [
        (Book.CLEARING, Book.MEMBER, "", *_restored(merged, back, pending=False)),
        (Book.CLEARING, Book.PENDING, WAITING, *_restored(merged, back, pending=True)),
    ]
    _post_all(merged, Kind.MERGE_IN, arriving, cause, qualifying=qualifying)
    activate_due(merged, now=cause.recorded_at)
    expire(merged, now=cause.recorded_at)


def _restored(
    merged: Account, back: Collection[tuple[Moved, int]], *, pending: bool
) -> tuple[Uses, int]:
    """Put points back into their lots, those that waited or the others; return what that used."""
    points: dict[int, int] = {}
    for one, amount in back:
        if one.was_pending is pending:
            points[one.old] = points.get(one.old, 0) + amount
    for lot in [one for one in merged.lots if one.sequence in points]:
        lot.move(-points[lot.sequence])
        if pending:
            lot.is_pending = True
            merged.lots.remove(lot)
            merged.waiting.append(lot)
    merged.lots.sort(key=soonest_first)
    return [(sequence, -amount) for sequence, amount in points.items()], sum(points.values())


def _post_all(
    account: Account, kind: Kind, moves: Sequence[_Move], cause: Cause, *, qualifying: int
) -> list[Transfer]:
    """Post what moves points; the first also carries what counts for a tier, alone if need be."""
    wanted = [move for move in moves if move[-1]]
    if not wanted and qualifying:
        wanted = [moves[0]]
    posted: list[Transfer] = []
    for debit, credit, part_, uses, points in wanted:
        because = replace(cause, reference=f"{cause.reference}{PART}{part_}") if part_ else cause
        carried = 0 if posted else qualifying
        posted.append(post(account, kind, debit, credit, points, because, uses, qualifying=carried))
    return posted
