"""What a card shows."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from loyalty_graph.money import Money
from loyalty_graph.wallet.face import VOCABULARY, PlanFace, TierFace, ValueFace
from loyalty_graph.wallet.placeholders import Kind
from tests.wallet.making import make_face

PYTHON_KINDS = {
    Kind.TEXT: str,
    Kind.NUMBER: int,
    Kind.DATE: date,
    Kind.INSTANT: datetime,
    Kind.AMOUNT: Money,
}
SOON = datetime(2026, 12, 31, 12, tzinfo=UTC)
PLAN = PlanFace(name="Plus", status="Active", renews=True, valid_until=SOON, ends_at=SOON)


def test_a_face_has_a_value_of_the_declared_kind_for_every_name_and_no_other():
    face = make_face(
        expiring_points=61,
        expires_at=datetime(2026, 12, 31, 12, tzinfo=UTC),
        tier_name="Gold",
        tier=TierFace(
            code="GOLD",
            until=SOON,
            next_name="Platinum",
            missing=Money(100, "USD"),
        ),
        value=ValueFace(balance=Money(5, "USD"), vouchers=1, expires_at=SOON),
        last_change="+61 points",
        message="Hello",
        terms="Terms",
        support="Call us",
    )

    renewing, ending = (
        replace(face, plan=replace(PLAN, renews=renews)).values() for renews in (True, False)
    )

    assert set(renewing) == set(ending) == set(VOCABULARY)
    for name, known in VOCABULARY.items():
        value = ending[name] if renewing[name] is None else renewing[name]
        assert type(value) is PYTHON_KINDS[known.kind], name


def test_only_optional_names_lack_a_value_on_the_barest_card():
    values = make_face().values()

    lacking = {name for name, value in values.items() if value is None}
    assert lacking == {name for name, known in VOCABULARY.items() if known.optional}


@pytest.mark.parametrize(
    ("zone", "expected"),
    [("America/New_York", date(2026, 12, 31)), ("Asia/Tokyo", date(2027, 1, 1))],
)
def test_an_instant_becomes_the_date_of_the_programmes_time_zone(zone: str, expected: date):
    evening = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)

    values = make_face(time_zone=zone, expiring_points=5, expires_at=evening).values()

    assert values["points.expires_on"] == expected


def test_no_expiry_date_is_shown_when_no_points_expire():
    values = make_face(expires_at=datetime(2026, 12, 31, tzinfo=UTC)).values()

    assert values["points.expiring"] is None
    assert values["points.expires_on"] is None
