import pytest

from loyalty_graph.db import transaction
from loyalty_graph.rewards import reads, service
from loyalty_graph.rewards.models import RewardStock
from tests.shop import COFFEE, Shop, giving, open_shop

TEA = {**COFFEE, "code": "TEA", "stock": 5}
move = transaction(service.move_stock)


@pytest.fixture
async def shop(database: object) -> Shop:
    return await open_shop(giving(TEA))


async def taken(shop: Shop) -> int:
    return (await reads.taken(shop.program_id, ["TEA"]))["TEA"]


async def test_stock_is_taken_to_the_last_and_no_further(shop: Shop):
    rewards = await service.catalogue(shop.program_id, 1)
    await move(shop.program_id, {"TEA": 4}, rewards=rewards)

    with pytest.raises(service.StockTakenMeanwhileError, match="TEA"):
        await move(shop.program_id, {"TEA": 2}, rewards=rewards)
    after_refusal = await taken(shop)
    await move(shop.program_id, {"TEA": 1}, rewards=rewards)

    assert (after_refusal, await taken(shop)) == (4, 5)


async def test_what_is_put_back_can_be_taken_again(shop: Shop):
    rewards = await service.catalogue(shop.program_id, 1)
    await move(shop.program_id, {"TEA": 5}, rewards=rewards)

    await move(shop.program_id, {"TEA": -2, "COFFEE": -1})
    await move(shop.program_id, {"TEA": 2, "COFFEE": 1}, rewards=rewards)

    assert await taken(shop) == 5


async def test_a_reward_without_a_limit_is_not_counted(shop: Shop):
    rewards = await service.catalogue(shop.program_id, 1)

    await move(shop.program_id, {"COFFEE": 1000}, rewards=rewards)

    assert await RewardStock.filter(reward="COFFEE").count() == 0


async def test_a_version_without_rewards_has_an_empty_catalogue(database: object):
    shop = await open_shop()

    assert await service.catalogue(shop.program_id, 1) == {}
