"""What commands do to a subscription, pure and without storage.

Each takes a state that has run on to now (`course.advance`), and returns it changed.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from loyalty_graph.errors import SubscriptionCancelledError, SubscriptionExpiredError
from loyalty_graph.subscriptions.course import Change, Course, State, Terms, advance, happen, opened
from loyalty_graph.subscriptions.rules import Event, Status

MICROSECOND = timedelta(microseconds=1)


def pay(
    state: State, terms: Terms, amount_minor: int, *, paid_at: datetime, now: datetime
) -> Course:
    """Take a payment: it becomes credit, and credit opens periods as soon as they are due.

    So a payment may come early, late, in parts or twice. One that was made within the grace counts
    even when it is told of after it.

    Raises:
        SubscriptionCancelledError: The subscription was cancelled.
        SubscriptionExpiredError: It had ended when the payment was made.
    """
    restored: list[Change] = []
    if state.cancelled_at is not None:
        raise SubscriptionCancelledError(state.cancelled_at.isoformat())
    if state.status is Status.EXPIRED:
        assert state.ended_at is not None, "what has expired did so at a time"
        if not state.opened or paid_at >= state.ended_at:
            raise SubscriptionExpiredError(state.ended_at.isoformat())
        state, restored = happen(state, Event.RESTORE, now, ended_at=None)
    state = replace(state, credit_minor=state.credit_minor + amount_minor)
    if state.status is Status.INCOMPLETE:
        at = min(max(paid_at, state.started_at), now)
        first = opened(replace(state, anchor_at=at, period_end=at), terms)
        state, restored = (first.after, [first]) if first else (state, [])
    state, changes = advance(state, terms, now)
    return state, restored + changes


def fail(state: State, *, attempted_at: datetime) -> State:
    """Count an attempt to collect the fee that failed, unless it was made before it was due."""
    waits = state.status in {Status.INCOMPLETE, Status.PAST_DUE}
    if not waits or attempted_at < state.period_end:
        return state
    return replace(state, failed_attempts=state.failed_attempts + 1)


def pause(state: State, *, now: datetime) -> Course:
    """Stop the clock of a period; nothing is granted until it goes on.

    Raises:
        SubscriptionStateError: It is not active.
    """
    return happen(state, Event.PAUSE, now, paused_at=now)


def resume(state: State, *, now: datetime) -> Course:
    """Let a paused period go on; what was left of it is left now, and counts from now on.

    Raises:
        SubscriptionStateError: It is not paused.
    """
    paused_at = state.paused_at or now
    ends_at = state.period_end + (now - paused_at)
    return happen(
        state,
        Event.RESUME,
        now,
        period_start=state.period_start + (now - paused_at),
        period_end=ends_at,
        anchor_at=ends_at,
        periods=0,
        opened=state.opened + 1,
        paused_at=None,
    )


def cancel(state: State, terms: Terms, *, at_once: bool, now: datetime) -> Course:
    """End a subscription: with its period, or at once. What is paused or unpaid ends at once.

    Raises:
        SubscriptionStateError: It was cancelled before, or has ended.
    """
    runs_on = not at_once and state.status in {Status.TRIALING, Status.ACTIVE}
    ends_at = state.period_end if runs_on else now
    state, changes = happen(state, Event.CANCEL, now, cancelled_at=now, ends_at=ends_at)
    state, lapsed = advance(state, terms, now)
    return state, changes + lapsed


def end(state: State, terms: Terms, *, now: datetime) -> Course:
    """End a subscription at once, whatever became of it; one that has ended stays as it is."""
    if state.status is Status.EXPIRED:
        return state, []
    if state.status is Status.CANCELLED:
        return advance(replace(state, ends_at=now), terms, now)
    return cancel(state, terms, at_once=True, now=now)


def reactivate(state: State, *, now: datetime) -> Course:
    """Take back a cancellation before the period has ended.

    Raises:
        SubscriptionStateError: It was not cancelled, or has ended.
    """
    on_trial = state.is_trial and state.status is Status.CANCELLED
    event = Event.REACTIVATE_TRIAL if on_trial else Event.REACTIVATE
    return happen(state, event, now, cancelled_at=None, ends_at=None)


def change_plan(state: State, terms: Terms, *, now: datetime) -> Course:
    """Move a subscription to the plan of `terms`, in force at once.

    A trial keeps its end. Otherwise the present period ends now, the unused part of its fee
    becomes credit (`unused_minor`), and the new plan's first period begins now: paid from credit
    if that suffices, else due.

    Raises:
        SubscriptionStateError: It is neither on trial nor active.
    """
    plan = {"plan_code": terms.plan.code, "plan_version": terms.version}
    if state.status is Status.TRIALING:
        return happen(state, Event.CHANGE_TRIAL, now, **plan, opened=state.opened + 1)
    state, changes = happen(
        state,
        Event.CHANGE_PLAN,
        now,
        **plan,
        period_end=now,
        anchor_at=now,
        periods=0,
        paid_minor=0,
        credit_minor=state.credit_minor + unused_minor(state, now),
        failed_attempts=0,
    )
    state, begun = advance(state, terms, now)
    return state, changes + begun


def unused_minor(state: State, now: datetime) -> int:
    """Return what is left of the present period's fee: floor(fee x time left / whole time).

    Times are whole microseconds, so the result is exact; less than one minor unit is lost.
    """
    whole = (state.period_end - state.period_start) // MICROSECOND
    left = (state.period_end - now) // MICROSECOND
    return state.paid_minor * left // whole if whole else 0
