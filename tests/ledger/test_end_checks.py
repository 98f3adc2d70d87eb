"""An audit finds it when somebody changes when points end."""

from datetime import timedelta

import pytest

from loyalty_graph.ledger.models import AccountRow, LotRow
from loyalty_graph.usecases import expiry, notices, proof
from tests.shop import DAY, NOON, Shop, open_shop, program

SLIDING = {"policy": "SLIDING", "months": 6, "resets": ["PURCHASE"], "notice_days": 14}


@pytest.fixture
async def shop(database: object) -> Shop:
    """A shop whose points slide; of two purchases' points the owner was told once."""
    one = await open_shop(program(expiry_months=None, expiry=SLIDING))
    ada = await one.enrol()
    await one.buy(ada)
    await notices.run(one.program_id, now=NOON + 180 * DAY)
    await one.later(180 * DAY).buy(ada)
    return one


async def problems(shop: Shop) -> list[tuple[int | None, str]]:
    found = await proof.verify(shop.program_id, now=shop.now)
    return [(one.sequence, one.problem) for one in found.findings]


async def test_ends_as_they_were_kept_are_sound_also_once_points_expired(shop: Shop):
    await notices.run(shop.program_id, now=NOON + 380 * DAY)
    expired = await expiry.run(shop.program_id, now=NOON + 400 * DAY)

    assert expired == 216
    assert await problems(shop) == []


async def test_an_end_that_nobody_was_told_of_is_found_and_put_right(shop: Shop):
    lot = await LotRow.get(sequence=1)
    assert lot.told_expires_at is not None
    await LotRow.filter(sequence=1).update(told_expires_at=lot.told_expires_at - timedelta(1))
    await LotRow.filter(sequence=2).update(told_expires_at=lot.told_expires_at)

    found = await problems(shop)
    changed = await proof.rebuild(shop.program_id, now=shop.now)

    assert sorted(sequence or 0 for sequence, _ in found) == [1, 2]
    assert all("told of" in problem for _, problem in found)
    assert changed == 2
    assert (await LotRow.get(sequence=1)).told_expires_at == lot.told_expires_at
    assert (await LotRow.get(sequence=2)).told_expires_at is None
    assert await problems(shop) == []


async def test_a_lapse_that_was_changed_is_found_and_put_right(shop: Shop):
    await AccountRow.all().update(lapses_at=NOON)

    found = await problems(shop)
    await proof.rebuild(shop.program_id, now=shop.now)

    assert found == [(None, "the account lapses at another time than was kept")]
    assert await problems(shop) == []


async def test_points_that_expired_before_the_end_that_was_told_are_found(shop: Shop):
    await LotRow.filter(sequence=1).update(told_expires_at=NOON + 370 * DAY)
    await expiry.run(shop.program_id, now=NOON + 371 * DAY)

    found = await problems(shop)

    assert "points expired at another end than was told" in [problem for _, problem in found]
