"""The pass desk: links, files for the present balance, and the signing settings at start."""

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from loyalty_graph.config import Settings, bundled, load_settings
from loyalty_graph.errors import (
    CertificateError,
    NotFoundError,
    TemplateError,
    UnauthenticatedError,
)
from loyalty_graph.members.models import Member
from loyalty_graph.signing import sign_link
from loyalty_graph.usecases import keys
from loyalty_graph.wallet import voiding
from loyalty_graph.wallet.apple.checking import describe, verify_pass_file
from loyalty_graph.wallet.apple.development_ca import IDENTITY, Chain, development_root
from loyalty_graph.wallet.desk import PassDesk, all_templates, open_desk
from loyalty_graph.wallet.link_keys import PURPOSE as LINK_PURPOSE
from loyalty_graph.wallet.models import PassRow
from tests.shop import DAY, NOON, Shop, open_shop
from tests.wallet.making import NOW, write_chain

WEEK = timedelta(days=7)


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOYALTY_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def desk(data_dir: Path, chain: Chain) -> PassDesk:
    """A desk with a development CA that is valid at the shop's noon."""
    return open_desk(load_settings(), now=NOON)


@pytest.fixture
async def shop(database: object) -> Shop:
    return await open_shop()


@pytest.fixture
async def ada(shop: Shop) -> Member:
    return await shop.enrol(first_name="Ada")


def token_of(link: str) -> str:
    return link.rpartition("/")[2]


async def shown(desk: PassDesk, link: str, *, now: Any = NOON) -> str:
    """Return the balance on the card behind a link."""
    card = describe(await desk.file_behind(token_of(link), now=now))["card"]
    return str(card["storeCard"]["primaryFields"][0]["value"])


async def test_the_card_behind_a_link_follows_the_balance(desk: PassDesk, shop: Shop, ada: Member):
    link = await desk.issue(shop.program_id, ada.id, now=NOON)
    new = await shown(desk, link)
    bought = await shop.buy(ada)
    after_buying = await shown(desk, link)
    await shop.bring_back(bought, {2: 1})
    after_returning = await shown(desk, link)

    assert (new, after_buying, after_returning) == ("0", "108", "34")


async def test_the_file_behind_a_link_holds_every_check(
    desk: PassDesk, shop: Shop, ada: Member, data_dir: Path
):
    link = await desk.issue(shop.program_id, ada.id, now=NOON)

    data = await desk.file_behind(token_of(link), now=NOON)

    root = development_root(data_dir / "development-ca")
    assert verify_pass_file(data, trusted_root=root, now=NOON).failures == ()
    assert describe(data)["signed_at"] == NOON
    assert describe(data)["card"]["serialNumber"] == (await PassRow.get()).serial


async def test_the_link_of_a_void_pass_opens_a_void_card_and_a_new_one_is_good(
    desk: PassDesk, shop: Shop, ada: Member
):
    old = await desk.issue(shop.program_id, ada.id, now=NOON)
    await voiding.void(shop.program_id, ada.id, (await PassRow.get()).serial, now=NOON)
    new = await desk.issue(shop.program_id, ada.id, now=NOON)

    cards = [
        describe(await desk.file_behind(token_of(link), now=NOON))["card"] for link in (old, new)
    ]

    assert [card.get("voided") for card in cards] == [True, None]
    assert cards[0]["serialNumber"] != cards[1]["serialNumber"]


async def test_asked_twice_there_is_one_pass_and_two_links_to_it(
    desk: PassDesk, shop: Shop, ada: Member
):
    first = await desk.issue(shop.program_id, ada.id, now=NOON)
    second = await desk.issue(shop.program_id, ada.id, now=NOON + DAY)

    assert first.startswith("http://127.0.0.1:8000/passes/")
    assert first != second
    assert await PassRow.all().count() == 1


async def test_a_link_opens_for_a_week(desk: PassDesk, shop: Shop, ada: Member):
    token = token_of(await desk.issue(shop.program_id, ada.id, now=NOON))

    assert await desk.file_behind(token, now=NOON + WEEK - timedelta(seconds=1))
    with pytest.raises(UnauthenticatedError, match="has expired"):
        await desk.file_behind(token, now=NOON + WEEK)


async def test_a_link_made_elsewhere_or_for_something_else_opens_nothing(
    desk: PassDesk, shop: Shop, ada: Member
):
    await desk.issue(shop.program_id, ada.id, now=NOON)
    subject = f"{shop.program_id}/{(await PassRow.get()).serial}"
    until = NOON + DAY

    forged = sign_link(LINK_PURPOSE, subject, key=bytes(32), expires_at=until)
    other = sign_link("login", subject, key=desk.link_key, expires_at=until)

    with pytest.raises(UnauthenticatedError, match="not genuine"):
        await desk.file_behind(forged, now=NOON)
    with pytest.raises(UnauthenticatedError, match="made for something else"):
        await desk.file_behind(other, now=NOON)


async def test_a_pass_or_member_that_is_gone_is_not_found(desk: PassDesk, shop: Shop, ada: Member):
    token = token_of(desk.link(shop.program_id, "0" * 32, now=NOON))
    with pytest.raises(NotFoundError, match="no pass"):
        await desk.file_behind(token, now=NOON)

    link = await desk.issue(shop.program_id, ada.id, now=NOON)
    await Member.filter(id=ada.id).delete()
    with pytest.raises(NotFoundError, match="no member"):
        await desk.file_behind(token_of(link), now=NOON)


async def test_many_files_are_signed_at_once(desk: PassDesk, shop: Shop, ada: Member):
    bob = await shop.enrol(first_name="Bob")

    serials = await desk.serials(shop.program_id, [ada.id, bob.id], now=NOON)

    files = await desk.files(shop.program_id, serials, now=NOON)

    cards = {one: describe(data)["card"] for one, data in files.items()}
    assert {one: card["serialNumber"] for one, card in cards.items()} == serials
    with pytest.raises(NotFoundError):
        await desk.files(shop.program_id, {UUID(int=7): "c" * 32}, now=NOON)


async def test_every_file_says_where_its_updates_are(desk: PassDesk, shop: Shop, ada: Member):
    serials = await desk.serials(shop.program_id, [ada.id], now=NOON)

    card = describe((await desk.files(shop.program_id, serials, now=NOON))[ada.id])["card"]

    # No slash at its end: phones would ask for //v1/.
    assert card["webServiceURL"] == "http://127.0.0.1:8000/apple"
    token, kind = card["authenticationToken"], card["passTypeIdentifier"]
    assert desk.tokens.fits(token, kind, serials[ada.id])


async def test_a_pass_keeps_its_token_when_a_key_is_added(
    data_dir: Path, shop: Shop, ada: Member, monkeypatch: pytest.MonkeyPatch
):
    async def token_of_card(member: Member) -> str:
        opened = open_desk(load_settings(), now=NOON)
        card = describe(await opened.pass_of(shop.program_id, member.id, now=NOON))["card"]
        return str(card["authenticationToken"])

    before = await token_of_card(ada)
    monkeypatch.setenv("LOYALTY_PASS_TOKEN_KEYS", f'["{"k" * 32}"]')
    bob = await shop.enrol(first_name="Bob")

    assert await token_of_card(ada) == before
    await token_of_card(bob)
    rows = await PassRow.filter(member_id__in=[ada.id, bob.id])
    assert {row.member_id: row.token_generation for row in rows} == {ada.id: 0, bob.id: 1}


# --- Apple's certificate, with the development CA's files in its place


@pytest.fixture
def settings(chain: Chain, tmp_path: Path) -> Callable[..., Settings]:
    files = write_chain(chain, tmp_path / "apple")

    def given(**changes: Any) -> Settings:
        values: dict[str, Any] = {
            "data_dir": tmp_path / "data",
            "apple_certificate": files.certificate,
            "apple_key": files.key,
            "apple_issuer": files.issuer,
            "pass_type_identifier": IDENTITY.pass_type_identifier,
            "team_identifier": IDENTITY.team_identifier,
        }
        return Settings(**{**values, **changes})

    return given


def test_material_that_fits_is_used_and_no_development_ca_is_made(
    settings: Callable[..., Settings], chain: Chain, data_dir: Path
):
    desk = open_desk(settings(public_url="https://cards.example/"), now=NOW)

    assert desk.signer.certificate == chain.certificate
    assert not (data_dir / "development-ca").exists()
    assert desk.link(UUID(int=1), "s", now=NOW).startswith("https://cards.example/passes/")


@pytest.mark.parametrize(
    "missing",
    [
        *("apple_certificate", "apple_key", "apple_issuer"),
        *("pass_type_identifier", "team_identifier"),
    ],
)
def test_a_part_of_the_settings_is_not_enough(
    settings: Callable[..., Settings], missing: str, data_dir: Path
):
    with pytest.raises(CertificateError, match=f"needs all of .*LOYALTY_{missing.upper()}"):
        open_desk(settings(**{missing: None}), now=NOW)

    assert not data_dir.exists()


@pytest.mark.parametrize(
    ("case", "changes", "fault"),
    [
        ("key of another", {"apple_key": "other/key.pem"}, "this is not the key of the cert"),
        ("issuer of another", {"apple_issuer": "other/intermediate.pem"}, "this certificate did n"),
        ("another pass type", {"pass_type_identifier": "pass.x.y"}, "for the pass type pass.dev"),
        ("another team", {"team_identifier": "ABCDE12345"}, "belongs to the team DEVTEAM001, not"),
        ("no such file", {"apple_certificate": "absent.pem"}, "cannot be read"),
        ("no certificate", {"apple_certificate": "other/key.pem"}, "this is not a certificate"),
    ],
)
def test_material_that_does_not_fit_is_refused_in_plain_words(
    settings: Callable[..., Settings],
    other_chain: Chain,
    tmp_path: Path,
    *,
    case: str,
    changes: dict[str, str],
    fault: str,
):
    write_chain(other_chain, tmp_path / "other")
    placed = {
        name: tmp_path / value if name.startswith("apple") else value
        for name, value in changes.items()
    }

    with pytest.raises(CertificateError, match=fault) as refusal:
        open_desk(settings(**placed), now=NOW)

    assert "PRIVATE KEY" not in refusal.value.message


def test_material_that_is_not_valid_yet_is_refused(settings: Callable[..., Settings]):
    with pytest.raises(CertificateError, match="is not valid before "):
        open_desk(settings(), now=NOW - timedelta(days=2))


def test_a_certificate_that_has_ended_keeps_nobody_from_starting(
    settings: Callable[..., Settings], chain: Chain
):
    desk = open_desk(settings(), now=NOW + timedelta(days=400))

    assert desk.signer.certificate == chain.certificate


def test_a_wrong_password_is_not_shown(settings: Callable[..., Settings]):
    with pytest.raises(CertificateError, match="has no password, but one is set") as refusal:
        open_desk(settings(apple_key_password="hush"), now=NOW)

    assert "hush" not in refusal.value.message


def test_templates_of_ones_own_stand_beside_the_packed_ones(tmp_path: Path):
    packed = all_templates(Settings(data_dir=tmp_path))
    own = tmp_path / "templates"
    for name in ("our-card", "vip-tier"):
        shutil.copytree(bundled("passes/templates/stamp-card"), own / name)
    # A folder of templates may be a repository.
    (own / ".git").mkdir()

    found = all_templates(Settings(data_dir=tmp_path, templates_dir=own))

    assert found.keys() == packed.keys() | {"our-card"}
    assert found["our-card"].digest == found["vip-tier"].digest == packed["stamp-card"].digest


def test_a_folder_of_templates_that_is_not_there_is_said_so(tmp_path: Path):
    with pytest.raises(TemplateError, match=r"LOYALTY_TEMPLATES_DIR: .*gone cannot be read"):
        all_templates(Settings(data_dir=tmp_path, templates_dir=tmp_path / "gone"))


async def test_a_new_key_is_for_new_passes_and_those_in_phones_stay_as_they_are(
    desk: PassDesk, shop: Shop, ada: Member
):
    other = open_desk(load_settings(), now=NOON)
    old = await desk.pass_of(shop.program_id, ada.id, now=NOON)

    keys.rotate(load_settings(), keys.Kind.PASS, now=NOON)
    bob = await shop.enrol()
    new = await desk.pass_of(shop.program_id, bob.id, now=NOON)
    again = await other.pass_of(shop.program_id, ada.id, now=NOON)

    generations = {row.member_id: row.token_generation for row in await PassRow.all()}
    assert generations == {ada.id: 0, bob.id: 1}
    assert (
        describe(again)["card"]["authenticationToken"]
        == (describe(old)["card"]["authenticationToken"])
    )
    for card in (describe(old)["card"], describe(new)["card"]):
        told = card["authenticationToken"], card["passTypeIdentifier"], card["serialNumber"]
        assert other.tokens.fits(*told)
