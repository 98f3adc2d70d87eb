"""Points that leave one account whole and come into another: pure, like `rules.py`.

What leaves is told lot by lot, so that it can arrive with the dates it had.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from loyalty_graph.ledger.kinds import PART, Book, Kind
from loyalty_graph.ledger.rules import Account, Cause, Transfer, credit, post


@dataclass(frozen=True, slots=True)
class Part:
    """Points that expire together."""

    points: int
    expires_at: datetime


def bring_in(
    account: Account,
    kind: Kind,
    source: Book,
    parts: Sequence[Part],
    cause: Cause,
    *,
    qualifying: int = 0,
) -> list[Transfer]:
    """Add every part to the balance in a lot of its own, each by a transfer of its own.

    The first has the cause's reference, those after it `reference/2` and so on; the first one also
    carries what counts for a tier. Without parts there is one transfer of no points if that is not
    nothing. Debt is paid first.
    """
    if not parts:
        return [_count_only(account, kind, source, cause, qualifying)] if qualifying else []
    return [
        credit(
            account,
            kind,
            source,
            part.points,
            _numbered(cause, number),
            expires_at=part.expires_at,
            qualifying=qualifying if number == 1 else 0,
        )
        for number, part in enumerate(parts, 1)
    ]


def _count_only(
    account: Account, kind: Kind, source: Book, cause: Cause, qualifying: int
) -> Transfer:
    return post(account, kind, source, Book.MEMBER, 0, cause, (), qualifying=qualifying)


def _numbered(cause: Cause, number: int) -> Cause:
    return cause if number == 1 else replace(cause, reference=f"{cause.reference}{PART}{number}")
