"""Passes made void, and copies fetched again."""

import asyncio
from datetime import datetime
from uuid import UUID

import pytest

from loyalty_graph.errors import NotFoundError
from loyalty_graph.members.models import Member
from loyalty_graph.outbox import CardMark, FactRow
from loyalty_graph.wallet import reads, service, voiding
from loyalty_graph.wallet.models import PassRow
from loyalty_graph.wallet.service import Platform
from tests.shop import DAY, NOON, Shop, open_shop

LATER = NOON + DAY


@pytest.fixture
async def shop(database: object) -> Shop:
    return await open_shop()


@pytest.fixture
async def ada(shop: Shop) -> Member:
    return await shop.enrol()


async def issue(
    shop: Shop, member: Member, platform: Platform = Platform.APPLE, *, now: datetime = NOON
) -> str:
    return (await service.issue(shop.program_id, [member.id], platform, now=now))[member.id]


async def told(kind: str) -> list[dict[str, str]]:
    return [fact.payload for fact in await FactRow.filter(kind=kind).order_by("id")]


async def marks() -> int:
    return await CardMark.all().count()


async def test_issuing_is_told_of_once(shop: Shop, ada: Member):
    serial = await issue(shop, ada)
    await issue(shop, ada)

    assert await told("pass.issued") == [{"pass": serial, "platform": "APPLE"}]


async def test_many_who_issue_at_once_tell_of_it_once(shop: Shop, ada: Member):
    await asyncio.gather(*(issue(shop, ada) for _ in range(8)))

    assert len(await told("pass.issued")) == 1


async def test_a_void_pass_is_told_of_once_and_its_copies_are_marked(shop: Shop, ada: Member):
    serial = await issue(shop, ada)

    await voiding.void(shop.program_id, ada.id, serial, now=NOON)
    await voiding.void(shop.program_id, ada.id, serial, now=LATER)

    assert (await PassRow.get()).voided_at == NOON
    assert await told("pass.voided") == [{"pass": serial, "platform": "APPLE"}]
    assert [mark.marked_at for mark in await CardMark.all()] == [NOON]


async def test_after_a_void_pass_there_is_a_new_one_and_the_old_one_stays_void(
    shop: Shop, ada: Member
):
    old = await issue(shop, ada)
    await voiding.void(shop.program_id, ada.id, old, now=NOON)

    new, again = await issue(shop, ada, now=LATER), await issue(shop, ada, now=LATER)

    assert new == again != old
    assert (await PassRow.get(serial=old)).voided_at == NOON
    assert (await PassRow.get(serial=new)).voided_at is None
    [shown] = (await reads.passes(shop.program_id, [ada.id]))[ada.id]
    assert shown.serial == new
    assert await service.holder(shop.program_id, old) == ada.id


async def test_where_all_passes_are_void_the_newest_is_shown(shop: Shop, ada: Member):
    for day in range(2):
        serial = await issue(shop, ada, now=NOON + day * DAY)
        await voiding.void(shop.program_id, ada.id, serial, now=LATER)

    [shown] = (await reads.passes(shop.program_id, [ada.id]))[ada.id]

    assert shown.serial == serial


async def test_a_pass_of_the_other_platform_stays_as_it_is(shop: Shop, ada: Member):
    apple, google = await issue(shop, ada), await issue(shop, ada, Platform.GOOGLE)

    await voiding.void(shop.program_id, ada.id, apple, now=NOON)

    assert (await PassRow.get(serial=google)).voided_at is None
    assert await issue(shop, ada, Platform.GOOGLE) == google


async def test_all_passes_of_a_member_end_together(shop: Shop, ada: Member):
    bob = await shop.enrol()
    for platform in Platform:
        await issue(shop, ada, platform)
    others = await issue(shop, bob)

    await voiding.void_all(shop.program_id, ada.id, now=NOON)

    assert await PassRow.filter(voided_at=NOON).count() == 2
    assert (await PassRow.get(serial=others)).voided_at is None


async def test_who_leaves_has_no_pass_that_is_good(shop: Shop, ada: Member):
    serial = await issue(shop, ada)

    await shop.close(ada)

    assert (await PassRow.get()).voided_at == NOON
    assert await told("pass.voided") == [{"pass": serial, "platform": "APPLE"}]


async def test_refreshing_marks_the_card_and_nothing_else(shop: Shop, ada: Member):
    serial = await issue(shop, ada)
    before = await PassRow.all().values_list()

    await voiding.refresh(shop.program_id, ada.id, serial, now=NOON)

    assert [mark.member_id for mark in await CardMark.all()] == [ada.id]
    assert await PassRow.all().values_list() == before


@pytest.mark.parametrize("change", [voiding.void, voiding.refresh])
async def test_what_is_not_the_members_is_not_found_and_stays_as_it_is(
    shop: Shop, ada: Member, change: object
):
    assert callable(change)
    bob = await shop.enrol()
    serial = await issue(shop, ada)

    for program_id, member_id, named in (
        (shop.program_id, bob.id, serial),
        (shop.program_id, ada.id, "0" * 32),
        (UUID(int=1), ada.id, serial),
    ):
        with pytest.raises(NotFoundError):
            await change(program_id, member_id, named, now=NOON)

    assert (await PassRow.get()).voided_at is None
    assert await marks() == 0
