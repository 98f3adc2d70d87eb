from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_graph.errors import (
    SubscriptionCancelledError,
    SubscriptionExpiredError,
    SubscriptionStateError,
)
from loyalty_graph.subscriptions.changing import (
    cancel,
    change_plan,
    fail,
    pause,
    pay,
    reactivate,
    resume,
    unused_minor,
)
from loyalty_graph.subscriptions.course import (
    State,
    Terms,
    advance,
    begin,
    due_minor,
    entitled_until,
)
from loyalty_graph.subscriptions.rules import Status
from tests.subscriptions.making import START, active, events, terms

DAY = timedelta(days=1)
MONTHLY, TRIED = terms(), terms(trial_days=14)
YEARLY = terms("PLUS_YEAR", interval="YEAR", price_minor=10000)


def at(day: int, state: State) -> State:
    return advance(state, MONTHLY, START + day * DAY)[0]


def pay_on(day: int, state: State, amount: int = 1000, *, told: int | None = None) -> State:
    now = START + (day if told is None else told) * DAY
    state, _ = advance(state, MONTHLY, now)
    return pay(state, MONTHLY, amount, paid_at=START + day * DAY, now=now)[0]


def test_the_first_payment_begins_the_first_period():
    state, _ = begin(MONTHLY, now=START)

    paid, changes = pay(
        state, MONTHLY, 1000, paid_at=START + timedelta(hours=1), now=START + timedelta(hours=2)
    )

    assert (paid.status, paid.credit_minor, paid.paid_minor) == (Status.ACTIVE, 0, 1000)
    assert paid.period_start == START + timedelta(hours=1)
    assert events(changes) == [("OPEN_PERIOD", "2026-01-31")]


def test_a_part_of_the_first_fee_begins_nothing():
    state, _ = begin(MONTHLY, now=START)

    part, changes = pay(state, MONTHLY, 400, paid_at=START, now=START)
    whole, _ = pay(part, MONTHLY, 600, paid_at=START, now=START)

    assert (part.status, due_minor(part, MONTHLY), changes) == (Status.INCOMPLETE, 600, [])
    assert (whole.status, whole.credit_minor) == (Status.ACTIVE, 0)


def test_a_payment_before_the_period_ends_pays_the_next_one():
    state = pay_on(20, active(MONTHLY))

    assert (state.status, state.credit_minor) == (Status.ACTIVE, 1000)
    renewed = at(30, state)
    assert (renewed.status, renewed.credit_minor) == (Status.ACTIVE, 0)
    assert f"{renewed.period_end:%Y-%m-%d}" == "2026-03-31"


def test_a_late_payment_does_not_move_the_day():
    state = pay_on(33, active(MONTHLY))

    assert (state.status, f"{state.period_start:%m-%d}") == (Status.ACTIVE, "02-28")
    assert f"{state.period_end:%m-%d}" == "03-31"


def test_a_doubled_payment_pays_the_period_after():
    state = pay_on(29, pay_on(29, active(MONTHLY)))

    assert state.credit_minor == 1000
    assert f"{at(70, state).period_end:%m-%d}" == "04-30"
    assert at(99, state).status is Status.EXPIRED


def test_a_payment_made_within_the_grace_counts_when_it_is_told_of_later():
    state = at(60, active(MONTHLY))
    assert state.status is Status.EXPIRED

    state = pay_on(34, state, told=50)

    assert (state.status, state.ended_at) == (Status.ACTIVE, None)
    assert f"{state.period_end:%m-%d}" == "03-31"


def test_a_part_paid_within_the_grace_does_not_bring_it_back():
    state = pay_on(34, at(60, active(MONTHLY)), 999, told=60)

    assert (state.status, state.credit_minor) == (Status.EXPIRED, 999)


def test_a_payment_made_after_the_end_is_refused():
    with pytest.raises(SubscriptionExpiredError, match=r"ended at 2026-03-07T11:00:00\+00:00"):
        pay_on(35, active(MONTHLY), told=60)


def test_a_first_payment_made_too_late_is_refused():
    with pytest.raises(SubscriptionExpiredError):
        pay_on(1, begin(MONTHLY, now=START)[0])


@pytest.mark.parametrize("at_once", [True, False])
def test_a_payment_for_a_cancelled_subscription_is_refused(*, at_once: bool):
    state, _ = cancel(active(MONTHLY), MONTHLY, at_once=at_once, now=START + DAY)

    with pytest.raises(SubscriptionCancelledError, match="2026-02-01"):
        pay_on(0, state, told=2)


def test_only_attempts_made_since_the_fee_was_due_count():
    due = at(30, active(MONTHLY))

    assert fail(due, attempted_at=due.period_end).failed_attempts == 1
    assert fail(due, attempted_at=START + 20 * DAY) == due
    assert fail(active(MONTHLY), attempted_at=START + 99 * DAY).failed_attempts == 0


def test_a_new_period_forgets_the_attempts_of_the_old_one():
    due = fail(at(30, active(MONTHLY)), attempted_at=START + 30 * DAY)

    paid, _ = pay(due, MONTHLY, 1000, paid_at=START + 31 * DAY, now=START + 31 * DAY)

    assert (due.failed_attempts, paid.failed_attempts) == (1, 0)


def test_a_pause_keeps_what_is_left_of_the_period():
    state, _ = pause(at(10, active(MONTHLY)), now=START + 10 * DAY)
    assert (state.status, entitled_until(state, MONTHLY)) == (Status.PAUSED, None)
    assert at(400, state) == state

    resumed, _ = resume(state, now=START + 110 * DAY)

    assert (resumed.status, resumed.paused_at) == (Status.ACTIVE, None)
    assert resumed.period_end == START + 128 * DAY  # 18 of 28 days were left
    paid = at(129, replace(resumed, credit_minor=1000))
    assert [f"{resumed.period_end:%m-%d}", f"{paid.period_end:%m-%d}"] == ["06-08", "07-08"]


def test_a_cancelled_subscription_runs_to_the_end_of_its_period():
    state, changes = cancel(active(MONTHLY), MONTHLY, at_once=False, now=START + DAY)

    assert (state.status, entitled_until(state, MONTHLY)) == (Status.CANCELLED, state.period_end)
    assert events(changes) == [("CANCEL", "2026-02-01")]
    ended, changes = advance(state, MONTHLY, state.period_end)
    assert (ended.status, events(changes)) == (Status.EXPIRED, [("LAPSE", "2026-02-28")])


def test_what_is_cancelled_at_once_ends_at_once():
    state, changes = cancel(active(MONTHLY), MONTHLY, at_once=True, now=START + DAY)

    assert (state.status, state.ended_at) == (Status.EXPIRED, START + DAY)
    assert events(changes) == [("CANCEL", "2026-02-01"), ("LAPSE", "2026-02-01")]


def test_what_is_unpaid_or_paused_ends_at_once():
    paused, _ = pause(active(MONTHLY), now=START)

    for state in (begin(MONTHLY, now=START)[0], at(30, active(MONTHLY)), paused):
        ended, _ = cancel(state, MONTHLY, at_once=False, now=START + 30 * DAY)
        assert (ended.status, ended.ended_at) == (Status.EXPIRED, START + 30 * DAY)


@pytest.mark.parametrize("of", [MONTHLY, TRIED], ids=["paid", "trial"])
def test_a_cancellation_can_be_taken_back_until_the_period_ends(of: Terms):
    before = active(of) if of is MONTHLY else begin(of, now=START)[0]
    state, _ = cancel(before, of, at_once=False, now=START + DAY)

    again, _ = reactivate(state, now=START + 2 * DAY)

    assert again == before
    ended, _ = advance(state, of, state.period_end)
    with pytest.raises(SubscriptionStateError, match="is expired cannot be reactivated"):
        reactivate(ended, now=START + 99 * DAY)


def test_what_was_not_cancelled_cannot_be_reactivated():
    with pytest.raises(SubscriptionStateError, match="is trialing cannot be reactivated"):
        reactivate(begin(TRIED, now=START)[0], now=START)


def test_a_dearer_plan_is_due_less_what_was_not_used():
    state, changes = change_plan(active(MONTHLY), YEARLY, now=START + 7 * DAY)

    assert (state.plan_code, state.status) == ("PLUS_YEAR", Status.PAST_DUE)
    assert (state.credit_minor, due_minor(state, YEARLY)) == (750, 9250)  # 21 of 28 days
    assert events(changes) == [("CHANGE_PLAN", "2026-02-07")]
    paid, _ = pay(state, YEARLY, 9250, paid_at=START + 8 * DAY, now=START + 8 * DAY)
    assert (paid.status, paid.credit_minor) == (Status.ACTIVE, 0)
    assert f"{paid.period_start:%Y-%m-%d} {paid.period_end:%Y-%m-%d}" == "2026-02-07 2027-02-07"


def test_a_cheaper_plan_is_paid_from_what_was_not_used():
    state, changes = change_plan(active(YEARLY), MONTHLY, now=START + 73 * DAY)

    assert (state.status, state.paid_minor) == (Status.ACTIVE, 1000)
    assert state.credit_minor == 7000  # 292 of 365 days are 8000
    assert events(changes) == [("CHANGE_PLAN", "2026-04-14"), ("OPEN_PERIOD", "2026-04-14")]
    assert f"{state.period_end:%m-%d}" == "05-14"


def test_a_trial_keeps_its_end_on_another_plan():
    state, _ = begin(TRIED, now=START)

    changed, _ = change_plan(state, YEARLY, now=START + DAY)

    assert (changed.status, changed.plan_code) == (Status.TRIALING, "PLUS_YEAR")
    assert (changed.period_end, changed.credit_minor) == (state.period_end, 0)


@pytest.mark.parametrize(
    ("paid", "left", "whole", "unused"),
    [(1000, 28, 28, 1000), (1000, 0, 28, 0), (999, 14, 28, 499), (1000, 1, 3, 333), (0, 5, 9, 0)],
)
def test_what_was_not_used_is_rounded_down(paid: int, left: int, whole: int, unused: int):
    state = replace(active(MONTHLY), paid_minor=paid, period_end=START + whole * DAY)

    assert unused_minor(state, START + (whole - left) * DAY) == unused


def test_a_period_without_length_leaves_nothing():
    assert unused_minor(replace(active(MONTHLY), period_end=START), START) == 0


@given(price=st.integers(1, 10**12), seconds=st.integers(0, 28 * 86400))
def test_used_and_unused_part_make_the_fee_but_for_one_unit(price: int, seconds: int):
    state = replace(active(MONTHLY), paid_minor=price)
    now: datetime = START + timedelta(seconds=seconds)
    mirrored = state.period_end - (now - START)

    unused, used = unused_minor(state, now), unused_minor(state, mirrored)

    assert price - 1 <= unused + used <= price
