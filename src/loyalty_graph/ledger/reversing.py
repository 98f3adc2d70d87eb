"""Taking back what was earned, by the programme's policy: pure functions like those of `rules.py`.

Points of a purchase that still wait go first in any case, since waiting is there for goods that
come back; unless the policy leaves the member everything.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

from loyalty_graph.ledger.kinds import PART, Book, Kind
from loyalty_graph.ledger.pending import cancel
from loyalty_graph.ledger.rules import Account, Cause, Reversal, Transfer, post, reverse
from loyalty_graph.programs.rules import ClawbackPolicy

OTHERS = "others"


@dataclass(frozen=True, slots=True)
class Origins:
    """The lots (sequences) that what is taken back had opened: those that waited, and all."""

    waited: Collection[int]
    all: Collection[int]


def claw_back(
    account: Account, due: int, cause: Cause, *, origins: Origins, policy: ClawbackPolicy
) -> Reversal:
    """Take back points that were earned; the account must hold all its open lots.

    What counts for a tier falls by all that is due under every policy: the goods came back.
    """
    if not due:
        return Reversal(0, 0, None)
    if policy is ClawbackPolicy.KEEP:
        return Reversal(0, due, _count_less(account, due, cause, Book.CLAWED_BACK))
    cancelled = [cancel(account, origins.waited, due, cause)]
    if policy is ClawbackPolicy.PENDING_FIRST:
        others = replace(cause, reference=f"{cause.reference}{PART}{OTHERS}")
        waiting = [lot.sequence for lot in account.waiting]
        cancelled.append(cancel(account, waiting, due - _sum(cancelled), others))
    rest = reverse(
        account,
        due - _sum(cancelled),
        cause,
        origins=origins.all,
        may_go_negative=policy is ClawbackPolicy.ALLOW_NEGATIVE,
    )
    transfer = rest.transfer or next(one for one in cancelled if one is not None)
    return Reversal(_sum(cancelled) + rest.clawed_back, rest.shortfall, transfer)


def _sum(transfers: Collection[Transfer | None]) -> int:
    return sum(one.points for one in transfers if one is not None)


def take_out(  # noqa: PLR0913 - what an entry did, to be undone
    account: Account,
    points: int,
    cause: Cause,
    *,
    origin: int,
    into: Book,
    qualifying: int,
    may_go_negative: bool,
) -> Reversal:
    """Take back what an entry (its sequence) had brought in, into the book it came from.

    What it added to what counts for a tier is taken off, also when it brought no points.
    """
    if not points:
        return Reversal(0, 0, _count_less(account, qualifying, cause, into))
    return reverse(
        account,
        points,
        cause,
        origins={origin},
        may_go_negative=may_go_negative,
        into=into,
        qualifying=qualifying,
    )


def _count_less(account: Account, qualifying: int, cause: Cause, into: Book) -> Transfer:
    return post(account, Kind.REVERSE, Book.MEMBER, into, 0, cause, (), qualifying=-qualifying)
