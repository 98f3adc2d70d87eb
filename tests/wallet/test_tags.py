"""Marked cards get tags in order, and whoever holds them is to be told."""

import asyncio
from datetime import datetime, timedelta

import pytest

from loyalty_graph.db import transaction
from loyalty_graph.members.models import Member
from loyalty_graph.outbox import CardMark, FactRow
from loyalty_graph.wallet import reads, tags, voiding
from loyalty_graph.wallet.models import CardPushRow, PassRow, UpdateTagRow
from loyalty_graph.wallet.service import Platform
from loyalty_graph.wallet.tags import Tagged
from tests.shop import NOON, Shop, open_shop, program
from tests.wallet.holding import CARDS, ISSUER, install, issue, mark, mark_ids, number

SECOND = timedelta(seconds=1)
MOMENT = timedelta(milliseconds=300)


@pytest.fixture
async def shop(database: object) -> Shop:
    return await open_shop()


@pytest.fixture
async def ada(shop: Shop) -> Member:
    ada = await shop.enrol()
    await forget_marks()
    return ada


@pytest.fixture
async def ben(shop: Shop) -> Member:
    ben = await shop.enrol()
    await forget_marks()
    return ben


async def forget_marks() -> None:
    await CardMark.all().delete()


async def tag_of(serial: str) -> int:
    return (await PassRow.get(serial=serial)).update_tag


async def wanted() -> list[tuple[str, str, str, int]]:
    rows = await CardPushRow.all().order_by("platform", "target")
    return [(row.platform, row.channel, row.target, row.wanted_tag) for row in rows]


async def updated() -> list[str]:
    return [fact.payload["pass"] for fact in await FactRow.filter(kind="pass.updated")]


async def test_a_marked_card_gets_the_next_tag_and_its_devices_are_to_be_told(
    shop: Shop, ada: Member
):
    serial = await issue(shop, ada)
    await install(serial, "phone", "watch")
    await mark(shop, ada, now=NOON + MOMENT)

    assert await tags.waiting() is True
    assert await number(now=NOON + 2 * SECOND + MOMENT) == Tagged(marks=1, pushes=2)

    card = await PassRow.get(serial=serial)
    assert (card.update_tag, card.changed_at) == (1, NOON + MOMENT)
    assert card.last_modified == NOON + 2 * SECOND
    assert await wanted() == [("APPLE", CARDS, "phone", 1), ("APPLE", CARDS, "watch", 1)]
    push = await CardPushRow.get(target="phone")
    assert (push.changed_at, push.due_at) == (NOON + MOMENT, NOON + 2 * SECOND + MOMENT)
    assert await tags.waiting() is False


async def test_cards_get_their_tags_in_the_order_of_the_marks(shop: Shop):
    members = [await shop.enrol() for _ in range(6)]
    serials = [await issue(shop, one) for one in members]
    await forget_marks()
    order = [3, 0, 5, 1, 4, 2]
    for place, chosen in enumerate(order):
        await mark(shop, members[chosen], now=NOON + place * MOMENT)

    await number(limit=4)
    await number(limit=4)

    assert [await tag_of(serials[chosen]) for chosen in order] == [1, 2, 3, 4, 5, 6]
    assert (await UpdateTagRow.get()).highest == 6


async def test_one_count_goes_through_all_programmes(shop: Shop, ada: Member):
    tea_data = program()
    tea_data["program"] = {**tea_data["program"], "slug": "tea-club", "name": "Tea Club"}
    tea = await open_shop(tea_data)
    eve = await tea.enrol()
    serials = [await issue(shop, ada), await issue(tea, eve)]
    await forget_marks()
    await mark(shop, ada, now=NOON)
    await mark(tea, eve, now=NOON)

    await number()
    await mark(shop, ada, now=NOON)
    await number()

    assert await tag_of(serials[0]) == 3
    assert await tag_of(serials[1]) in {1, 2}


async def test_marks_of_members_without_a_pass_are_taken_away(shop: Shop, ada: Member):
    await mark(shop, ada)

    assert await number() == Tagged(marks=1, pushes=0)

    assert await CardMark.all().count() == 0
    assert await UpdateTagRow.all().count() == 0


async def test_nothing_to_do_does_nothing(shop: Shop):
    assert await tags.waiting() is False
    assert await number() == Tagged(marks=0, pushes=0)


async def test_a_device_with_several_changed_passes_is_told_once(
    shop: Shop, ada: Member, ben: Member
):
    for member in (ada, ben):
        await install(await issue(shop, member), "family phone")
    await mark(shop, ada, now=NOON)
    await mark(shop, ben, now=NOON + SECOND)

    assert await number() == Tagged(marks=2, pushes=1)

    assert await wanted() == [("APPLE", CARDS, "family phone", 2)]
    assert (await CardPushRow.get()).changed_at == NOON


async def test_google_is_told_of_its_own_passes(shop: Shop, ada: Member):
    await install(await issue(shop, ada), "phone")
    saved = await issue(shop, ada, Platform.GOOGLE)
    await mark(shop, ada)

    await number()

    assert await wanted() == [
        ("APPLE", CARDS, "phone", await tag_of(await issue(shop, ada))),
        ("GOOGLE", ISSUER, saved, await tag_of(saved)),
    ]


async def test_without_an_issuer_google_is_told_nothing_but_its_passes_get_tags(
    shop: Shop, ada: Member
):
    serial = await issue(shop, ada, Platform.GOOGLE)
    await mark(shop, ada)

    assert await number(google_issuer=None) == Tagged(marks=1, pushes=0)

    assert await tag_of(serial) == 1


async def test_changes_within_one_second_differ_for_a_phone_that_compares_seconds(
    shop: Shop, ada: Member
):
    serial = await issue(shop, ada)
    modified = []
    for place in range(1, 4):
        await mark(shop, ada, now=NOON + place * MOMENT)
        await number(now=NOON + place * MOMENT)
        modified.append((await PassRow.get(serial=serial)).last_modified)

    assert modified == [NOON + place * SECOND for place in (1, 2, 3)]


async def test_last_modified_never_goes_back_with_a_clock(shop: Shop, ada: Member):
    serial = await issue(shop, ada)
    await mark(shop, ada)

    await number(now=NOON - timedelta(hours=1))

    assert (await PassRow.get(serial=serial)).last_modified == NOON + SECOND


async def test_an_update_is_told_of_only_where_a_pass_is_installed(shop: Shop):
    members = [await shop.enrol() for _ in range(4)]
    apple, _bare = [await issue(shop, one) for one in members[:2]]
    google, gone = [await issue(shop, one, Platform.GOOGLE) for one in members[2:]]
    await install(apple, "phone")
    await PassRow.filter(serial=google).update(installed_at=NOON)
    await PassRow.filter(serial=gone).update(installed_at=NOON, removed_at=NOON + SECOND)
    await mark(shop, *members)

    await number()

    assert sorted(await updated()) == sorted([apple, google])


async def test_how_long_a_copy_shows_something_old_counts_from_the_oldest_change_it_lacks(
    shop: Shop, ada: Member
):
    serial = await issue(shop, ada)
    await install(serial, "phone")

    async def lag(now: datetime) -> timedelta:
        card = await PassRow.get(serial=serial)
        return (await reads.standings(shop.program_id, [card], now=now))[serial].freshness.lag

    async def change(second: int, *, times: int = 1) -> None:
        for _ in range(times):
            await mark(shop, ada, now=NOON + second * SECOND)
            second += 1
        await number(now=NOON + second * SECOND)

    await change(10)
    await change(20)
    late = await lag(NOON + 30 * SECOND)
    await PassRow.all().update(delivered_tag=2)
    fresh = await lag(NOON + 40 * SECOND)
    await change(50, times=3)
    late_again = await lag(NOON + 60 * SECOND)

    assert (late, fresh, late_again) == (20 * SECOND, 0 * SECOND, 10 * SECOND)


async def test_a_void_pass_is_told_so_and_then_left_alone(shop: Shop, ada: Member):
    serial = await issue(shop, ada)
    await install(serial, "phone")
    await voiding.void(shop.program_id, ada.id, serial, now=NOON + SECOND)

    assert await number(now=NOON + SECOND) == Tagged(marks=1, pushes=1)
    for later in (2, 3):
        await mark(shop, ada, now=NOON + later * SECOND)
        await number(now=NOON + later * SECOND)

    assert await tag_of(serial) == 1


async def test_a_void_pass_is_told_so_though_a_later_change_was_numbered_before(
    shop: Shop, ada: Member
):
    serial = await issue(shop, ada)
    await install(serial, "phone")
    await mark(shop, ada, now=NOON + 2 * SECOND)
    await number(now=NOON + 2 * SECOND)

    # It was asked for first, and had to wait for the member's row.
    await voiding.void(shop.program_id, ada.id, serial, now=NOON + SECOND)

    assert await number(now=NOON + 3 * SECOND) == Tagged(marks=1, pushes=1)
    await mark(shop, ada, now=NOON + 4 * SECOND)
    assert await number(now=NOON + 4 * SECOND) == Tagged(marks=1, pushes=0)
    assert await tag_of(serial) == 2


async def test_what_was_rolled_back_pushes_nothing(shop: Shop, ada: Member):
    serial = await issue(shop, ada)
    await install(serial, "phone")

    @transaction
    async def change_and_fail() -> None:
        await mark_ids(shop.program_id, [ada.id], now=NOON)
        raise RuntimeError("the till is on fire")

    with pytest.raises(RuntimeError):
        await change_and_fail()

    assert await tags.waiting() is False
    assert await number() == Tagged(marks=0, pushes=0)
    assert (await tag_of(serial), await wanted()) == (0, [])


@pytest.mark.postgres
async def test_a_mark_that_is_being_written_waits_for_the_next_step(shop: Shop, ada: Member):
    serial = await issue(shop, ada)
    await mark(shop, ada)
    is_written, may_end = asyncio.Event(), asyncio.Event()

    @transaction
    async def mark_slowly() -> None:
        await mark_ids(shop.program_id, [ada.id], now=NOON + SECOND)
        await CardMark.all().exists()  # What is written is sent with the next question.
        is_written.set()
        await may_end.wait()

    writing = asyncio.create_task(mark_slowly())
    await is_written.wait()
    meanwhile = await number()
    may_end.set()
    await writing

    assert meanwhile == Tagged(marks=0, pushes=0)
    assert await number() == Tagged(marks=1, pushes=0)
    assert (await PassRow.get(serial=serial)).changed_at == NOON


@pytest.mark.postgres
async def test_a_mark_written_while_the_old_one_is_taken_is_not_lost(shop: Shop, ada: Member):
    serial = await issue(shop, ada)
    await mark(shop, ada)
    is_taken, may_end = asyncio.Event(), asyncio.Event()

    @transaction
    async def number_slowly() -> None:
        await number()
        is_taken.set()
        await may_end.wait()

    numbering = asyncio.create_task(number_slowly())
    await is_taken.wait()
    marking = asyncio.create_task(mark(shop, ada, now=NOON + SECOND))
    await asyncio.sleep(0)
    may_end.set()
    await asyncio.gather(numbering, marking)

    assert await number() == Tagged(marks=1, pushes=0)
    card = await PassRow.get(serial=serial)
    assert (card.update_tag, card.changed_at) == (2, NOON + SECOND)


@pytest.mark.postgres
async def test_a_pass_that_another_one_locks_keeps_its_mark_and_holds_nobody_up(
    shop: Shop, ada: Member, ben: Member
):
    locked, free = await issue(shop, ada), await issue(shop, ben)
    await mark(shop, ada, ben)
    is_locked, may_end = asyncio.Event(), asyncio.Event()

    @transaction
    async def lock_and_mark() -> None:
        await PassRow.filter(serial=locked).select_for_update().get()
        is_locked.set()
        await may_end.wait()
        await mark_ids(shop.program_id, [ada.id], now=NOON + SECOND)

    locking = asyncio.create_task(lock_and_mark())
    await is_locked.wait()
    meanwhile = await number()
    may_end.set()
    await locking

    assert meanwhile == Tagged(marks=1, pushes=0)
    assert (await tag_of(locked), await tag_of(free)) == (0, 1)
    assert await number() == Tagged(marks=1, pushes=0)
    assert await tag_of(locked) == 2


async def test_a_change_is_tagged_at_most_once_however_often_it_was_marked(shop: Shop, ada: Member):
    serial = await issue(shop, ada)
    for place in range(5):
        await mark(shop, ada, now=at(place))

    await number()

    card = await PassRow.get(serial=serial)
    assert (card.update_tag, card.changed_at) == (1, at(0))


def at(place: int) -> datetime:
    return NOON + place * MOMENT
