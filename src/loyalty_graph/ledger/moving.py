"""Points that leave one account whole and come into another: pure, like `rules.py`.

What leaves is told lot by lot, so that it can arrive with the dates it had.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from loyalty_graph.ledger.kinds import PART, Book, Kind
from loyalty_graph.ledger.rules import (
    Account,
    Cause,
    Lot,
    Transfer,
    check_active,
    credit,
    post,
    spend,
)


@dataclass(frozen=True, slots=True)
class Part:
    """Points that expire together; those with `activates_at` cannot be spent before.

    Unless the event happens that they await, if they do.
    """

    points: int
    expires_at: datetime
    activates_at: datetime | None = None
    awaits: str | None = None


def send(account: Account, points: int, cause: Cause, *, fee: int) -> list[Part]:
    """Take points for another member, and the fee beside them; return what is under way.

    They leave the lots that expire first; the fee is the second transfer, `reference/fee`.

    Raises:
        MemberNotActiveError: The member may not spend now.
        InsufficientPointsError: Fewer points can be spent at `cause.at` than both together.
    """
    check_active(account)
    uses = spend(account, points + fee, cause.at)
    sent, paid = _divided(uses, points)
    post(account, Kind.TRANSFER_OUT, Book.MEMBER, Book.CLEARING, points, cause, sent)
    if fee:
        told = {**cause.explanation, "fee": True}
        apart = replace(cause, reference=fee_reference(cause.reference), explanation=told)
        post(account, Kind.TRANSFER_OUT, Book.MEMBER, Book.FEES, fee, apart, paid)
    dates = {lot.sequence: lot.expires_at for lot in account.lots}
    together: dict[datetime, int] = {}
    for sequence, amount in sent:
        together[dates[sequence]] = together.get(dates[sequence], 0) + amount
    return [Part(amount, expires_at) for expires_at, amount in together.items()]


def fee_reference(reference: str) -> str:
    """Return the reference of what a transfer costs."""
    return f"{reference}{PART}fee"


def _divided(
    uses: Sequence[tuple[int, int]], points: int
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return the uses that make up the first `points`, and the others."""
    first: list[tuple[int, int]] = []
    others: list[tuple[int, int]] = []
    for sequence, amount in uses:
        step = min(amount, points)
        points -= step
        first += [(sequence, step)] if step else []
        others += [(sequence, amount - step)] if amount > step else []
    return first, others


def bring_in(
    account: Account,
    kind: Kind,
    source: Book,
    parts: Sequence[Part],
    cause: Cause,
    *,
    qualifying: int = 0,
) -> list[Transfer]:
    """Add every part to the account in a lot of its own, each by a transfer of its own.

    The first has the cause's reference, those after it `reference/2` and so on; the first one also
    carries what counts for a tier. Without parts there is one transfer of no points if that is not
    nothing. Debt is paid first.
    """
    if not parts:
        return [_count_only(account, kind, source, cause, qualifying)] if qualifying else []
    return [
        _bring_one(
            account,
            kind,
            source,
            part,
            _numbered(cause, number),
            qualifying if number == 1 else 0,
        )
        for number, part in enumerate(parts, 1)
    ]


def _bring_one(
    account: Account, kind: Kind, source: Book, part: Part, cause: Cause, qualifying: int
) -> Transfer:
    points, expires_at, activates_at = part.points, part.expires_at, part.activates_at
    if activates_at is None:
        return credit(
            account, kind, source, points, cause, expires_at=expires_at, qualifying=qualifying
        )
    sequence = account.sequence + 1
    lot = Lot(
        sequence,
        points,
        points,
        expires_at,
        activates_at,
        is_pending=True,
        awaits=part.awaits,
        is_new=True,
    )
    account.waiting.append(account.dated(lot))
    opened = (points, expires_at, activates_at)
    return post(
        account, kind, source, Book.PENDING, points, cause, (), opened=opened, qualifying=qualifying
    )


def _count_only(
    account: Account, kind: Kind, source: Book, cause: Cause, qualifying: int
) -> Transfer:
    return post(account, kind, source, Book.MEMBER, 0, cause, (), qualifying=qualifying)


def _numbered(cause: Cause, number: int) -> Cause:
    return cause if number == 1 else replace(cause, reference=f"{cause.reference}{PART}{number}")
