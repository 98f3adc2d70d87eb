from unittest.mock import AsyncMock
from zoneinfo import ZoneInfo

import pytest

from loyalty_graph.ledger import due
from loyalty_graph.ledger.models import AccountRow, TransferRow
from loyalty_graph.members.models import Member
from loyalty_graph.outbox import FactRow
from loyalty_graph.usecases import expiry
from tests.shop import DAY, Shop, open_shop, program

BERLIN = ZoneInfo("Europe/Berlin")


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


async def test_points_used_up_meanwhile_leave_no_fact(
    shop: Shop, ada: Member, monkeypatch: pytest.MonkeyPatch
):
    await shop.buy(ada)
    later = shop.now + 200 * DAY
    await expiry.run(shop.program_id, now=later)
    facts = await FactRow.all().count()
    monkeypatch.setattr(due, "members_with_due_lots", AsyncMock(return_value=[ada.id]))

    expired = await expiry.run(shop.program_id, now=later)

    assert expired == 0
    assert await FactRow.all().count() == facts


async def test_a_missing_account_does_not_keep_expiry_busy_forever(shop: Shop, ada: Member):
    await shop.buy(ada)
    await AccountRow.filter(member_id=ada.id).delete()

    expired = await expiry.run(shop.program_id, now=shop.now + 200 * DAY)

    assert expired == 0


async def test_one_run_takes_members_in_several_batches(
    shop: Shop, ada: Member, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(expiry, "MEMBERS_AT_ONCE", 1)
    await shop.buy(ada)
    await shop.buy(await shop.enrol(external_id="bob"))

    expired = await expiry.run(shop.program_id, now=(shop.now + 200 * DAY).astimezone(BERLIN))

    assert expired == 216
