"""Time passes: what the job does, and that nothing depends on when it comes by."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from loyalty_graph.config import Settings
from loyalty_graph.errors import DuplicatePaymentError, NotFoundError
from loyalty_graph.ledger.models import AccountRow
from loyalty_graph.members.models import Member
from loyalty_graph.outbox import CardMark, FactRow
from loyalty_graph.subscriptions import reads
from loyalty_graph.subscriptions.billing import LOCAL, Charge, Charged, LocalBilling
from loyalty_graph.subscriptions.models import MemberSubscription, SubscriptionPayment
from loyalty_graph.subscriptions.rules import PaymentOutcome
from loyalty_graph.usecases import renewals, scheduled
from tests.shop import DAY, NOON
from tests.usecases.subscribing import SANDBOX, Club, open_club, rows


@pytest.fixture
async def club(database: object) -> Club:
    return await open_club()


@pytest.fixture
async def sandbox(database: object) -> Club:
    return await open_club(SANDBOX)


@pytest.fixture
async def ada(club: Club) -> Member:
    return await club.shop.enrol()


class FlakyBilling(LocalBilling):
    """Crashes right after it has charged, as often as told."""

    def __init__(self, crashes: int) -> None:
        super().__init__(lambda: NOON)
        self.crashes = crashes
        self.charged: list[str] = []

    async def charge(self, charge: Charge) -> Charged:
        self.charged.append(charge.key)
        if len(self.charged) <= self.crashes:
            raise OSError("the line went dead")
        return await super().charge(charge)


async def test_nothing_is_done_before_anything_is_due(club: Club, ada: Member):
    done = await club.subscribe(ada)
    await club.pay(done.key)
    before = await rows()

    assert await club.renew() == 0
    assert await rows() == before


async def test_what_time_did_is_written_down_told_and_shown_once(club: Club, ada: Member):
    done = await club.subscribe(ada)
    await club.pay(done.key)
    await CardMark.all().delete()
    club.now += 32 * DAY

    first, again = await club.renew(), await club.renew()

    assert (first, again) == (1, 0)
    stored = await MemberSubscription.get()
    assert (stored.status, stored.next_step_at) == ("PAST_DUE", NOON + 37 * DAY - HOUR)
    facts = await FactRow.filter(kind="subscription.past_due")
    assert [one.payload["at"] for one in facts] == ["2026-04-02T11:00:00+00:00"]
    assert await CardMark.all().count() == 1


HOUR = timedelta(hours=1)  # The clocks change on 29 March.


async def test_a_late_job_grants_and_denies_nothing(club: Club, ada: Member):
    done = await club.subscribe(ada)
    await club.pay(done.key)
    moments = [NOON + n * DAY for n in (0, 30, 31, 36, 37, 60)]

    without: list[tuple[str, datetime | None]] = []
    for club.now in moments:
        view = await club.view(done.key)
        without.append((view.state.status.value, view.entitled_until))
    with_it: list[tuple[str, datetime | None]] = []
    for club.now in moments:
        await club.renew()
        stored = await MemberSubscription.get()
        view = await club.view(done.key)
        assert stored.status == view.state.status
        with_it.append((view.state.status.value, view.entitled_until))

    paid, grace = NOON + 31 * DAY - HOUR, NOON + 37 * DAY - HOUR
    assert without == with_it
    assert without == [
        ("ACTIVE", paid),
        ("ACTIVE", paid),
        ("PAST_DUE", grace),
        ("PAST_DUE", grace),
        ("EXPIRED", None),
        ("EXPIRED", None),
    ]


async def test_months_of_downtime_are_caught_up_at_once(club: Club, ada: Member):
    done = await club.subscribe(ada)
    for _ in range(4):
        await club.pay(done.key)
    club.now += 100 * DAY

    assert await club.renew() == 1

    view = await club.view(done.key)
    assert (view.state.status.value, view.state.opened, view.state.credit_minor) == ("ACTIVE", 4, 0)
    assert await FactRow.filter(kind="subscription.renewed").count() == 3


async def test_a_good_card_is_charged_each_month(sandbox: Club):
    done = await sandbox.subscribe(await sandbox.shop.enrol(), card="ok")

    for _ in range(3):
        sandbox.now += 31 * DAY
        await sandbox.renew()
        await sandbox.renew()

    assert await sandbox.status(done.key) == "ACTIVE"
    assert await SubscriptionPayment.all().count() == 4
    totals = await reads.totals(sandbox.shop.program_id, [done.key])
    assert totals[done.key] == reads.Totals(paid_minor=4000, saved_minor=0)


@pytest.mark.parametrize(
    ("card", "tries", "status"),
    [("fails_1", 2, "ACTIVE"), ("fails_2", 3, "ACTIVE"), ("fails_3", 3, "EXPIRED")],
)
async def test_a_failing_card_is_tried_over_the_grace(
    sandbox: Club, card: str, tries: int, status: str
):
    done = await sandbox.subscribe(await sandbox.shop.enrol())
    await sandbox.pay(done.key)
    await MemberSubscription.all().update(provider=LOCAL, card=card)
    await SubscriptionPayment.all().delete()
    sandbox.now += 31 * DAY

    for _ in range(8):
        await sandbox.renew()
        sandbox.now += DAY

    assert await SubscriptionPayment.all().count() == tries
    assert await sandbox.status(done.key) == status


async def test_a_card_expires_by_the_providers_own_clock(sandbox: Club):
    done = await sandbox.subscribe(await sandbox.shop.enrol(), card="expires_2026-04")

    found = []
    for sandbox.now in (NOON + 31 * DAY, NOON + 61 * DAY):
        await sandbox.renew()
        found.append(await sandbox.status(done.key))

    assert found == ["ACTIVE", "PAST_DUE"]


async def test_a_crash_between_charge_and_record_charges_once(sandbox: Club):
    flaky = FlakyBilling(crashes=2)
    done = await sandbox.subscribe(await sandbox.shop.enrol(), card="ok")
    sandbox.now += 31 * DAY
    program_id = sandbox.shop.program_id

    for _ in range(2):
        with pytest.raises(ExceptionGroup, match="could not be brought up to date"):
            await renewals.run(program_id, billing={LOCAL: flaky}, now=sandbox.now)
    await renewals.run(program_id, billing={LOCAL: flaky}, now=sandbox.now)

    assert len(set(flaky.charged)) == 1
    assert await sandbox.status(done.key) == "ACTIVE"
    assert await SubscriptionPayment.filter(outcome=PaymentOutcome.SUCCEEDED).count() == 2


async def test_one_that_fails_does_not_hold_up_the_others(
    sandbox: Club, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(renewals, "SUBSCRIPTIONS_AT_ONCE", 2)
    keys = [(await sandbox.subscribe(await sandbox.shop.enrol(), card="ok")).key for _ in range(5)]
    sandbox.now += 31 * DAY

    with pytest.raises(ExceptionGroup):
        await renewals.run(
            sandbox.shop.program_id, billing={LOCAL: FlakyBilling(1)}, now=sandbox.now
        )

    found = sorted([await sandbox.status(key) for key in keys])
    assert found == ["ACTIVE", "ACTIVE", "ACTIVE", "ACTIVE", "PAST_DUE"]


async def test_one_without_an_account_does_not_hold_up_the_others(sandbox: Club):
    members = [await sandbox.shop.enrol() for _ in range(3)]
    keys = [(await sandbox.subscribe(one, card="ok")).key for one in members]
    sandbox.now += 31 * DAY
    await AccountRow.filter(member_id=members[1].id).delete()

    with pytest.raises(ExceptionGroup) as failed:
        await sandbox.renew()

    assert [type(one) for one in failed.value.exceptions] == [NotFoundError]
    stored = {one.id: one.opened for one in await MemberSubscription.all()}
    assert [stored[key] for _, key in keys] == [2, 1, 2]


class ForgetfulBilling(LocalBilling):
    """Gives every charge the same id."""

    async def charge(self, charge: Charge) -> Charged:
        return Charged("one for all", (await super().charge(charge)).outcome)


async def test_one_payment_that_is_refused_does_not_undo_the_others(sandbox: Club):
    keys = [(await sandbox.subscribe(await sandbox.shop.enrol(), card="ok")).key for _ in range(2)]
    sandbox.now += 31 * DAY
    billing = {LOCAL: ForgetfulBilling(lambda: sandbox.now)}

    with pytest.raises(ExceptionGroup) as failed:
        await renewals.run(sandbox.shop.program_id, billing=billing, now=sandbox.now)

    assert [type(one) for one in failed.value.exceptions] == [DuplicatePaymentError]
    assert sorted([await sandbox.status(key) for key in keys]) == ["ACTIVE", "PAST_DUE"]


async def test_a_card_is_tried_once_in_a_run_however_late_that_is(sandbox: Club):
    await sandbox.subscribe(await sandbox.shop.enrol(), card="ok")
    await MemberSubscription.all().update(card="declined")
    sandbox.now += 31 * DAY + 5 * DAY

    runs = []
    for _ in range(3):
        count = await sandbox.renew()
        failed = await SubscriptionPayment.filter(outcome=PaymentOutcome.FAILED).count()
        runs.append((count, failed))

    assert runs == [(1, 1), (1, 2), (1, 3)]


async def test_a_batch_that_holds_only_what_was_looked_at_before_does_not_end_a_run(
    sandbox: Club, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(renewals, "SUBSCRIPTIONS_AT_ONCE", 1)
    await sandbox.subscribe(await sandbox.shop.enrol(), card="ok")
    await MemberSubscription.all().update(card="declined")
    sandbox.now += 4 * DAY
    late = (await sandbox.subscribe(await sandbox.shop.enrol(), card="ok")).key
    sandbox.now += 32 * DAY

    count = await sandbox.renew()

    assert count == 2
    assert (await MemberSubscription.get(id=late[1])).opened == 2
    assert await SubscriptionPayment.filter(outcome=PaymentOutcome.FAILED).count() == 1


async def test_without_our_provider_nothing_is_collected(sandbox: Club):
    done = await sandbox.subscribe(await sandbox.shop.enrol(), card="ok")
    sandbox.now += 31 * DAY

    await renewals.run(sandbox.shop.program_id, billing={}, now=sandbox.now)

    assert await sandbox.status(done.key) == "PAST_DUE"


async def test_the_scheduled_jobs_renew_and_expire(sandbox: Club, data_dir: Path):
    ada = await sandbox.shop.enrol()
    done = await sandbox.subscribe(ada, card="ok")
    runner = scheduled.runner(lambda: sandbox.now, Settings(data_dir=data_dir))

    for _ in range(40):
        await runner.run_due(sandbox.now, 99)
        sandbox.now += 5 * DAY

    assert await sandbox.status(done.key) == "ACTIVE"
    assert await sandbox.shop.balance(ada) == 0
