"""When a member had which plan, so that what happened at a time is decided by that time."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from loyalty_graph.subscriptions.course import Change, State, Terms, lapses_at
from loyalty_graph.subscriptions.rules import Event


@dataclass(frozen=True, slots=True)
class Period:
    """A time in which a member had a plan, by a trial or a fee."""

    starts_at: datetime
    ends_at: datetime
    plan_code: str
    plan_version: int


def periods(changes: Iterable[Change]) -> dict[int, Period | datetime]:
    """Return the periods that changes begin, by their numbers; of older ones their new end."""
    found: dict[int, Period | datetime] = {}
    for change in changes:
        state, number = change.after, change.after.opened
        if change.event in {Event.BEGIN_TRIAL, Event.OPEN_PERIOD}:
            found[number] = _period(state, state.period_start)
        elif change.event is Event.RESUME:
            found[number] = _period(state, change.at)
        elif change.event is Event.CHANGE_TRIAL:
            _close(found, number - 1, change.at)
            found[number] = _period(state, change.at)
        elif change.event in {Event.PAUSE, Event.CHANGE_PLAN}:
            _close(found, number, change.at)
        elif change.event is Event.LAPSE and number and change.at < state.period_end:
            _close(found, number, state.paused_at or change.at)
    return found


def _period(state: State, starts_at: datetime) -> Period:
    return Period(starts_at, state.period_end, state.plan_code, state.plan_version)


def _close(found: dict[int, Period | datetime], number: int, at: datetime) -> None:
    period = found.get(number)
    found[number] = replace(period, ends_at=at) if isinstance(period, Period) else at


def plan_at(
    state: State, terms: Terms, history: Iterable[Period], at: datetime
) -> tuple[str, int] | None:
    """Return the (code, version) of the plan whose benefits the member had at a time, if any.

    The state must have run on to now, and `history` must hold its periods up to now. After the last
    one comes the grace.
    """
    for period in history:
        if period.starts_at <= at < period.ends_at:
            return period.plan_code, period.plan_version
    over = state.ended_at or lapses_at(state, terms)
    in_grace = state.opened and over is not None and state.period_end <= at < over
    return (state.plan_code, state.plan_version) if in_grace else None
