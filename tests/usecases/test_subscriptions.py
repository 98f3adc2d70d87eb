import asyncio
from typing import Any

import pytest

from loyalty_graph.errors import (
    IdempotencyMismatchError,
    InvalidInputError,
    LoyaltyError,
    MemberNotActiveError,
    NotFoundError,
    SubscriptionExistsError,
    SubscriptionStateError,
)
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger.models import AccountRow, TransferRow
from loyalty_graph.members.models import Member
from loyalty_graph.members.rules import MemberStatus
from loyalty_graph.outbox import CardMark, FactRow
from loyalty_graph.subscriptions.models import MemberSubscription
from loyalty_graph.subscriptions.reads import newest, plans
from loyalty_graph.usecases import members, program_file
from loyalty_graph.usecases.subscriptions import (
    CancelSubscription,
    PauseSubscription,
    ReactivateSubscription,
    ResumeSubscription,
    SubscriptionCommand,
)
from tests.shop import DAY, NOON, by_id
from tests.usecases.subscribing import PLANS, SANDBOX, WITH_PLANS, Club, open_club, rows


@pytest.fixture
async def club(database: object) -> Club:
    return await open_club()


@pytest.fixture
async def ada(club: Club) -> Member:
    return await club.shop.enrol()


async def facts() -> list[tuple[str, str]]:
    """Return what was told of subscriptions; facts of one moment have no order."""
    found = await FactRow.filter(kind__startswith="subscription.")
    return sorted(
        (one.kind.removeprefix("subscription."), one.payload.get("status", "")) for one in found
    )


async def test_the_plans_are_those_of_the_file_in_its_order(club: Club):
    found = await plans(club.shop.program_id, now=NOON)

    assert [(version, one.code) for version, one in found] == [
        (1, "PLUS"),
        (1, "PLUS_YEAR"),
        (1, "TRY"),
    ]


async def test_a_subscription_without_trial_waits_for_its_first_fee(club: Club, ada: Member):
    done = await club.subscribe(ada)

    view = await club.view(done.key)
    assert (view.state.status, view.due_minor, view.entitled_until) == ("INCOMPLETE", 1000, None)
    assert await facts() == []
    assert not done.replayed


async def test_the_first_payment_begins_it_and_gives_the_welcome_points(club: Club, ada: Member):
    done = await club.subscribe(ada)

    await club.pay(done.key)

    view = await club.view(done.key)
    assert (view.state.status.value, view.entitled_until) == ("ACTIVE", view.state.period_end)
    assert await facts() == [("paid", ""), ("started", "ACTIVE")]
    entry = await TransferRow.get()
    assert (entry.kind, entry.points, entry.reference) == ("ADJUST", 50, "subscription:welcome")
    assert entry.explanation == {"by": "subscription", "plan": "PLUS", "name": "Bean Plus"}
    account = await AccountRow.get()
    assert (account.balance_points, account.qualifying_points) == (50, 0)
    assert [one.member_id for one in await CardMark.all()] == [ada.id]


async def test_welcome_points_are_given_once_to_a_member(club: Club, ada: Member):
    first = await club.subscribe(ada)
    await club.pay(first.key)
    await club.do(CancelSubscription, first.key, at_once=True)

    again = await club.subscribe(ada)
    await club.pay(again.key)

    assert await club.status(again.key) == "ACTIVE"
    assert await club.shop.balance(ada) == 50


async def test_a_suspended_member_gets_no_welcome_points_but_his_payment_counts(
    club: Club, ada: Member
):
    done = await club.subscribe(ada)
    await members.set_status(club.shop.program_id, by_id(ada), MemberStatus.SUSPENDED, now=club.now)

    await club.pay(done.key)

    assert await club.status(done.key) == "ACTIVE"
    assert await club.shop.balance(ada) == 0


async def test_a_trial_begins_at_once_and_once_for_a_member(club: Club, ada: Member):
    first = await club.subscribe(ada, "TRY")
    assert await club.status(first.key) == "TRIALING"
    await club.do(CancelSubscription, first.key, at_once=True)

    again = await club.subscribe(ada, "TRY")

    assert await club.status(again.key) == "INCOMPLETE"
    assert await facts() == [
        ("cancelled", "CANCELLED"),
        ("expired", "EXPIRED"),
        ("started", "TRIALING"),
    ]
    assert await club.shop.balance(ada) == 0


async def test_a_member_has_one_subscription_at_a_time(club: Club, ada: Member):
    await club.subscribe(ada, "TRY")
    before = await rows()

    with pytest.raises(SubscriptionExistsError, match="to TRY already; it is trialing"):
        await club.subscribe(ada)

    assert await rows() == before


async def test_many_who_subscribe_a_member_at_once_make_one_subscription(club: Club, ada: Member):
    answers = await asyncio.gather(
        *(club.subscribe(ada) for _ in range(10)), return_exceptions=True
    )

    assert sum(isinstance(one, SubscriptionExistsError) for one in answers) == 9
    assert await MemberSubscription.all().count() == 1


async def test_one_that_ended_unseen_is_written_down_before_a_new_one(club: Club, ada: Member):
    first = await club.subscribe(ada, "TRY")
    club.now += 60 * DAY

    again = await club.subscribe(ada, "TRY")

    stored = {one.id: one.status for one in await MemberSubscription.all()}
    assert stored == {first.key[1]: "EXPIRED", again.key[1]: "INCOMPLETE"}
    assert await facts() == [
        ("expired", "EXPIRED"),
        ("past_due", "PAST_DUE"),
        ("started", "TRIALING"),
    ]
    found = await newest(club.shop.program_id, [ada.id], now=club.now)
    assert found[ada.id].held.key == again.key


@pytest.mark.parametrize(
    ("plan", "card", "error"),
    [
        ("GOLD", None, NotFoundError),
        ("PLUS", "stolen", InvalidInputError),
        ("PLUS", "ok", InvalidInputError),
    ],
    ids=["no such plan", "no such card", "a card in a real programme"],
)
async def test_what_cannot_be_subscribed_to_changes_nothing(
    club: Club, ada: Member, plan: str, card: str | None, error: type[LoyaltyError]
):
    before = await rows()

    with pytest.raises(error):
        await club.subscribe(ada, plan, card=card)

    assert await rows() == before


async def test_a_member_who_is_not_active_cannot_subscribe(club: Club, ada: Member):
    await members.set_status(club.shop.program_id, by_id(ada), MemberStatus.SUSPENDED, now=club.now)
    before = await rows()

    with pytest.raises(MemberNotActiveError):
        await club.subscribe(ada)

    assert await rows() == before


async def test_a_stranger_cannot_subscribe(club: Club, ada: Member):
    ada.id = new_id(NOON)

    with pytest.raises(NotFoundError, match="no member"):
        await club.subscribe(ada)


async def test_a_retry_answers_the_same(club: Club, ada: Member):
    first = await club.subscribe(ada, key="k")
    again = await club.subscribe(ada, key="k")

    assert (again.key, again.replayed) == (first.key, True)
    with pytest.raises(IdempotencyMismatchError):
        await club.subscribe(ada, "TRY", key="k")
    assert await MemberSubscription.all().count() == 1


async def test_a_pause_takes_the_benefits_and_keeps_the_time(club: Club, ada: Member):
    done = await club.subscribe(ada)
    await club.pay(done.key)
    paid_until = (await club.view(done.key)).state.period_end

    await club.do(PauseSubscription, done.key)
    club.now += 100 * DAY
    paused = await club.view(done.key)
    await club.do(ResumeSubscription, done.key)

    assert (paused.state.status.value, paused.entitled_until) == ("PAUSED", None)
    resumed = await club.view(done.key)
    assert resumed.entitled_until == paid_until + 100 * DAY
    assert await facts() == [
        ("paid", ""),
        ("paused", "PAUSED"),
        ("resumed", "ACTIVE"),
        ("started", "ACTIVE"),
    ]


async def test_a_cancellation_can_be_taken_back(club: Club, ada: Member):
    done = await club.subscribe(ada)
    await club.pay(done.key)

    await club.do(CancelSubscription, done.key)
    cancelled = await club.view(done.key)
    await club.do(ReactivateSubscription, done.key)

    assert cancelled.state.status.value == "CANCELLED"
    assert cancelled.entitled_until == cancelled.state.period_end
    assert await club.status(done.key) == "ACTIVE"


@pytest.mark.parametrize(
    "kind", [PauseSubscription, ResumeSubscription, ReactivateSubscription], ids=lambda k: k.name
)
async def test_what_is_not_possible_now_changes_nothing(
    club: Club, ada: Member, kind: type[SubscriptionCommand]
):
    done = await club.subscribe(ada)
    before = await rows()

    with pytest.raises(SubscriptionStateError):
        await club.do(kind, done.key)

    assert await rows() == before


async def test_a_retry_of_a_change_is_answered_without_another(club: Club, ada: Member):
    done = await club.subscribe(ada)
    await club.pay(done.key)

    first = await club.do(PauseSubscription, done.key, idempotency_key="p")
    again = await club.do(PauseSubscription, done.key, idempotency_key="p")

    assert (first.replayed, again.replayed) == (False, True)
    with pytest.raises(IdempotencyMismatchError):
        await club.do(CancelSubscription, done.key, idempotency_key="p")


async def test_what_is_not_there_cannot_be_changed(club: Club, ada: Member):
    done = await club.subscribe(ada)
    other = await club.shop.enrol()

    for key in ((ada.id, new_id(NOON)), (other.id, done.key[1]), (new_id(NOON), done.key[1])):
        with pytest.raises(NotFoundError, match="no subscription"):
            await club.do(CancelSubscription, key)


async def test_a_plan_is_changed_at_once_and_the_rest_is_due(club: Club, ada: Member):
    done = await club.subscribe(ada)
    await club.pay(done.key)

    await club.change_plan(done.key, "PLUS_YEAR", idempotency_key="c")
    again = await club.change_plan(done.key, "PLUS_YEAR", idempotency_key="c")

    view = await club.view(done.key)
    assert (view.plan.code, view.state.status.value, view.due_minor) == (
        "PLUS_YEAR",
        "PAST_DUE",
        9000,
    )
    assert again.replayed


async def test_the_same_plan_is_no_change(club: Club, ada: Member):
    done = await club.subscribe(ada, "TRY")
    before = await rows()

    with pytest.raises(InvalidInputError, match="to TRY already"):
        await club.change_plan(done.key, "TRY")
    with pytest.raises(NotFoundError, match="no plan GOLD"):
        await club.change_plan(done.key, "GOLD")

    assert await rows() == before


async def test_a_fee_stays_until_the_member_moves_to_the_new_version(club: Club, ada: Member):
    done = await club.subscribe(ada, "TRY")
    dearer: dict[str, Any] = {
        **WITH_PLANS,
        "subscription_plans": [*PLANS[:2], {**PLANS[2], "price_minor": 900}],
    }
    club.now += DAY
    await program_file.load(program_file.check(dearer, name="test"), now=club.now)
    club.now += DAY

    before = await club.view(done.key)
    await club.change_plan(done.key, "TRY")
    after = await club.view(done.key)

    assert (before.plan.price_minor, before.state.plan_version) == (500, 1)
    assert (after.plan.price_minor, after.state.plan_version) == (900, 2)
    assert after.state.period_end == before.state.period_end


async def test_a_sandbox_collects_the_first_fee_at_once(database: object):
    club = await open_club(SANDBOX)
    ada = await club.shop.enrol()

    paid = await club.subscribe(ada, card="ok")
    bob = await club.shop.enrol()
    declined = await club.subscribe(bob, card="declined")

    assert await club.status(paid.key) == "ACTIVE"
    view = await club.view(declined.key)
    assert (view.state.status.value, view.state.failed_attempts) == ("INCOMPLETE", 1)


async def test_a_sandbox_collects_the_rest_of_another_plan_at_once(database: object):
    club = await open_club(SANDBOX)
    done = await club.subscribe(await club.shop.enrol(), card="ok")

    await club.change_plan(done.key, "PLUS_YEAR")

    view = await club.view(done.key)
    assert (view.state.status.value, view.state.credit_minor) == ("ACTIVE", 0)
