"""What the demo's members do with rewards, by the rules that are written down."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from loyalty_graph.ledger.models import TransferRow
from loyalty_graph.members.models import Member
from loyalty_graph.rewards.models import RedemptionRow, VoucherRow
from loyalty_graph.sandbox.chance import Chance
from loyalty_graph.sandbox.redeeming import Pockets, Redeeming, Visit
from tests.sandbox.scripted import HOUSEHOLD, Decided, visited
from tests.shop import CODES, COFFEE, DAY, NOTE, Shop, giving, open_shop

BERLIN = ZoneInfo("Europe/Berlin")
COFFEE_AT, NOTE_AT = 0, 1
WANTS: dict[str, Any] = {"redeems": 0, "reward": COFFEE_AT}

pytestmark = pytest.mark.usefixtures("database")


async def opened() -> Shop:
    return await open_shop(giving(NOTE | {"code_days": 60}))


async def evening(
    shop: Shop, chance: Chance, visit: Visit | None, pockets: Pockets | None = None
) -> Pockets:
    visits = {} if visit is None else {HOUSEHOLD: visit}
    redeeming = Redeeming(shop.program_id, BERLIN, CODES, chance)
    return await redeeming.evening(shop.now.date(), visits, pockets or {}, now=shop.now)


async def moves() -> list[tuple[str, int]]:
    return [(one.kind, one.points) for one in await TransferRow.all().order_by("sequence")]


async def test_what_was_saved_for_is_redeemed_in_the_evening_and_used_at_the_next_visit():
    shop = await opened()
    visit = await visited(shop)

    pockets = await evening(shop, Decided(**WANTS), visit)
    tomorrow = shop.later(DAY)
    after = await evening(tomorrow, Decided(), visit, pockets)

    assert [one.left_minor for one in pockets[HOUSEHOLD]] == [None]
    assert after == {}
    used = await RedemptionRow.get()
    assert (used.reward, used.state, used.used_store) == ("COFFEE", "USED", "store-7")
    assert used.used_at == tomorrow.now
    assert await moves() == [("EARN", 500), ("REDEEM", 40)]


async def test_who_does_not_come_keeps_the_code():
    shop = await opened()
    pockets = await evening(shop, Decided(**WANTS), await visited(shop))

    after = await evening(shop.later(DAY), Decided(), None, pockets)

    assert after == pockets
    assert (await RedemptionRow.get()).state == "ISSUED"


@pytest.mark.parametrize(
    ("case", "numbers", "cents"),
    [
        ("not this evening", {"redeems": 1}, 10_000),
        ("too few points", {"redeems": 0, "reward": NOTE_AT}, 900),
    ],
)
async def test_otherwise_nothing_is_redeemed(case: str, numbers: dict[str, int], cents: int):
    shop = await opened()

    pockets = await evening(shop, Decided(**numbers), await visited(shop, cents=cents))

    assert pockets == {}
    assert await RedemptionRow.all().count() == 0
    assert await moves() == [("EARN", cents // 20)]


async def test_what_the_programme_refuses_is_left_alone():
    shop = await open_shop({**giving(), "rewards": [COFFEE | {"limit_per_member": 1}]})
    visit = await visited(shop)
    pockets = await evening(shop, Decided(**WANTS), visit)
    later = shop.later(timedelta(days=40))
    again = await visited(later, member=await Member.get(id=visit.member_id))

    after = await evening(later, Decided(**WANTS), again, pockets)

    assert after == {}
    assert await RedemptionRow.all().count() == 1


async def test_points_are_set_aside_and_then_spent():
    shop = await opened()

    pockets = await evening(shop, Decided(**WANTS, held=0), await visited(shop))

    assert len(pockets[HOUSEHOLD]) == 1
    assert (await RedemptionRow.get()).state == "ISSUED"
    assert await moves() == [("EARN", 500), ("HOLD", 40), ("CAPTURE", 40)]


async def test_a_basket_that_is_left_leaves_the_points_set_aside():
    shop = await opened()

    pockets = await evening(shop, Decided(**WANTS, held=0, left=0), await visited(shop))

    assert pockets == {}
    assert (await RedemptionRow.get()).state == "HELD"
    assert await moves() == [("EARN", 500), ("HOLD", 40)]


async def test_a_redemption_is_cancelled_on_the_next_evening():
    shop = await opened()
    visit = await visited(shop)
    pockets = await evening(shop, Decided(**WANTS, cancelled=0), visit)

    after = await evening(shop.later(DAY), Decided(), visit, pockets)

    assert after == {}
    assert (await RedemptionRow.get()).state == "CANCELLED"
    assert await moves() == [("EARN", 500), ("REDEEM", 40), ("UNREDEEM", 40)]
    assert (await TransferRow.get(kind="UNREDEEM")).text == "simulated: changed their mind"


async def test_a_voucher_is_used_in_parts_and_for_no_more_than_the_basket():
    shop = await opened()
    visit = await visited(shop)
    pockets = await evening(shop, Decided(redeems=0, reward=NOTE_AT), visit)
    small = await visited(
        shop.later(DAY), member=await Member.get(id=visit.member_id), cents=250, row=1
    )
    large = await visited(shop.later(DAY), member=await Member.get(id=visit.member_id), row=2)

    kept = await evening(shop.later(DAY), Decided(), small, pockets)
    part = await evening(shop.later(DAY), Decided(pays=0, voucher=5), large, kept)
    less = await evening(shop.later(2 * DAY), Decided(pays=0, voucher=5), small, part)

    assert [pocket[HOUSEHOLD][0].left_minor for pocket in (pockets, kept, part, less)] == [
        2000,
        2000,
        1400,
        1150,
    ]
    assert (await VoucherRow.get()).remaining_minor == 1150
    assert (await RedemptionRow.get()).state == "USED"


async def test_what_has_expired_is_thrown_away():
    shop = await opened()
    visit = await visited(shop)
    pockets = await evening(shop, Decided(redeems=0, reward=NOTE_AT), visit)
    last = shop.later(timedelta(days=60))

    kept = await evening(last, Decided(), visit, pockets)
    gone = await evening(last.later(DAY), Decided(pays=0), visit, kept)

    assert kept == pockets
    assert gone == {}
    assert (await VoucherRow.get()).remaining_minor == 2000


async def test_without_rewards_there_is_nothing_to_save_for():
    shop = await open_shop()

    assert await evening(shop, Decided(**WANTS), await visited(shop)) == {}
