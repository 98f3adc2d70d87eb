from datetime import UTC, datetime, timedelta

import pytest

from loyalty_graph.jobs.rules import backoff, latest_slot, next_slot, pause_s

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.mark.parametrize(
    ("attempts", "chance", "seconds"),
    [
        (1, 0.0, 0.0),
        (1, 0.5, 2.0),
        (2, 0.5, 4.0),
        (3, 0.25, 4.0),
        (9, 0.5, 450.0),
        (99, 1.0, 900.0),
    ],
)
def test_a_failed_job_waits_for_a_random_part_of_a_doubling_time(
    attempts: int, chance: float, seconds: float
):
    assert backoff(attempts, chance) == timedelta(seconds=seconds)


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 0.5), (0.5, 0.75), (1.0, 1.0)])
def test_half_of_a_pause_is_random(chance: float, seconds: float):
    assert pause_s(1.0, chance) == seconds


def test_slots_are_counted_from_1970():
    assert latest_slot(NOON + timedelta(seconds=59), MINUTE) == NOON
    assert latest_slot(NOON, HOUR) == NOON


@pytest.mark.parametrize(
    ("planned", "slot", "following"),
    [
        pytest.param(NOON, NOON, NOON + MINUTE, id="due now"),
        pytest.param(NOON + MINUTE, None, NOON + MINUTE, id="not yet"),
        pytest.param(NOON - HOUR, NOON, NOON + MINUTE, id="an hour of downtime is one catch-up"),
        pytest.param(NOON + HOUR, None, NOON + HOUR, id="set by a clock a little ahead"),
        pytest.param(NOON + 24 * HOUR, None, NOON + MINUTE, id="set by a clock a day ahead"),
    ],
)
def test_the_slot_that_is_due_and_the_next(
    planned: datetime, slot: datetime | None, following: datetime
):
    assert next_slot(planned, NOON, MINUTE) == (slot, following)
