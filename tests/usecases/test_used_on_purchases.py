"""Vouchers and rewards that were used with a purchase come back with what was bought."""

from typing import Any

import pytest

from loyalty_graph.errors import InvalidInputError
from loyalty_graph.members.models import Member
from loyalty_graph.purchases.rules import Line
from loyalty_graph.rewards import reads
from loyalty_graph.rewards.models import RewardStock
from loyalty_graph.rewards.rules import Step
from tests.shop import COFFEE, DAY, NOTE, Shop, giving, open_shop

RECEIPT = ("till", "r-1")
CUPS = (Line("TEA", 3, 1000),)
"""Thirty euros: 30 points."""


async def opened(*rewards: dict[str, Any]) -> tuple[Shop, Member]:
    shop = await open_shop(giving(*(rewards or ({**NOTE, "code_days": 10},))))
    member = await shop.enrol()
    await shop.buy(member, (Line("TEA", 1, 10000),))
    return shop, member


async def test_a_voucher_gets_its_part_back_in_any_split(database: object):
    shop, ada = await opened()
    note = await shop.want(ada, "NOTE")
    await shop.use_money(note, 1000, receipt=RECEIPT)
    bought = await shop.buy(ada, CUPS, external_id="r-1")

    parts = [
        await shop.bring_back(bought, {1: 1}),
        await shop.bring_back(bought, None, amount_minor=500),
        await shop.bring_back(bought, None),
    ]

    assert [one.vouchers_minor for one in parts] == [333, 167, 500]
    assert [one.amount_minor for one in parts] == [1000, 500, 1500]
    voucher = await shop.voucher(note)
    assert (voucher.state, voucher.remaining_minor) == ("ACTIVE", 2000)
    key = (ada.id, note.redemption_id)
    uses = (await reads.uses(shop.program_id, [key]))[key]
    moved = [(use.amount_minor, use.of_number) for use in uses]
    assert moved == [(1000, None), (-333, 1), (-167, 1), (-500, 1)]


async def test_what_was_given_back_by_hand_counts(database: object):
    shop, ada = await opened()
    note = await shop.want(ada, "NOTE")
    await shop.use_money(note, 900, receipt=RECEIPT)
    await shop.use_money(note, 100, receipt=("till", "another"))
    bought = await shop.buy(ada, CUPS, external_id="r-1")
    await shop.put_money_back(note, 1, amount_minor=400)

    first = await shop.bring_back(bought, {1: 1})
    second = await shop.bring_back(bought, None)

    assert (first.vouchers_minor, second.vouchers_minor) == (0, 500)
    assert (await shop.voucher(note)).remaining_minor == 1900


async def test_a_voucher_whose_date_has_passed_gets_nothing_back(database: object):
    shop, ada = await opened()
    note = await shop.want(ada, "NOTE")
    await shop.use_money(note, 1000, receipt=RECEIPT)
    bought = await shop.buy(ada, CUPS, external_id="r-1")

    late = await shop.later(11 * DAY).bring_back(bought, None)

    assert (late.vouchers_minor, late.amount_minor) == (0, 3000)
    assert (await shop.voucher(note)).remaining_minor == 1000


async def test_a_free_purchase_that_is_voided_gives_its_voucher_back(database: object):
    shop, ada = await opened()
    note = await shop.want(ada, "NOTE")
    await shop.use_money(note, 1000, receipt=RECEIPT)
    bought = await shop.buy(ada, (Line("TEA", 1, 0),), external_id="r-1")

    done = await shop.void(bought)

    assert done.vouchers_minor == 1000


async def test_a_void_takes_rewards_back_that_were_used_with_it(database: object):
    limited = {**COFFEE, "code": "CAKE", "name": "Cake", "stock": 5}
    drunk = {**COFFEE, "code": "SIP", "name": "Sip", "refundable": False, "cost_points": 10}
    shop, ada = await opened(limited, drunk)
    cake, sip = await shop.want(ada, "CAKE"), await shop.want(ada, "SIP")
    for one in (cake, sip):
        await shop.take(Step.USE, one, receipt=RECEIPT)
    bought = await shop.buy(ada, CUPS, external_id="r-1")
    assert await shop.balance(ada) == 100 - 40 - 10 + 30

    await shop.void(bought)

    assert await shop.balance(ada) == 90
    states = [(await shop.redemption(one)).state for one in (cake, sip)]
    assert states == ["REFUNDED", "USED"]
    assert (await RewardStock.get(reward="CAKE")).taken == 0


@pytest.mark.parametrize("receipt", [("", "r-1"), ("till", ""), ("till", "x" * 101)])
async def test_what_names_no_receipt_is_refused(database: object, receipt: tuple[str, str]):
    shop, ada = await opened()
    note, coffee = await shop.want(ada, "NOTE"), await shop.want(ada)

    with pytest.raises(InvalidInputError):
        await shop.use_money(note, 100, receipt=receipt)
    with pytest.raises(InvalidInputError):
        await shop.take(Step.USE, coffee, receipt=receipt)

    assert (await shop.voucher(note)).remaining_minor == 2000
    assert (await shop.redemption(coffee)).state == "ISSUED"
