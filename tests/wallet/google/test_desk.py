"""Save links: what they open, and when there is none; the settings at start."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from loyalty_graph.config import Settings
from loyalty_graph.errors import NotFoundError, SettingsError, TemplateError
from loyalty_graph.members.models import Member
from loyalty_graph.sandbox.google_store import Store
from loyalty_graph.usecases import program_file
from loyalty_graph.wallet import service, voiding
from loyalty_graph.wallet.desk import all_templates, open_desk
from loyalty_graph.wallet.google.desk import open_google
from loyalty_graph.wallet.google.objects import GoogleCard
from loyalty_graph.wallet.models import PassRow
from loyalty_graph.wallet.templates import load_template
from tests.shop import NOON, open_shop, program
from tests.wallet.google.making import CLASS_ID, ISSUER, PUBLIC_URL, write_account
from tests.wallet.google.stage import CLASS_MADE, INSERTED, URL, Stage, patch_of
from tests.wallet.making import TEMPLATE

LONG_NAME = "\N{GRINNING FACE}" * 100


async def link(stage: Stage, serial: str) -> str | None:
    return await stage.desk.save_url(stage.shop.program_id, serial, now=stage.now)


async def opened(stage: Stage, address: str) -> int:
    """Do what Google does when somebody opens a link; return the status."""
    token = address.rpartition("/")[2]
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(stage.fake.app)) as client:
        return (await client.get(f"{URL}/gp/v/save/{token}")).status_code


@pytest.fixture
def short(stage: Stage) -> Stage:
    """A shop whose cards say so little that a link holds them."""
    template = load_template(TEMPLATE)
    points = {"balance": {"int": "{{ points.balance | integer }}"}}
    given = {"accountName": "{{ member.name }}", "loyaltyPoints": points}
    card = GoogleCard(replace(template, google_object=given), public_url=PUBLIC_URL)
    stage.desk = stage.open_desk(card=card)
    return stage


async def test_a_link_saves_the_present_card(short: Stage, ada: Member):
    serial = await short.card(ada)
    await short.present.buy(ada)

    made = await link(short, serial)

    assert made is not None
    assert made.startswith("https://pay.google.com/gp/v/save/")
    assert len(made) <= 1_800
    assert short.take_asked() == CLASS_MADE
    assert await opened(short, made) == 200
    assert short.balance(serial) == 108
    assert short.object(serial)["hasUsers"]
    row = await PassRow.get()
    assert (row.handed_out_at, row.handed_out_tag) == (NOON, 0)


async def test_many_links_are_made_together_and_unknown_passes_have_none(short: Stage, ada: Member):
    bob = await short.shop.enrol()
    serials = [await short.card(one) for one in (ada, bob)]

    found = await short.desk.save_urls(short.shop.program_id, [*serials, "0" * 32], now=short.now)

    assert set(found) == set(serials)
    assert short.take_asked() == CLASS_MADE
    for made in found.values():
        assert made is not None
        assert await opened(short, made) == 200
    assert await PassRow.filter(handed_out_at=NOON).count() == 2


async def test_the_class_is_brought_once(short: Stage, ada: Member):
    serial = await short.card(ada)
    await link(short, serial)
    short.later(days=1)
    short.take_asked()

    assert await link(short, serial)
    assert short.take_asked() == []
    assert (await PassRow.get()).handed_out_at == NOON


async def test_save_link_over_1800_characters_becomes_a_short_one_of_an_object_google_has(
    stage: Stage,
):
    bob = await stage.shop.enrol(first_name=LONG_NAME, last_name=LONG_NAME)
    serial = await stage.card(bob)

    made = await link(stage, serial)

    assert made is not None
    assert len(made) <= 1_800
    assert stage.take_asked() == [*CLASS_MADE, *INSERTED]
    assert stage.object(serial)["accountName"] == f"{LONG_NAME} {LONG_NAME}"
    assert await opened(stage, made) == 200


async def test_links_of_many_long_cards_are_made_at_once_and_twenty_at_a_time(stage: Stage):
    bobs = [await stage.shop.enrol(first_name=LONG_NAME, last_name=LONG_NAME) for _ in range(22)]
    serials = [await stage.card(bob) for bob in bobs]
    program_id = stage.shop.program_id
    await stage.desk.save_urls(program_id, [await stage.card(await stage.shop.enrol())], now=NOON)
    stage.take_asked()
    stage.fake.is_open.clear()
    stage.line.awaited = 20

    linking = asyncio.create_task(stage.desk.save_urls(program_id, serials, now=stage.now))
    async with asyncio.timeout(10):
        await stage.line.arrived.wait()
    stage.fake.is_open.set()
    first = await linking
    second = await stage.desk.save_urls(program_id, serials, now=stage.now)

    assert set(first) == set(second) == set(serials)
    assert list(first.values()).count(None) == 2
    assert None not in second.values()
    assert stage.take_asked() == INSERTED * 22


async def test_a_link_never_sets_back_what_google_has(stage: Stage, card: str):
    bob = await stage.shop.enrol(first_name=LONG_NAME, last_name=LONG_NAME)
    serial = await stage.card(bob)
    saved = {**stage.object(card), "id": f"{ISSUER}.{serial}", "accountName": "newer"}
    stage.fake.store.objects[f"{ISSUER}.{serial}"] = saved

    assert await link(stage, serial)
    assert stage.take_asked() == INSERTED
    assert stage.object(serial)["accountName"] == "newer"


async def test_links_of_an_object_that_google_has_ask_for_nothing_and_it_follows(stage: Stage):
    bob = await stage.shop.enrol(first_name=LONG_NAME, last_name=LONG_NAME)
    serial = await stage.card(bob)
    await link(stage, serial)
    stage.take_asked()

    again = await link(stage, serial)
    after_linking = stage.take_asked()
    await stage.present.buy(bob)
    await stage.brought(serial)
    newest = await link(stage, serial)

    assert again is not None
    assert newest is not None
    assert after_linking == []
    assert stage.take_asked() == [patch_of(serial)]
    assert stage.balance(serial) == 108
    assert stage.notified(serial) == 1


async def test_a_link_mends_a_class_that_google_has_lost(stage: Stage, card: str):
    serial = await stage.card(await stage.shop.enrol(first_name=LONG_NAME, last_name=LONG_NAME))
    stage.fake.store.classes.clear()

    made = await link(stage, serial)

    assert made is not None
    assert await opened(stage, made) == 200
    assert stage.take_asked() == [*INSERTED, *CLASS_MADE, *INSERTED]


async def test_another_issuer_has_none_of_the_objects_of_the_one_before(stage: Stage):
    serial = await stage.card(await stage.shop.enrol(first_name=LONG_NAME, last_name=LONG_NAME))
    await link(stage, serial)
    stage.fake.store = Store("42")
    stage.desk = stage.open_desk(issuer="42")

    made = await link(stage, serial)

    assert made is not None
    assert await opened(stage, made) == 200
    assert list(stage.fake.store.objects) == [f"42.{serial}"]


async def test_an_old_link_opens_the_present_card(stage: Stage, ada: Member):
    serial = await stage.card(ada)
    old = await link(stage, serial)
    assert old is not None
    await stage.present.buy(ada)
    await stage.brought(serial)

    assert await opened(stage, old) == 200
    assert stage.balance(serial) == 108


async def test_while_google_is_down_there_is_no_link(
    stage: Stage, ada: Member, caplog: pytest.LogCaptureFixture
):
    serial = await stage.card(ada)
    stage.line.failures.append(httpx2.ConnectError("down"))

    assert await link(stage, serial) is None
    assert "Google cannot make a save link now: ConnectError" in caplog.text
    assert (await PassRow.get()).handed_out_at is None
    assert await link(stage, serial)


async def test_an_object_that_google_does_not_take_has_no_link(stage: Stage, card: str):
    bob = await stage.shop.enrol(first_name=LONG_NAME, last_name=LONG_NAME)
    serial = await stage.card(bob)
    stage.line.failures.append(httpx2.Response(503))

    assert await link(stage, serial) is None


async def test_there_are_links_of_googles_passes_only(stage: Stage, ada: Member):
    apple = await service.issue(stage.shop.program_id, [ada.id], now=NOON)

    for serial in (apple[ada.id], "c7"):
        with pytest.raises(NotFoundError):
            await link(stage, serial)
    assert stage.take_asked() == []


async def test_nobody_saves_a_void_card(stage: Stage, ada: Member):
    serial = await stage.card(ada)
    await voiding.void(stage.shop.program_id, ada.id, serial, now=NOON)

    with pytest.raises(NotFoundError):
        await link(stage, serial)
    assert stage.take_asked() == []


async def test_a_link_needs_the_template_of_its_programme(
    stage: Stage, card: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(program_file, "template_folders", lambda _own: {"gone": Path("gone")})
    stage.later(hours=1)
    await open_shop({**program(), "branding": {"template": "gone"}}, now=stage.now)

    with pytest.raises(TemplateError, match="no card template gone"):
        await link(stage, card)


@pytest.fixture
def settings(tmp_path: Path, account_text: str) -> dict[str, Any]:
    return {
        "data_dir": tmp_path / "data",
        "public_url": "https://cards.example/",
        "google_service_account": write_account(tmp_path, account_text),
        "google_issuer_id": ISSUER,
    }


def test_without_an_account_there_is_no_desk_for_google():
    assert open_google(Settings(), all_templates(Settings())) is None


async def test_the_desk_of_these_settings(settings: dict[str, Any]):
    desk = open_desk(Settings(**settings), now=NOON).google

    assert desk is not None
    assert desk.issuer_id == ISSUER
    assert desk.sender.per_s == 20
    await desk.close()


async def test_a_sandbox_takes_its_own_links(settings: dict[str, Any], stage: Stage, ada: Member):
    url = "http://127.0.0.1:8700"
    given = {**settings, "google_url": f"{url}/", "public_url": "http://127.0.0.1:8000"}
    desk = open_google(Settings(**given), all_templates(Settings()))
    assert desk is not None
    serial = await stage.card(ada)
    await link(stage, serial)
    desk.sender = stage.desk.sender

    made = await desk.save_url(stage.shop.program_id, serial, now=NOON)

    assert made is not None
    assert made.startswith(f"{url}/gp/v/save/")
    assert CLASS_ID in stage.fake.store.classes


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"google_issuer_id": None}, "LOYALTY_GOOGLE_SERVICE_ACCOUNT and LOYALTY_GOOGLE_ISSUER_ID"),
        ({"google_service_account": None}, "LOYALTY_GOOGLE_SERVICE_ACCOUNT and"),
        ({"google_service_account": Path("none.json")}, "cannot be read"),
        ({"public_url": "http://cards.example"}, "must begin with https://"),
    ],
    ids=["no issuer", "no account", "no file", "no TLS"],
)
def test_settings_that_do_not_fit_are_refused(
    settings: dict[str, Any], changes: dict[str, Any], words: str
):
    with pytest.raises(SettingsError, match=words):
        open_google(Settings(**{**settings, **changes}), all_templates(Settings()))
