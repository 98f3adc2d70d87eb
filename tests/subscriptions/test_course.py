from calendar import monthrange
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_graph.subscriptions.course import (
    advance,
    attempt_at,
    begin,
    due_minor,
    entitled_until,
    lapses_at,
    next_step_at,
)
from loyalty_graph.subscriptions.rules import Status
from tests.subscriptions.making import BERLIN, START, active, events, terms, with_credit

DAY = timedelta(days=1)
MONTHLY = terms()
TRIED = terms(trial_days=14)


def local_days(zone: ZoneInfo, ends: list[datetime]) -> list[date]:
    return [at.astimezone(zone).date() for at in ends]


def ends_of(start: datetime, periods: int, *, interval: str = "MONTH") -> list[datetime]:
    """Return when the periods of a subscription end that is paid in advance."""
    of = terms(interval=interval)
    state = with_credit(active(of, start), periods, of)
    _, changes = advance(state, of, start + timedelta(days=40000))
    opened = [one.after.period_end for one in changes if one.event == "OPEN_PERIOD"]
    return [state.period_end, *opened][:periods]


@pytest.mark.parametrize("day", [1, 15, 28, 29, 30, 31])
def test_periods_keep_their_day_over_48_months(day: int):
    start = datetime(2027, 1, day, 12, tzinfo=BERLIN)

    found = local_days(BERLIN, ends_of(start, 48))

    months = [(2027 + month // 12, month % 12 + 1) for month in range(1, 49)]
    assert found == [date(year, m, min(day, monthrange(year, m)[1])) for year, m in months]


def test_a_month_without_the_day_ends_on_its_last_and_the_next_has_it_again():
    found = local_days(BERLIN, ends_of(START, 14))

    assert [f"{one:%m-%d}" for one in found[:4]] == ["02-28", "03-31", "04-30", "05-31"]
    assert f"{found[12]:%Y-%m-%d}" == "2027-02-28"


def test_a_february_of_a_leap_year_has_29_days():
    found = local_days(BERLIN, ends_of(datetime(2028, 1, 31, 11, tzinfo=UTC), 3))

    assert [f"{one:%m-%d}" for one in found] == ["02-29", "03-31", "04-30"]


def test_a_year_that_began_on_29_february_comes_back_to_it():
    found = local_days(BERLIN, ends_of(datetime(2028, 2, 29, 11, tzinfo=UTC), 5, interval="YEAR"))

    assert [f"{one:%Y-%m-%d}" for one in found] == [
        "2029-02-28",
        "2030-02-28",
        "2031-02-28",
        "2032-02-29",
        "2033-02-28",
    ]


def test_the_day_is_that_of_the_programmes_time_zone():
    late = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)  # 1 February in Berlin

    assert [f"{one:%m-%d}" for one in local_days(BERLIN, ends_of(late, 2))] == ["03-01", "04-01"]


def test_the_time_of_day_stays_when_the_clocks_change():
    found = ends_of(datetime(2026, 2, 28, 11, tzinfo=UTC), 9)

    assert {one.astimezone(BERLIN).hour for one in found} == {12}
    assert {one.hour for one in found} == {10, 11}


def test_a_time_that_the_clocks_skip_moves_on_and_comes_back():
    start = datetime(2026, 2, 28, 2, 30, tzinfo=BERLIN)
    first_of_a_skip = ends_of(datetime(2026, 2, 28, 2, 30, tzinfo=BERLIN) + DAY, 1)

    found = ends_of(datetime(2026, 1, 29, 2, 30, tzinfo=BERLIN), 3)

    assert first_of_a_skip[0] == datetime(2026, 4, 1, 0, 30, tzinfo=UTC)
    assert [f"{one.astimezone(BERLIN):%m-%d %H:%M}" for one in found] == [
        "02-28 02:30",
        "03-29 03:30",
        "04-29 02:30",
    ]
    assert ends_of(start, 1) == [datetime(2026, 3, 28, 1, 30, tzinfo=UTC)]


def test_a_subscription_without_a_trial_waits_a_day_for_its_first_fee():
    state, changes = begin(MONTHLY, now=START)

    assert (state.status, changes) == (Status.INCOMPLETE, [])
    assert (due_minor(state, MONTHLY), entitled_until(state, MONTHLY)) == (1000, None)
    assert lapses_at(state, MONTHLY) == START + DAY
    ended, changes = advance(state, MONTHLY, START + DAY)
    assert (ended.status, ended.ended_at) == (Status.EXPIRED, START + DAY)
    assert events(changes) == [("LAPSE", "2026-02-01")]


def test_a_trial_is_followed_by_the_first_fee():
    state, changes = begin(TRIED, now=START)
    trial_end = START + 14 * DAY

    due, fallen = advance(state, TRIED, trial_end)
    paid, opened = advance(with_credit(state, 1, TRIED), TRIED, trial_end)

    assert (state.status, state.is_trial, state.period_end) == (Status.TRIALING, True, trial_end)
    assert (events(changes), entitled_until(state, TRIED)) == (
        [("BEGIN_TRIAL", "2026-01-31")],
        trial_end,
    )
    assert (due.status, due_minor(due, TRIED)) == (Status.PAST_DUE, 1000)
    assert events(fallen) == [("FALL_DUE", "2026-02-14")]
    assert (paid.status, paid.is_trial, paid.paid_minor) == (Status.ACTIVE, False, 1000)
    assert (events(opened), paid.credit_minor) == ([("OPEN_PERIOD", "2026-02-14")], 0)
    assert f"{paid.period_end:%Y-%m-%d}" == "2026-03-14"


def test_an_unpaid_period_has_its_grace_and_no_more():
    state = active(MONTHLY)
    grace_end = state.period_end + 7 * DAY
    moment = timedelta(microseconds=1)

    before, _ = advance(state, MONTHLY, state.period_end - moment)
    within, _ = advance(state, MONTHLY, grace_end - moment)
    after, changes = advance(state, MONTHLY, grace_end)

    assert (before.status, entitled_until(before, MONTHLY)) == (Status.ACTIVE, state.period_end)
    assert (within.status, entitled_until(within, MONTHLY)) == (Status.PAST_DUE, grace_end)
    assert (after.status, entitled_until(after, MONTHLY)) == (Status.EXPIRED, None)
    assert events(changes) == [("FALL_DUE", "2026-02-28"), ("LAPSE", "2026-03-07")]


def test_attempts_to_collect_are_spread_over_the_grace():
    of = terms(grace_days=9, dunning_attempts=3)
    state, _ = advance(active(of), of, START + 30 * DAY)

    tried = [replace(state, failed_attempts=failed) for failed in range(4)]
    found = [attempt_at(one, of) for one in tried]

    since = state.period_end
    assert found == [since, since + 3 * DAY, since + 6 * DAY, None]
    assert next_step_at(tried[1], of, collects=True) == since + 3 * DAY
    assert next_step_at(tried[3], of, collects=True) == since + 9 * DAY
    assert next_step_at(tried[1], of, collects=False) == since + 9 * DAY


def test_nothing_is_collected_while_a_period_runs():
    state = active(MONTHLY)

    assert (attempt_at(state, MONTHLY), due_minor(state, MONTHLY)) == (None, 0)
    assert next_step_at(state, MONTHLY, collects=True) == state.period_end


def test_what_has_ended_waits_for_nothing():
    state, _ = advance(active(MONTHLY), MONTHLY, START + 99 * DAY)

    assert (next_step_at(state, MONTHLY, collects=True), lapses_at(state, MONTHLY)) == (None, None)


@given(
    credit=st.integers(0, 5),
    trial=st.integers(0, 40),
    stops=st.lists(st.integers(0, 300), max_size=6),
)
def test_it_does_not_matter_how_often_or_how_late_somebody_looks(
    credit: int, trial: int, stops: list[int]
):
    of = terms(trial_days=trial)
    state = with_credit(begin(of, now=START)[0], credit, of)
    end = START + 300 * DAY

    at_once = advance(state, of, end)
    looked, seen = state, []
    for day in sorted(stops):
        looked, changes = advance(looked, of, START + day * DAY)
        seen += changes
    looked, changes = advance(looked, of, end)

    assert (looked, seen + changes) == at_once
