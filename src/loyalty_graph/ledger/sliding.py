"""Points that live as long as their member is active: pure functions like those of `rules.py`.

Their lots have no date. All of them end together when the account lapses; what the programme
counts as being active moves that moment on, and never back.
"""

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loyalty_graph.ledger.rules import Account

PURCHASE = "PURCHASE"
REDEMPTION = "REDEMPTION"


def activity(kind: str) -> str:
    """Return what an activity of a kind is called among the occasions of a programme."""
    return f"ACTIVITY:{kind}"


def slide(account: "Account", occasion: str, at: datetime, *, now: datetime) -> None:
    """Let the points of a member live on who was active `at` a time, if the occasion counts.

    Where points do not slide any more, what counted before is forgotten: it shall end nothing if
    they slide again.
    """
    if account.terms.resets(occasion):
        _move(account, at, now)
    elif account.terms.sliding is None and account.lapses_at is not None:
        _set(account, None, now)


def begin(account: "Account", at: datetime, *, now: datetime) -> None:
    """Let new points live on their own where there are none that they could lapse with.

    What has lapsed by now must have expired before.
    """
    over = account.lapses_at is None or account.lapses_at <= now
    if account.terms.sliding is not None and over:
        _move(account, at, now)


def join(account: "Account", other: "Account", *, now: datetime) -> None:
    """Let the points of two members who are one live on as of whoever was active last."""
    is_later = other.lapses_at is not None and not (
        account.lapses_at is not None and account.lapses_at >= other.lapses_at
    )
    if account.terms.sliding is not None and is_later:
        _set(account, other.lapses_at, now)


def has_lapsed(account: "Account", *, now: datetime) -> bool:
    """Return whether all points of an account have ended, told or not."""
    slides = account.terms.sliding is not None
    return slides and account.lapses_at is not None and account.lapses_at <= now


def _move(account: "Account", at: datetime, now: datetime) -> None:
    until = account.terms.lapses_at(at)
    if account.lapses_at is None or until > account.lapses_at:
        _set(account, until, now)


def _set(account: "Account", until: datetime | None, now: datetime) -> None:
    account.lapses_at, account.slid_at = until, now
    for lot in (*account.lots, *account.waiting):
        account.dated(lot)
