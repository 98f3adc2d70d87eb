"""Cards that change though nothing happens are marked when their time has come."""

from datetime import timedelta

import pytest

from loyalty_graph.outbox import CardMark
from loyalty_graph.wallet import aging
from loyalty_graph.wallet.models import PassRow
from loyalty_graph.wallet.service import Platform
from tests.shop import NOON, Shop, open_shop, program
from tests.wallet.holding import issue

SECOND = timedelta(seconds=1)


@pytest.fixture
async def shop(database: object) -> Shop:
    return await open_shop()


async def hold(serial: str, seconds: int) -> None:
    """Let a card show the same until so many seconds from noon on."""
    await PassRow.filter(serial=serial).update(holds_until=NOON + seconds * SECOND)


async def test_a_card_is_marked_once_when_what_it_shows_is_over(shop: Shop):
    ada, ben, eve = [await shop.enrol() for _ in range(3)]
    for member, seconds in ((ada, 1), (ben, 2), (eve, 3)):
        await hold(await issue(shop, member), seconds)

    outdated = await aging.mark_outdated(shop.program_id, now=NOON + 2 * SECOND)

    marks = await CardMark.all().order_by("member_id")
    assert outdated == 2
    assert [(row.member_id, row.marked_at) for row in marks] == [
        (one.id, NOON + 2 * SECOND) for one in sorted((ada, ben), key=lambda one: one.id)
    ]
    assert await aging.mark_outdated(shop.program_id, now=NOON + 2 * SECOND) == 0
    assert await PassRow.filter(holds_until=None).count() == 2


async def test_both_passes_of_a_member_are_one_mark(shop: Shop):
    ada = await shop.enrol()
    for platform in Platform:
        await hold(await issue(shop, ada, platform), 1)

    assert await aging.mark_outdated(shop.program_id, now=NOON + SECOND) == 2
    assert await CardMark.all().count() == 1


async def test_more_than_a_batch_is_marked(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(aging, "PASSES_AT_ONCE", 2)
    for _ in range(5):
        await hold(await issue(shop, await shop.enrol()), 1)

    assert await aging.mark_outdated(shop.program_id, now=NOON + SECOND) == 5
    assert await CardMark.all().count() == 5


async def test_a_day_on_which_all_cards_change_is_no_storm(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(aging, "PASSES_AT_ONCE", 2)
    monkeypatch.setattr(aging, "PASSES_OF_A_RUN_MAX", 4)
    for _ in range(5):
        await hold(await issue(shop, await shop.enrol()), 1)

    first = await aging.mark_outdated(shop.program_id, now=NOON + SECOND)
    a_minute_later = await aging.mark_outdated(shop.program_id, now=NOON + 61 * SECOND)

    assert (first, a_minute_later) == (4, 1)


async def test_cards_of_other_programmes_are_theirs(shop: Shop):
    data = program()
    data["program"] = {**data["program"], "slug": "tea-club"}
    tea = await open_shop(data)
    await hold(await issue(tea, await tea.enrol()), 1)

    assert await aging.mark_outdated(shop.program_id, now=NOON + SECOND) == 0
    assert await CardMark.all().count() == 0
