"""Random histories that are asked at random moments, and asked again in the end."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis.stateful import rule

from loyalty_graph.ledger import lots, past, reads
from loyalty_graph.ledger.reads import Activation, Balance, Expiration
from loyalty_graph.subscriptions import reads as subscriptions
from loyalty_graph.subscriptions.reads import View
from loyalty_graph.tiers import reads as tiers
from loyalty_graph.tiers.reads import Status
from loyalty_graph.usecases import program_file, tier_overrides, tier_reviews
from loyalty_graph.usecases.subscriptions import CancelSubscription, ReactivateSubscription
from tests.delays import Parts, waiting
from tests.shop import DAY, NOON, Shop, open_shop
from tests.tiers.shop import TIERS, tea, to_override, with_tiers
from tests.usecases import test_random_histories as histories
from tests.usecases.subscribing import open_club
from tests.usecases.test_random_histories import Histories, Run, in_parts, play_histories

pytestmark = pytest.mark.usefixtures("uncounted")

LOTS_MAX = 1_000
run = histories.run

Answer = tuple[Balance, list[Expiration], list[Activation], list[lots.Lot], Status | None]


class RememberedHistories(Histories):
    """One random life of a programme, and what was answered about it at some moments."""

    def __init__(self, run: Run, **how: Any) -> None:
        super().__init__(run, **how)
        self.answers: dict[datetime, dict[UUID, Answer]] = {}

    @rule()
    def ask_about_now(self) -> None:
        """Ask, and let a moment pass: what is recorded then belongs to the next answer."""
        self.answers[self.shop.now] = self.run(self.answers_now())
        self.wait(timedelta(milliseconds=1))

    async def answers_now(self) -> dict[UUID, Answer]:
        program_id, now = self.shop.program_id, self.shop.now
        ids = [one.row.id for one in self.play]
        balances = await reads.balances(program_id, ids, now=now)
        expirations = await reads.expirations(program_id, ids, now=now)
        activations = await reads.activations(program_id, ids, now=now)
        held = await lots.newest_lots(program_id, ids, limit=LOTS_MAX, only_open=False)
        stand = await tiers.statuses(program_id, ids, now=now)
        return {
            one: (balances[one], expirations[one], activations[one], held[one], stand.get(one))
            for one in ids
        }

    async def answers_then(self, at: datetime) -> dict[UUID, Answer]:
        program_id, ids = self.shop.program_id, [one.row.id for one in self.play]
        found = await past.accounts(program_id, ids, at=at, now=self.shop.now)
        was = list(found.values())
        held = await past.lots_of(program_id, was, limit=LOTS_MAX, only_open=False)
        stood = await tiers.statuses_then(program_id, ids, at=at, now=self.shop.now)
        return {
            one.member_id: (
                one.wallet,
                one.expirations,
                one.activations,
                mine,
                stood.get(one.member_id),
            )
            for one, mine in zip(was, held, strict=True)
        }

    def teardown(self) -> None:
        if hasattr(self, "play"):
            for at, answer in self.answers.items():
                assert self.run(self.answers_then(at)) == answer
        super().teardown()


@pytest.fixture(autouse=True)
def remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Play histories that remember what was answered."""
    monkeypatch.setattr(histories, "Histories", RememberedHistories)


@pytest.mark.parametrize("parts", [None, in_parts], ids=["at once", "waiting"])
@pytest.mark.parametrize("may_owe", [False, True], ids=["clamped", "debt"])
def test_what_was_answered_once_is_answered_for_that_moment_ever_after(
    run: Run, parts: Callable[[int], Parts] | None, *, may_owe: bool
):
    if parts is None:
        play_histories(run, months=6, may_owe=may_owe, examples=10)
    else:
        with waiting(parts):
            play_histories(run, months=6, may_owe=may_owe, parts=parts, examples=10)


def test_so_it_is_with_the_tiers_of_members_who_rise(run: Run):
    play_histories(run, months=6, may_owe=False, has_tiers=True, examples=15)


async def test_a_tier_that_was_lost_given_and_taken_is_told_as_it_was(database: object):
    shop = await open_shop(with_tiers())
    ada = await shop.enrol()
    answers: dict[datetime, Status] = {}

    async def remember(days: int) -> Shop:
        now = shop.now + days * DAY
        answers[now] = (await tiers.statuses(shop.program_id, [ada.id], now=now))[ada.id]
        return shop.at(now + timedelta(seconds=1))

    shop = await remember(0)
    bought = await shop.buy(ada, tea(12_000))
    shop = await remember(1)
    await shop.bring_back(bought, None)
    shop = await remember(1)
    until = shop.now + 30 * DAY
    given = to_override(ada, "GOLD", until)
    await tier_overrides.override_tier(shop.program_id, given, now=shop.now)
    shop = await remember(29)
    shop = await remember(10)
    shop = await remember(400)
    await tier_reviews.run(shop.program_id, now=shop.now)
    shop = await remember(1)
    await shop.buy(ada, tea(40_000), purchased_at=shop.now - 30 * DAY)
    shop = await remember(1)
    await program_file.load(
        program_file.check(with_tiers(levels=TIERS["levels"][:2]), name="test"), now=shop.now
    )
    shop = await remember(1)
    await shop.buy(ada, tea(100))

    again = {
        at: (await tiers.statuses_then(shop.program_id, [ada.id], at=at, now=shop.now))[ada.id]
        for at in answers
    }
    assert again == answers
    assert [one.tier for one in answers.values()] == [
        *("BASE", "SILVER", "SILVER", "GOLD", "SILVER"),
        *("BASE", "BASE", "GOLD", "SILVER"),
    ]


async def test_tiers_that_are_newer_than_the_member_are_told_by_what_was_bought(database: object):
    shop = await open_shop()
    ada = await shop.enrol()
    await shop.buy(ada, tea(12_000))
    shop = shop.later(DAY)
    await program_file.load(program_file.check(with_tiers(), name="test"), now=shop.now)
    shop = shop.later(DAY)
    answer = await tiers.statuses(shop.program_id, [ada.id], now=shop.now)
    later = shop.later(DAY)
    await later.buy(ada, tea(40_000))

    again = await tiers.statuses_then(shop.program_id, [ada.id], at=shop.now, now=later.now)
    before = await tiers.statuses_then(shop.program_id, [ada.id], at=NOON, now=later.now)

    assert again == answer
    assert (again[ada.id].tier, again[ada.id].value) == ("SILVER", 12_000)
    assert before == {}


async def test_a_subscription_is_told_as_it_stood(database: object):
    club = await open_club()
    ada = await club.shop.enrol()
    answers: dict[datetime, View | None] = {}

    async def remember(days: int) -> None:
        club.now += days * DAY
        found = await subscriptions.newest(club.shop.program_id, [ada.id], now=club.now)
        answers[club.now] = found.get(ada.id)
        club.now += timedelta(seconds=1)

    await remember(0)
    key = (await club.subscribe(ada)).key
    await remember(0)
    await club.pay(key)
    await remember(1)
    await club.do(CancelSubscription, key)
    await remember(1)
    await club.do(ReactivateSubscription, key)
    await remember(29)
    await remember(20)
    await club.renew()
    await club.pay((await club.subscribe(ada, "TRY")).key, 500)
    await remember(1)
    await club.renew()

    again = {
        at: (
            await subscriptions.newest_then(club.shop.program_id, [ada.id], at=at, now=club.now)
        ).get(ada.id)
        for at in answers
    }
    told = [one and (one.state.status, one.plan.code) for one in again.values()]
    expected = [one and (one.state.status, one.plan.code) for one in answers.values()]
    assert (
        told
        == expected
        == [
            None,
            ("INCOMPLETE", "PLUS"),
            ("ACTIVE", "PLUS"),
            ("CANCELLED", "PLUS"),
            ("PAST_DUE", "PLUS"),
            ("EXPIRED", "PLUS"),
            ("ACTIVE", "TRY"),
        ]
    )
    states = [one and replace(one.held, provider=None, card=None) for one in answers.values()]
    assert [one and one.held for one in again.values()] == states
