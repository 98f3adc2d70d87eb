from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from loyalty_graph.earning.pending import Pending

DAY = date(2026, 3, 2)


@pytest.mark.parametrize(
    ("given", "name", "last_day"),
    [
        pytest.param({"days": 14}, "14", date(2026, 3, 16), id="days"),
        pytest.param({"days": 0}, "0", DAY, id="no wait"),
        pytest.param({"until": "2026-12-24"}, "2026-12-24", date(2026, 12, 24), id="a date"),
        pytest.param(
            {"event": "DELIVERY", "latest_days": 60}, "DELIVERY-60", date(2026, 5, 1), id="event"
        ),
    ],
)
def test_points_wait_for_days_a_date_or_an_event(given: dict[str, Any], name: str, last_day: date):
    found = Pending.model_validate(given)

    assert (found.name, found.last_day(DAY), found.told()) == (name, last_day, given)


def test_a_date_may_be_written_without_quotes():
    assert Pending.model_validate({"until": DAY}) == Pending.model_validate({"until": "2026-03-02"})


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"days": 1, "until": "2026-12-24"}, id="two things"),
        pytest.param({"days": -1}, id="days below zero"),
        pytest.param({"days": 366}, id="more than a year"),
        pytest.param({"until": "2026-02-30"}, id="no date"),
        pytest.param({"event": "DELIVERY"}, id="an event that may never come"),
        pytest.param({"event": "", "latest_days": 1}, id="no event"),
        pytest.param({"event": "out for delivery", "latest_days": 1}, id="no code"),
        pytest.param({"days": 1, "latest_days": 2}, id="a latest day of days"),
        pytest.param({"latest_days": 2}, id="a latest day alone"),
    ],
)
def test_what_names_no_wait_is_refused(given: dict[str, Any]):
    with pytest.raises(ValidationError):
        Pending.model_validate(given)
