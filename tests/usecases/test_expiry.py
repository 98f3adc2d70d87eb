from loyalty_graph.ledger.models import TransferRow
from loyalty_graph.members.models import Member
from loyalty_graph.outbox import FactRow
from loyalty_graph.usecases import expiry
from tests.shop import DAY, Shop, open_shop, program


async def test_points_expire_when_their_day_is_over(shop: Shop, ada: Member):
    await shop.buy(ada)
    await shop.redeem(ada, 8)
    last_moment = shop.now.replace(month=9, hour=21, minute=59)

    early = await expiry.run(shop.program_id, now=last_moment)
    expired = await expiry.run(shop.program_id, now=last_moment.replace(hour=22, minute=0))

    assert (early, expired) == (0, 100)
    assert await shop.balance(ada) == 0
    entry = await TransferRow.get(kind="EXPIRE")
    assert entry.at == last_moment.replace(hour=22, minute=0)
    fact = await FactRow.get(kind="points.expired")
    assert fact.payload == {"entries": [3], "points": 100, "balance": 0}


async def test_a_second_run_does_nothing(shop: Shop, ada: Member):
    await shop.buy(ada)
    now = shop.now + 200 * DAY
    await expiry.run(shop.program_id, now=now)

    again = await expiry.run(shop.program_id, now=now)

    assert again == 0
    assert await TransferRow.all().count() == 2


async def test_points_of_a_programme_without_expiry_stay(database: object):
    shop = await open_shop(program(expiry_months=None))
    ada = await shop.enrol()
    await shop.buy(ada)

    expired = await expiry.run(shop.program_id, now=shop.now + 3000 * DAY)

    assert expired == 0
    assert await shop.balance(ada) == 108
