"""Whatever changes what a card shows marks the card, in its own transaction."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from loyalty_graph.ledger.models import AccountRow
from loyalty_graph.members.models import Member
from loyalty_graph.outbox import CardMark
from loyalty_graph.purchases.rules import Line
from loyalty_graph.rewards.rules import Step
from loyalty_graph.subscriptions.service import SubscriptionKey
from loyalty_graph.usecases import (
    adjustments,
    expiry,
    membership,
    proof,
    redemption_deadlines,
    subscriptions,
    tier_overrides,
    tier_reviews,
)
from loyalty_graph.wallet import service
from loyalty_graph.wallet.face import CardFace
from tests.shop import COFFEE, DAY, NOTE, Shop, by_id, open_shop, record_one
from tests.tiers.shop import tea, to_override, with_tiers
from tests.usecases.subscribing import PLANS, Club

GIFT_CARD = (Line("GIFT_CARD", 1, 2500),)
"""Earns nothing, but is money spent."""
DATA = {**with_tiers(), "rewards": [COFFEE, NOTE], "subscription_plans": PLANS}
YEAR = 366 * DAY

Act = Callable[[], Awaitable[object]]
Story = Callable[["Counter"], Awaitable[tuple["Counter", Act]]]


class Counter:
    """A member at a counter: the shop's clock may move on before something happens."""

    def __init__(self, shop: Shop, ada: Member) -> None:
        self.shop, self.ada = shop, ada

    def later(self, time: timedelta) -> "Counter":
        return Counter(self.shop.later(time), self.ada)

    @property
    def club(self) -> Club:
        return Club(self.shop, self.shop.now)

    async def face(self) -> CardFace:
        found = await service.faces(self.shop.program_id, [self.ada.id], now=self.shop.now)
        return found[self.ada.id]

    async def subscribe(self, plan: str = "PLUS") -> SubscriptionKey:
        return (await self.club.subscribe(self.ada, plan)).key


@pytest.fixture
async def counter(database: object) -> Counter:
    shop = await open_shop(DATA)
    counter = Counter(shop, await shop.enrol(first_name="Ada"))
    await shop.buy(counter.ada)
    return counter


async def marks(act: Act) -> Sequence[object]:
    """Do something, and return whose cards it marked."""
    await CardMark.all().delete()
    await act()
    return [row.member_id for row in await CardMark.all()]


async def buying(counter: Counter) -> tuple[Counter, Act]:
    return counter, lambda: counter.shop.buy(counter.ada)


async def buying_what_earns_nothing(counter: Counter) -> tuple[Counter, Act]:
    return counter, lambda: counter.shop.buy(counter.ada, GIFT_CARD)


async def rising(counter: Counter) -> tuple[Counter, Act]:
    return counter, lambda: counter.shop.buy(counter.ada, tea(50_000))


async def bringing_back(counter: Counter) -> tuple[Counter, Act]:
    bought = await counter.shop.buy(counter.ada)
    return counter, lambda: counter.shop.bring_back(bought, None)


async def bringing_back_what_earned_nothing(counter: Counter) -> tuple[Counter, Act]:
    bought = await counter.shop.buy(counter.ada, GIFT_CARD)
    return counter, lambda: counter.shop.bring_back(bought, None)


async def redeeming(counter: Counter) -> tuple[Counter, Act]:
    return counter, lambda: counter.shop.redeem(counter.ada, 10)


async def giving_back(counter: Counter) -> tuple[Counter, Act]:
    taken = await counter.shop.redeem(counter.ada, 10)
    return counter, lambda: counter.shop.give_back(taken)


async def wanting_a_reward(counter: Counter) -> tuple[Counter, Act]:
    return counter, lambda: counter.shop.want(counter.ada)


async def holding_a_reward(counter: Counter) -> tuple[Counter, Act]:
    return counter, lambda: counter.shop.want(counter.ada, hold_minutes=5)


async def confirming_a_reward(counter: Counter) -> tuple[Counter, Act]:
    held = await counter.shop.want(counter.ada, hold_minutes=5)
    return counter, lambda: counter.shop.take(Step.CONFIRM, held)


async def cancelling_a_reward(counter: Counter) -> tuple[Counter, Act]:
    issued = await counter.shop.want(counter.ada)
    return counter, lambda: counter.shop.take(Step.CANCEL, issued)


async def not_confirming_in_time(counter: Counter) -> tuple[Counter, Act]:
    await counter.shop.want(counter.ada, hold_minutes=5)
    late = counter.later(DAY)
    return late, lambda: redemption_deadlines.release_all(late.shop.program_id, now=late.shop.now)


async def getting_a_voucher(counter: Counter) -> tuple[Counter, Act]:
    return counter, lambda: counter.shop.want(counter.ada, "NOTE")


async def paying_with_a_voucher(counter: Counter) -> tuple[Counter, Act]:
    note = await counter.shop.want(counter.ada, "NOTE")
    return counter, lambda: counter.shop.use_money(note, 500)


async def money_back_on_a_voucher(counter: Counter) -> tuple[Counter, Act]:
    note = await counter.shop.want(counter.ada, "NOTE")
    await counter.shop.use_money(note, 500)
    return counter, lambda: counter.shop.put_money_back(note, 1)


async def adjusting(counter: Counter) -> tuple[Counter, Act]:
    command = adjustments.AdjustPoints("staff", "a", by_id(counter.ada), 5, "sorry")
    return counter, lambda: adjustments.adjust(
        counter.shop.program_id, command, now=counter.shop.now
    )


async def expiring(counter: Counter) -> tuple[Counter, Act]:
    late = counter.later(YEAR)
    return late, lambda: expiry.run(late.shop.program_id, now=late.shop.now)


async def changing_the_name(counter: Counter) -> tuple[Counter, Act]:
    return counter, lambda: membership.update(
        counter.shop.program_id, by_id(counter.ada), {"first_name": "Eve"}, now=counter.shop.now
    )


async def closing(counter: Counter) -> tuple[Counter, Act]:
    return counter, lambda: counter.shop.close(counter.ada)


async def giving_a_tier(counter: Counter) -> tuple[Counter, Act]:
    command = to_override(counter.ada, "GOLD", counter.shop.now + DAY)
    return counter, lambda: override(counter, command)


async def giving_the_same_tier_for_longer(counter: Counter) -> tuple[Counter, Act]:
    await override(counter, to_override(counter.ada, "GOLD", counter.shop.now + DAY))
    longer = to_override(counter.ada, "GOLD", counter.shop.now + 9 * DAY, idempotency_key="2")
    return counter, lambda: override(counter, longer)


async def taking_a_tier_away(counter: Counter) -> tuple[Counter, Act]:
    await override(counter, to_override(counter.ada, "GOLD", counter.shop.now + DAY))
    none = to_override(counter.ada, None, None, idempotency_key="2")
    return counter, lambda: override(counter, none)


async def override(counter: Counter, command: tier_overrides.OverrideTier) -> object:
    return await tier_overrides.override_tier(
        counter.shop.program_id, command, now=counter.shop.now
    )


async def subscribing(counter: Counter) -> tuple[Counter, Act]:
    return counter, counter.subscribe


async def paying(counter: Counter) -> tuple[Counter, Act]:
    key = await counter.subscribe()
    return counter, lambda: counter.club.pay(key)


async def changing_the_plan(counter: Counter) -> tuple[Counter, Act]:
    key = await counter.subscribe()
    await counter.club.pay(key)
    return counter, lambda: counter.club.change_plan(key, "PLUS_YEAR")


def do(kind: type[subscriptions.SubscriptionCommand], **named: Any) -> Story:
    async def doing(counter: Counter) -> tuple[Counter, Act]:
        key = await counter.subscribe()
        await counter.club.pay(key)
        return counter, lambda: counter.club.do(kind, key, **named)

    doing.__name__ = kind.__name__
    return doing


async def not_paying_in_time(counter: Counter) -> tuple[Counter, Act]:
    key = await counter.subscribe()
    await counter.club.pay(key)
    late = counter.later(YEAR)
    return late, late.club.renew


STORIES = [
    buying,
    buying_what_earns_nothing,
    rising,
    bringing_back,
    bringing_back_what_earned_nothing,
    redeeming,
    giving_back,
    wanting_a_reward,
    holding_a_reward,
    confirming_a_reward,
    cancelling_a_reward,
    not_confirming_in_time,
    getting_a_voucher,
    paying_with_a_voucher,
    money_back_on_a_voucher,
    adjusting,
    expiring,
    changing_the_name,
    closing,
    giving_a_tier,
    giving_the_same_tier_for_longer,
    taking_a_tier_away,
    subscribing,
    paying,
    changing_the_plan,
    do(subscriptions.CancelSubscription, at_once=True),
    do(subscriptions.CancelSubscription, at_once=False),
    do(subscriptions.PauseSubscription),
]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
async def test_what_changes_a_card_marks_it(counter: Counter, story: Story):
    then, act = await story(counter)
    before = await then.face()

    marked = await marks(act)

    assert await then.face() != before
    assert marked == [counter.ada.id]


async def test_what_time_has_changed_is_marked_when_it_is_written_down(counter: Counter):
    late, renew = await not_paying_in_time(counter)
    before = await late.face()

    assert await marks(renew) == [counter.ada.id]
    assert await late.face() == before


async def test_a_tier_that_is_reviewed_down_marks_the_card(counter: Counter):
    await counter.shop.buy(counter.ada, tea(50_000))
    late = counter.later(2 * YEAR)

    marked = await marks(lambda: tier_reviews.run(late.shop.program_id, now=late.shop.now))

    assert marked == [counter.ada.id]


async def test_books_that_were_mended_mark_the_cards(counter: Counter):
    rebuild = proof.rebuild
    program_id, now = counter.shop.program_id, counter.shop.now
    await AccountRow.filter(member_id=counter.ada.id).update(balance_points=7)

    assert await marks(lambda: rebuild(program_id, now=now)) == [counter.ada.id]
    assert await marks(lambda: rebuild(program_id, now=now)) == []


async def test_what_cards_do_not_show_marks_nothing(counter: Counter):
    shop, ada = counter.shop, counter.ada
    receipt = shop.receipt(ada)
    await record_one(shop.program_id, receipt, now=shop.now)

    async def go_on() -> None:
        await record_one(shop.program_id, receipt, now=shop.now)
        await membership.update(shop.program_id, by_id(ada), {"first_name": "Ada"}, now=shop.now)
        await shop.enrol()

    assert await marks(go_on) == []
