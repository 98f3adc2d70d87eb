"""Rewards for some members only: who is offered them, and who is refused."""

from datetime import date
from typing import Any

import pytest

from loyalty_graph.errors import ProgramFileError
from loyalty_graph.ledger.models import TransferRow
from loyalty_graph.members.models import Member
from loyalty_graph.outbox import FactRow
from loyalty_graph.rewards.errors import RewardNotForMemberError
from loyalty_graph.rewards.models import RedemptionRow, RewardStock
from loyalty_graph.usecases import program_file, reward_offers, rewards
from tests.shop import CODES, COFFEE, DAY, NOON, Shop, giving, open_shop

CAKE = {
    **COFFEE,
    "code": "CAKE",
    "cost_points": 30,
    "when": {"member": {"is_birthday": True}},
}
THANKS = {**COFFEE, "code": "THANKS", "cost_points": 10, "stock": 5, "segments": ["REGULAR"]}
REGULAR = {
    "code": "REGULAR",
    "name": "Regular guests",
    "when": {"member": {"purchase_count": {"at_least": 2}}},
}
PERSONAL: dict[str, Any] = {**giving(CAKE, THANKS), "segments": [REGULAR]}
TABLES = (TransferRow, RedemptionRow, RewardStock, FactRow)


@pytest.fixture
async def shop(database: object) -> Shop:
    return await open_shop(PERSONAL)


async def guest(shop: Shop, *, purchases: int = 1, birthday: date | None = None) -> Member:
    member = await shop.enrol(birthday=birthday)
    for _ in range(purchases):
        await shop.buy(member)
    return member


async def offered(shop: Shop, *members: Member) -> list[list[str]]:
    found = await reward_offers.offers(shop.program_id, [one.id for one in members], now=shop.now)
    return [[offer.offer.reward.code for offer in found[one.id]] for one in members]


async def everything() -> list[list[str]]:
    return [sorted(str(dict(row)) for row in await table.all()) for table in TABLES]


async def test_each_member_is_offered_what_is_meant_for_her(shop: Shop):
    ada = await guest(shop, birthday=date(1990, NOON.month, NOON.day))
    bob = await guest(shop, purchases=2)
    cy = await guest(shop, purchases=0)

    today = await offered(shop, ada, bob, cy)
    tomorrow = await offered(shop.later(DAY), ada, bob, cy)

    assert today == [["CAKE", "COFFEE"], ["THANKS", "COFFEE"], ["COFFEE"]]
    assert tomorrow == [["COFFEE"], ["THANKS", "COFFEE"], ["COFFEE"]]


async def test_who_it_is_meant_for_gets_it(shop: Shop):
    bob = await guest(shop, purchases=2)

    wanted = await shop.want(bob, "THANKS")

    assert (wanted.points, wanted.balance_points) == (10, 206)


async def test_a_reward_for_others_is_refused_and_nothing_changes(shop: Shop):
    ada = await guest(shop)
    before = await everything()

    for code in ("CAKE", "THANKS"):
        with pytest.raises(RewardNotForMemberError):
            await shop.want(ada, code)

    assert await everything() == before


async def test_in_a_batch_each_member_is_looked_at(shop: Shop):
    ada, bob = await guest(shop), await guest(shop, purchases=2)
    commands = [shop.wish(ada, "THANKS"), shop.wish(bob, "THANKS"), shop.wish(ada, "COFFEE")]

    first, second, third = await rewards.redeem(
        shop.program_id, commands, codes=CODES, now=shop.now
    )

    assert isinstance(first, RewardNotForMemberError)
    assert not isinstance(second, Exception)
    assert not isinstance(third, Exception)
    assert (await RewardStock.get(reward="THANKS")).taken == 1


async def test_a_retry_gets_what_it_got_though_it_is_not_meant_for_her_any_more(shop: Shop):
    ada = await guest(shop, birthday=date(1990, NOON.month, NOON.day))
    wish = shop.wish(ada, "CAKE")

    [first] = await rewards.redeem(shop.program_id, [wish], codes=CODES, now=shop.now)
    [again] = await rewards.redeem(shop.program_id, [wish], codes=CODES, now=shop.now + DAY)

    assert not isinstance(first, Exception)
    assert not isinstance(again, Exception)
    assert (again.redemption_id, again.replayed) == (first.redemption_id, True)


async def test_who_is_meant_is_what_the_version_of_now_says(shop: Shop):
    ada = await guest(shop)
    everybody = program_file.check(giving({**THANKS, "segments": []}), name="test")

    before = await offered(shop, ada)
    await program_file.load(everybody, now=NOON + DAY)

    assert (before, await offered(shop.later(DAY), ada)) == ([["COFFEE"]], [["THANKS", "COFFEE"]])
    assert (await shop.later(DAY).want(ada, "THANKS")).points == 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"segments": ["REGULARS"]},
            r"rewards\[0\].segments\[0\]: there is no segment REGULARS; did",
        ),
        (
            {"when": {"tier": {"code": "GOLD"}}},
            r"rewards\[0\].when.tier.code: there is no tier GOLD",
        ),
        ({"when": {"member": {"age": 3}}}, r"rewards\[0\].when.member.age: there is no term"),
        ({"when": {"purchase": {"channel": "WEB"}}}, r"rewards\[0\].when.purchase: there is no"),
        (
            {"when": {"member": {"purchase_count": {"at_least": 5, "at_most": 4}}}},
            r"rewards\[0\].when",
        ),
    ],
)
def test_a_condition_that_cannot_be_is_refused_with_its_place(change: dict[str, Any], message: str):
    data = {**PERSONAL, "rewards": [{**COFFEE, **change}]}

    with pytest.raises(ProgramFileError, match=message):
        program_file.check(data, name="shop.toml")
