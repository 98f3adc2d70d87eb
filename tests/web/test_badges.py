"""Official artwork that an operator puts into a folder."""

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from loyalty_graph.app import create_app
from loyalty_graph.config import Settings
from loyalty_graph.errors import SettingsError
from loyalty_graph.wallet.service import Platform
from loyalty_graph.web.badges import BYTES_MAX, FILES_MAX, load_badges
from tests.api import Api, open_api
from tests.web import agents
from tests.web.conftest import link_to

SVG = '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} 40"/>'


def svg(width: int) -> bytes:
    return SVG.format(width).encode()


def png() -> bytes:
    out = BytesIO()
    Image.new("RGB", (110, 40)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "badges"
    folder.mkdir()
    files = {
        "apple.svg": svg(1),
        "apple-de.svg": svg(2),
        "apple-pt-BR.svg": svg(3),
        "google-en.png": png(),
        ".DS_Store": b"rubbish",
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


@pytest.mark.parametrize(
    ("locale", "data"),
    [("de_AT", svg(2)), ("pt_BR", svg(3)), ("pt_PT", svg(1)), ("ar", svg(1)), ("en", svg(1))],
)
def test_a_badge_is_the_one_of_the_language(folder: Path, locale: str, data: bytes):
    badge = load_badges(folder).of(Platform.APPLE, locale)

    assert badge is not None
    assert (badge.data, badge.media_type) == (data, "image/svg+xml")


def test_english_stands_in_for_a_language_without_artwork(folder: Path):
    badge = load_badges(folder).of(Platform.GOOGLE, "tr_TR")

    assert badge is not None
    assert (badge.data, badge.media_type) == (png(), "image/png")


def test_without_a_folder_there_are_none():
    assert load_badges(None).of(Platform.APPLE, "en") is None


@pytest.mark.parametrize(
    ("case", "name", "data", "said"),
    [
        ("a strange name", "button.svg", svg(1), "is no name of a badge"),
        ("another kind of file", "apple.txt", b"hello", "is no name of a badge"),
        ("no image at all", "google.svg", b"hello", "is no SVG image"),
        ("HTML", "google.svg", b"<html><script/></html>", "is no SVG image"),
        ("a bomb", "google.svg", b'<!DOCTYPE a [<!ENTITY a "b">]>' + svg(1), "is no SVG image"),
        ("an SVG that says it is a PNG", "google.png", svg(1), "is no PNG image"),
        ("nothing", "google.png", b"", "is no PNG image"),
        ("too large", "google.png", png() + bytes(BYTES_MAX), "is larger than 131,072 bytes"),
        ("the same twice", "apple-DE.svg", svg(4), "there is another badge for the same wallet"),
    ],
)
def test_a_file_that_is_no_badge_is_named_at_the_start(
    folder: Path, case: str, name: str, data: bytes, said: str
):
    (folder / name).write_bytes(data)

    with pytest.raises(SettingsError, match=said) as refused:
        load_badges(folder)

    assert refused.value.message.startswith(f"LOYALTY_BADGE_DIR: {folder}/")


def test_a_folder_that_is_not_there_or_full_of_rubbish_is_named_at_the_start(tmp_path: Path):
    settings = Settings(data_dir=tmp_path / "data", badge_dir=tmp_path / "absent")
    full = tmp_path / "full"
    full.mkdir()
    for number in range(FILES_MAX + 1):
        (full / f"{number}").touch()
    (tmp_path / "folder.svg").mkdir()

    with pytest.raises(SettingsError, match="absent: cannot be read: No such file or directory"):
        create_app(settings)
    with pytest.raises(SettingsError, match="full: has 401 files; 400 are the most"):
        load_badges(full)


def test_a_folder_for_a_file_is_refused(tmp_path: Path):
    (tmp_path / "apple.svg").mkdir()

    with pytest.raises(SettingsError, match=r"apple\.svg: cannot be read: Is a directory"):
        load_badges(tmp_path)


def test_the_card_page_shows_the_artwork_and_it_may_do_nothing(
    database_url: str, data_dir: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LOYALTY_BADGE_DIR", str(folder))
    with open_api(database_url, data_dir, monkeypatch) as api:
        linked = link_to(api, locale="de-AT")

        html = api.client.get(linked.path, headers={"user-agent": agents.IPHONE}).text
        address = html.partition('alt="Add to Apple Wallet"')[0].rpartition('src="')[2][:-2]
        picture = api.client.get(address)

        assert f'<a class="badge" href="{linked.path}/pass">' in html
        assert picture.content == svg(2)
        assert picture.headers["content-type"] == "image/svg+xml"
        assert picture.headers["content-security-policy"].startswith("default-src 'none';")
        assert picture.headers["x-content-type-options"] == "nosniff"
        assert picture.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert api.client.get("/badges/apple-de.svg").status_code == 404


def test_without_artwork_a_button_is_a_plain_link(api: Api):
    linked = link_to(api)

    html = api.client.get(linked.path, headers={"user-agent": agents.IPHONE}).text

    assert "Add to Apple Wallet" in html
    assert 'class="badge"' not in html
