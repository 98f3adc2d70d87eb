"""How many points one member can have: so few that the sums of many members fit into 64 bits."""

from loyalty_graph.ledger.errors import PointsLimitError
from loyalty_graph.ledger.rules import Account

POINTS_MAX = 10**16
"""Ten times what a single purchase earns at most."""


def check_room(account: Account, points: int) -> None:
    """Refuse points that an account has no room for, before anything of it is changed.

    Raises:
        PointsLimitError: The member would have, or would have earned in all, too many.
    """
    if points > 0 and not has_room(account, points):
        raise PointsLimitError(most=POINTS_MAX, has=_most(account), more=points)


def has_room(account: Account, points: int) -> bool:
    """Return whether so many points more fit into an account."""
    return _most(account) + points <= POINTS_MAX


def _most(account: Account) -> int:
    return max(account.balance + account.held + account.pending, account.lifetime)
