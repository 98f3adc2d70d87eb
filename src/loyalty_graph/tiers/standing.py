"""Where a member stands: pure functions from a standing, and what happened, to the next one.

A member rises at once, to the highest tier whose `entry` is met by what was counted in the present
window or, so that a late receipt still counts, in the calendar year before. A tier is judged when
its period ends (the calendar year, or twelve months after it was reached) and the grace days after
it are over: it is kept when its `keep` was met in the window that ended or in the one then running;
if not, the member falls as the programme says. What comes back is taken off the day of its
purchase and makes nobody fall before the period ends.
An override holds until its end, or until the member rises above it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

from loyalty_graph.tiers.rules import Basis, Downgrade, TierSettings, Window

TWELVE_MONTHS = relativedelta(months=12)
ONE_DAY = timedelta(days=1)
LOOK_AHEAD = 8


class ChangeKind(StrEnum):
    """Why a member's tier changed."""

    UPGRADED = "UPGRADED"
    DOWNGRADED = "DOWNGRADED"
    OVERRIDDEN = "OVERRIDDEN"
    OVERRIDE_ENDED = "OVERRIDE_ENDED"
    RULES_CHANGED = "RULES_CHANGED"


@dataclass(frozen=True, slots=True)
class Change:
    """A member's tier changed at `at`; `sequence` counts the member's changes from 1."""

    sequence: int
    kind: ChangeKind
    before: str | None
    after: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a member stood when it was last looked at.

    `earned` is judged on the period that ends before the local day `ends_on`; None when it cannot
    be lost. `since` is when `tier` began, None when that was on joining. `amounts` holds what
    counts, by calendar year, or by the ordinal of the local day where the window rolls. `sequence`
    is that of the newest change. `is_moved` says that it stands otherwise than when it was last
    written down, amounts apart.
    """

    earned: str | None
    ends_on: date | None = None
    since: datetime | None = None
    override: str | None = None
    override_until: datetime | None = None
    amounts: Mapping[int, int] = field(default_factory=dict)
    sequence: int = 0
    is_moved: bool = field(default=False, compare=False)

    @property
    def tier(self) -> str | None:
        """Return the tier the member has."""
        return self.earned if self.override is None else self.override


@dataclass(frozen=True, slots=True)
class Scheme:
    """A programme's tiers in the time zone where its days begin."""

    settings: TierSettings
    zone: ZoneInfo

    @property
    def measure(self) -> str:
        """Return what `amounts` hold; amounts of another measure say nothing here."""
        return f"{self.settings.basis} {self.settings.window}"

    def day(self, at: datetime) -> date:
        """Return the local day of an instant."""
        return at.astimezone(self.zone).date()

    def begins(self, day: date) -> datetime:
        """Return the instant a local day begins at."""
        return _midnight(day, self.zone)

    def amount(self, *, spend_minor: int, points: int) -> int:
        """Return what counts of a purchase."""
        return spend_minor if self.settings.basis is Basis.SPEND else points

    def bucket(self, day: date) -> int:
        """Return under what a day's purchases are counted."""
        rolls = self.settings.window is Window.ROLLING_12_MONTHS
        return day.toordinal() if rolls else day.year


Step = tuple[Standing, tuple[Change, ...]]


def begin(scheme: Scheme, amounts: Mapping[int, int], *, now: datetime) -> Standing:
    """Return the standing of a member nothing is known of but what was counted so far."""
    today = scheme.day(now)
    standing = Standing(None, amounts=dict(amounts), is_moved=True)
    earned = scheme.settings.reached(_value_for_rising(scheme, standing, today))
    return replace(standing, earned=earned, ends_on=_period_end(scheme, earned, today))


def value(scheme: Scheme, standing: Standing, day: date) -> int:
    """Return what was counted in the window that a day lies in, or that ends with it."""
    if scheme.settings.window is Window.CALENDAR_YEAR:
        return standing.amounts.get(day.year, 0)
    first, last = _a_year_before(day).toordinal(), day.toordinal()
    return sum(amount for at, amount in standing.amounts.items() if first < at <= last)


def value_holds_until(scheme: Scheme, standing: Standing, day: date) -> datetime | None:
    """Return when the value of a day changes though nothing is bought; None when it does not."""
    if scheme.settings.window is Window.CALENDAR_YEAR:
        return scheme.begins(date(day.year + 1, 1, 1)) if standing.amounts.get(day.year) else None
    first, last = _a_year_before(day).toordinal(), day.toordinal()
    counted = [at for at, amount in standing.amounts.items() if first < at <= last and amount]
    if not counted:
        return None
    # 29 February goes with 28 February: the year before 1 March is 1 March.
    leaves = date.fromordinal(min(counted)) + TWELVE_MONTHS
    gone = _a_year_before(leaves).toordinal() >= min(counted)
    return scheme.begins(leaves if gone else leaves + ONE_DAY)


def due_at(scheme: Scheme, standing: Standing) -> datetime | None:
    """Return when the earned tier is judged; None when it cannot be lost."""
    if standing.ends_on is None or not _can_be_lost(scheme, standing.earned):
        return None
    return scheme.begins(standing.ends_on + timedelta(days=scheme.settings.grace_days))


def next_event(scheme: Scheme, standing: Standing) -> datetime | None:
    """Return when time alone next changes something: a judgement, or the end of an override."""
    known = [due_at(scheme, standing), standing.override_until]
    return min((at for at in known if at is not None), default=None)


def advance(scheme: Scheme, standing: Standing, until: datetime) -> Step:
    """Return the standing after everything that time alone brought until (and at) an instant."""
    standing, changes = _fit(scheme, standing, until)
    while (at := next_event(scheme, standing)) is not None and at <= until:
        standing, more = _pass(scheme, standing, at)
        changes += more
    return standing, changes


def count(scheme: Scheme, standing: Standing, amount: int, *, at: datetime, now: datetime) -> Step:
    """Count what was bought at `at` (below zero: what of it came back), and rise if that is enough.

    The standing was advanced to `now`: who is judged today is judged before a late receipt counts.
    """
    bucket = scheme.bucket(scheme.day(at))
    total = max(0, standing.amounts.get(bucket, 0) + amount)
    standing = replace(standing, amounts={**standing.amounts, bucket: total})
    today = scheme.day(max(at, now))
    reached = scheme.settings.reached(_value_for_rising(scheme, standing, today))
    if amount <= 0 or _is_no_rise(scheme, standing.earned, reached):
        return standing, ()
    risen = replace(standing, earned=reached, ends_on=_period_end(scheme, reached, today))
    if not _is_no_rise(scheme, standing.override, reached):
        risen = replace(risen, override=None, override_until=None)
    return _changed(standing, risen, ChangeKind.UPGRADED, max(at, standing.since or at))


def tier_at(standing: Standing, changes: Sequence[Change], at: datetime) -> str | None:
    """Return the tier at an instant the standing was advanced to, or at an earlier one.

    `changes` are those that led to the standing, in their order, as far back as `at`.
    """
    if standing.since is None or at >= standing.since:
        return standing.tier
    later = [change for change in changes if change.at > at]
    return later[0].before if later else standing.tier


def override(
    standing: Standing, tier: str | None, *, until: datetime | None, now: datetime
) -> Step:
    """Give a member a tier by hand until an instant; None takes such a tier away again."""
    given = replace(standing, override=tier, override_until=until)
    kind = ChangeKind.OVERRIDE_ENDED if tier is None else ChangeKind.OVERRIDDEN
    return _changed(standing, given, kind, now)


def join(scheme: Scheme, standing: Standing, other: Standing, *, now: datetime) -> Step:
    """Return the standing of a member in whom another one lives on; both were advanced to `now`.

    What either bought counts, and the higher of their tiers stays, with its period.
    """
    rank, today = scheme.settings.rank, scheme.day(now)
    days = standing.amounts.keys() | other.amounts.keys()
    amounts = {day: sum(one.amounts.get(day, 0) for one in (standing, other)) for day in days}
    higher = max((standing, other), key=lambda one: rank(one.earned))
    joined = replace(standing, amounts=amounts, earned=higher.earned, ends_on=higher.ends_on)
    reached = scheme.settings.reached(_value_for_rising(scheme, joined, today))
    if not _is_no_rise(scheme, joined.earned, reached):
        joined = replace(joined, earned=reached, ends_on=_period_end(scheme, reached, today))
    given = max((joined, other), key=lambda one: rank(one.override))
    joined = replace(joined, override=given.override, override_until=given.override_until)
    if not _is_no_rise(scheme, joined.override, joined.earned):
        joined = replace(joined, override=None, override_until=None)
    return _changed(standing, joined, ChangeKind.UPGRADED, now)


def part(standing: Standing, other: Standing) -> Standing:
    """Return the standing of a member without what another one brought.

    The tier stays until its period ends, as when goods come back.
    """
    return replace(
        standing,
        amounts={
            day: max(0, amount - other.amounts.get(day, 0))
            for day, amount in standing.amounts.items()
        },
    )


def forget(scheme: Scheme, standing: Standing, *, now: datetime) -> Standing:
    """Return the standing without amounts that no window will ask for again."""
    days = [scheme.day(now), *([standing.ends_on - ONE_DAY] if standing.ends_on else [])]
    oldest = scheme.bucket(_a_year_before(min(days)))
    left = {at: amount for at, amount in standing.amounts.items() if at >= oldest and amount}
    return standing if len(left) == len(standing.amounts) else replace(standing, amounts=left)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What comes if the member buys nothing more.

    `projected` is the tier after the next event; `falls_at` is that event when the tier is lost by
    it, with what is missing to keep it; `until` is when the tier ends, None when never.
    """

    projected: str | None
    falls_at: datetime | None
    missing: int
    until: datetime | None


def outlook(scheme: Scheme, standing: Standing) -> Outlook:
    """Return what comes if the member buys nothing more."""
    at = next_event(scheme, standing)
    if at is None:
        return Outlook(standing.tier, None, 0, None)
    then, _ = _pass(scheme, standing, at)
    rank = scheme.settings.rank
    falls = rank(then.tier) < rank(standing.tier)
    missing = _missing(scheme, standing, at) if falls and standing.override is None else 0
    return Outlook(then.tier, at if falls else None, missing, _ends(scheme, standing))


def _ends(scheme: Scheme, standing: Standing) -> datetime | None:
    tier = standing.tier
    for _ in range(LOOK_AHEAD):
        at = next_event(scheme, standing)
        if at is None:
            return None
        standing, _changes = _pass(scheme, standing, at)
        if standing.tier != tier:
            return at
    return None


def _missing(scheme: Scheme, standing: Standing, at: datetime) -> int:
    level = scheme.settings.level(standing.earned)
    assert level is not None, "only a tier can be lost"
    return level.keep - _judged_value(scheme, standing, at)


def _pass(scheme: Scheme, standing: Standing, at: datetime) -> Step:
    """Let one event happen; a judgement comes before the end of an override at the same instant."""
    if at == due_at(scheme, standing):
        return _judge(scheme, standing, at)
    ended = replace(standing, override=None, override_until=None)
    return _changed(standing, ended, ChangeKind.OVERRIDE_ENDED, at)


def _judge(scheme: Scheme, standing: Standing, at: datetime) -> Step:
    settings, ends_on, earned = scheme.settings, standing.ends_on, standing.earned
    assert ends_on is not None, "a period that ends is judged"
    assert earned is not None, "only a tier is judged"
    counted = _judged_value(scheme, standing, at)
    level = settings.levels[settings.rank(earned)]
    if counted >= level.keep:
        left: str | None = earned
    elif settings.downgrade is Downgrade.ONE_STEP:
        rank = settings.rank(earned)
        left = settings.levels[rank - 1].code if rank else None
    else:
        left = settings.kept(counted, below=earned)
    following = ends_on + TWELVE_MONTHS if _can_be_lost(scheme, left) else None
    after = replace(standing, earned=left, ends_on=following)
    return _changed(standing, after, ChangeKind.DOWNGRADED, at)


def _judged_value(scheme: Scheme, standing: Standing, at: datetime) -> int:
    assert standing.ends_on is not None, "a period that ends is judged"
    days = (standing.ends_on - ONE_DAY, scheme.day(at) - ONE_DAY)
    return max(value(scheme, standing, day) for day in days)


def _changed(before: Standing, after: Standing, kind: ChangeKind, at: datetime) -> Step:
    if after is before:
        return before, ()
    if replace(after, amounts=before.amounts) != before:
        after = replace(after, is_moved=True)
    if after.tier == before.tier:
        return after, ()
    sequence = before.sequence + 1
    change = Change(sequence, kind, before.tier, after.tier, at)
    return replace(after, since=at, sequence=sequence), (change,)


def _fit(scheme: Scheme, standing: Standing, at: datetime) -> Step:
    """Let a standing fit tiers and thresholds that a new version may have changed."""
    settings, fitting = scheme.settings, standing
    if standing.override is not None and settings.level(standing.override) is None:
        fitting = replace(fitting, override=None, override_until=None)
    if standing.earned is not None and settings.level(standing.earned) is None:
        anew = begin(scheme, standing.amounts, now=at)
        fitting = replace(fitting, earned=anew.earned, ends_on=anew.ends_on)
    if fitting.ends_on is None and _can_be_lost(scheme, fitting.earned):
        ends_on = _period_end(scheme, fitting.earned, scheme.day(at))
        fitting = replace(fitting, ends_on=ends_on)
    return _changed(standing, fitting, ChangeKind.RULES_CHANGED, at)


def _value_for_rising(scheme: Scheme, standing: Standing, today: date) -> int:
    present = value(scheme, standing, today)
    if scheme.settings.window is Window.ROLLING_12_MONTHS:
        return present
    return max(present, standing.amounts.get(today.year - 1, 0))


def _is_no_rise(scheme: Scheme, before: str | None, after: str | None) -> bool:
    return scheme.settings.rank(after) <= scheme.settings.rank(before)


def _can_be_lost(scheme: Scheme, tier: str | None) -> bool:
    level = scheme.settings.level(tier)
    return level is not None and level.keep > 0 and scheme.settings.downgrade is not Downgrade.NONE


def _period_end(scheme: Scheme, tier: str | None, day: date) -> date | None:
    """Return the first local day after the period of a tier reached on a day."""
    if not _can_be_lost(scheme, tier):
        return None
    if scheme.settings.window is Window.ROLLING_12_MONTHS:
        return day + TWELVE_MONTHS
    return date(day.year + 1, 1, 1)


@lru_cache(maxsize=4096)
def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


@lru_cache(maxsize=4096)
def _a_year_before(day: date) -> date:
    return day - TWELVE_MONTHS
