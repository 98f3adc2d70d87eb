"""What is written down of copies that were handed out: only what is newer, and nothing is lost."""

from datetime import timedelta
from typing import Any

import pytest
from tortoise.exceptions import OperationalError

from loyalty_graph.db import connection
from loyalty_graph.outbox import CardMark
from loyalty_graph.wallet import aging, latency, service
from loyalty_graph.wallet.apple.deliveries import Deliveries, Delivery, keep
from loyalty_graph.wallet.apple.models import DeviceRow
from loyalty_graph.wallet.latency import Stage
from loyalty_graph.wallet.models import PassRow
from loyalty_graph.wallet.service import Platform
from tests.shop import DAY, NOON, Shop, open_shop

SECOND = timedelta(seconds=1)
TYPE = "pass.com.example.card"


@pytest.fixture
async def shop(database: object) -> Shop:
    return await open_shop()


async def delivered(shop: Shop, **changes: Any) -> Delivery:
    """Issue a pass, and return a delivery of it."""
    member = await shop.enrol()
    serials = await service.issue(shop.program_id, [member.id], now=NOON)
    first = Delivery(shop.program_id, member.id, serials[member.id], 3, NOON, None)
    return first._replace(**changes)


async def written(serial: str) -> tuple[Any, ...]:
    row = await PassRow.get(serial=serial)
    return (
        row.delivered_tag,
        row.delivered_at,
        row.handed_out_tag,
        row.handed_out_at,
        row.holds_until,
    )


async def waits(shop: Shop) -> int:
    found = await latency.percentiles(shop.program_id, since=NOON)
    key = (Platform.APPLE, Stage.FETCHED)
    return found[key].count if key in found else 0


async def test_what_is_noted_is_written_a_moment_later_and_at_the_end(shop: Shop):
    deliveries, one, other = Deliveries(), await delivered(shop), await delivered(shop)
    deliveries.note(one)
    assert await written(one.serial) == (None, None, None, None, None)

    await deliveries.step()
    deliveries.note(other)
    await deliveries.close()

    assert await written(one.serial) == (3, NOON, 3, NOON, None)
    assert await written(other.serial) == (3, NOON, 3, NOON, None)


@pytest.mark.parametrize(
    ("case", "changes", "after"),
    [
        ("newer", {"tag": 4}, (4, NOON + SECOND, 3, NOON, None)),
        ("the same", {}, (3, NOON, 3, NOON, None)),
        ("older", {"tag": 2, "holds_until": NOON + DAY}, (3, NOON, 2, NOON, None)),
        ("it holds shorter", {"holds_until": NOON + DAY}, (3, NOON, 3, NOON, NOON + DAY)),
    ],
)
async def test_only_what_is_newer_replaces_what_was_delivered(
    shop: Shop, case: str, changes: dict[str, Any], after: tuple[Any, ...]
):
    first = await delivered(shop)
    await keep(shop.program_id, [first])

    await keep(shop.program_id, [first._replace(at=NOON + SECOND, **changes)])

    assert await written(first.serial) == after


async def test_a_copy_made_after_the_card_changed_by_itself_does_not_hide_the_older_ones(
    shop: Shop,
):
    first = await delivered(shop, holds_until=NOON + SECOND)
    await keep(shop.program_id, [first])

    # Another device fetches in the minute before the job that marks such cards has run.
    await keep(shop.program_id, [first._replace(at=NOON + 2 * SECOND, holds_until=NOON + DAY)])
    assert await aging.mark_outdated(shop.program_id, now=NOON + 3 * SECOND) == 1
    await keep(
        shop.program_id, [first._replace(tag=4, at=NOON + 4 * SECOND, holds_until=NOON + DAY)]
    )

    assert await CardMark.filter(member_id=first.member_id).exists()
    assert (await written(first.serial))[-1] == NOON + DAY


async def test_a_copy_that_is_late_itself_lacks_only_what_came_after_it(shop: Shop):
    first = await delivered(shop)
    await PassRow.filter(serial=first.serial).update(update_tag=4, stale_since=NOON - DAY)

    await keep(shop.program_id, [first])

    assert (await PassRow.get()).stale_since == NOON


async def test_of_one_state_the_first_delivery_counts(shop: Shop):
    deliveries, first = Deliveries(), await delivered(shop)
    for tag, at in ((3, NOON), (3, NOON + SECOND), (2, NOON + 2 * SECOND)):
        deliveries.note(first._replace(tag=tag, at=at))

    await deliveries.step()

    assert await written(first.serial) == (3, NOON, 3, NOON, None)


async def test_how_long_a_change_took_is_counted_once(shop: Shop):
    first = await delivered(shop)
    fetched = first._replace(tag=4, at=NOON + SECOND, changed_at=NOON)
    # The first copy of a pass tells nothing: nobody waited for it.
    await keep(shop.program_id, [first._replace(changed_at=NOON)])
    assert await waits(shop) == 0

    await keep(shop.program_id, [fetched])
    await keep(shop.program_id, [fetched._replace(at=NOON + 9 * SECOND)])

    found = (await latency.percentiles(shop.program_id, since=NOON))[Platform.APPLE, Stage.FETCHED]
    assert found.count == 1
    assert 1 <= found.p50_s <= 1.05


async def test_a_failure_loses_nothing(shop: Shop):
    deliveries, first = Deliveries(), await delivered(shop)
    await DeviceRow.create(pass_type=TYPE, device="d", push_token="p", token_told_at=NOON)
    deliveries.note(first)
    deliveries.listed(TYPE, "d", 7)

    await rename("pass", "lost")
    with pytest.raises(OperationalError):
        await deliveries.step()
    deliveries.note(first._replace(tag=4, at=NOON + SECOND))
    await rename("lost", "pass")
    await deliveries.step()

    assert await written(first.serial) == (4, NOON + SECOND, 4, NOON + SECOND, None)
    assert (await DeviceRow.get()).listed_tag == 7


async def rename(one: str, other: str) -> None:
    await connection().execute_script(f"ALTER TABLE {one} RENAME TO {other}")


async def test_a_device_has_the_highest_tag_it_told(shop: Shop):
    deliveries = Deliveries()
    await DeviceRow.create(pass_type=TYPE, device="d", push_token="p", token_told_at=NOON)

    for tag in (5, 7, 6):
        deliveries.listed(TYPE, "d", tag)
    await deliveries.step()
    deliveries.listed(TYPE, "d", 4)
    deliveries.listed(TYPE, "unknown", 9)
    await deliveries.step()

    assert (await DeviceRow.get()).listed_tag == 7


async def test_a_pass_that_is_gone_is_passed_over(shop: Shop):
    first = await delivered(shop)

    await keep(shop.program_id, [first._replace(serial="0" * 32)])

    assert await written(first.serial) == (None, None, None, None, None)
