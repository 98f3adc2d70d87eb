"""Which devices hold which passes: what is kept, told and pushed when one comes or goes."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from loyalty_graph.db import transaction
from loyalty_graph.errors import NotFoundError
from loyalty_graph.members.models import Member
from loyalty_graph.outbox import CardMark, FactRow
from loyalty_graph.wallet import service, tags, voiding
from loyalty_graph.wallet.apple import registrations
from loyalty_graph.wallet.apple.listing import changed
from loyalty_graph.wallet.apple.models import DeviceRow, RegistrationRow
from loyalty_graph.wallet.apple.registrations import Holding
from loyalty_graph.wallet.models import CardPushRow, PassRow
from tests.shop import NOON, Shop, open_shop

TYPE, PHONE, WATCH = "pass.com.example.card", "phone-1", "watch-1"
TOKEN = "token"
SECOND = timedelta(seconds=1)


@pytest.fixture
async def shop(database: object) -> Shop:
    return await open_shop()


@pytest.fixture
async def ada(shop: Shop) -> Member:
    return await shop.enrol(first_name="Ada")


async def serial_of(shop: Shop, member: Member) -> str:
    """Issue a pass whose change is numbered, and which nothing marks any more."""
    serials = await service.issue(shop.program_id, [member.id], now=NOON)
    await CardMark.all().delete()
    return serials[member.id]


async def register(
    serial: str, *, device: str = PHONE, push_token: str = TOKEN, now: Any = NOON
) -> bool:
    return await registrations.register(Holding(TYPE, device, serial), push_token, now=now)


async def unregister(serial: str, *, device: str = PHONE, now: Any = NOON) -> bool:
    return await registrations.unregister(Holding(TYPE, device, serial), now=now)


async def forget(*, push_token: str = TOKEN, told_until: Any = NOON) -> bool:
    return await registrations.forget_device(
        TYPE, PHONE, push_token=push_token, told_until=told_until, now=NOON + SECOND
    )


async def told() -> list[str]:
    """Return the facts about passes since they were issued, in their order."""
    rows = await FactRow.filter(kind__startswith="pass.").order_by("id")
    return [row.kind for row in rows if row.kind != "pass.issued"]


async def stored() -> tuple[int, int, int, int, int]:
    tables = (DeviceRow, RegistrationRow, CardPushRow, CardMark, FactRow)
    return tuple([await table.all().count() for table in tables])  # type: ignore[return-value] # as many as there are tables


async def test_the_first_device_installs_the_pass(shop: Shop, ada: Member):
    serial = await serial_of(shop, ada)

    assert await register(serial)

    card = await PassRow.get(serial=serial)
    assert (card.installed_at, card.removed_at) == (NOON, None)
    fact = await FactRow.get(kind="pass.installed")
    assert (fact.program_id, fact.member_id, fact.at) == (shop.program_id, ada.id, NOON)
    assert fact.payload == {"pass": serial, "platform": "APPLE"}
    device = await DeviceRow.get(device=PHONE)
    assert (device.pass_type, device.push_token, device.token_told_at) == (TYPE, "token", NOON)


async def test_a_device_that_registers_again_is_not_new(shop: Shop, ada: Member):
    serial = await serial_of(shop, ada)
    await register(serial)

    assert not await register(serial, now=NOON + SECOND)

    assert (await PassRow.get(serial=serial)).installed_at == NOON
    assert await told() == ["pass.installed"]
    assert await RegistrationRow.all().count() == 1


async def test_stale_push_token_each_registration_keeps_the_newest(shop: Shop, ada: Member):
    bob = await shop.enrol(first_name="Bob")
    first, second = await serial_of(shop, ada), await serial_of(shop, bob)
    await register(first, push_token="old")
    await register(second, push_token="old")

    # It tells its new token with one pass; pushes for either go there.
    await register(first, push_token="new", now=NOON + SECOND)

    device = await DeviceRow.get()
    assert (device.push_token, device.token_told_at) == ("new", NOON + SECOND)


async def test_a_push_token_longer_than_255_characters_is_kept_whole(shop: Shop, ada: Member):
    token = "f" * 4096

    await register(await serial_of(shop, ada), push_token=token)

    assert (await DeviceRow.get()).push_token == token


async def test_several_devices_hold_a_pass_and_the_last_one_removes_it(shop: Shop, ada: Member):
    serial = await serial_of(shop, ada)
    assert await register(serial, device=PHONE)
    assert await register(serial, device=WATCH)

    assert await unregister(serial, device=PHONE)
    assert (await PassRow.get(serial=serial)).removed_at is None
    assert await unregister(serial, device=WATCH, now=NOON + SECOND)

    assert (await PassRow.get(serial=serial)).removed_at == NOON + SECOND
    assert await told() == ["pass.installed", "pass.removed"]
    assert await DeviceRow.all().count() == 0


async def test_a_device_that_holds_several_passes_is_known_until_the_last(shop: Shop, ada: Member):
    bob = await shop.enrol(first_name="Bob")
    first, second = await serial_of(shop, ada), await serial_of(shop, bob)
    await register(first)
    await register(second)

    await unregister(first)
    assert await DeviceRow.all().count() == 1
    await unregister(second)

    assert await DeviceRow.all().count() == 0
    assert await told() == ["pass.installed"] * 2 + ["pass.removed"] * 2


async def test_a_pass_that_comes_back_is_installed_again(shop: Shop, ada: Member):
    serial = await serial_of(shop, ada)
    await register(serial)
    await unregister(serial)

    assert await register(serial, now=NOON + SECOND)

    card = await PassRow.get(serial=serial)
    assert (card.installed_at, card.removed_at) == (NOON + SECOND, None)
    assert await told() == ["pass.installed", "pass.removed", "pass.installed"]


async def test_to_unregister_what_is_not_registered_changes_nothing(shop: Shop, ada: Member):
    serial = await serial_of(shop, ada)
    await register(serial)
    before = await stored()

    assert not await unregister(serial, device=WATCH)

    assert await stored() == before
    assert (await PassRow.get(serial=serial)).removed_at is None


async def test_a_pass_that_is_not_there_or_is_for_google_registers_nothing(shop: Shop, ada: Member):
    serials = await service.issue(shop.program_id, [ada.id], service.Platform.GOOGLE, now=NOON)
    before = await stored()

    for serial in ("0" * 32, serials[ada.id]):
        with pytest.raises(NotFoundError):
            await register(serial)
        with pytest.raises(NotFoundError):
            await unregister(serial)

    assert await stored() == before


@pytest.mark.parametrize(
    ("case", "update_tag", "handed_out_tag", "marked"),
    [
        ("no copy but of the present state", 7, 7, 0),
        ("never changed", 0, None, 0),
        ("changed after a copy was made", 7, 5, 1),
        ("changed, and nobody knows of a copy", 7, None, 1),
    ],
)
async def test_what_changed_between_download_and_registration_is_not_lost(
    shop: Shop,
    ada: Member,
    case: str,
    update_tag: int,
    handed_out_tag: int | None,
    marked: int,
):
    serial = await serial_of(shop, ada)
    await PassRow.filter(serial=serial).update(update_tag=update_tag, handed_out_tag=handed_out_tag)

    await register(serial)

    # A mark gets the pass a new tag, so the device lists it whatever it has listed before.
    assert await CardMark.filter(member_id=ada.id).count() == marked


@transaction
async def number(now: Any = NOON) -> None:
    """Give marked cards their next tags."""
    await tags.tag(now=now, google_issuer=None)


async def changed_copy(shop: Shop, member: Member) -> str:
    """Return a pass of which a copy was made before its card changed."""
    serial = await serial_of(shop, member)
    await PassRow.filter(serial=serial).update(handed_out_tag=0)
    await shop.buy(member)
    return serial


async def test_a_card_that_is_numbered_while_a_device_registers_reaches_it(shop: Shop):
    for name in "abcdefgh":
        serial = await changed_copy(shop, await shop.enrol(first_name=name))

        await asyncio.gather(number(), register(serial, device=name))
        await number()

        card, push = await PassRow.get(serial=serial), await CardPushRow.get(target=name)
        assert push.wanted_tag == card.update_tag


async def test_an_old_copy_on_a_device_that_is_up_to_date_is_listed(shop: Shop, ada: Member):
    old = await changed_copy(shop, ada)
    await number()
    bob = await shop.enrol(first_name="Bob")
    await register(await changed_copy(shop, bob))
    await number()
    has, _ = await changed(TYPE, PHONE, since=None)

    await register(old)
    await number()

    _, serials = await changed(TYPE, PHONE, since=has)
    assert serials == [old]


async def test_an_old_copy_of_a_void_pass_learns_that_it_is_void(shop: Shop, ada: Member):
    serial = await changed_copy(shop, ada)
    await voiding.void(shop.program_id, ada.id, serial, now=NOON)
    await number()
    await shop.later(SECOND).buy(ada)
    await number()
    before = (await PassRow.get(serial=serial)).update_tag

    await register(serial)
    await number()

    assert (await PassRow.get(serial=serial)).update_tag > before
    assert (await CardPushRow.get()).target == PHONE


async def test_a_device_that_is_known_to_hold_the_pass_marks_nothing(shop: Shop, ada: Member):
    serial = await serial_of(shop, ada)
    await register(serial)
    await PassRow.filter(serial=serial).update(update_tag=7, handed_out_tag=5)

    await register(serial, push_token="new")

    assert await CardMark.all().count() == 0


@pytest.mark.parametrize(
    ("case", "token", "listed_tag", "due"),
    [
        ("the same token", "token", None, False),
        ("another token", "new", None, True),
        ("another token, and not all was listed", "new", 8, True),
        ("another token, but all was listed", "new", 9, False),
    ],
)
async def test_what_was_pushed_to_a_token_of_before_is_pushed_again(
    shop: Shop, ada: Member, *, case: str, token: str, listed_tag: int | None, due: bool
):
    serial = await serial_of(shop, ada)
    await register(serial)
    await DeviceRow.all().update(listed_tag=listed_tag)
    await CardPushRow.create(
        platform="APPLE", channel=TYPE, target=PHONE, wanted_tag=9, pushed_tag=9
    )

    await register(serial, push_token=token, now=NOON + SECOND)

    push = await CardPushRow.get()
    moment = NOON + SECOND if due else None
    assert (push.due_at, push.changed_at, push.claim) == (moment, moment, None)


async def test_registrations_at_once_are_one(shop: Shop, ada: Member):
    serial = await serial_of(shop, ada)

    new = await asyncio.gather(*(register(serial, push_token=str(one)) for one in range(8)))

    assert sorted(new) == [False] * 7 + [True]
    assert await RegistrationRow.all().count() == 1
    assert await told() == ["pass.installed"]


async def test_a_device_that_drops_one_pass_while_it_takes_another_stays_known(
    shop: Shop, ada: Member
):
    serials = [
        await serial_of(shop, one)
        for one in (ada, await shop.enrol(first_name="Bob"), await shop.enrol(first_name="Cy"))
    ]
    for _ in range(5):
        await register(serials[0])

        await asyncio.gather(unregister(serials[0]), register(serials[1]), register(serials[2]))
        assert await DeviceRow.all().count() == 1
        await asyncio.gather(unregister(serials[1]), unregister(serials[2]))

        assert await DeviceRow.all().count() == 0
        assert await RegistrationRow.all().count() == 0


async def test_a_pass_keeps_so_many_devices_and_no_more(
    shop: Shop, ada: Member, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(registrations, "DEVICES_OF_A_PASS_MAX", 3)
    serial = await serial_of(shop, ada)

    for number in range(5):
        assert await register(serial, device=f"device-{number}", now=NOON + number * SECOND)

    devices = ["device-2", "device-3", "device-4"]
    assert sorted(row.device for row in await RegistrationRow.all()) == devices
    assert sorted(row.device for row in await DeviceRow.all()) == devices
    assert await told() == ["pass.installed"]


async def test_no_device_gives_way_while_there_is_room(
    shop: Shop, ada: Member, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(registrations, "DEVICES_OF_A_PASS_MAX", 6)
    serial = await serial_of(shop, ada)

    for number in range(6):
        assert await register(serial, device=f"device-{number}", now=NOON + number * SECOND)

    assert await RegistrationRow.all().count() == 6
    assert await DeviceRow.all().count() == 6


async def test_a_device_that_is_gone_is_forgotten_with_all_its_passes(shop: Shop, ada: Member):
    bob = await shop.enrol(first_name="Bob")
    first, second = await serial_of(shop, ada), await serial_of(shop, bob)
    await register(first)
    await register(second)
    await register(second, device=WATCH)

    assert await forget()

    assert [row.device for row in await DeviceRow.all()] == [WATCH]
    assert [row.device for row in await RegistrationRow.all()] == [WATCH]
    assert (await PassRow.get(serial=first)).removed_at == NOON + SECOND
    assert (await PassRow.get(serial=second)).removed_at is None
    assert (await told())[2:] == ["pass.removed"]


async def test_the_void_pass_and_the_one_that_follows_it_are_two(shop: Shop, ada: Member):
    void = await serial_of(shop, ada)
    await register(void)
    await voiding.void(shop.program_id, ada.id, void, now=NOON)
    follows = await serial_of(shop, ada)

    assert await register(follows, now=NOON + SECOND)
    assert await unregister(void, now=NOON + SECOND)

    rows = {row.serial: row for row in await PassRow.all()}
    assert (rows[void].installed_at, rows[void].removed_at) == (NOON, NOON + SECOND)
    assert (rows[follows].installed_at, rows[follows].removed_at) == (NOON + SECOND, None)


@pytest.mark.parametrize(
    ("case", "changes"),
    [
        ("it told another token", {"push_token": "another"}),
        ("it told this one anew", {"told_until": NOON - SECOND}),
    ],
)
async def test_a_device_that_registered_meanwhile_is_not_forgotten(
    shop: Shop, ada: Member, case: str, changes: dict[str, Any]
):
    await register(await serial_of(shop, ada))
    before = await stored()

    assert not await forget(**changes)

    assert await stored() == before
