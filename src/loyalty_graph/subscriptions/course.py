"""The course of a subscription: what time does to it, pure and without storage.

Whoever looks at a subscription lets it run on to now first (`advance`). So it does not matter when
the job that writes this down comes by: a late job neither grants nor denies anything.
"""

from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from loyalty_graph.subscriptions.rules import Event, Status, SubscriptionPlan, moved

# Source: Stripe, "How subscriptions work": an incomplete subscription has 23 hours; ours a day.
FIRST_PAYMENT_WITHIN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a subscription runs by: its plan, and the time zone that says when a month is over.

    `version` is that of the programme the plan is from; a subscription keeps it until it is moved
    to another plan, so that nobody's fee changes behind his back.
    """

    plan: SubscriptionPlan
    version: int
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class State:
    """A subscription.

    The present period (a trial too) is from `period_start` to `period_end`; the following ones end
    whole intervals after `anchor_at`, of which `periods` have passed. `opened` counts all periods
    ever. `paid_minor` is what the present period cost, `credit_minor` what was paid and not used.
    `failed_attempts` counts since the fee fell due.
    """

    plan_code: str
    plan_version: int
    status: Status
    started_at: datetime
    anchor_at: datetime
    period_start: datetime
    period_end: datetime
    periods: int = 0
    opened: int = 0
    is_trial: bool = False
    paid_minor: int = 0
    credit_minor: int = 0
    failed_attempts: int = 0
    paused_at: datetime | None = None
    cancelled_at: datetime | None = None
    ends_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened to a subscription, and how it stood right after."""

    event: Event
    at: datetime
    after: State


Course = tuple[State, list[Change]]


def begin(terms: Terms, *, may_try: bool = True, now: datetime) -> Course:
    """Return a new subscription: waiting for its first fee, or on trial if that is offered."""
    state = State(terms.plan.code, terms.version, Status.INCOMPLETE, now, now, now, now)
    if not (may_try and terms.plan.trial_days):
        return state, []
    ends_at = later(now, terms.zone, days=terms.plan.trial_days)
    return happen(
        state,
        Event.BEGIN_TRIAL,
        now,
        period_end=ends_at,
        anchor_at=ends_at,
        opened=1,
        is_trial=True,
    )


def advance(state: State, terms: Terms, now: datetime) -> Course:
    """Let a subscription run on to `now`: periods are paid from credit, fall due, or lapse."""
    changes: list[Change] = []
    while (step := _step(state, terms, now)) is not None:
        state = step.after
        changes.append(step)
    return state, changes


def _step(state: State, terms: Terms, now: datetime) -> Change | None:
    """Return what happens next by itself, if it happens until `now`."""
    running = state.status in {Status.TRIALING, Status.ACTIVE}
    if running and state.period_end <= now:
        return opened(state, terms) or _change(state, Event.FALL_DUE, state.period_end)
    if state.status is Status.PAST_DUE and (period := opened(state, terms)):
        return period
    over = lapses_at(state, terms)
    if over is not None and over <= now:
        return _change(state, Event.LAPSE, over, ended_at=over)
    return None


def opened(state: State, terms: Terms) -> Change | None:
    """Begin the period after the present one, if it can be paid from credit."""
    price = terms.plan.price_minor
    if state.credit_minor < price:
        return None
    months = terms.plan.interval.months * (state.periods + 1)
    return _change(
        state,
        Event.OPEN_PERIOD,
        state.period_end,
        period_start=state.period_end,
        period_end=later(state.anchor_at, terms.zone, months=months),
        periods=state.periods + 1,
        opened=state.opened + 1,
        is_trial=False,
        paid_minor=price,
        credit_minor=state.credit_minor - price,
        failed_attempts=0,
    )


def lapses_at(state: State, terms: Terms) -> datetime | None:
    """Return when the subscription ends by itself if nothing is paid, None if it does not."""
    if state.status is Status.INCOMPLETE:
        return state.started_at + FIRST_PAYMENT_WITHIN
    if state.status is Status.PAST_DUE:
        return later(state.period_end, terms.zone, days=terms.plan.grace_days)
    return state.ends_at if state.status is Status.CANCELLED else None


def entitled_until(state: State, terms: Terms) -> datetime | None:
    """Return until when the member has the plan's benefits as things stand, None if not now.

    The state must have run on to now.
    """
    if state.status in {Status.TRIALING, Status.ACTIVE}:
        return state.period_end
    if state.status in {Status.PAST_DUE, Status.CANCELLED}:
        return lapses_at(state, terms)
    return None


def attempt_at(state: State, terms: Terms) -> datetime | None:
    """Return when the fee is to be collected next, None when there is nothing to collect.

    The attempts are spread evenly over the time until the subscription lapses, beginning at once.
    """
    if state.status not in {Status.INCOMPLETE, Status.PAST_DUE}:
        return None
    if state.failed_attempts >= terms.plan.dunning_attempts:
        return None
    since, until = state.period_end, lapses_at(state, terms)
    assert until is not None, "what waits for a fee does not wait for ever"
    return since + (until - since) * state.failed_attempts // terms.plan.dunning_attempts


def due_minor(state: State, terms: Terms) -> int:
    """Return what is to be paid now."""
    if state.status not in {Status.INCOMPLETE, Status.PAST_DUE}:
        return 0
    return max(0, terms.plan.price_minor - state.credit_minor)


def next_step_at(state: State, terms: Terms, *, collects: bool) -> datetime | None:
    """Return when there is something to do next, None when never; `collects` if fees are ours."""
    if state.status in {Status.TRIALING, Status.ACTIVE}:
        return state.period_end
    times = (lapses_at(state, terms), attempt_at(state, terms) if collects else None)
    return min((at for at in times if at is not None), default=None)


def happen(state: State, event: Event, at: datetime, **changes: object) -> Course:
    """Return a subscription after an event that sets these fields, and the one change.

    Raises:
        SubscriptionStateError: The event cannot happen to a subscription in that state.
    """
    change = _change(state, event, at, **changes)
    return change.after, [change]


def _change(state: State, event: Event, at: datetime, **changes: object) -> Change:
    status = moved(state.status, event)
    after = replace(state, status=status, **changes)  # type: ignore[arg-type] # fields of State
    return Change(event, at, after)


def later(at: datetime, zone: ZoneInfo, *, months: int = 0, days: int = 0) -> datetime:
    """Return the same time of day so much later, in the zone; a day there is not becomes the last.

    31 January and one month is 28 February; two months are 31 March. A time that the clocks
    skip moves on by as much.
    """
    local = at.astimezone(zone).replace(tzinfo=None)
    if months:
        years, month = divmod(local.month - 1 + months, 12)
        year, month = local.year + years, month + 1
        local = local.replace(
            year=year, month=month, day=min(local.day, monthrange(year, month)[1])
        )
    return (local + timedelta(days=days)).replace(tzinfo=zone).astimezone(UTC)
