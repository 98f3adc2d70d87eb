from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from loyalty_graph.errors import InvalidInputError
from loyalty_graph.programs.rules import NEVER, ProgramSettings, check_moment, check_offset
from tests.shop import NOON, PROGRAM


def settings(months: int | None = 6, **changes: Any) -> ProgramSettings:
    points = {**PROGRAM["program"]["points"], "expiry_months": months}
    return ProgramSettings.model_validate({**PROGRAM["program"], "points": points, **changes})


def expiry(zone: str, earned: str, months: int) -> str:
    """Return the UTC minute from which points earned at a UTC minute cannot be spent."""
    at = datetime.fromisoformat(f"{earned}+00:00")
    return settings(months, time_zone=zone).expires_at(at).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("case", "zone", "earned", "months", "gone"),
    [
        ("through the local day", "Europe/Berlin", "2026-03-02 12:00", 6, "2026-09-02 22:00"),
        ("summer time ends between", "Europe/Berlin", "2026-06-15 12:00", 6, "2026-12-15 23:00"),
        ("the local day counts", "Europe/Berlin", "2026-03-02 23:30", 6, "2026-09-03 22:00"),
        ("west of Greenwich", "America/New_York", "2026-03-02 03:00", 1, "2026-04-02 04:00"),
        ("31 January and a month", "UTC", "2026-01-31 09:00", 1, "2026-03-01 00:00"),
        ("the same in a leap year", "UTC", "2028-01-31 09:00", 1, "2028-03-01 00:00"),
        ("30 January in a leap year", "UTC", "2028-01-30 09:00", 1, "2028-03-01 00:00"),
        ("a leap day and a year", "UTC", "2028-02-29 09:00", 12, "2029-03-01 00:00"),
        ("a leap day and four years", "UTC", "2028-02-29 09:00", 48, "2032-03-01 00:00"),
        ("over the year's end", "UTC", "2026-08-31 09:00", 6, "2027-03-01 00:00"),
        (
            "a midnight that never was",
            "America/Santiago",
            "2026-03-05 12:00",
            6,
            "2026-09-06 04:00",
        ),
        ("a midnight that came twice", "America/Havana", "2026-03-31 12:00", 7, "2026-11-01 04:00"),
        ("half an hour off", "Asia/Kolkata", "2026-03-02 18:29", 1, "2026-04-02 18:30"),
    ],
)
def test_points_live_through_the_local_day_so_many_months_later(
    case: str, zone: str, earned: str, months: int, gone: str
):
    assert expiry(zone, earned, months) == gone


def test_the_time_zone_of_the_given_time_does_not_matter():
    in_tokyo = datetime.fromisoformat("2026-03-02T21:00:00+09:00")

    assert settings().expires_at(in_tokyo) == settings().expires_at(NOON)


def test_points_without_a_term_never_expire():
    assert settings(None).expires_at(NOON) == NEVER


@pytest.mark.parametrize(
    ("at", "message"),
    [
        (NOON + timedelta(minutes=5), None),
        (NOON + timedelta(minutes=5, microseconds=1), "lies in the future; it is 2026-03-02T12:00"),
        (NOON - timedelta(days=30), None),
        (NOON - timedelta(days=30, microseconds=1), "more than 30 days ago"),
        (datetime(1, 1, 1, tzinfo=UTC), "more than 30 days ago"),
        (datetime(9999, 12, 31, tzinfo=UTC), "lies in the future"),
    ],
    ids=str,
)
def test_a_time_is_accepted_up_to_its_edges(at: datetime, message: str | None):
    program = settings(accept_days=30)

    if message is None:
        program.check_time(at, now=NOON, field="at")
        return
    with pytest.raises(InvalidInputError, match=message) as refusal:
        program.check_time(at, now=NOON, field="purchasedAt")
    assert refusal.value.field == "purchasedAt"


@pytest.mark.parametrize(
    ("at", "message"),
    [
        (NOON.replace(tzinfo=None), "needs an offset"),
        (datetime(9999, 12, 31, tzinfo=UTC), "lies in the future"),
        (datetime(1, 1, 1, tzinfo=UTC), "is before 1970"),
    ],
    ids=str,
)
def test_a_time_that_no_programme_accepts_is_refused_without_one(at: datetime, message: str):
    check_moment(datetime(1970, 1, 1, tzinfo=UTC), now=NOON, field="at")

    with pytest.raises(InvalidInputError, match=message) as refusal:
        check_moment(at, now=NOON, field="at")
    assert refusal.value.field == "at"


def test_a_time_without_an_offset_is_refused():
    check_offset(NOON, field="at")

    with pytest.raises(InvalidInputError, match="needs an offset") as refusal:
        check_offset(NOON.replace(tzinfo=None), field="at")
    assert refusal.value.field == "at"


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"name": "Other", "time_zone": "UTC", "accept_days": 1}, True),
        ({"slug": "other"}, False),
        ({"currency": "USD"}, False),
        ({"sandbox": True}, False),
    ],
    ids=str,
)
def test_a_later_version_keeps_what_makes_the_programme(change: dict[str, Any], *, same: bool):
    assert settings().same_tenant(settings(**change)) is same


@pytest.mark.parametrize(
    "change",
    [
        {"slug": "-bean"},
        {"slug": "bean--club"},
        {"slug": "Bean"},
        {"slug": ""},
        {"name": "x" * 61},
        {"currency": "eur"},
        {"time_zone": "../etc/passwd"},
        {"accept_days": 3651},
        {"points": {"unit_one": "", "unit_other": "beans"}},
        {"branding": {"label": "rgb(1,2,3"}},
        {"owner": "nobody"},
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_refused(change: dict[str, Any]):
    with pytest.raises(ValidationError):
        settings(**change)


@pytest.mark.parametrize("text", ["rgb(1,2,255)", "rgb(1, 2,255)", "rgb(001, 02, 255)"])
def test_a_colour_may_be_written_in_several_ways_and_is_kept_in_one(text: str):
    program = settings(branding={"label": text})

    assert program.branding.label == "rgb(1, 2, 255)"


def test_the_labels_of_a_store_are_found_by_its_code():
    stores = [{"code": "mitte", "name": "Mitte", "labels": ["CITY", "BIG"]}]

    known = settings(stores=stores)

    assert known.labels_of("mitte") == {"CITY", "BIG"}
    assert known.labels_of("nowhere") == known.labels_of(None) == frozenset()
