from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from loyalty_graph.errors import InvalidInputError
from loyalty_graph.subscriptions.billing import Charge, LocalBilling

MAY = datetime(2026, 5, 31, 23, 59, tzinfo=UTC)
JUNE = datetime(2026, 6, 1, tzinfo=UTC)


@dataclass
class Clock:
    now: datetime = MAY

    def __call__(self) -> datetime:
        return self.now


def charge(card: str, attempt: int = 1) -> Charge:
    return Charge("key", card, 1000, "EUR", attempt)


@pytest.mark.parametrize(
    ("card", "outcomes"),
    [
        ("ok", "SSS"),
        ("declined", "FFF"),
        ("fails_1", "FSS"),
        ("fails_2", "FFS"),
        ("expires_2026-05", "SSS"),
        ("expires_2026-04", "FFF"),
    ],
)
async def test_the_card_says_what_becomes_of_each_attempt(card: str, outcomes: str):
    billing = LocalBilling(Clock())

    found = [(await billing.charge(charge(card, attempt))).outcome for attempt in (1, 2, 3)]

    assert "".join(one[0] for one in found) == outcomes


async def test_a_card_expires_when_the_clock_is_moved():
    clock = Clock()
    billing = LocalBilling(clock)

    before = await billing.charge(charge("expires_2026-05"))
    clock.now = JUNE
    after = await billing.charge(charge("expires_2026-05"))

    assert (before.outcome, after.outcome) == ("SUCCEEDED", "FAILED")


async def test_a_charge_asked_for_twice_is_the_same_charge():
    billing = LocalBilling(Clock())

    assert await billing.charge(charge("ok")) == await LocalBilling(Clock()).charge(charge("ok"))


@pytest.mark.parametrize(
    "card", ["", "OK", "ok ", "fails_0", "fails_10", "expires_2026-13", "4242424242424242", "ok\n"]
)
def test_a_card_that_the_sandbox_does_not_know_is_refused(card: str):
    with pytest.raises(InvalidInputError, match="fails_1 to fails_9") as refused:
        LocalBilling(Clock()).check(card)

    assert refused.value.field == "card"


@pytest.mark.parametrize("card", ["ok", "declined", "fails_9", "expires_2026-12"])
def test_the_cards_there_are(card: str):
    LocalBilling(Clock()).check(card)
