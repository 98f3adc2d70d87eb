"""From when on points cannot be spent: by their date, and only after their owner was told."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from loyalty_graph.programs.expiry import ExpiryPolicy, ExpirySettings, end_of
from loyalty_graph.programs.rules import NEVER, ProgramSettings


@dataclass(frozen=True, slots=True)
class Terms:
    """What decides in a programme when its points end.

    With `notice_days`, points end so many days after their owner was told at the earliest, and not
    before: not even past their date. With `reinstate_days`, points that are given back too late,
    when their lot has ended, live so many days more. With `sliding`, points end when their member
    was not active for so long.
    """

    notice_days: int | None
    zone: str
    reinstate_days: int | None = None
    sliding: ExpirySettings | None = None

    def ends_at(self, expires_at: datetime, told: datetime | None) -> datetime:
        """Return the instant from which points with this date cannot be spent, as things stand.

        `told` is the end that their owner was told of: it holds, whatever the programme asks since.
        """
        if told is not None and told >= expires_at:
            return told
        return expires_at if self.notice_days is None else NEVER

    def date_of(self, expires_at: datetime, lapses_at: datetime | None) -> datetime:
        """Return the date of points, which is that of their account's lapse where they slide."""
        if self.sliding is None or lapses_at is None:
            return expires_at
        return min(expires_at, lapses_at)

    def resets(self, occasion: str) -> bool:
        """Return whether what a member did lets the points live on."""
        if self.sliding is None:
            return False
        return not {occasion, occasion.partition(":")[0]}.isdisjoint(self.sliding.resets)

    def lapses_at(self, active_at: datetime) -> datetime:
        """Return when the points of a member lapse who was active then for the last time."""
        assert self.sliding is not None, "points lapse where they slide"
        day = active_at.astimezone(ZoneInfo(self.zone)).date()
        return end_of(self.sliding.after_months(day), self.zone)

    def announced(self, expires_at: datetime, *, now: datetime) -> datetime:
        """Return the end to tell of now, for points with this date."""
        assert self.notice_days is not None, "nobody needs to be told"
        return max(expires_at, self.end_after(self.notice_days, now=now))

    def reinstated_until(self, *, now: datetime) -> datetime | None:
        """Return when points end that are given back too late; None if they stay expired."""
        days = self.reinstate_days
        return None if days is None else self.end_after(days, now=now)

    def end_after(self, days: int, *, now: datetime) -> datetime:
        """Return the end of the local day that is so many days ahead."""
        last_day = (now + timedelta(days=days)).astimezone(ZoneInfo(self.zone)).date()
        return end_of(last_day, self.zone)

    def expected(self, expires_at: datetime, told: datetime | None, *, now: datetime) -> datetime:
        """Return when points will end, their owner being told in time."""
        end = self.ends_at(expires_at, told)
        if end < NEVER or self.notice_days is None or expires_at >= NEVER:
            return end
        return self.announced(expires_at, now=now)


PLAIN = Terms(notice_days=None, zone="UTC")
"""Points end by their date."""


def terms_of(settings: ProgramSettings) -> Terms:
    """Return the terms of a programme."""
    lives = settings.points.lives
    sliding = lives if lives.policy is ExpiryPolicy.SLIDING else None
    return Terms(lives.notice_days, settings.time_zone, lives.reinstate_days, sliding)
