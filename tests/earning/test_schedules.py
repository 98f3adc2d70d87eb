import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from loyalty_graph.earning.rule_settings import EarningRule
from loyalty_graph.earning.schedules import Windows, day_edges, instant_of, microseconds, recurrence
from loyalty_graph.purchases.rules import Line
from tests.earning.books import NEW_YORK, NOON, Shop, book, by_rule, rule

FIVE_SATURDAYS = {
    "rrule": "FREQ=WEEKLY;COUNT=5",
    "begins": "2026-01-03T10:00",
    "minutes": 60,
}
TEA = Line("TEA", 1, 100)
SPRING = date(2026, 3, 8)
"""Clocks in New York go from 2:00 to 3:00."""
AUTUMN = date(2026, 11, 1)
"""They go from 2:00 back to 1:00."""


def daily(begins: str, minutes: int) -> Windows:
    return Windows("FREQ=DAILY", begins, timedelta(minutes=minutes), NEW_YORK)


def shown(windows: Windows, day: date) -> list[tuple[str, str]]:
    """Return the windows of a day as times in UTC."""
    return [
        tuple(
            (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=one)).strftime("%d %H:%M")
            for one in span
        )
        for span in windows.on(day)
    ]


@pytest.mark.parametrize(
    ("case", "begins", "minutes", "day", "spans"),
    [
        ("an ordinary day", "2026-01-01T14:00", 120, date(2026, 7, 4), [("04 18:00", "04 20:00")]),
        ("over the hour left out", "2026-01-01T01:30", 120, SPRING, [("08 06:30", "08 07:30")]),
        ("begins in the hour left out", "2026-01-01T02:30", 60, SPRING, [("08 07:00", "08 07:30")]),
        ("ends in the hour left out", "2026-01-01T01:00", 90, SPRING, [("08 06:00", "08 07:00")]),
        ("all of it in the hour left out", "2026-01-01T02:10", 20, SPRING, []),
        ("over the hour twice", "2026-01-01T00:30", 120, AUTUMN, [("01 04:30", "01 07:30")]),
        ("begins in the hour twice", "2026-01-01T01:30", 60, AUTUMN, [("01 05:30", "01 07:30")]),
        ("within the hour twice", "2026-01-01T01:15", 30, AUTUMN, [("01 05:15", "01 05:45")]),
        ("a whole day of 23 hours", "2026-01-01T00:00", 1440, SPRING, [("08 05:00", "09 04:00")]),
        ("a whole day of 25 hours", "2026-01-01T00:00", 1440, AUTUMN, [("01 04:00", "02 05:00")]),
    ],
)
def test_windows_follow_the_wall_clock(
    case: str, begins: str, minutes: int, day: date, spans: list[tuple[str, str]]
):
    assert shown(daily(begins, minutes), day) == spans


def test_a_window_over_midnight_is_open_on_both_days():
    windows = Windows("FREQ=WEEKLY;BYDAY=SA", "2026-01-03T22:00", timedelta(hours=5), NEW_YORK)

    assert shown(windows, date(2026, 7, 4)) == [("05 02:00", "05 07:00")]
    assert shown(windows, date(2026, 7, 5)) == [("05 02:00", "05 07:00")]
    assert shown(windows, date(2026, 7, 6)) == []


def test_a_window_over_the_turn_of_the_year_is_open_in_both():
    windows = Windows(
        "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=31", "2020-12-31T20:00", timedelta(hours=8), NEW_YORK
    )

    assert shown(windows, date(2026, 12, 31)) == [("01 01:00", "01 09:00")]
    assert shown(windows, date(2027, 1, 1)) == [("01 01:00", "01 09:00")]


def test_windows_end_when_their_number_is_reached_and_at_until():
    thrice = Windows("FREQ=DAILY;COUNT=3", "2026-01-01T08:00", timedelta(hours=1), NEW_YORK)
    until = Windows(
        "FREQ=DAILY;UNTIL=20260103T080000", "2026-01-01T08:00", timedelta(hours=1), NEW_YORK
    )

    for windows in (thrice, until):
        open_on = [day for day in range(1, 8) if windows.on(date(2026, 1, day))]
        assert open_on == [1, 2, 3]


def test_days_may_be_asked_in_any_order():
    windows = daily("2026-01-01T14:00", 120)

    late, early = shown(windows, date(2026, 7, 4)), shown(windows, date(2026, 2, 1))

    assert late == [("04 18:00", "04 20:00")]
    assert early == [("01 19:00", "01 21:00")]
    assert shown(windows, date(2025, 12, 31)) == []


@pytest.mark.parametrize(
    ("day", "begins", "ends"),
    [
        (
            date(2026, 7, 4),
            datetime(2026, 7, 4, 4, tzinfo=UTC),
            datetime(2026, 7, 5, 4, tzinfo=UTC),
        ),
        (SPRING, datetime(2026, 3, 8, 5, tzinfo=UTC), datetime(2026, 3, 9, 4, tzinfo=UTC)),
        (AUTUMN, datetime(2026, 11, 1, 4, tzinfo=UTC), datetime(2026, 11, 2, 5, tzinfo=UTC)),
    ],
)
def test_a_local_day_is_from_midnight_to_midnight(day: date, begins: datetime, ends: datetime):
    assert day_edges(day, NEW_YORK) == (microseconds(begins), microseconds(ends))


def test_an_hour_that_there_is_twice_counts_from_its_first_time():
    twice = datetime(2026, 11, 1, 1, 30)  # noqa: DTZ001 - the wall clock shows no zone

    for fold in (0, 1):
        found = instant_of(twice.replace(fold=fold), NEW_YORK)
        assert found == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)


def test_a_rule_is_open_from_its_first_instant_to_before_its_last():
    opens, closes = NOON - timedelta(hours=1), NOON + timedelta(hours=1)
    shop = Shop(book(rule(opens_at=opens.isoformat(), closes_at=closes.isoformat())))
    moment = timedelta(microseconds=1)
    instants = (opens - moment, opens, closes - moment, closes, NOON + timedelta(days=1))

    points = [len(shop.buy(TEA, at=at).outcomes) for at in instants]

    assert points == [0, 1, 1, 0, 0]
    assert microseconds(NOON + moment) == microseconds(NOON) + 1


def test_a_rule_that_closes_late_in_the_evening_is_open_until_then():
    eleven = NOON.replace(hour=23)
    shop = Shop(book(rule(closes_at=eleven.isoformat())))
    instants = (NOON.replace(hour=0), eleven - timedelta(microseconds=1), eleven)

    assert [shop.book.bonuses[0].is_open(at) for at in instants] == [True, True, False]
    assert [len(shop.buy(TEA, at=at).outcomes) for at in instants] == [1, 1, 0]


def test_a_rule_that_opens_at_noon_is_closed_in_the_morning_and_then_open_for_good():
    shop = Shop(book(rule(opens_at=NOON.isoformat())))
    instants = (NOON.replace(hour=9), NOON, NOON.replace(hour=23), NOON + timedelta(days=1))

    assert [shop.book.bonuses[0].is_open(at) for at in instants] == [False, True, True, True]
    assert [len(shop.buy(TEA, at=at).outcomes) for at in instants] == [0, 1, 1, 1]


def test_a_happy_hour_is_open_while_its_window_is():
    schedule = {"rrule": "FREQ=WEEKLY;BYDAY=SU", "begins": "2026-01-04T12:00", "minutes": 60}
    shop = Shop(book(rule(schedule=schedule)))
    later = (timedelta(), timedelta(minutes=59), timedelta(hours=1), timedelta(days=1))

    points = [shop.buy(TEA, at=NOON + one).points for one in later]

    assert points == [51, 51, 1, 1]


def test_a_rule_that_is_open_later_in_the_day_keeps_no_other_from_counting():
    evening = {"rrule": "FREQ=DAILY", "begins": "2026-01-04T18:00", "minutes": 60}
    shop = Shop(book(rule("EVENING", schedule=evening), rule("ALWAYS")))

    assert by_rule(shop.buy(TEA)) == {"ALWAYS": 50}


@pytest.mark.parametrize(
    ("case", "rrule", "given", "fault"),
    [
        ("no rule", "every day", {}, "is no RRULE; write it as FREQ=WEEKLY;BYDAY=SA"),
        ("its own beginning", "DTSTART=20260101;FREQ=DAILY", {}, "write it as begins"),
        ("two lines", "FREQ=DAILY\nRRULE:FREQ=DAILY", {}, "is no RRULE"),
        ("finer than days", "FREQ=HOURLY", {}, "FREQ is one of YEARLY, MONTHLY, WEEKLY, DAILY"),
        ("no frequency", "BYDAY=SA", {}, "FREQ is one of"),
        ("minutes", "FREQ=DAILY;BYMINUTE=5", {}, "BYMINUTE cannot be used here"),
        ("a part twice", "FREQ=DAILY;FREQ=WEEKLY", {}, "stands twice"),
        ("two ends", "FREQ=DAILY;COUNT=3;UNTIL=20270101", {}, "COUNT and UNTIL"),
        ("standing still", "FREQ=DAILY;INTERVAL=0", {}, "INTERVAL is a number from 1 to 9999"),
        ("going back", "FREQ=DAILY;INTERVAL=-1", {}, "INTERVAL is a number from 1 to 9999"),
        ("not once", "FREQ=DAILY;COUNT=0", {}, "COUNT is a number from 1 to 9999"),
        ("no such day", "FREQ=WEEKLY;BYDAY=XX", {}, "is no RRULE"),
        ("a ninth Monday", "FREQ=MONTHLY;BYDAY=1MO,+9MO", {}, "+9 of BYDAY: a MONTHLY recurrence"),
        ("a tenth Monday", "FREQ=YEARLY;BYMONTH=2;BYDAY=10MO", {}, "each weekday 5 times at most"),
        ("the 60th Monday", "FREQ=YEARLY;BYDAY=1MO,-60MO", {}, "each weekday 53 times at most"),
        ("a counted day of a week", "FREQ=WEEKLY;BYDAY=2MO", {}, "no weekdays to be counted"),
        ("far from Easter", "FREQ=YEARLY;BYEASTER=0,300", {}, "days from -80 to 250"),
        ("farther", "FREQ=YEARLY;BYEASTER=99999999999999999999", {}, "days from -80 to 250"),
        ("no such day from Easter", "FREQ=YEARLY;BYEASTER=MO", {}, "days from -80 to 250"),
        ("an end in another zone", "FREQ=DAILY;UNTIL=20270101T000000Z", {}, "is no RRULE"),
        ("never", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", {}, "never occurs"),
        ("never, three times", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=3", {}, "never occurs"),
        ("over before it begins", "FREQ=DAILY;UNTIL=20200101", {}, "no window opens"),
        ("longer than to the next", "FREQ=DAILY", {"minutes": 1441}, "1441 minutes never ends"),
        ("no beginning", "FREQ=DAILY", {"begins": "2026-13-01T00:00"}, "begins is local time"),
        ("with a zone", "FREQ=DAILY", {"begins": "2026-01-01T00:00Z"}, "begins is local time"),
        ("long ago", "FREQ=DAILY", {"begins": "1066-10-14T09:00"}, "begins is local time"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(
    case: str, rrule: str, given: dict[str, Any], fault: str
):
    schedule = {"rrule": rrule, "begins": "2026-01-01T14:00", "minutes": 60, **given}

    with pytest.raises(ValidationError) as refused:
        EarningRule.model_validate(rule(schedule=schedule))

    [error] = refused.value.errors()
    assert fault in error["msg"]


BETWEEN = "no window opens between opens_at and closes_at"


@pytest.mark.parametrize(
    ("case", "opens_at", "closes_at"),
    [
        ("after all of them", "2026-06-01T00:00:00Z", None),
        ("before all of them", None, "2025-12-30T00:00:00Z"),
        ("between two", "2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z"),
    ],
)
def test_a_rule_whose_windows_all_lie_outside_is_refused(
    case: str, opens_at: str | None, closes_at: str | None
):
    with pytest.raises(ValidationError, match=BETWEEN):
        EarningRule.model_validate(
            rule(schedule=FIVE_SATURDAYS, opens_at=opens_at, closes_at=closes_at)
        )


@pytest.mark.parametrize("rrule", ["FREQ=YEARLY", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO"])
def test_windows_may_be_rare(rrule: str):
    schedule = {"rrule": rrule, "begins": "2026-01-03T10:00", "minutes": 7 * 24 * 60}

    given = EarningRule.model_validate(rule(schedule=schedule))

    assert given.schedule is not None


@pytest.mark.parametrize(
    ("case", "opens_at", "closes_at"),
    [
        ("around one", "2026-01-09T00:00:00Z", "2026-01-12T00:00:00Z"),
        ("in one", "2026-01-10T15:10:00Z", "2026-01-10T15:20:00Z"),
        ("as wide as can be", "0001-01-01T00:00:00Z", "9999-12-31T23:00:00Z"),
    ],
)
def test_a_rule_with_a_window_inside_is_taken(case: str, opens_at: str, closes_at: str):
    given = rule(schedule=FIVE_SATURDAYS, opens_at=opens_at, closes_at=closes_at)

    assert EarningRule.model_validate(given).schedule is not None


@pytest.mark.parametrize(
    ("rrule", "fault"),
    [
        ("DTSTART=20260101;FREQ=DAILY", "DTSTART has no place in rrule; write it as begins"),
        (
            "FREQ=DAILY;BYSECOND=1;BYMINUTE=5",
            (
                "BYMINUTE, BYSECOND cannot be used here; known are BYDAY, BYEASTER, BYHOUR, "
                "BYMONTH, BYMONTHDAY, BYSETPOS, BYWEEKNO, BYYEARDAY, COUNT, FREQ, INTERVAL, "
                "UNTIL, WKST"
            ),
        ),
        (
            "FREQ=DAILY;COUNT=3;UNTIL=20270101",
            "COUNT and UNTIL both say when it ends; say one",
        ),
        ("FREQ=DAILY;FREQ=DAILY", "a part of the RRULE stands twice"),
        (
            "FREQ=MONTHLY;BYDAY=-6MO",
            "-6 of BYDAY: a MONTHLY recurrence has each weekday 5 times at most",
        ),
        (
            "FREQ=DAILY;BYDAY=1MO",
            "1 of BYDAY: a DAILY recurrence has no weekdays to be counted",
        ),
        ("FREQ=YEARLY;BYEASTER=251", "BYEASTER is a number of days from -80 to 250"),
    ],
)
def test_a_recurrence_that_cannot_be_says_what_would_do(rrule: str, fault: str):
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the whole message is compared
        recurrence(rrule, "2026-01-01T14:00")

    assert str(refused.value) == fault


@pytest.mark.parametrize(
    ("rrule", "minutes"),
    [
        ("FREQ=MONTHLY;BYDAY=5MO,-5TU", 60),
        ("FREQ=YEARLY;BYDAY=53MO,-53SU", 60),
        ("FREQ=YEARLY;BYEASTER=-80,1,250", 60),
        ("FREQ=DAILY", 24 * 60),
    ],
)
def test_a_schedule_may_be_as_large_as_the_calendar_lets_it(rrule: str, minutes: int):
    schedule = {"rrule": rrule, "begins": "2026-01-01T14:00", "minutes": minutes}

    assert EarningRule.model_validate(rule(schedule=schedule)).schedule is not None


@pytest.fixture(params=["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The zone that the machine's own clock shows."""
    with monkeypatch.context() as changed:
        changed.setenv("TZ", request.param)
        time.tzset()
        yield request.param
    time.tzset()


@pytest.mark.parametrize(
    ("wall", "instant"),
    [
        ("2026-07-04T14:00", datetime(2026, 7, 4, 18, tzinfo=UTC)),
        ("2026-03-08T02:30", datetime(2026, 3, 8, 7, tzinfo=UTC)),
    ],
)
def test_an_instant_is_the_same_in_whatever_zone_the_machine_is(
    wall: str, instant: datetime, machine: str
):
    found = instant_of(datetime.fromisoformat(wall), NEW_YORK)

    assert (found, found.tzinfo) == (instant, UTC)


def test_an_instant_is_told_to_the_microsecond_however_late_it_is():
    late, moment = datetime(2900, 1, 1, tzinfo=UTC), timedelta(microseconds=1)

    assert microseconds(late + moment) - microseconds(late) == 1
    assert microseconds(datetime(1970, 1, 1, tzinfo=UTC) - moment) == -1


WEEK_LONG = {"rrule": "FREQ=YEARLY", "begins": "2026-01-03T10:00", "minutes": 7 * 24 * 60}


@pytest.mark.parametrize(
    ("case", "opens_at", "closes_at", "is_taken"),
    [
        ("long after its beginning", "2026-01-07T00:00:00Z", "2026-01-08T00:00:00Z", True),
        ("as it may end somewhere", "2026-01-11T01:00:00Z", "2026-01-11T02:00:00Z", False),
        ("before it may end there", "2026-01-11T00:59:59Z", "2026-01-11T02:00:00Z", True),
        ("as it may begin somewhere", "2026-01-01T00:00:00Z", "2026-01-02T19:00:00Z", False),
        ("after it may begin there", "2026-01-01T00:00:00Z", "2026-01-02T19:00:01Z", True),
    ],
)
def test_a_window_counts_that_may_be_open_between_in_some_zone(
    case: str, opens_at: str, closes_at: str, *, is_taken: bool, machine: str
):
    given = rule(schedule=WEEK_LONG, opens_at=opens_at, closes_at=closes_at)

    try:
        EarningRule.model_validate(given)
        fault = None
    except ValidationError as refused:
        [fault] = [one["msg"] for one in refused.errors()]

    assert fault == (None if is_taken else f"Value error, {BETWEEN}")
