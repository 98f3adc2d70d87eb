"""The command that shows the pass certificates."""

import asyncio
from pathlib import Path

import pytest

from loyalty_graph.alarms import raise_alarm
from loyalty_graph.clock import utc_now
from loyalty_graph.db import open_database
from tests.cli.conftest import CommandLine
from tests.shop import NOON
from tests.wallet.apple.authorities import APPLES, CARD, DAY, put_bundle, put_issuer

SECRET = "correct horse"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an old and a renewed certificate, seen from its parent."""
    folder, now = tmp_path / "apple", utc_now()
    put_issuer(folder)
    put_bundle(folder, "old", APPLES.issue(begins=now - 380 * DAY), password=SECRET)
    put_bundle(folder, "renewed", APPLES.issue(begins=now - DAY), password=SECRET)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOYALTY_APPLE_CERTIFICATES", "apple")
    monkeypatch.setenv("LOYALTY_APPLE_KEY_PASSWORD", SECRET)
    monkeypatch.setenv("LOYALTY_PASS_TYPE_IDENTIFIER", CARD.pass_type_identifier)
    monkeypatch.setenv("LOYALTY_TEAM_IDENTIFIER", CARD.team_identifier)
    return folder


@pytest.mark.usefixtures("folder")
def test_certificates_are_shown_with_the_one_that_signs(call: CommandLine):
    done = call("pass", "certs")

    assert done.code == 0
    assert "Alarms are not shown." in done.err
    head, old, old_more, renewed, _ = done.out.splitlines()
    assert head.split("  ")[1] == "file"
    assert old.split()[:3] == ["apple/old.p12", "pass.com.example.card", "ABCDE12345"]
    assert old.split()[-1] == "15"
    assert renewed.split()[0] == "✓"
    assert renewed.split()[-2:] == ["394", "signs"]
    assert old_more == (
        "  Pass Type ID: pass.com.example.card, issued by Apple Worldwide Developer Relations"
        " Certification Authority G4"
    )


@pytest.mark.usefixtures("folder")
def test_certificates_are_told_to_machines(call: CommandLine):
    old, renewed = call("pass", "certs", "--json").json["certificates"]

    assert (old["signs"], renewed["signs"]) == (False, True)
    assert renewed["file"] == "apple/renewed.p12"
    assert renewed["subject"] == "Pass Type ID: pass.com.example.card"
    assert (renewed["pass_type"], renewed["team"]) == ("pass.com.example.card", "ABCDE12345")
    assert renewed["issuer"].endswith("Certification Authority G4")
    assert (renewed["days_left"], renewed["fault"]) == (394, None)


def test_one_that_has_expired_or_fails_is_exit_code_1(call: CommandLine, folder: Path):
    put_bundle(folder, "ended", APPLES.issue(begins=utc_now() - 400 * DAY), password=SECRET)
    put_bundle(folder, "locked", APPLES.issue(), password="another")

    done, as_json = call("pass", "certs"), call("pass", "certs", "--json")

    assert (done.code, as_json.code) == (1, 1)
    assert "ended.p12: the certificate expired on " in done.out
    assert "locked.p12: this is no PKCS #12 file, or the password is wrong." in done.out
    assert [one["days_left"] for one in as_json.json["certificates"]] == [-5, 15, 394, None]
    assert SECRET not in done.out + as_json.out


def test_alarms_are_shown_beside_the_certificates(
    call: CommandLine, folder: Path, shop_url: str, ada: object
):
    async def raise_one() -> None:
        async with open_database(shop_url):
            await raise_alarm("apple.certificate", "It ends.", NOON)

    asyncio.run(raise_one())

    done = call("pass", "certs", "--database", shop_url)
    as_json = call("pass", "certs", "--json", "--database", shop_url).json

    assert (done.code, folder.exists()) == (0, True)
    assert done.out.endswith("! It ends. (since 2026-03-02)\n")
    assert [(one["name"], one["message"]) for one in as_json["alarms"]] == [
        ("apple.certificate", "It ends.")
    ]


def test_the_development_ca_is_shown_as_what_it_is(call: CommandLine):
    done = call("pass", "certs")

    assert done.code == 0
    assert "pass.dev.loyalty-graph.card" in done.out
    assert "issued by Loyalty Graph Development" in done.out


def test_half_of_the_settings_are_refused(
    call: CommandLine, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("LOYALTY_TEAM_IDENTIFIER")

    done = call("pass", "certs")

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("CERTIFICATE Apple's signing needs all of LOYALTY_APPLE_CERT")
    assert folder.exists()
