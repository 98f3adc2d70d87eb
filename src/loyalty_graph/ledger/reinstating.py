"""Giving expired points back: pure functions like those of `rules.py`.

A lot's date never changes, so what is reinstated comes back in a lot of its own; its entry names
the one by which the points had expired.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from loyalty_graph.ledger.kinds import PART, Book, Kind
from loyalty_graph.ledger.rules import Account, Cause, Transfer, credit, post, take


@dataclass(frozen=True, slots=True)
class Expired:
    """An entry by which points expired."""

    sequence: int
    points: int


def reference(sequence: int) -> str:
    """Return the reference of what reinstates the points of an entry: it happens once at most."""
    return f"entry:{sequence}"


def reinstate(
    account: Account, expired: Expired, cause: Cause, *, until: datetime, forgiven: int = 0
) -> list[Transfer]:
    """Add points that had expired to the balance again; they can be spent `until` then.

    Debt is paid first. What was `forgiven` since they expired is reclaimed: had they been there,
    the claw-back would have taken them. The cause's reference is `reference` of the entry.
    """
    told = {**cause.explanation, "expired": expired.sequence, "until": until.isoformat()}
    because = replace(cause, explanation=told)
    came = credit(account, Kind.REINSTATE, Book.EXPIRED, expired.points, because, expires_at=until)
    [lot] = [one for one in account.lots if one.sequence == came.sequence]
    uses = take([lot], min(forgiven, lot.remaining))
    if not uses:
        return [came]
    reclaimed = sum(points for _, points in uses)
    again = replace(because, reference=f"{cause.reference}{PART}reclaimed")
    return [
        came,
        post(account, Kind.REINSTATE, Book.MEMBER, Book.FORGIVEN, reclaimed, again, uses),
    ]
