"""What goes wrong in other engines' ledgers, by their users' reports, and not here."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from loyalty_graph.errors import DuplicatePurchaseError, InsufficientPointsError
from loyalty_graph.ledger import reads
from loyalty_graph.ledger.models import TransferRow
from loyalty_graph.members.models import Member
from loyalty_graph.outbox import FactRow
from loyalty_graph.programs.errors import RateMissingError
from loyalty_graph.purchases.rules import Line
from loyalty_graph.rewards.rules import Step
from loyalty_graph.usecases import (
    adjustments,
    balances,
    expiry,
    merging,
    notices,
    proof,
    transfers,
)
from loyalty_graph.usecases.balance_rows import BalanceFormat
from loyalty_graph.usecases.redemptions import PointsMoved
from tests.shop import COFFEE, DAY, GUARDED, NOON, PROGRAM, Shop, by_id, giving, open_shop, program
from tests.tiers.shop import Watch, tea, with_tiers


async def give(shop: Shop, giver: Member, to: Member, points: int) -> None:
    command = transfers.TransferPoints(
        "partner:till", f"gift {shop.now}", by_id(giver), by_id(to), points
    )
    await transfers.transfer(shop.program_id, command, now=shop.now)


async def adjust(shop: Shop, member: Member, points: int) -> None:
    command = adjustments.AdjustPoints("staff:1", f"{points}", by_id(member), points, "kindness")
    await adjustments.adjust(shop.program_id, command, now=shop.now)


async def bring_along(shop: Shop, *rows: str) -> None:
    """Import balances of another system: whose, how many, until when."""
    text = "\n".join(["key,external_id,points,expires_at", *rows])
    file = balances.file_of(text, source="old", form=BalanceFormat.CSV)
    await balances.import_file(shop.program_id, file, caller="cli", now=shop.now)


async def assert_in_order(shop: Shop) -> None:
    assert (await proof.verify(shop.program_id, now=shop.now)).findings == []


def earning(**changes: Any) -> dict[str, Any]:
    return {**PROGRAM, "earning": {**PROGRAM["earning"], **changes}}


async def test_who_buys_spends_and_brings_back_gains_no_second_time_where_points_are_owed(
    database: object,
):
    """Elsewhere the points were kept, and the trick could be played for ever."""
    shop = await open_shop(program(clawback="ALLOW_NEGATIVE"))
    ada = await shop.enrol()

    spent = 0
    for _ in range(3):
        bought = await shop.buy(ada, tea(10_000))
        with suppress(InsufficientPointsError):
            spent += (await shop.redeem(ada, 100)).points
        await shop.bring_back(bought, None)

    assert (spent, await shop.balance(ada)) == (100, -100)
    await assert_in_order(shop)


async def test_nobody_owes_points_unless_the_programme_says_so(database: object):
    """Headlines told of a debt of stars when a chain took back more than members had."""
    shop = await open_shop()
    ada = await shop.enrol()
    bought = await shop.buy(ada, tea(10_000))
    await shop.redeem(ada, 80)

    back = await shop.bring_back(bought, None)

    assert (back.due_points, back.shortfall_points, await shop.balance(ada)) == (100, 80, 0)
    assert (await shop.buy(ada, tea(3_000))).balance_points == 30


async def test_a_reward_comes_back_with_its_points_unless_it_says_otherwise(database: object):
    """Elsewhere a return left the customer without the reward and without the points."""
    final = {**COFFEE, "code": "FINAL", "refundable": False}
    shop = await open_shop(giving(final))
    ada = await shop.enrol()
    await shop.buy(ada, tea(10_000))
    rewards = [await shop.want(ada, code) for code in ("COFFEE", "FINAL")]
    for one in rewards:
        await shop.take(Step.USE, one, receipt=("till", "r-1"))
    bought = await shop.buy(ada, (Line("GIFT_CARD", 1, 1000),), external_id="r-1")

    await shop.void(bought)

    assert [(await shop.redemption(one)).state for one in rewards] == ["REFUNDED", "USED"]
    assert await shop.balance(ada) == 100 - 40


async def test_thirty_today_and_twenty_tomorrow_make_the_star_for_fifty(database: object):
    """Elsewhere only a single purchase of 50 earned the star."""
    rate = {"points": 1, "per_amount_minor": 5000, "granularity": "STEP", "carry": True}
    star = {"code": "STAR", "name": "A star", "rate": rate}
    shop = await open_shop(earning(default_rate=None, rules=[star]))
    ada = await shop.enrol()

    today = await shop.buy(ada, tea(3000))
    tomorrow = await shop.later(DAY).buy(ada, tea(2000))

    assert (today.points, tomorrow.points) == (0, 1)


async def test_two_rollbacks_in_one_millisecond_give_the_points_back_once(database: object):
    shop = await open_shop()
    ada = await shop.enrol()
    await shop.buy(ada, tea(10_000))
    taken = await shop.redeem(ada, 70)

    await asyncio.gather(*(shop.give_back(taken) for _ in range(10)), return_exceptions=True)

    assert await shop.balance(ada) == 100
    assert await TransferRow.filter(kind="UNREDEEM").count() == 1
    await assert_in_order(shop)


async def test_spenders_of_every_kind_at_one_moment_never_overdraw(database: object):
    """Elsewhere two requests both saw the points and both took them."""
    shop = await open_shop(giving(transfers={}))
    ada, bob = await shop.enrol(), await shop.enrol()
    await shop.buy(ada, tea(10_000))

    spending = [work for _ in range(10) for work in (shop.redeem(ada, 40), shop.hold(ada, 40))]
    spending += [shop.want(ada) for _ in range(10)]
    answers = await asyncio.gather(*spending, return_exceptions=True)

    refused = [one for one in answers if isinstance(one, InsufficientPointsError)]
    assert len(refused) == 28
    assert await shop.balance(ada) == 20
    assert await shop.balance(bob) == 0
    await assert_in_order(shop)


async def test_a_level_is_of_what_was_earned_and_not_of_what_is_left(database: object):
    """Elsewhere whoever spent points lost the level."""
    data = with_tiers(basis="QUALIFYING_POINTS")
    data["program"] = program(transfers={})["program"]
    shop = await open_shop(data)
    ada, bob = Watch(shop, await shop.enrol()), await shop.enrol()
    await shop.buy(ada.member, tea(1_000_000))

    await shop.redeem(ada.member, 9_000)
    await give(shop, ada.member, bob, 900)
    await adjust(shop, ada.member, -100)

    assert await shop.balance(ada.member) == 0
    assert ((await ada.status()).tier, (await ada.status()).value) == ("SILVER", 10_000)
    assert await Watch(shop, bob).tier() == "BASE"


@pytest.mark.parametrize(
    ("case", "rate", "prices", "points"),
    [
        ("a tenth and two tenths", (1, 10, "STEP"), [10, 20], 3),
        ("three by steps of two and a half", (5, 250, "STEP"), [300], 5),
        ("three in proportion to two and a half", (5, 250, "PRORATA"), [300], 6),
        ("a hundred and five by tens", (1, 1000, "STEP"), [10_500], 10),
        ("less than a step", (100, 1000, "STEP"), [100], 0),
        ("a part of a step", (100, 1000, "PRORATA"), [100], 10),
        ("prices that binary fractions miss", (1, 1, "STEP"), [1999, 4350, 115], 6464),
    ],
)
async def test_no_amount_is_rounded_on_its_way_to_points(
    database: object, case: str, rate: tuple[int, int, str], prices: list[int], points: int
):
    """Elsewhere 3.00 earned 6 instead of 5, and a coupon failed for want of 1e-14."""
    named = dict(zip(("points", "per_amount_minor", "granularity"), rate, strict=True))
    shop = await open_shop(earning(default_rate=named))
    ada = await shop.enrol()

    bought = await shop.buy(ada, tuple(Line("TEA", 1, price) for price in prices))

    assert bought.points == points


async def test_paying_in_another_currency_multiplies_no_points(database: object):
    """Elsewhere changing the shop's currency made one point of each yen."""
    rates = [{"currency": "JPY", "from": "2026-01-01", "rate": "0.0061"}]
    shop = await open_shop({**PROGRAM, "exchange_rates": rates})
    ada = await shop.enrol()
    price = (Line("TEA", 1, 10_000),)

    euros = await shop.buy(ada, price, external_id="r-1")
    yen = await shop.buy(ada, price, currency="JPY")

    assert (euros.points, yen.points) == (100, 61)
    with pytest.raises(RateMissingError):
        await shop.buy(ada, price, currency="TRY")
    with pytest.raises(DuplicatePurchaseError):
        await shop.buy(ada, price, currency="JPY", external_id="r-1")
    assert await shop.balance(ada) == 161


async def test_points_of_every_origin_are_shown_with_their_end_and_end_then(database: object):
    """Elsewhere only the first date was shown, and lots of other labels never ended."""
    bonus = {"code": "BONUS", "name": "A bonus", "points": 7}
    shop = await open_shop(
        {**program(transfers={}), "earning": {**PROGRAM["earning"], "rules": [bonus]}}
    )
    ada, bob, bea = [await shop.enrol(external_id=name) for name in ("ada", "bob", "bea")]
    await bring_along(shop, "a,ada,10,2026-04-30", "b,bob,20,2026-05-31", "c,bea,30,2026-06-30")
    await give(shop, bob, ada, 20)
    merge = merging.MergeMembers("staff:1", "k", by_id(bea), by_id(ada), "one person")
    await merging.merge(shop.program_id, merge, now=shop.now)
    await shop.later(40 * DAY).buy(ada, tea(1000))
    await adjust(shop.later(80 * DAY), ada, 40)

    shown = (await reads.expirations(shop.program_id, [ada.id], now=shop.now))[ada.id]
    ended = []
    for one in shown:
        await expiry.run(shop.program_id, now=one.expires_at)
        ended.append(await shop.balance(ada))

    assert [one.points for one in shown] == [10, 20, 30, 17, 40]
    assert ended == [107, 87, 57, 40, 0]
    assert await TransferRow.filter(kind="EXPIRE").count() == 5
    await assert_in_order(shop)


async def test_no_points_vanish_without_a_word(database: object):
    """Elsewhere customers found their points gone, and nobody had told them."""
    shop = await open_shop(program(**GUARDED))
    ada = await shop.enrol()
    await shop.buy(ada, tea(5000))
    ended = NOON + 200 * DAY

    assert await expiry.run(shop.program_id, now=ended) == 0
    assert await notices.run(shop.program_id, now=ended) == 50
    assert await expiry.run(shop.program_id, now=ended + 13 * DAY) == 0
    assert await shop.balance(ada) == 50
    assert await expiry.run(shop.program_id, now=ended + 15 * DAY) == 50
    told = await FactRow.get(kind="points.expiring")
    assert (told.member_id, told.payload["points"]) == (ada.id, 50)
    await assert_in_order(shop)


async def test_voided_goods_gift_cards_and_points_earn_no_points(database: object):
    """Elsewhere the till awarded voided lines, gift cards, and points for paying with points."""
    shop = await open_shop(program(payment={"points": 1, "worth_minor": 10}))
    ada = await shop.enrol()

    card = await shop.buy(ada, (Line("GIFT_CARD", 1, 10_000),))
    voided = await shop.buy(ada, tea(10_000))
    await shop.void(voided)
    first = await shop.buy(ada, tea(10_000))
    paid = await shop.buy(ada, tea(1000), pay_points=100)

    assert (card.points, voided.points, first.points, paid.points) == (0, 100, 100, 0)
    assert await shop.balance(ada) == 0


async def test_points_of_an_old_system_come_with_their_dates_and_once(database: object):
    """Elsewhere a migration was a script that lost dates, and counted twice when it ran twice."""
    shop = await open_shop()
    ada = await shop.enrol(external_id="ada")

    for _ in range(2):
        await bring_along(shop, "a,ada,100,2026-04-30", "b,ada,40,never")

    ends = (await reads.expirations(shop.program_id, [ada.id], now=shop.now))[ada.id]
    assert [(one.points, one.expires_at.isoformat()) for one in ends] == [
        (100, "2026-04-30T22:00:00+00:00")
    ]
    assert await shop.balance(ada) == 140
    assert {row.kind for row in await TransferRow.all()} == {"MIGRATE"}


async def test_a_family_puts_its_points_together_for_a_reward(database: object):
    shop = await open_shop(giving(transfers={}))
    mother, child = await shop.enrol(), await shop.enrol()
    for one in (mother, child):
        await shop.buy(one, tea(2500))

    await give(shop, mother, child, 15)
    coffee = await shop.want(child)

    assert isinstance(coffee, PointsMoved)
    assert (await shop.balance(mother), await shop.balance(child)) == (10, 0)
    await assert_in_order(shop)
