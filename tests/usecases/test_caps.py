"""Caps over all points of purchases, in purchases and refunds, by themselves and together."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from loyalty_graph.earning.models import EarningBudget, EarningCounter
from loyalty_graph.earning.outcomes import Cut
from loyalty_graph.ledger.models import TransferRow
from loyalty_graph.purchases.models import Purchase
from loyalty_graph.purchases.rules import Line
from loyalty_graph.usecases import purchases
from loyalty_graph.usecases.purchase_command import Capped, PurchaseRecorded
from tests.shop import DAY, PROGRAM, open_shop

TEA = (Line("TEA", 10, 100),)
"""Ten euros: 10 points by itself."""


def capped(*caps: dict[str, Any], rules: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    earning = {**PROGRAM["earning"], "caps": list(caps), "rules": list(rules)}
    return {**PROGRAM, "earning": earning}


def points(answers: Sequence[object]) -> list[int]:
    return [one.points for one in answers if isinstance(one, PurchaseRecorded)]


async def test_at_the_cap_the_entry_says_what_was_wanted_and_what_was_granted(database: object):
    shop = await open_shop(capped({"points": 15, "per": "DAY"}))
    ada = await shop.enrol()
    await shop.buy(ada, TEA)

    bought = await shop.buy(ada, TEA)
    nothing = await shop.buy(ada, TEA)

    cut = Cut("MEMBER_TOTAL", "DAY", 15, 5)
    assert (bought.points, bought.capped) == (5, Capped(10, (cut,)))
    assert (nothing.points, nothing.entry_sequence) == (0, None)
    assert nothing.capped == Capped(10, (cut._replace(taken=10),))
    entry = await TransferRow.get(member_id=ada.id, sequence=2)
    assert entry.explanation is not None
    assert entry.explanation["capped"] == {"wanted": 10, "lines": [10, 5], "cuts": [list(cut)]}
    assert await shop.balance(ada) == 15
    assert (await EarningCounter.get(member_id=ada.id)).points == 15


async def test_a_retry_says_again_what_a_cap_took(database: object):
    shop = await open_shop(capped({"points": 4, "per": "EVER"}))
    ada = await shop.enrol()

    first = await shop.buy(ada, TEA, idempotency_key="k", external_id="r-1")
    again = await shop.buy(ada, TEA, idempotency_key="k", external_id="r-1")

    assert (again.replayed, again.points, again.capped) == (True, 4, first.capped)


async def test_a_refund_gives_a_member_and_the_programme_their_room_back(database: object):
    caps = ({"points": 15, "per": "DAY"}, {"points": 100, "per": "MONTH", "scope": "PROGRAM"})
    shop = await open_shop(capped(*caps))
    ada = await shop.enrol()
    first = await shop.buy(ada, TEA)
    second = await shop.buy(ada, TEA)

    back = await shop.bring_back(second, {1: 6})
    rest = await shop.bring_back(second, None)

    assert (second.points, back.due_points, rest.due_points) == (5, 1, 4)
    assert (await EarningCounter.get(member_id=ada.id)).points == first.points == 10
    assert (await EarningBudget.get()).used_points == 10
    assert (await shop.buy(ada, TEA)).points == 5


async def test_a_batch_and_its_neighbours_share_the_cap_of_the_programme(database: object):
    shop = await open_shop(capped({"points": 25, "per": "MONTH", "scope": "PROGRAM"}))
    people = [await shop.enrol() for _ in range(4)]
    pairs = [[shop.receipt(one, TEA) for one in people[:2]]]
    pairs.append([shop.receipt(one, TEA) for one in people[2:]])

    done = await asyncio.gather(
        *(purchases.record(shop.program_id, pair, now=shop.now) for pair in pairs)
    )

    assert sorted(points([one for answers in done for one in answers])) == [0, 5, 10, 10]
    assert (await EarningBudget.get()).used_points == 25


async def test_points_that_wait_and_those_of_rules_are_within_the_cap(database: object):
    later = {"code": "LATER", "name": "Later", "points": 30, "pending": {"days": 14}}
    shop = await open_shop(capped({"points": 30, "per": "DAY"}, rules=[later]))
    ada = await shop.enrol()

    bought = await shop.buy(ada, TEA)
    back = await shop.bring_back(bought, None)

    assert (bought.points, bought.balance_points) == (30, 10)
    assert [(one.points, one.wanted) for one in bought.rules] == [(20, 30)]
    assert (back.due_points, await shop.balance(ada)) == (30, 0)


async def test_a_simulated_purchase_is_within_the_caps(database: object):
    shop = await open_shop(capped({"points": 15, "per": "DAY"}))
    ada = await shop.enrol()
    await shop.buy(ada, TEA)

    simulated = [await shop.simulate(TEA, ada), await shop.simulate(TEA)]

    assert [one.points for one in simulated] == [5, 10]


@pytest.mark.parametrize("days", [0, 1])
async def test_a_late_receipt_takes_the_room_of_its_own_day(database: object, days: int):
    shop = await open_shop(capped({"points": 15, "per": "DAY"}))
    ada = await shop.enrol()
    await shop.later(DAY).buy(ada, TEA)
    at = shop.now + days * DAY

    late = await shop.later(DAY).buy(ada, TEA, purchased_at=at)

    assert late.points == (10, 5)[days]
    assert await Purchase.all().count() == 2
