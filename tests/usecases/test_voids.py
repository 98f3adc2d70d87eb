"""Voiding purchases: what they gave and took is as if they had never been made."""

from dataclasses import replace
from typing import Any

import pytest

from loyalty_graph.earning.models import EarningBudget, EarningCounter, OfferActivation
from loyalty_graph.errors import (
    DuplicatePurchaseError,
    IdempotencyMismatchError,
    InvalidInputError,
    LoyaltyError,
    NotFoundError,
)
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger.models import AccountRow, LotRow, TransferRow
from loyalty_graph.members.models import Member
from loyalty_graph.outbox import FactRow
from loyalty_graph.purchases.errors import PurchaseRefundedError, PurchaseVoidedError
from loyalty_graph.purchases.models import MemberSummary, Purchase, PurchaseLine, Refund
from loyalty_graph.purchases.rules import Line
from loyalty_graph.usecases import offers
from tests.shop import DAY, NOON, PROGRAM, Shop, by_id, open_shop, program
from tests.tiers.shop import Watch, with_tiers

TEA = (Line("TEA", 10, 100),)
"""Ten euros: 10 points by itself."""


async def rows() -> list[object]:
    tables = (AccountRow, TransferRow, LotRow, Refund, Purchase, PurchaseLine, MemberSummary)
    return [sorted(map(str, await table.all().values_list())) for table in tables]


async def test_a_void_takes_everything_back_and_the_purchase_counts_no_more(
    shop: Shop, ada: Member
):
    await shop.buy(ada, TEA)
    later = shop.later(DAY)
    bought = await later.buy(ada)

    done = await later.void(bought, reason="Wrong card")

    assert (done.amount_minor, done.due_points, done.clawed_back_points) == (6099, 108, 108)
    assert await shop.balance(ada) == 10
    summary = await MemberSummary.get(member_id=ada.id)
    assert (summary.purchase_count, summary.spend_minor) == (1, 1000)
    assert summary.last_purchase_at == NOON
    assert (await Purchase.get(id=bought.purchase_id)).state == "VOIDED"
    back = await Refund.get(purchase_id=bought.purchase_id)
    assert (back.is_void, back.clawed_back_points) == (True, 108)
    entry = await TransferRow.get(member_id=ada.id, kind="REVERSE")
    assert entry.explanation is not None
    assert (entry.text, entry.explanation["void"]) == ("Wrong card", True)
    fact = await FactRow.get(kind="purchase.voided")
    assert fact.payload["clawedBack"] == 108


async def test_after_a_void_the_next_purchase_is_the_first(database: object):
    first = {
        "code": "WELCOME",
        "name": "Welcome",
        "points": 50,
        "when": {"purchase": {"is_first": True}},
        "caps": [{"times": 1, "per": "EVER"}],
        "budget": {"points": 50},
    }
    shop = await open_shop({**PROGRAM, "earning": {**PROGRAM["earning"], "rules": [first]}})
    ada = await shop.enrol()
    bought = await shop.buy(ada, TEA)
    assert bought.points == 60

    await shop.void(bought)

    assert not await MemberSummary.filter(member_id=ada.id).exists()
    assert (await EarningCounter.get(member_id=ada.id)).times == 0
    assert (await EarningBudget.get()).used_points == 0
    assert (await shop.buy(ada, TEA)).points == 60


async def test_a_void_gives_points_that_paid_and_the_use_of_an_offer_back(database: object):
    offer = {"code": "TEN", "name": "Ten", "points": 10}
    pays = program(payment={"points": 1, "worth_minor": 1})
    shop = await open_shop({**pays, "earning": {**pays["earning"], "offers": [offer]}})
    ada = await shop.enrol()
    await shop.buy(ada)
    activate = offers.ActivateOffer("partner:till", "on", by_id(ada), "TEN")
    await offers.activate(shop.program_id, activate, now=shop.now)
    bought = await shop.buy(ada, TEA, pay_points=100)
    assert await shop.balance(ada) == 108 - 100 + 9 + 10

    done = await shop.void(bought)

    assert (done.returned_points, done.returned_minor, done.due_points) == (100, 100, 19)
    assert await shop.balance(ada) == 108
    assert (await OfferActivation.get(member_id=ada.id)).uses_left == 1


async def test_a_void_takes_the_tier_progress_back(database: object):
    shop = await open_shop(with_tiers())
    ada = Watch(shop, await shop.enrol())
    bought = await shop.buy(ada.member, (Line("TEA", 1, 10_000),))
    before = await ada.status(NOON)

    await shop.void(bought)

    assert (before.value, (await ada.status(NOON)).value) == (10_000, 0)


@pytest.mark.parametrize(
    ("case", "changes", "error"),
    [
        ("no purchase", {"purchase_id": new_id(NOON)}, NotFoundError),
        ("no member", {"member_id": new_id(NOON)}, NotFoundError),
        ("long reason", {"reason": "r" * 501}, InvalidInputError),
    ],
)
async def test_a_refused_void_changes_nothing(
    shop: Shop, ada: Member, case: str, changes: dict[str, Any], error: type[LoyaltyError]
):
    bought = await shop.buy(ada)
    before = await rows()

    with pytest.raises(error):
        await shop.void(bought, **changes)

    assert await rows() == before


async def test_what_was_refunded_in_part_is_not_voided(shop: Shop, ada: Member):
    bought = await shop.buy(ada)
    await shop.bring_back(bought, None, amount_minor=1)
    before = await rows()

    with pytest.raises(PurchaseRefundedError):
        await shop.void(bought)

    assert await rows() == before
    await shop.bring_back(bought, None)
    assert (await Purchase.get()).state == "REFUNDED"


async def test_what_was_voided_is_over(shop: Shop, ada: Member):
    bought = await shop.buy(ada, external_id="r-1")
    first = await shop.void(bought, idempotency_key="k")
    before = await rows()

    assert await shop.void(bought, idempotency_key="k") == replace(first, replayed=True)
    with pytest.raises(IdempotencyMismatchError):
        await shop.void(bought, idempotency_key="k", reason="another")
    with pytest.raises(PurchaseVoidedError):
        await shop.void(bought)
    with pytest.raises(PurchaseVoidedError):
        await shop.bring_back(bought, {1: 1})
    with pytest.raises(DuplicatePurchaseError):
        await shop.buy(ada, external_id="r-1")

    assert await rows() == before
