"""What a pass is at a moment, and whether its copies show what they should."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

FRESH = timedelta(0)


class PassState(StrEnum):
    """Where a pass is in its life."""

    CREATED = "CREATED"
    ISSUED = "ISSUED"
    INSTALLED = "INSTALLED"
    UNINSTALLED = "UNINSTALLED"
    VOIDED = "VOIDED"
    EXPIRED = "EXPIRED"


class Moments(Protocol):
    """When what happened to a pass; a row of the table will do."""

    @property
    def handed_out_at(self) -> datetime | None:
        """When somebody first got the file, or the link that saves it."""

    @property
    def installed_at(self) -> datetime | None:
        """When a wallet last told that it holds it."""

    @property
    def removed_at(self) -> datetime | None:
        """When a wallet last told that it holds it no more."""

    @property
    def expires_at(self) -> datetime | None:
        """From when on it is good for nothing."""

    @property
    def voided_at(self) -> datetime | None:
        """When it was made void."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """Which change of a card its copies should show, and which one was last handed out.

    `lag` is how long a copy has been showing something old, zero when none does.
    """

    wanted: int
    delivered: int | None
    lag: timedelta = FRESH

    @property
    def stale(self) -> bool:
        """Whether a copy shows something old."""
        return self.lag > FRESH


def copies(moments: Moments, registrations: int | None) -> int:
    """Return how many wallets hold a pass.

    `registrations` is how many devices told so; None where none can, as at Google, which only says
    that somebody saved or deleted the pass: 1 or 0 then.
    """
    if registrations is not None:
        return registrations
    saved, deleted = moments.installed_at, moments.removed_at
    return int(saved is not None and (deleted is None or deleted < saved))


def pass_state(moments: Moments, *, copies: int, now: datetime) -> PassState:
    """Return the state of a pass: the first of these that holds.

    | state | when | the app offers |
    |---|---|---|
    | VOIDED | it was made void | to issue a new one |
    | EXPIRED | its time is over | nothing |
    | INSTALLED | at least one wallet holds it (`copies`) | View |
    | UNINSTALLED | wallets held it, and none does now | Add |
    | ISSUED | the file or the link was handed out, no wallet told of it | Add |
    | CREATED | it exists, and nobody got it yet | Add |
    """
    if moments.voided_at is not None:
        return PassState.VOIDED
    if moments.expires_at is not None and moments.expires_at <= now:
        return PassState.EXPIRED
    if copies:
        return PassState.INSTALLED
    if moments.installed_at is not None:
        return PassState.UNINSTALLED
    return PassState.CREATED if moments.handed_out_at is None else PassState.ISSUED


def freshness(
    *,
    wanted: int,
    delivered: int | None,
    stale_since: datetime,
    marked_at: datetime | None,
    copies: int,
    now: datetime,
) -> Freshness:
    """Return how fresh the copies of a pass are; one that no wallet holds is never stale.

    Args:
        wanted: The number of the newest change.
        delivered: The number of the newest change that was handed out.
        stale_since: When the oldest change happened that was not handed out, if there is one.
        marked_at: When a change happened that has no number yet.
        copies: How many wallets hold it.
        now: The moment; what changed at this very moment is late by the shortest time there is.
    """
    behind = (delivered or 0) < wanted
    since = [at for at, old in ((stale_since, behind), (marked_at, True)) if old and at is not None]
    if not copies or not since:
        return Freshness(wanted, delivered)
    return Freshness(wanted, delivered, max(now - min(since), timedelta.resolution))
