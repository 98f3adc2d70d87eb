import asyncio
from dataclasses import replace

import pytest

from loyalty_graph.errors import InsufficientPointsError, InvalidInputError, NotFoundError
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger.models import LotRow, LotUseRow, TransferRow
from loyalty_graph.members.models import Member
from loyalty_graph.purchases.rules import Line
from loyalty_graph.usecases.redemptions import PointsMoved
from tests.shop import DAY, NOON, Shop, open_shop, program

HALF_A_YEAR = 186 * DAY


async def remaining(member: Member) -> list[int]:
    lots = await LotRow.filter(member_id=member.id).order_by("sequence")
    return [lot.remaining_points for lot in lots]


def tea(points: int) -> tuple[Line, ...]:
    return (Line("TEA", 1, points * 100),)


async def test_points_that_expire_first_are_spent_first(shop: Shop, ada: Member):
    await shop.buy(ada, tea(100), purchased_at=NOON)
    await shop.buy(ada, tea(50), purchased_at=NOON - 60 * DAY)

    taken = await shop.redeem(ada, 70)

    assert taken.balance_points == 80
    assert await remaining(ada) == [80, 0]


async def test_spending_more_than_there_is_changes_nothing(shop: Shop, ada: Member):
    await shop.buy(ada, tea(50))

    with pytest.raises(InsufficientPointsError, match="needs 51 points; 50 are available"):
        await shop.redeem(ada, 51)

    assert await remaining(ada) == [50]
    assert await TransferRow.all().count() == 1


async def test_points_past_their_date_cannot_be_spent_before_the_expiry_ran(
    shop: Shop, ada: Member
):
    await shop.buy(ada, tea(50))

    with pytest.raises(InsufficientPointsError, match="0 are available"):
        await shop.later(HALF_A_YEAR).redeem(ada, 1)


async def test_fifty_tills_at_once_never_overspend(shop: Shop, ada: Member):
    await shop.buy(ada, tea(100))

    answers = await asyncio.gather(
        *(shop.redeem(ada, 30) for _ in range(50)), return_exceptions=True
    )

    assert sum(isinstance(one, PointsMoved) for one in answers) == 3
    assert sum(isinstance(one, InsufficientPointsError) for one in answers) == 47
    assert await shop.balance(ada) == 10


async def test_a_spender_of_more_lots_than_are_loaded_at_once_gets_them_all(
    shop: Shop, ada: Member
):
    for _ in range(70):
        await shop.buy(ada, tea(1))

    taken = await shop.redeem(ada, 69)

    assert taken.balance_points == 1
    assert await LotUseRow.filter(member_id=ada.id).count() == 69


async def test_returned_points_go_back_to_their_lots(shop: Shop, ada: Member):
    await shop.buy(ada, tea(100))
    await shop.buy(ada, tea(50), purchased_at=NOON - 60 * DAY)
    taken = await shop.redeem(ada, 70)

    returned = await shop.give_back(taken)

    assert returned.balance_points == 150
    assert await remaining(ada) == [100, 50]


async def test_points_returned_after_their_date_expire_again_at_once(shop: Shop, ada: Member):
    await shop.buy(ada, tea(100))
    taken = await shop.redeem(ada, 70)
    later = shop.later(HALF_A_YEAR)
    await later.buy(ada, tea(5))

    returned = await later.give_back(taken)

    assert returned.balance_points == 5
    kinds = await TransferRow.all().order_by("sequence").values_list("kind", "points")
    assert list(kinds)[3:] == [("UNREDEEM", 70), ("EXPIRE", 100)]


async def test_returned_points_pay_debt_first(database: object):
    shop = await open_shop(program(clawback="ALLOW_NEGATIVE"))
    ada = await shop.enrol()
    bought = await shop.buy(ada, tea(100))
    taken = await shop.redeem(ada, 80)
    await shop.bring_back(bought, None)

    returned = await shop.give_back(taken)

    assert returned.balance_points == 0
    assert await remaining(ada) == [0]


async def test_a_redemption_is_returned_once(shop: Shop, ada: Member):
    await shop.buy(ada, tea(100))
    taken = await shop.redeem(ada, 70)
    first = await shop.give_back(taken, idempotency_key="k")

    again = await shop.give_back(taken, idempotency_key="k")
    with pytest.raises(InvalidInputError, match="were returned before"):
        await shop.give_back(taken)

    assert again == replace(first, replayed=True)
    assert await shop.balance(ada) == 100


async def test_a_retried_redemption_counts_once(shop: Shop, ada: Member):
    await shop.buy(ada, tea(100))
    first = await shop.redeem(ada, 70, idempotency_key="k")

    again = await shop.redeem(ada, 70, idempotency_key="k")

    assert again == replace(first, replayed=True)
    assert await shop.balance(ada) == 30


@pytest.mark.parametrize("points", [0, -1, 10**16])
async def test_a_number_of_points_that_cannot_be_is_refused(shop: Shop, ada: Member, points: int):
    with pytest.raises(InvalidInputError, match="use 1 to"):
        await shop.redeem(ada, points)


async def test_an_unknown_redemption_is_refused(shop: Shop, ada: Member):
    unknown = PointsMoved(ada.id, new_id(NOON), 1, 1, 1)

    with pytest.raises(NotFoundError, match="no redemption"):
        await shop.give_back(unknown)


@pytest.mark.parametrize(
    ("case", "text", "message"),
    [
        ("long", "t" * 501, "At most 500 characters"),
        ("NUL", "\0", "character NUL"),
        ("half a pair", "\ud83d", "cannot be kept"),
    ],
)
async def test_a_text_that_cannot_be_kept_is_refused(
    shop: Shop, ada: Member, case: str, text: str, message: str
):
    await shop.buy(ada, tea(100))
    taken = await shop.redeem(ada, 10, text="the six characters \\u0000")

    with pytest.raises(InvalidInputError, match=message):
        await shop.redeem(ada, 1, text=text)
    with pytest.raises(InvalidInputError, match=message):
        await shop.give_back(taken, text=text)

    assert await shop.balance(ada) == 90


async def test_cancelling_after_a_refund_gives_nothing_for_nothing(shop: Shop, ada: Member):
    bought = await shop.buy(ada, tea(100))
    taken = await shop.redeem(ada, 80)
    await shop.bring_back(bought, None)

    returned = await shop.give_back(taken)

    assert (returned.points, await shop.balance(ada)) == (80, 0)
    kinds = await TransferRow.all().order_by("sequence").values_list("kind", "points")
    assert list(kinds)[2:] == [
        ("REVERSE", 100),
        ("REVERSE", 80),
        ("UNREDEEM", 80),
        ("UNREDEEM", 80),
    ]


async def test_a_return_is_not_dated_before_its_redemption(shop: Shop, ada: Member):
    await shop.buy(ada, tea(100))
    taken = await shop.redeem(ada, 80)

    with pytest.raises(InvalidInputError, match="dated before its redemption"):
        await shop.give_back(taken, at=NOON - DAY)

    assert await shop.balance(ada) == 20
