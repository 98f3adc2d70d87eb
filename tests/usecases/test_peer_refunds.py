"""What goes wrong with refunds elsewhere (odoo, ERPNext, Square), and not here."""

from loyalty_graph.errors import DuplicatePurchaseError, LoyaltyError
from loyalty_graph.purchases.rules import Line
from loyalty_graph.rewards.rules import Step
from loyalty_graph.usecases import purchases
from tests.shop import giving, open_shop, program

CUPS = (Line("TEA", 3, 1000),)
"""Thirty euros: 30 points."""


async def test_whoever_buys_and_brings_it_back_again_and_again_keeps_no_points(database: object):
    shop = await open_shop()
    ada = await shop.enrol()

    for way in ({}, {"amount_minor": 3000}, None):
        bought = await shop.buy(ada, CUPS)
        await (shop.void(bought) if way is None else shop.bring_back(bought, None, **way))

    assert await shop.balance(ada) == 0


async def test_a_refund_of_what_points_paid_does_not_take_them_once_more(database: object):
    shop = await open_shop(program(payment={"points": 1, "worth_minor": 10}))
    ada = await shop.enrol()
    await shop.buy(ada, (Line("TEA", 1, 30000),))
    bought = await shop.buy(ada, CUPS, pay_points=150)
    assert (bought.points, bought.balance_points) == (15, 300 - 150 + 15)

    parts = [
        await shop.bring_back(bought, {1: 1}),
        await shop.bring_back(bought, None, amount_minor=1000),
        await shop.bring_back(bought, None),
    ]

    assert [(one.returned_points, one.due_points) for one in parts] == [(50, 5), (50, 5), (50, 5)]
    assert await shop.balance(ada) == 300


async def test_a_reward_comes_back_with_the_purchase_it_was_used_with(database: object):
    shop = await open_shop(giving())
    ada = await shop.enrol()
    await shop.buy(ada, (Line("TEA", 1, 10000),))
    coffee = await shop.want(ada)
    await shop.take(Step.USE, coffee, receipt=("till", "r-1"))
    bought = await shop.buy(ada, CUPS, external_id="r-1")

    await shop.void(bought)

    assert await shop.balance(ada) == 100
    assert (await shop.redemption(coffee)).state == "REFUNDED"


async def test_an_order_that_is_told_of_twice_earns_once(database: object):
    shop = await open_shop()
    ada = await shop.enrol()
    told = [shop.receipt(ada, CUPS, external_id="order-1") for _ in range(2)]

    answers: list[object] = []
    for receipts in (told, told):
        answers += await purchases.record(shop.program_id, receipts, now=shop.now)

    refused = [one for one in answers if isinstance(one, LoyaltyError)]
    assert [type(one) for one in refused] == [DuplicatePurchaseError] * 2
    assert await shop.balance(ada) == 30
