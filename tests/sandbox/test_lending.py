"""What the demo's members do with points they do not spend, by the rules that are written down."""

from datetime import timedelta
from typing import Any

import pytest

from loyalty_graph.ledger.models import HoldRow, TransferRow
from loyalty_graph.members.models import Member
from loyalty_graph.sandbox.chance import Chance
from loyalty_graph.sandbox.lending import Lending
from loyalty_graph.sandbox.redeeming import Visit
from loyalty_graph.usecases import hold_deadlines
from loyalty_graph.usecases.points_holds import HoldMoved
from tests.sandbox.scripted import HOUSEHOLD, Decided, visited
from tests.shop import DAY, Shop, open_shop, program

pytestmark = pytest.mark.usefixtures("database")

NEIGHBOUR = HOUSEHOLD + 1
FEE = {"transfers": {"fee_percent": 5}}
GIVEN = [("TRANSFER_IN", 100), ("TRANSFER_OUT", 5), ("TRANSFER_OUT", 100)]


async def moves() -> list[tuple[str, int, str | None]]:
    found = await TransferRow.all().order_by("at", "member_id", "sequence")
    return [(one.kind, one.points, one.text) for one in found if one.kind != "EARN"]


async def evening(
    shop: Shop, chance: Chance, visits: dict[int, Visit], *ordered: HoldMoved
) -> list[HoldMoved]:
    lending = Lending(shop.program_id, chance)
    return await lending.evening(shop.now.date(), visits, ordered, now=shop.now)


async def neighbours(shop: Shop, *, cents: int = 10_000) -> dict[int, Visit]:
    return {HOUSEHOLD: await visited(shop, cents=cents), NEIGHBOUR: await visited(shop, cents=0)}


@pytest.mark.parametrize(
    ("case", "sets_aside", "cents", "kinds"),
    [
        ("in its turn", 0, 4_000, ["HOLD"]),
        ("with less", 0, 3_980, []),
        ("on another evening", 1, 4_000, []),
    ],
)
async def test_some_set_200_points_aside_when_they_have_them(
    case: str, sets_aside: int, cents: int, kinds: list[str]
):
    shop = await open_shop()
    visits = {HOUSEHOLD: await visited(shop, cents=cents)}

    orders = await evening(shop, Decided(**{"sets aside": sets_aside}), visits)

    assert orders == []
    assert await moves() == [("HOLD", 200, "simulated: ordered by telephone")][: len(kinds)]


async def test_an_order_is_paid_on_the_next_evening_and_the_rest_comes_back():
    shop = await open_shop()
    visits = {HOUSEHOLD: await visited(shop)}

    orders = await evening(shop, Decided(**{"sets aside": 0, "spends": 0}), visits)
    after = await evening(shop.later(DAY), Decided(), {}, *orders)

    assert (len(orders), after) == (1, [])
    assert [(kind, points) for kind, points, _ in await moves()] == [
        ("HOLD", 200),
        ("CAPTURE", 120),
        ("RELEASE", 80),
    ]
    assert (await HoldRow.get()).state == "CAPTURED"


async def test_a_forgotten_order_runs_out_after_three_days():
    shop = await open_shop()
    await evening(shop, Decided(**{"sets aside": 0}), {HOUSEHOLD: await visited(shop)})

    await hold_deadlines.release_all(shop.program_id, now=(shop.now + 3 * DAY - timedelta(1 / 24)))
    before = await moves()
    await hold_deadlines.release_all(shop.program_id, now=shop.now + 3 * DAY)

    assert [kind for kind, _, _ in before] == ["HOLD"]
    assert [(kind, points) for kind, points, _ in await moves()] == [
        ("HOLD", 200),
        ("RELEASE", 200),
    ]


@pytest.mark.parametrize(
    ("case", "settings", "passes_on", "cents", "moved"),
    [
        ("in its turn", FEE, 0, 2_100, GIVEN),
        ("with less than points and fee", FEE, 0, 2_080, []),
        ("on another evening", FEE, 1, 2_100, []),
        ("where nobody may", {}, 0, 2_100, []),
        ("beyond what is allowed", {"transfers": {"max_points": 99}}, 0, 2_100, []),
    ],
)
async def test_some_give_100_points_to_another_household_of_the_day(
    case: str, settings: dict[str, Any], passes_on: int, cents: int, moved: list[object]
):
    shop = await open_shop(program(**settings))
    visits = await neighbours(shop, cents=cents)

    await evening(shop, Decided(**{"passes on": passes_on, "friend": 7}), visits)

    assert sorted((kind, points) for kind, points, _ in await moves()) == moved


async def test_nobody_gives_points_to_himself():
    shop = await open_shop(program(**FEE))

    await evening(shop, Decided(**{"passes on": 0}), {HOUSEHOLD: await visited(shop)})

    assert await moves() == []


@pytest.mark.parametrize("purpose", ["sets aside", "passes on"])
async def test_points_that_were_spent_since_the_visit_are_left_alone(purpose: str):
    shop = await open_shop(program(**FEE))
    visits = await neighbours(shop)
    await shop.redeem(await Member.get(id=visits[HOUSEHOLD].member_id), 450)

    orders = await evening(shop, Decided(**{purpose: 0, "spends": 0}), visits)

    assert orders == []
    assert [(kind, points) for kind, points, _ in await moves()] == [("REDEEM", 450)]
