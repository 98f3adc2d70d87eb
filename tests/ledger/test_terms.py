"""From when on points cannot be spent."""

from datetime import UTC, datetime

import pytest

from loyalty_graph.ledger.terms import PLAIN, Terms
from loyalty_graph.programs.rules import NEVER
from tests.ledger.accounts import day
from tests.shop import NOON

TOLD = Terms(notice_days=14, zone="UTC")


@pytest.mark.parametrize(
    ("case", "terms", "told", "end"),
    [
        ("by their date", PLAIN, None, day(9)),
        ("as their owner was told", PLAIN, day(12), day(12)),
        ("not before their owner is told", TOLD, None, NEVER),
        ("once their owner was told", TOLD, day(9), day(9)),
        ("as late as their owner was told", TOLD, day(12), day(12)),
        ("told of an end that is not theirs any more", TOLD, day(8), NEVER),
    ],
)
def test_points_end(case: str, terms: Terms, told: datetime | None, end: datetime):
    assert terms.ends_at(day(9), told) == end


@pytest.mark.parametrize(
    ("case", "terms", "date", "told", "end"),
    [
        ("by their date", PLAIN, day(2), None, day(2)),
        ("in time for a notice", TOLD, day(60), None, day(60)),
        ("after the notice of today", TOLD, day(2), None, day(15)),
        ("as their owner was told", TOLD, day(2), day(9), day(9)),
        ("never", TOLD, NEVER, None, NEVER),
        ("never, without notices", PLAIN, NEVER, None, NEVER),
    ],
)
def test_points_are_expected_to_end(
    case: str, terms: Terms, date: datetime, told: datetime | None, end: datetime
):
    assert terms.expected(date, told, now=day(0)) == end


def test_the_days_of_a_notice_end_with_a_local_day():
    berlin = Terms(notice_days=1, zone="Europe/Berlin")

    assert berlin.announced(day(0), now=NOON) == datetime(2026, 3, 3, 23, tzinfo=UTC)
