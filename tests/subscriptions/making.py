"""Plans and subscriptions for tests, in one line each."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from loyalty_graph.subscriptions import changing
from loyalty_graph.subscriptions.course import Change, State, Terms, begin
from loyalty_graph.subscriptions.rules import SubscriptionPlan

BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2026, 1, 31, 11, tzinfo=UTC)
"""Noon in Berlin."""


def plan(code: str = "PLUS", **changes: Any) -> SubscriptionPlan:
    """Return a plan of 10.00 a month with 7 days of grace and no trial."""
    given = {"code": code, "name": code.title(), "interval": "MONTH", "price_minor": 1000}
    return SubscriptionPlan.model_validate(given | changes)


def terms(code: str = "PLUS", zone: ZoneInfo = BERLIN, **changes: Any) -> Terms:
    return Terms(plan(code, **changes), 1, zone)


def active(of: Terms, start: datetime = START) -> State:
    """Return a subscription that began with a payment."""
    state, _ = begin(of, now=start)
    state, _ = changing.pay(state, of, of.plan.price_minor, paid_at=start, now=start)
    return state


def with_credit(state: State, periods: int, of: Terms) -> State:
    return replace(state, credit_minor=periods * of.plan.price_minor)


def events(changes: Sequence[Change]) -> list[tuple[str, str]]:
    """Return what happened, each with its day."""
    return [(change.event.value, f"{change.at:%Y-%m-%d}") for change in changes]
