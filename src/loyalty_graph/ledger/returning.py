"""Giving points back to the lots they came from: pure functions like those of `rules.py`."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from loyalty_graph.ledger import reinstating
from loyalty_graph.ledger.kinds import PART, Book, Kind
from loyalty_graph.ledger.rules import Account, Cause, Transfer, expire, post

Forgiven = tuple[int, int]
"""(sequence of the entry, points): below zero it took back what had been forgiven."""


def forgiven_after(history: Iterable[Forgiven], sequence: int) -> int:
    """Return what was forgiven after an entry and not reclaimed since.

    `history` is oldest first. What is reclaimed was forgiven last.
    """
    open_: list[tuple[int, int]] = []
    for at, points in history:
        if points > 0:
            open_.append((at, points))
            continue
        left = -points
        while left:
            last, amount = open_.pop()
            if amount > left:
                open_.append((last, amount - left))
            left -= min(amount, left)
    return sum(points for at, points in open_ if at > sequence)


def unredeem(
    account: Account, taken: Iterable[tuple[int, int]], cause: Cause, *, forgiven: int
) -> list[Transfer]:
    """Give back what a redemption took to its lots; see `_give_back`."""
    return _give_back(account, Kind.UNREDEEM, Book.REDEEMED, taken, cause, forgiven=forgiven)


def release(
    account: Account, taken: Iterable[tuple[int, int]], cause: Cause, *, forgiven: int
) -> list[Transfer]:
    """Give back what a hold took to its lots; see `_give_back`."""
    return _give_back(account, Kind.RELEASE, Book.HELD, taken, cause, forgiven=forgiven)


def readjust(
    account: Account, taken: Iterable[tuple[int, int]], cause: Cause, *, forgiven: int
) -> list[Transfer]:
    """Give back what was taken by hand to its lots; see `_give_back`."""
    return _give_back(account, Kind.REVERSE, Book.ADJUSTED, taken, cause, forgiven=forgiven)


def send_back(
    account: Account, source: Book, taken: Iterable[tuple[int, int]], cause: Cause, *, forgiven: int
) -> list[Transfer]:
    """Give back what did not reach another member, or its fee, to its lots; see `_give_back`."""
    return _give_back(account, Kind.TRANSFER_IN, source, taken, cause, forgiven=forgiven)


def part_of(
    taken: Iterable[tuple[int, int]], points: int, *, returned: int
) -> list[tuple[int, int]]:
    """Return which of the uses a part of `points` gives back, when `returned` came back before.

    The lots that live longest come first, so that parts of any size and order add up to the whole.
    `taken` is sorted, soonest to expire first, and so is the result.
    """
    part: list[tuple[int, int]] = []
    skip, left = returned, points
    for sequence, amount in reversed(list(taken)):
        passed = min(skip, amount)
        skip -= passed
        step = min(amount - passed, left)
        if step:
            part.append((sequence, step))
            left -= step
    assert not left, "no more comes back than was taken"
    return part[::-1]


def _give_back(
    account: Account,
    kind: Kind,
    source: Book,
    taken: Iterable[tuple[int, int]],
    cause: Cause,
    *,
    forgiven: int,
) -> list[Transfer]:
    """Move points back to the lots they came from; a lot that has ended expires again.

    Where the programme's terms say so, what returned to such a lot is reinstated for some days.

    Debt is paid first. What was `forgiven` since the points were taken is reclaimed: had they been
    there, the claw-back would have taken them. What is left returns to the lots that live longest.
    `taken` are (lot sequence, points) uses, soonest to expire first; the account holds those lots.
    """
    uses = list(taken)
    points = sum(amount for _, amount in uses)
    unowed = points - min(account.debt, points)
    reclaimed = min(forgiven, unowed)
    left = unowed - reclaimed
    lots = {lot.sequence: lot for lot in account.lots}
    returned: list[tuple[int, int]] = []
    for sequence, amount in reversed(uses):
        step = min(amount, left)
        if step:
            lots[sequence].move(-step)
            returned.append((sequence, -step))
            left -= step
    posted = [post(account, kind, source, Book.MEMBER, points, cause, sorted(returned))]
    if reclaimed:
        because = replace(cause, reference=f"{cause.reference}{PART}reclaimed")
        posted.append(post(account, kind, Book.MEMBER, Book.FORGIVEN, reclaimed, because, ()))
    expired = expire(account, now=cause.recorded_at)
    return [*posted, *expired, *_reinstate(account, expired, returned, cause)]


def _reinstate(
    account: Account,
    expired: Iterable[Transfer],
    returned: Iterable[tuple[int, int]],
    cause: Cause,
) -> Iterator[Transfer]:
    """Reinstate what returned to lots that had ended, and expired with them at once."""
    until = account.terms.reinstated_until(now=cause.recorded_at)
    came_back = {sequence: -points for sequence, points in returned}
    for one in expired if until else ():
        points = sum(came_back.get(sequence, 0) for sequence, _ in one.uses)
        if until and points:
            why = replace(
                cause,
                reference=reinstating.reference(one.sequence),
                explanation={"by": "return"},
                text="",
            )
            lost = reinstating.Expired(one.sequence, points)
            yield from reinstating.reinstate(account, lost, why, until=until)
