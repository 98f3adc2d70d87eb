import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from loyalty_graph.errors import (
    DuplicatePaymentError,
    InvalidInputError,
    NotFoundError,
    SubscriptionCancelledError,
    SubscriptionExpiredError,
)
from loyalty_graph.identifiers import new_id
from loyalty_graph.members.models import Member
from loyalty_graph.outbox import FactRow
from loyalty_graph.subscriptions.models import SubscriptionPayment
from loyalty_graph.subscriptions.rules import PaymentOutcome
from loyalty_graph.subscriptions.service import SubscriptionKey
from loyalty_graph.usecases.subscriptions import CancelSubscription
from tests.shop import DAY, NOON
from tests.usecases.subscribing import Club, open_club, rows


@pytest.fixture
async def club(database: object) -> Club:
    return await open_club()


@pytest.fixture
async def ada(club: Club) -> Member:
    return await club.shop.enrol()


@pytest.fixture
async def mine(club: Club, ada: Member) -> SubscriptionKey:
    """A subscription whose first month is paid; it ends on 2 April, noon in UTC but one hour."""
    done = await club.subscribe(ada)
    await club.pay(done.key, external_id="pi-first")
    return done.key


async def period_end(club: Club, key: SubscriptionKey) -> str:
    return f"{(await club.view(key)).state.period_end:%m-%d}"


async def test_a_payment_told_twice_counts_once(club: Club, mine: SubscriptionKey):
    before = await rows()

    again = await club.pay(mine, external_id="pi-first")

    assert (again.key, again.replayed) == (mine, True)
    assert await rows() == before


async def test_a_payment_without_a_time_told_twice_later_counts_once(
    club: Club, mine: SubscriptionKey
):
    club.now += DAY

    again = await club.pay(mine, external_id="pi-first", is_dated=False)

    assert again.replayed
    assert await SubscriptionPayment.all().count() == 1


async def test_a_retry_with_the_same_key_answers_the_same(club: Club, mine: SubscriptionKey):
    first = await club.pay(mine, external_id="pi-2", idempotency_key="k")
    again = await club.pay(mine, external_id="pi-2", idempotency_key="k")

    assert (first.replayed, again.replayed) == (False, True)


@pytest.mark.parametrize(
    "changes",
    [{"amount": 999}, {"paid_at": NOON - DAY}, {"outcome": PaymentOutcome.FAILED}],
    ids=["amount", "time", "outcome"],
)
async def test_an_id_that_says_something_else_now_is_refused(
    club: Club, mine: SubscriptionKey, changes: dict[str, Any]
):
    before = await rows()

    with pytest.raises(DuplicatePaymentError, match="pi-first is recorded already"):
        await club.pay(mine, external_id="pi-first", **changes)

    assert await rows() == before


async def test_the_same_id_of_another_provider_is_another_payment(
    club: Club, mine: SubscriptionKey
):
    await club.pay(mine, external_id="pi-first", provider="adyen")

    assert (await club.view(mine)).state.credit_minor == 1000


async def test_many_who_tell_of_a_payment_at_once_are_told_it_counted_once(
    club: Club, mine: SubscriptionKey
):
    answers = await asyncio.gather(*(club.pay(mine, external_id="pi-2") for _ in range(10)))

    assert sum(one.replayed for one in answers) == 9
    assert (await club.view(mine)).state.credit_minor == 1000


async def test_a_payment_for_a_cancelled_subscription_is_refused(club: Club, mine: SubscriptionKey):
    await club.do(CancelSubscription, mine)
    before = await rows()

    with pytest.raises(SubscriptionCancelledError, match="give the payment back"):
        await club.pay(mine)

    assert await rows() == before


async def test_a_payment_after_the_end_is_refused(club: Club, mine: SubscriptionKey):
    club.now += 60 * DAY
    before = await rows()

    with pytest.raises(SubscriptionExpiredError, match=r"ended at 2026-04-08T11:00:00\+00:00"):
        await club.pay(mine)

    assert await rows() == before


async def test_a_late_payment_keeps_the_day(club: Club, mine: SubscriptionKey):
    club.now += 35 * DAY
    assert await club.status(mine) == "PAST_DUE"

    await club.pay(mine)

    assert (await club.status(mine), await period_end(club, mine)) == ("ACTIVE", "05-02")


@pytest.mark.parametrize("renewed", [True, False], ids=["the job ran", "the job is late"])
async def test_a_payment_in_time_that_is_told_of_late_brings_it_back(
    club: Club, mine: SubscriptionKey, *, renewed: bool
):
    club.now += 45 * DAY
    if renewed:
        await club.renew()
    assert await club.status(mine) == "EXPIRED"

    await club.pay(mine, paid_at=NOON + 35 * DAY)

    assert (await club.status(mine), await period_end(club, mine)) == ("ACTIVE", "05-02")
    told = [one.kind for one in await FactRow.filter(kind="subscription.restored")]
    assert told == ["subscription.restored"]


async def test_it_is_not_brought_back_beside_a_new_one(
    club: Club, ada: Member, mine: SubscriptionKey
):
    club.now += 45 * DAY
    new = await club.subscribe(ada)

    with pytest.raises(SubscriptionExpiredError):
        await club.pay(mine, paid_at=NOON + 35 * DAY)

    assert (await club.status(mine), await club.status(new.key)) == ("EXPIRED", "INCOMPLETE")


async def test_payments_out_of_order_come_to_the_same(club: Club, mine: SubscriptionKey):
    club.now += 33 * DAY

    await club.pay(mine, external_id="pi-3")
    await club.pay(mine, external_id="pi-2", paid_at=NOON + 10 * DAY)
    await club.pay(
        mine, external_id="try-1", paid_at=NOON + 32 * DAY, outcome=PaymentOutcome.FAILED
    )

    view = await club.view(mine)
    assert (view.state.status.value, view.state.credit_minor) == ("ACTIVE", 1000)
    assert view.state.failed_attempts == 0


async def test_a_failed_attempt_is_counted_and_told(club: Club, mine: SubscriptionKey):
    club.now += 32 * DAY

    await club.pay(mine, external_id="try-1", outcome=PaymentOutcome.FAILED)

    view = await club.view(mine)
    assert (view.state.status.value, view.state.failed_attempts) == ("PAST_DUE", 1)
    [fact] = await FactRow.filter(kind="subscription.payment_failed")
    assert fact.payload == {
        "subscription": str(mine[1]),
        "payment": "try-1",
        "provider": "stripe",
    }


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"amount": 0}, "amount"),
        ({"amount": 10**12 + 1}, "amount"),
        ({"provider": ""}, "provider"),
        ({"provider": "x" * 21}, "provider"),
        ({"provider": "local"}, "provider"),
        ({"external_id": "x" * 101}, "externalId"),
        ({"external_id": "a\0b"}, "externalId"),
        ({"paid_at": NOON + timedelta(minutes=6)}, "paidAt"),
        ({"paid_at": datetime(2026, 3, 2, 12)}, "paidAt"),  # noqa: DTZ001 - that is the fault
    ],
)
async def test_what_cannot_be_a_payment_is_refused(
    club: Club, mine: SubscriptionKey, changes: dict[str, Any], field: str
):
    before = await rows()

    with pytest.raises(InvalidInputError) as refused:
        await club.pay(mine, **changes)

    assert refused.value.field == field
    assert await rows() == before


async def test_a_payment_of_nothing_known_is_refused(club: Club, mine: SubscriptionKey):
    with pytest.raises(NotFoundError):
        await club.pay((mine[0], new_id(NOON)))


async def test_a_payment_before_the_first_period_counts_from_when_it_was_made(
    club: Club, ada: Member
):
    done = await club.subscribe(ada)
    paid_at = club.now + timedelta(hours=1)
    club.now += timedelta(hours=20)

    await club.pay(done.key, paid_at=paid_at)

    assert (await club.view(done.key)).state.period_start == paid_at
