from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_graph.errors import LoyaltyError
from loyalty_graph.subscriptions import changing
from loyalty_graph.subscriptions.course import Change, Course, State, Terms, advance, begin
from loyalty_graph.subscriptions.history import Period, periods, plan_at
from tests.subscriptions.making import START, terms

DAY = timedelta(days=1)
MONTHLY, TRIED = terms(), terms(trial_days=14)
YEARLY = terms("YEAR", interval="YEAR", price_minor=10000)


class Story:
    """A subscription as it goes, and the periods that were written down."""

    def __init__(self, of: Terms = MONTHLY) -> None:
        self.of = of
        self.written: dict[int, Period] = {}
        self.state: State = self._keep(begin(of, now=START))

    def _keep(self, course: Course) -> State:
        state, changes = course
        self.write(changes)
        return state

    def write(self, changes: list[Change]) -> None:
        for number, found in periods(changes).items():
            is_end = isinstance(found, datetime)
            self.written[number] = replace(self.written[number], ends_at=found) if is_end else found

    def on(self, day: int, command: str = "", *given: object, **named: object) -> "Story":
        now = START + day * DAY
        self.state = self._keep(advance(self.state, self.of, now))
        if command == "pay":
            amount = self.of.plan.price_minor
            course = changing.pay(self.state, self.of, amount, paid_at=now, now=now)
            self.state = self._keep(course)
        elif command:
            self.state = self._keep(
                getattr(changing, command)(self.state, *given, now=now, **named)
            )
        return self

    def had(self, *days: float) -> str:
        """Return for each day the first letter of the plan, or a dot."""
        found = [
            plan_at(self.state, self.of, self.written.values(), START + day * DAY) for day in days
        ]
        return "".join(one[0][0] if one else "." for one in found)


def test_a_plan_is_had_from_its_payment_to_the_end_of_the_grace():
    story = Story().on(0, "pay").on(60)

    assert story.had(-1, 0, 27, 28, 34.9, 35, 60) == ".PPPP.."


def test_what_was_never_paid_was_never_had():
    assert Story().on(5).had(0, 0.5, 1, 5) == "...."


def test_a_trial_and_its_grace_are_had():
    assert Story(TRIED).on(60).had(0, 13, 14, 20, 21) == "PPPP."


def test_a_pause_is_a_gap():
    story = Story().on(0, "pay").on(10, "pause").on(20, "resume").on(60)

    assert story.had(0, 9, 10, 19, 20, 37, 38, 44, 45) == "PP..PPPP."


def test_a_subscription_that_is_paused_now_was_had_before():
    assert Story().on(0, "pay").on(10, "pause").on(20).had(9, 10, 15) == "P.."


def test_a_pause_that_ends_with_a_cancellation_gives_nothing():
    story = Story().on(0, "pay").on(10, "pause").on(20, "cancel", MONTHLY, at_once=True)

    assert story.had(9, 10, 15, 20, 25) == "P...."


def test_a_cancelled_period_is_had_to_its_end_without_grace():
    story = Story().on(0, "pay").on(5, "cancel", MONTHLY, at_once=False).on(60)

    assert story.had(27, 28, 30) == "P.."


def test_what_was_cancelled_at_once_is_had_no_more():
    assert Story().on(0, "pay").on(5, "cancel", MONTHLY, at_once=True).had(4, 5, 20) == "P.."


def test_what_is_cancelled_in_the_grace_ends_there():
    story = Story().on(0, "pay").on(30, "cancel", MONTHLY, at_once=False).on(40)

    assert story.had(27, 29, 30, 33) == "PP.."


@pytest.mark.parametrize("days", [(0, 6, 7, 13.9, 14, 20)])
def test_another_plan_is_had_from_its_change_on(days: tuple[float, ...]):
    story = Story().on(0, "pay").on(7, "change_plan", YEARLY)
    story.of = YEARLY

    assert story.on(30).had(*days) == "PPYY.."


def test_another_plan_in_the_trial_is_had_from_its_change_on():
    story = Story(TRIED).on(7, "change_plan", YEARLY)

    assert story.had(6, 7, 13) == "PYY"


COMMANDS = {
    "pay": ("pay", {}),
    "pause": ("pause", {}),
    "resume": ("resume", {}),
    "reactivate": ("reactivate", {}),
    "cancel": ("cancel", {"terms": MONTHLY, "at_once": False}),
    "cancel at once": ("cancel", {"terms": MONTHLY, "at_once": True}),
    "look": ("", {}),
}


@given(
    steps=st.lists(st.tuples(st.integers(0, 25), st.sampled_from(sorted(COMMANDS))), max_size=12),
    looks=st.sets(st.integers(0, 300), max_size=8),
    tried=st.booleans(),
)
def test_whoever_looks_in_between_changes_nothing(
    steps: list[tuple[int, str]], looks: set[int], *, tried: bool
):
    alone, watched = Story(TRIED if tried else MONTHLY), Story(TRIED if tried else MONTHLY)
    day = 0
    for days, name in steps:
        for between in sorted(looks & set(range(day, day + days))):
            watched.on(between)
        day += days
        command, named = COMMANDS[name]
        for story in (alone, watched):
            with suppress(LoyaltyError):
                story.on(day, command, **named)

    assert alone.on(400).state == watched.on(400).state
    assert alone.had(*range(400)) == watched.had(*range(400))
    assert alone.state.credit_minor >= 0
    assert all(one.starts_at <= one.ends_at for one in alone.written.values())
