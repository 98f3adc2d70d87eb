"""What the demo's members do with plain points, by the rules that are written down."""

import pytest

from loyalty_graph.ledger.models import TransferRow
from loyalty_graph.sandbox.giving import Giving
from tests.sandbox.scripted import HOUSEHOLD, Decided, visited
from tests.shop import DAY, open_shop

pytestmark = pytest.mark.usefixtures("database")


async def moves() -> list[tuple[str, int, str | None]]:
    return [(one.kind, one.points, one.text) for one in await TransferRow.all().order_by("at")]


@pytest.mark.parametrize(
    ("case", "gives", "cents", "kinds"),
    [
        ("a giver", 0, 10_000, ["EARN", "REDEEM"]),
        ("a giver with less", 0, 9_980, ["EARN"]),
        ("another household", 1, 10_000, ["EARN"]),
    ],
)
async def test_some_give_500_points_when_they_have_them(
    case: str, gives: int, cents: int, kinds: list[str]
):
    shop = await open_shop()
    visits = {HOUSEHOLD: await visited(shop, cents=cents)}
    giving = Giving(shop.program_id, Decided(gives=gives))

    regretted = await giving.evening(shop.now.date(), visits, [], now=shop.later(DAY).now)

    assert regretted == []
    found = await moves()
    assert [kind for kind, _, _ in found] == kinds
    assert found[1:] == [("REDEEM", 500, "simulated: given to the food bank")][: len(kinds) - 1]


async def test_a_regretted_gift_is_taken_back_on_the_next_evening():
    shop = await open_shop()
    visits = {HOUSEHOLD: await visited(shop)}
    giving = Giving(shop.program_id, Decided(gives=0, regrets=0))
    tomorrow = shop.later(DAY)

    regretted = await giving.evening(shop.now.date(), visits, [], now=tomorrow.now)
    after = await giving.evening(tomorrow.now.date(), {}, regretted, now=tomorrow.later(DAY).now)

    assert (len(regretted), after) == (1, [])
    assert [(kind, points) for kind, points, _ in await moves()] == [
        ("EARN", 500),
        ("REDEEM", 500),
        ("UNREDEEM", 500),
    ]
