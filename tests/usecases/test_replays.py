"""Retries: fifty at once have one effect, and get fifty answers that differ only in `replayed`."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from loyalty_graph.benefits.models import BenefitUse
from loyalty_graph.errors import IdempotencyMismatchError
from loyalty_graph.ledger.models import TransferRow
from loyalty_graph.members.models import Member
from loyalty_graph.members.service import Profile
from loyalty_graph.outbox import FactRow
from loyalty_graph.purchases.models import Purchase
from loyalty_graph.rewards.models import RedemptionRow, VoucherUseRow
from loyalty_graph.rewards.rules import Step
from loyalty_graph.subscriptions.models import MemberSubscription
from loyalty_graph.usecases import (
    adjustments,
    card_links,
    entitlements,
    purchases,
    redemption_steps,
    redemptions,
    refunds,
    rewards,
    subscriptions,
    vouchers,
)
from loyalty_graph.usecases.members import Enrolment, enrol_once
from loyalty_graph.usecases.redemption_steps import TakeStep
from loyalty_graph.wallet.models import CardLinkRow
from tests.shop import CODES, NOON, NOTE, Shop, by_id, open_shop
from tests.tiers.shop import tea, with_tiers
from tests.usecases.subscribing import PLANS

RETRIES = 50


async def at_once(work: Callable[[], Awaitable[Any]]) -> list[Any]:
    return list(await asyncio.gather(*(work() for _ in range(RETRIES))))


def once(answers: list[Any]) -> Any:
    """Return the one first answer, having compared all others with it."""
    [first] = [one for one in answers if not one.replayed]
    assert [one for one in answers if one is not first] == [replace(first, replayed=True)] * (
        RETRIES - 1
    )
    return first


async def test_a_purchase_is_recorded_once(shop: Shop, ada: Member):
    command = shop.receipt(ada)

    async def record() -> Any:
        [answer] = await purchases.record(shop.program_id, [command], now=NOON)
        return answer

    assert once(await at_once(record)).points == 108
    assert (await Purchase.all().count(), await TransferRow.all().count()) == (1, 1)
    assert await FactRow.filter(kind="purchase.recorded").count() == 1


async def test_points_are_given_once(shop: Shop, ada: Member):
    command = adjustments.AdjustPoints("cli", "k", by_id(ada), 5, "a gift")

    answers = await at_once(lambda: adjustments.adjust(shop.program_id, command, now=NOON))

    assert once(answers).balance_points == 5
    assert await TransferRow.all().count() == 1


async def test_goods_are_taken_back_once(shop: Shop, ada: Member):
    bought = await shop.buy(ada)
    command = refunds.RecordRefund(
        caller="cli",
        idempotency_key="k",
        member_id=ada.id,
        purchase_id=bought.purchase_id,
        refunded_at=NOON,
    )

    answers = await at_once(lambda: refunds.record(shop.program_id, command, now=NOON))

    assert once(answers).balance_points == 0
    assert await TransferRow.all().count() == 2


async def test_points_are_spent_once(shop: Shop, ada: Member):
    await shop.buy(ada)
    command = redemptions.RedeemPoints("cli", "k", by_id(ada), 100, NOON, "coffee")

    async def redeem() -> Any:
        [answer] = await redemptions.redeem_points(shop.program_id, [command], now=NOON)
        return answer

    assert once(await at_once(redeem)).balance_points == 8
    assert await TransferRow.all().count() == 2


async def all_at_once() -> tuple[Shop, Member]:
    """Return a shop that has everything, and a Silver member who can afford it."""
    shop = await open_shop({**with_tiers(), "subscription_plans": PLANS, "rewards": [NOTE]})
    ada = await shop.enrol()
    await shop.buy(ada, tea(10_000))
    return shop, ada


async def test_a_reward_is_given_once(database: object):
    shop, ada = await all_at_once()
    wish = shop.wish(ada, "NOTE")

    answers = await at_once(
        lambda: rewards.redeem_one(shop.program_id, wish, codes=CODES, now=shop.now)
    )

    once(answers)
    assert await RedemptionRow.all().count() == 1


async def test_a_redemption_is_called_off_once(database: object):
    shop, ada = await all_at_once()
    note = await shop.want(ada, "NOTE")
    command = TakeStep("cli", "k", Step.CANCEL, ada.id, note.redemption_id)

    answers = await at_once(
        lambda: redemption_steps.take(shop.program_id, command, codes=CODES, now=shop.now)
    )

    once(answers)
    assert await TransferRow.filter(kind="UNREDEEM").count() == 1


async def test_money_of_a_voucher_is_used_once(database: object):
    shop, ada = await all_at_once()
    note = await shop.want(ada, "NOTE")
    command = vouchers.UseVoucher("cli", "k", ada.id, note.redemption_id, 500)

    answers = await at_once(lambda: vouchers.use(shop.program_id, command, now=shop.now))

    once(answers)
    assert [row.amount_minor for row in await VoucherUseRow.all()] == [500]


async def test_a_plan_is_subscribed_to_once(database: object):
    shop, ada = await all_at_once()
    command = subscriptions.Subscribe("cli", "k", by_id(ada), "TRY")

    answers = await at_once(
        lambda: subscriptions.subscribe(shop.program_id, command, billing={}, now=shop.now)
    )

    once(answers)
    assert await MemberSubscription.all().count() == 1


async def test_a_benefit_is_used_once(database: object):
    shop, ada = await all_at_once()
    command = entitlements.UseEntitlement("cli", "k", by_id(ada), "REFILL")

    answers = await at_once(
        lambda: entitlements.use_entitlement(shop.program_id, command, now=shop.now)
    )

    once(answers)
    assert await BenefitUse.all().count() == 1


async def test_a_card_link_is_made_once(database: object):
    shop, ada = await all_at_once()
    command = card_links.CreateCardLink("cli", "k", by_id(ada))

    answers = await at_once(
        lambda: card_links.create(shop.program_id, command, key=b"k" * 32, now=shop.now)
    )

    once(answers)
    assert await CardLinkRow.all().count() == 1


@pytest.mark.parametrize("email", ["grace@example.com", None])
async def test_somebody_joins_once(shop: Shop, email: str | None):
    wanted = Enrolment(Profile(email=email))
    claim = wanted.claim("cli", "k")

    answers = await at_once(lambda: enrol_once(shop.program_id, claim, wanted, now=NOON))

    assert [replayed for _, replayed in answers].count(False) == 1
    assert len({(member.id, member.number) for member, _ in answers}) == 1
    assert await Member.all().count() == 1
    other = Enrolment(Profile(first_name="Eve"))
    with pytest.raises(IdempotencyMismatchError):
        await enrol_once(shop.program_id, other.claim("cli", "k"), other, now=NOON)
    assert await Member.all().count() == 1
