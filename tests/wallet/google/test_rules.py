"""What is worth a notification, and how many there may be."""

from datetime import UTC, datetime, timedelta

import pytest

from loyalty_graph.wallet.google.rules import Notice, Shown, milliseconds, notice, one_more

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MAY, JUNE = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
BEFORE = Shown(100, "Silver", MAY)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (Shown(101, "Silver", MAY), Notice.BALANCE),
        (Shown(100, "Silver", MAY), None),
        (Shown(99, "Silver", MAY), None),
        (Shown(900, "Gold", JUNE), Notice.TIER),
        (Shown(100, "Base", MAY), Notice.TIER),
        (Shown(100, None, MAY), None),
        (Shown(50, "Silver", JUNE), None),
        (Shown(50, "Silver", None), None),
    ],
)
def test_an_increase_a_tier_and_an_expiry_are_news(after: Shown, expected: Notice | None):
    assert notice(BEFORE, after, now=NOON) is expected


def test_an_expiry_is_told_of_when_the_card_begins_to_show_it():
    none_before = Shown(100, "Silver", None)

    assert notice(none_before, BEFORE, now=NOON) is Notice.EXPIRY
    assert notice(BEFORE, Shown(90, "Silver", JUNE), now=MAY) is Notice.EXPIRY


def test_there_are_three_in_any_24_hours():
    day = timedelta(hours=24)
    notified: list[int] = []
    for hours in (0, 1, 2):
        more = one_more(notified, now=NOON + timedelta(hours=hours))
        assert more is not None
        notified = more

    assert one_more(notified, now=NOON + timedelta(hours=3)) is None
    assert one_more(notified, now=NOON + day - timedelta(milliseconds=1)) is None
    assert one_more(notified, now=NOON + day) == [*notified[1:], milliseconds(NOON + day)]
