"""A segment says by a member's facts whether he is in it."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from loyalty_graph.segments.facts import MemberFacts
from loyalty_graph.segments.rules import SegmentSettings

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_a_segment_has_those_of_whom_its_condition_holds():
    buyers = SegmentSettings(
        code="BUYERS", name="Buyers", when={"member": {"purchase_count": {"at_least": 2}}}
    )

    assert buyers.has(MemberFacts(NOON, purchase_count=2))
    assert not buyers.has(MemberFacts(NOON, purchase_count=1))


@pytest.mark.parametrize("when", [{}, {"member": {}}, {"purchase": {"total_minor": 1}}], ids=str)
def test_a_segment_needs_a_condition_on_members(when: dict[str, object]):
    with pytest.raises(ValidationError):
        SegmentSettings(code="NOBODY", name="Nobody", when=when)


@pytest.mark.parametrize(
    ("locale", "language"), [("de", "de"), ("de-AT", "de"), ("DE_at", "de"), ("gsw-CH", "gsw")]
)
def test_the_language_is_that_of_the_locale(locale: str, language: str):
    assert MemberFacts(NOON, locale=locale).language == language
