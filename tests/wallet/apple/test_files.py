"""The cache of pass files: what it keeps, for whom, and for how long."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from loyalty_graph.errors import NotFoundError, TemplateError
from loyalty_graph.members.models import Member
from loyalty_graph.outbox import CardMark
from loyalty_graph.usecases import program_file
from loyalty_graph.wallet import service
from loyalty_graph.wallet.apple.card import CardPrinter, WebService
from loyalty_graph.wallet.apple.checking import describe
from loyalty_graph.wallet.apple.files import ENTRY_BYTES, PassFiles
from loyalty_graph.wallet.apple.issued import IssuedPass, PassFile, present
from loyalty_graph.wallet.apple.making import PassMaker
from loyalty_graph.wallet.models import PassRow
from loyalty_graph.wallet.service import Platform
from loyalty_graph.wallet.templates import Template
from tests.shop import NOON, PROGRAM, Shop, open_shop

SECOND = timedelta(seconds=1)
MEGABYTE = 1 << 20


class CountingPrinter(CardPrinter):
    """Counts how many files it printed."""

    printed = 0

    def parts(self, *given: Any, **named: Any) -> tuple[bytes, bytes]:
        self.printed += 1
        return super().parts(*given, **named)


@dataclass
class Kept:
    """The files of one shop, and how to ask for them."""

    files: PassFiles
    printer: CountingPrinter
    shop: Shop

    async def file(self, serial: str, **changes: Any) -> PassFile:
        issued = await self.files.find(serial)
        assert issued is not None
        return await self.files.file(issued._replace(**changes), now=self.shop.now)

    def later(self, time: timedelta) -> "Kept":
        return replace(self, shop=self.shop.later(time))


@pytest.fixture
async def shop(database: object) -> Shop:
    return await open_shop()


@pytest.fixture
def printer(card_template: Template, signer: Any) -> CountingPrinter:
    return CountingPrinter(card_template, signer)


def web_service(serial: str, generation: int) -> WebService:
    return WebService("https://cards.example/apple", f"{generation}-{serial}")


@asynccontextmanager
async def keeping(
    shop: Shop, printer: CountingPrinter, *, bytes_max: int = MEGABYTE
) -> AsyncIterator[Kept]:
    files = PassFiles(PassMaker({"store-card": printer}, web_service), bytes_max=bytes_max)
    async with files.open():
        yield Kept(files, printer, shop)


@pytest.fixture
async def kept(shop: Shop, printer: CountingPrinter) -> AsyncIterator[Kept]:
    async with keeping(shop, printer) as kept:
        yield kept


async def serial_of(shop: Shop, **profile: Any) -> str:
    member = await shop.enrol(**profile)
    serials = await service.issue(shop.program_id, [member.id], token_generation=0, now=shop.now)
    return serials[member.id]


@pytest.fixture
async def ada(shop: Shop) -> str:
    """The serial of Ada's pass."""
    return await serial_of(shop, first_name="Ada")


def card(file: PassFile) -> dict[str, Any]:
    found: dict[str, Any] = describe(file.data)["card"]
    return found


async def test_a_file_is_made_once_and_then_handed_out_again(kept: Kept, ada: str):
    first = await kept.file(ada)
    second = await kept.later(SECOND).file(ada)

    assert second is first
    assert kept.printer.printed == 1
    assert card(first)["authenticationToken"] == f"0-{ada}"
    assert first.size == len(first.data)


async def test_files_of_a_template_share_what_is_the_same(kept: Kept, ada: str):
    one, other = await kept.file(ada), await kept.file(await serial_of(kept.shop))

    assert one.body is other.body
    assert len(one.tail) < len(one.body) / 10


@pytest.mark.parametrize(
    ("case", "changes"),
    [("a change was numbered", {"update_tag": 5}), ("it is made from another state", {})],
)
async def test_what_changed_is_made_anew(kept: Kept, ada: str, case: str, changes: dict[str, Any]):
    await kept.file(ada)
    again = kept if changes else kept.later(SECOND)
    if not changes:
        points = {**PROGRAM["program"]["points"], "unit_other": "pips"}
        data = {**PROGRAM, "program": {**PROGRAM["program"], "points": points}}
        await program_file.load(program_file.check(data, name="test"), now=again.shop.now)
        again = again.later(SECOND)

    await again.file(ada, **changes)

    assert kept.printer.printed == 2


async def test_a_file_is_not_kept_when_the_card_shows_something_else_by_itself(kept: Kept):
    member = await kept.shop.enrol(first_name="Ada")
    await kept.shop.buy(member)
    serial = (await service.issue(kept.shop.program_id, [member.id], now=NOON))[member.id]
    # Points that live six months are told of 60 days before they expire.
    until = (await kept.file(serial)).holds_until
    assert until is not None

    await kept.later(until - NOON - SECOND).file(serial)
    assert kept.printer.printed == 1
    shown = card(await kept.later(until - NOON).file(serial))

    assert kept.printer.printed == 2
    assert "108" in str(shown["storeCard"]["auxiliaryFields"])


async def test_a_file_of_a_later_state_stays(kept: Kept, ada: str):
    later = await kept.file(ada, update_tag=5)
    await kept.file(ada, update_tag=4)

    assert await kept.file(ada, update_tag=5) is later


async def test_those_who_ask_at_once_wait_for_one_file(kept: Kept, ada: str):
    files = await asyncio.gather(*(kept.file(ada) for _ in range(8)))

    assert {id(one) for one in files} == {id(files[0])}
    assert kept.printer.printed == 1


async def test_who_leaves_takes_the_file_from_nobody(kept: Kept, ada: str):
    issued = await kept.files.find(ada)
    assert issued is not None
    leaving = asyncio.create_task(kept.files.file(issued, now=NOON))
    staying = asyncio.create_task(kept.files.file(issued, now=NOON))
    await asyncio.sleep(0)
    leaving.cancel()

    assert card(await staying)["serialNumber"] == ada
    assert leaving.cancelled()
    assert kept.printer.printed == 1


async def test_those_who_ask_at_once_are_served_together_and_fail_alone(kept: Kept, ada: str):
    serials = [ada, *[await serial_of(kept.shop) for _ in range(40)]]
    gone = await kept.files.find(serials[7])
    assert gone is not None
    await Member.filter(id=gone.member_id).delete()

    files = await asyncio.gather(*map(kept.file, serials), return_exceptions=True)

    failed = [one for one in files if not isinstance(one, PassFile)]
    assert [type(one) for one in failed] == [NotFoundError]
    assert files[7] is failed[0]
    assert kept.printer.printed == 40
    assert kept.files.making.batches < 10


async def test_a_failure_is_not_kept(kept: Kept, ada: str):
    issued = await kept.files.find(ada)
    assert issued is not None
    row = await Member.get()
    await row.delete()
    with pytest.raises(NotFoundError):
        await kept.file(ada)

    await Member.bulk_create([row])

    assert card(await kept.file(ada))["serialNumber"] == ada


async def test_memory_is_bounded_and_what_was_asked_for_last_stays(
    shop: Shop, printer: CountingPrinter
):
    serials = [await serial_of(shop) for _ in range(3)]
    async with keeping(shop, printer) as large:
        size = len((await large.file(serials[0])).tail) + ENTRY_BYTES
    async with keeping(shop, printer, bytes_max=2 * size + 100) as kept:
        for serial in (serials[0], serials[1], serials[0], serials[2]):
            await kept.file(serial)
        printer.printed = 0

        await kept.file(serials[0])
        await kept.file(serials[2])
        assert printer.printed == 0
        await kept.file(serials[1])
        assert printer.printed == 1


async def test_without_memory_nothing_is_kept(shop: Shop, printer: CountingPrinter, ada: str):
    async with keeping(shop, printer, bytes_max=0) as kept:
        await kept.file(ada)
        await kept.file(ada)

    assert printer.printed == 2


async def test_a_template_that_is_not_here_prints_nothing(kept: Kept, ada: str):
    files = PassFiles(PassMaker({}, web_service), bytes_max=MEGABYTE)
    issued = await kept.files.find(ada)
    assert issued is not None

    with pytest.raises(TemplateError):
        await files.file(issued, now=NOON)


async def test_who_downloads_sees_a_change_that_is_not_numbered_yet(kept: Kept):
    member = await kept.shop.enrol(first_name="Ada")
    serials = await service.issue(kept.shop.program_id, [member.id], now=NOON)
    await CardMark.all().delete()
    await kept.file(serials[member.id])

    async def newest() -> PassFile:
        found = await present(kept.shop.program_id, serials)
        return (await kept.files.newest(kept.shop.program_id, found, now=NOON))[member.id]

    assert await newest() is await kept.file(serials[member.id])
    await kept.shop.buy(member)

    assert card(await newest())["storeCard"]["primaryFields"][0]["value"] == "108"


async def test_a_void_pass_is_made_void(kept: Kept, ada: str):
    assert "voided" not in card(await kept.file(ada))

    assert card(await kept.file(ada, update_tag=1, voided_at=NOON))["voided"] is True


async def test_only_passes_for_apple_wallet_are_found(kept: Kept, ada: str):
    issued = await kept.files.find(ada)
    member = await Member.get()
    google = await service.issue(kept.shop.program_id, [member.id], Platform.GOOGLE, now=NOON)

    assert issued is not None
    assert (issued.serial, issued.member_id) == (ada, member.id)
    assert await kept.files.find("0" * 32) is None
    assert await kept.files.find(google[member.id]) is None
    with pytest.raises(NotFoundError):
        await present(kept.shop.program_id, google)


async def test_a_member_who_is_gone_has_no_file(kept: Kept, ada: str):
    await Member.all().delete()

    with pytest.raises(NotFoundError):
        await kept.file(ada)


def test_what_is_kept_of_a_pass_has_the_names_of_its_columns():
    assert set(IssuedPass._fields) <= set(PassRow._meta.fields_map)
