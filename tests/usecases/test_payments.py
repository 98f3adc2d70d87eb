import asyncio
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty_graph.errors import InsufficientPointsError, InvalidInputError, LoyaltyError
from loyalty_graph.ledger.models import LotRow, TransferRow
from loyalty_graph.members.models import Member
from loyalty_graph.outbox import FactRow
from loyalty_graph.programs.rules import PaymentSettings
from loyalty_graph.purchases.models import MemberSummary, Purchase
from loyalty_graph.purchases.rules import Line, bring_back, pay_with_points
from loyalty_graph.rewards.errors import PaymentTooLargeError
from loyalty_graph.usecases import proof, purchases
from loyalty_graph.usecases.purchases import PurchaseRecorded
from tests.shop import DAY, NOON, Shop, open_shop, program

PENNY: dict[str, Any] = {"points": 1, "worth_minor": 1, "basket_percent_max": 50}
TABLES = (TransferRow, LotRow, Purchase, FactRow)
TEN_CUPS = (Line("COFFEE", 10, 100),)


async def everything() -> list[list[str]]:
    return [sorted(str(dict(row)) for row in await table.all()) for table in TABLES]


async def opened(payment: dict[str, Any] | None = None, **points: Any) -> tuple[Shop, Member]:
    """Return a shop where points pay, and a member with 1,000 of them in two lots."""
    shop = await open_shop(program(payment=payment or PENNY, **points))
    member = await shop.enrol()
    await shop.buy(member, (Line("TEA", 1, 60000),), purchased_at=NOON - 60 * DAY)
    await shop.buy(member, (Line("TEA", 1, 40000),))
    return shop, member


async def test_points_pay_a_part_and_what_they_paid_earns_nothing(database: object):
    shop, ada = await opened()
    [before] = await MemberSummary.all()

    bought = await shop.buy(ada, TEN_CUPS, pay_points=400)

    assert (bought.paid_points, bought.paid_minor, bought.points) == (400, 400, 12)
    assert bought.balance_points == 1000 - 400 + 12
    purchase = await Purchase.get(id=bought.purchase_id)
    assert (purchase.total_minor, purchase.paid_minor, purchase.paid_points) == (1000, 400, 400)
    [summary] = await MemberSummary.all()
    assert summary.spend_minor - before.spend_minor == 600
    paid = await TransferRow.get(kind="REDEEM")
    assert (paid.reference, paid.points) == (f"purchase:{bought.purchase_id}", 400)
    assert paid.explanation == {"purchase": str(bought.purchase_id), "paid": 400}


async def test_no_more_points_are_taken_than_the_amount_needs(database: object):
    shop, ada = await opened({"points": 3, "worth_minor": 1})

    bought = await shop.buy(ada, TEN_CUPS, pay_points=100)

    assert (bought.paid_points, bought.paid_minor) == (99, 33)


@pytest.mark.parametrize(
    ("case", "payment", "points", "error", "message"),
    [
        ("above the cap", PENNY, 501, PaymentTooLargeError, "At most 500 points"),
        (
            "above the cap, dear points",
            {"points": 2, "worth_minor": 15, "basket_percent_max": 50},
            68,
            PaymentTooLargeError,
            "At most 66 points",
        ),
        ("worth nothing", {"points": 3, "worth_minor": 1}, 2, InvalidInputError, "worth nothing"),
        ("below zero", PENNY, -1, InvalidInputError, "Pay with 0 to"),
        ("beyond all", PENNY, 10**13, InvalidInputError, "Pay with 0 to"),
    ],
)
async def test_a_payment_that_cannot_be_changes_nothing(
    database: object,
    case: str,
    payment: dict[str, Any],
    points: int,
    error: type[LoyaltyError],
    message: str,
):
    shop, ada = await opened(payment)
    before = await everything()

    with pytest.raises(error, match=message) as refused:
        await shop.buy(ada, TEN_CUPS, pay_points=points)

    assert refused.value.field == "payWithPoints"
    assert await everything() == before


async def test_points_that_are_not_there_pay_nothing(database: object):
    shop, ada = await opened()
    before = await everything()

    with pytest.raises(InsufficientPointsError, match="1001 points; 1000 are available"):
        await shop.buy(ada, (Line("COFFEE", 10, 10000),), pay_points=1001)

    assert await everything() == before


async def test_where_points_do_not_pay_they_are_refused(database: object):
    shop = await open_shop()
    ada = await shop.enrol()
    await shop.buy(ada)

    with pytest.raises(InvalidInputError, match="do not pay for purchases here"):
        await shop.buy(ada, pay_points=1)

    assert await shop.balance(ada) == 108


async def test_a_payer_with_many_lots_gets_them_all(database: object):
    shop = await open_shop(program(payment={"points": 1, "worth_minor": 1}))
    ada = await shop.enrol()
    for _ in range(70):
        await shop.buy(ada, (Line("TEA", 1, 100),))

    bought = await shop.buy(ada, (Line("GIFT_CARD", 1, 69),), pay_points=69)

    assert (bought.paid_minor, bought.balance_points) == (69, 1)


async def test_a_partial_refund_gives_back_points_and_money_in_proportion(database: object):
    shop, ada = await opened()
    bought = await shop.buy(ada, TEN_CUPS, pay_points=400)

    back = await shop.bring_back(bought, {1: 3})

    assert (back.amount_minor, back.returned_minor, back.returned_points) == (300, 120, 120)
    assert back.due_points == 4
    assert await shop.balance(ada) == 612 + 120 - 4


async def test_after_a_full_refund_all_points_are_in_their_lots_again(database: object):
    shop, ada = await opened()
    bought = await shop.buy(ada, TEN_CUPS, pay_points=500)
    spent = await lots(ada)

    parts = [await shop.bring_back(bought, {1: units}) for units in (1, 2, 3)]
    rest = await shop.bring_back(bought, None)

    assert spent == [100, 400, 10]
    assert await lots(ada) == [600, 400, 0]
    assert sum(one.returned_points for one in [*parts, rest]) == 500
    assert sum(one.returned_minor for one in [*parts, rest]) == 500
    assert sum(one.due_points for one in [*parts, rest]) == bought.points
    [summary] = await MemberSummary.all()
    assert summary.spend_minor == 100_000
    assert (await proof.verify(shop.program_id, now=NOON)).findings == []


async def lots(member: Member) -> list[int]:
    rows = await LotRow.filter(member_id=member.id).order_by("sequence")
    return [row.remaining_points for row in rows]


async def test_points_that_come_back_after_their_date_expire(database: object):
    shop, ada = await opened()
    bought = await shop.buy(ada, TEN_CUPS, pay_points=500)
    later = shop.later(150 * DAY)

    await later.bring_back(bought, None)

    kinds = await TransferRow.all().order_by("sequence").values_list("kind", "points")
    assert list(kinds)[4:] == [("UNREDEEM", 500), ("EXPIRE", 600), ("REVERSE", 10)]


async def test_a_retry_pays_once_and_gives_back_once(database: object):
    shop, ada = await opened()
    command = shop.receipt(ada, TEN_CUPS, pay_points=400)

    first, again = [
        (await purchases.record(shop.program_id, [command], now=NOON))[0] for _ in range(2)
    ]
    assert isinstance(first, PurchaseRecorded)
    back = await shop.bring_back(first, None, idempotency_key="b")
    back_again = await shop.bring_back(first, None, idempotency_key="b")

    assert again == replace(first, replayed=True)
    assert back_again == replace(back, replayed=True)
    assert await shop.balance(ada) == 1000


async def test_fifty_tills_at_once_never_pay_with_the_same_points(database: object):
    shop, ada = await opened()
    cups = (Line("GIFT_CARD", 1, 1000),)

    answers = await asyncio.gather(
        *(shop.buy(ada, cups, pay_points=300) for _ in range(50)), return_exceptions=True
    )

    assert sum(isinstance(one, PurchaseRecorded) for one in answers) == 3
    assert await shop.balance(ada) == 100


async def test_a_simulated_purchase_earns_what_the_real_one_does(database: object):
    shop, _ = await opened()

    simulated = await shop.simulate(TEN_CUPS, pay_points=400)

    assert simulated.points == 12


some_lines = st.lists(
    st.builds(
        lambda quantity, unit, percent: Line(
            "TEA", quantity, unit, quantity * unit * percent // 100
        ),
        st.integers(1, 7),
        st.integers(0, 999),
        st.sampled_from([0, 10, 33, 100]),
    ),
    min_size=1,
    max_size=4,
).filter(lambda lines: sum(line.net_minor for line in lines) > 0)


@settings(deadline=None)
@given(some_lines, st.data())
def test_in_any_split_a_full_refund_returns_exactly_what_was_paid(
    lines: list[Line], data: st.DataObject
):
    total = sum(line.net_minor for line in lines)
    amount = data.draw(st.integers(1, total))
    points = data.draw(st.integers(1, 5000))
    left = list(pay_with_points(lines, points, amount))
    assert sum(line.paid_minor for line in left) == amount
    assert sum(line.paid_points for line in left) == points
    assert all(0 <= line.paid_minor <= line.net_minor for line in left)
    earning = sum(line.earning_minor for line in left)
    assert earning == total - amount
    returned = 0

    while open_ := [number for number, line in enumerate(left, 1) if line.left]:
        number = data.draw(st.sampled_from(open_))
        units = data.draw(st.integers(1, left[number - 1].left))
        after = bring_back(left, {number: units})
        points_back = sum(line.paid_left_points for line in left) - sum(
            line.paid_left_points for line in after
        )
        assert points_back >= 0
        assert sum(line.earning_minor for line in after) <= sum(line.earning_minor for line in left)
        returned += points_back
        left = after

    assert returned == points
    assert sum(line.earning_minor for line in left) == 0


@settings(deadline=None)
@given(st.integers(1, 500), st.integers(1, 500), st.integers(0, 10**6))
def test_what_points_are_worth_is_exact(points: int, worth: int, asked: int):
    payment = PaymentSettings(points=points, worth_minor=worth)

    amount = payment.floor_minor(asked)
    fewest = payment.ceil_points(amount)

    assert amount * points <= asked * worth < (amount + 1) * points
    assert fewest <= asked
    assert payment.floor_minor(fewest) == amount
    assert payment.floor_minor(payment.points_max(amount)) <= amount
    assert payment.floor_minor(payment.points_max(amount) + 1) > amount
