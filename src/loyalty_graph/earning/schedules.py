"""Windows that recur by the wall clock of the programme's zone, and what is open at an instant."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import MAXYEAR, UTC, date, datetime, time, timedelta, tzinfo
from itertools import islice, pairwise
from typing import TypeAlias

from dateutil.rrule import rrule, rrulestr

MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FOREVER = datetime(9999, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
YEARS = range(1970, 2971)
CALENDAR_YEARS = 400
"""After so many years the calendar repeats, days of the week and leap years alike."""
HORIZON = timedelta(days=40 * 366)
"""So far ahead windows are checked: every combination of date and weekday has come by then."""
OCCURRENCES_CHECKED = 400
EASTER_DAYS = range(-80, 251)
"""So far from Easter Sunday a day lies in its year, whenever Easter is."""
ZONES_WIDE = timedelta(hours=15)
"""No zone is further from UTC."""

_PART = re.compile(r"[A-Z]+=[-+A-Z0-9,]+")
_ENDS = ("COUNT", "UNTIL")
_FREQUENCIES = ("YEARLY", "MONTHLY", "WEEKLY", "DAILY")
_WEEKDAYS_MOST = {"YEARLY": 53, "MONTHLY": 5}
_PARTS = {
    *("FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "BYMONTH", "BYMONTHDAY"),
    *("BYYEARDAY", "BYWEEKNO", "BYSETPOS", "BYHOUR", "BYEASTER"),
}


Span: TypeAlias = tuple[int, int]
"""From an instant to before another one, in microseconds since 1970 in UTC."""


def microseconds(instant: datetime) -> int:
    """Return the microseconds since 1970 in UTC."""
    return (instant - EPOCH) // MICROSECOND


def is_open(spans: Iterable[Span], instant: int) -> bool:
    """Return whether an instant, in microseconds since 1970, lies in one of the spans."""
    return any(start <= instant < end for start, end in spans)


def recurrence(text: str, begins: str) -> rrule:
    """Return a recurrence of local wall-clock times, without a zone.

    Source: RFC 5545, section 3.3.10; BYEASTER is that of dateutil.

    Raises:
        ValueError: It is none that days can be counted by, or says its own beginning.
    """
    first = _wall_clock(begins)
    parts = text.split(";")
    if not all(_PART.fullmatch(part) for part in parts):
        raise ValueError(f"{text!r} is no RRULE; write it as FREQ=WEEKLY;BYDAY=SA")
    if fault := _fault(parts):
        raise ValueError(fault)
    try:
        made = rrulestr(text, dtstart=first)
    except (ValueError, TypeError, IndexError) as error:
        raise ValueError(f"{text!r} is no RRULE: {error}") from error
    assert isinstance(made, rrule), "one rule without exceptions"
    return made


def _fault(parts: Sequence[str]) -> str | None:
    """Return what is wrong with the parts of a recurrence, None when nothing is."""
    said = dict(part.split("=") for part in parts)
    if "DTSTART" in said:
        return "DTSTART has no place in rrule; write it as begins"
    if strange := sorted(said.keys() - _PARTS):
        return f"{', '.join(strange)} cannot be used here; known are {', '.join(sorted(_PARTS))}"
    if len(said) < len(parts):
        return "a part of the RRULE stands twice"
    if said.get("FREQ") not in _FREQUENCIES:
        return f"FREQ is one of {', '.join(_FREQUENCIES)}"
    if said.keys() >= {*_ENDS}:
        return "COUNT and UNTIL both say when it ends; say one"
    return _number_fault(said)


def _number_fault(said: Mapping[str, str]) -> str | None:
    """Return what is wrong with the numbers of a recurrence: with others it would never end."""
    for name in ("INTERVAL", "COUNT"):
        if not re.fullmatch(r"[1-9]\d{0,3}", said.get(name, "1")):
            return f"{name} is a number from 1 to 9999"
    return _day_fault(said)


def _day_fault(said: Mapping[str, str]) -> str | None:
    """Return which day of a recurrence there is in no month or year.

    Of these dateutil notices some only in the years in which they fall off its calendar.
    """
    span = "MONTHLY" if "BYMONTH" in said and said["FREQ"] == "YEARLY" else said["FREQ"]
    most = _WEEKDAYS_MOST.get(span, 0)
    for day in re.findall(r"[-+]?\d+(?=[A-Z])", said.get("BYDAY", "")):
        if not 1 <= abs(int(day)) <= most:
            told = f"each weekday {most} times at most" if most else "no weekdays to be counted"
            return f"{day} of BYDAY: a {span} recurrence has {told}"
    if not all(_is_near_easter(one) for one in said.get("BYEASTER", "0").split(",")):
        return f"BYEASTER is a number of days from {EASTER_DAYS[0]} to {EASTER_DAYS[-1]}"
    return None


def _is_near_easter(text: str) -> bool:
    return bool(re.fullmatch(r"[-+]?\d{1,3}", text)) and int(text) in EASTER_DAYS


def _wall_clock(text: str) -> datetime:
    try:
        first = datetime.fromisoformat(text)
    except ValueError:
        first = None
    if first is None or first.tzinfo is not None or first.year not in YEARS:
        raise ValueError(f"begins is local time such as 2026-11-28T14:00:00, not {text!r}")
    return first


def check_recurrence(text: str, begins: str, length: timedelta) -> None:
    """Refuse a recurrence that never occurs, or whose windows never end.

    Raises:
        ValueError: It cannot be used, or a window is still open when the next one begins.
    """
    recurrence(text, begins)
    if not _occurs(text, begins):
        raise ValueError(f"{text!r} never occurs")
    for one, following in pairwise(islice(_near(text, begins), OCCURRENCES_CHECKED)):
        if following - one < length:
            raise ValueError(
                f"a window of {length // timedelta(minutes=1)} minutes never ends: the one of "
                f"{one} is still open when the next begins, at {following}"
            )


def _near(text: str, begins: str) -> Iterator[datetime]:
    """Go through the occurrences within the horizon, and the first one after it."""
    last = _wall_clock(begins) + HORIZON
    for one in recurrence(text, begins):
        yield one
        if one > last:
            return


def check_opens(
    text: str, begins: str, length: timedelta, opens_at: datetime | None, closes_at: datetime | None
) -> None:
    """Refuse a sound recurrence without a window, in any zone, between `opens_at` and `closes_at`.

    Raises:
        ValueError: There is none.
    """
    horizon = _wall_clock(begins) + HORIZON
    earliest = min(_wall_clock_at(max(opens_at or EPOCH, EPOCH)) - ZONES_WIDE, horizon)
    latest = _wall_clock_at(min(closes_at or FOREVER, FOREVER)) + ZONES_WIDE
    found = next((one for one in _near(text, begins) if one + length > earliest), None)
    if found is None or found >= latest:
        raise ValueError("no window opens between opens_at and closes_at")


def _wall_clock_at(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(tzinfo=None)


def _occurs(text: str, begins: str) -> bool:
    """Return whether it would occur if nothing said when it ends.

    What never occurs is looked for until the year 9999, so it is asked of the last calendar before:
    the same days of the week and leap years, with fewer years to come.
    """
    parts = [part for part in text.split(";") if part.partition("=")[0] not in _ENDS]
    first = _wall_clock(begins)
    last_year = MAXYEAR - HORIZON // timedelta(days=366)
    late = first.year + (last_year - first.year) // CALENDAR_YEARS * CALENDAR_YEARS
    return next(iter(rrulestr(";".join(parts), dtstart=first.replace(year=late))), None) is not None


def instant_of(wall: datetime, zone: tzinfo) -> datetime:
    """Return the first instant, in UTC, at which clocks in the zone show this time or a later one.

    Of an hour that there is twice that is the first one; of one that is left out its end.
    """
    early = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if early.astimezone(zone).replace(tzinfo=None) == wall:
        return early
    # Clocks went forward over this time: before the change they show less, after it more.
    before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    seconds = range((early - before) // SECOND)
    place = bisect_left(
        seconds,
        wall,
        key=lambda after: (before + after * SECOND).astimezone(zone).replace(tzinfo=None),
    )
    return before + place * SECOND


class Windows:
    """The windows of a schedule in a zone, made as far as they were asked for."""

    def __init__(self, text: str, begins: str, length: timedelta, zone: tzinfo) -> None:
        self._length = length
        self._zone = zone
        self._coming = iter(recurrence(text, begins))
        self._known: list[datetime] = []

    def on(self, day: date) -> list[Span]:
        """Return the windows that are open at some time of a local day, in order."""
        first = datetime.combine(day, time())
        last = first + timedelta(days=1)
        self._make(last)
        start = bisect_right(self._known, first - self._length)
        walls = self._known[start : bisect_left(self._known, last)]
        spans = [(self._at(wall), self._at(wall + self._length)) for wall in walls]
        return [(opens, closes) for opens, closes in spans if opens < closes]

    def _make(self, last: datetime) -> None:
        while not self._known or self._known[-1] < last:
            following = next(self._coming, None)
            if following is None:
                return
            self._known.append(following)

    def _at(self, wall: datetime) -> int:
        return microseconds(instant_of(wall, self._zone))


def day_edges(day: date, zone: tzinfo) -> Span:
    """Return when a local day begins and ends."""
    midnight = datetime.combine(day, time())
    following = midnight + timedelta(days=1)
    return microseconds(instant_of(midnight, zone)), microseconds(instant_of(following, zone))
