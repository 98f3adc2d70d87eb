"""What goes wrong overnight, and that the shop opens all the same."""

import asyncio
import time
from pathlib import Path

import pytest

from loyalty_graph.config import Settings
from tests.api import open_api, receipt
from tests.live.conftest import Stage
from tests.live.serving import Client, served
from tests.shop import DAY, NOON
from tests.wallet.apple.authorities import APPLES, CARD, put_bundle, put_issuer
from tests.web.conftest import link_to

NOBODY_THERE = "redis://127.0.0.1:1/0"


def test_a_certificate_that_ends_overnight_is_told_and_tills_and_cards_go_on(
    database_url: str, tmp_path: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("loyalty_graph.worker.certificates.LOOK_EVERY_S", 0.01)
    put_issuer(tmp_path)
    put_bundle(tmp_path, "card", APPLES.issue(begins=NOON - DAY, life=101 * DAY), password="secret")
    certificates = {
        "apple_certificates": tmp_path,
        "apple_key_password": "secret",
        "pass_type_identifier": CARD.pass_type_identifier,
        "team_identifier": CARD.team_identifier,
    }
    with open_api(database_url, data_dir, monkeypatch, **certificates) as api:
        ada = link_to(api)
        assert api.client.get("/readyz").json() == {"status": "ready"}

        api.now += 101 * DAY
        while "alarms" not in (ready := api.client.get("/readyz").json()):
            time.sleep(0.01)
        bought = api.do("recordPurchase", receipt(ada.member), "purchase { points }")
        card = api.client.get(f"{ada.path}/pass")

    assert ready["status"] == "ready"
    [alarm] = ready["alarms"]
    assert alarm["name"] == "apple.certificate"
    assert alarm["message"] == "pass.com.example.card of team ABCDE12345 ended on 2026-06-10"
    assert bought["purchase"] == {"points": 108}
    assert (card.status_code, card.content[:2]) == (200, b"PK")


async def test_without_valkey_purchases_are_recorded_and_listeners_hear_of_them(
    database_url: str, data_dir: Path, caplog: pytest.LogCaptureFixture
):
    settings = Settings(database_url=database_url, data_dir=data_dir, redis_url=NOBODY_THERE)
    stage = Stage(settings)
    async with served(settings) as server:
        ada = await (await stage.open()).enrol()
        client = Client("websocket", stage.member_token(ada), last=0)
        hearing = asyncio.create_task(client.hear(server, up_to=2))
        await server.listened_to()

        await stage.shop.buy(ada)
        await hearing

    assert [event["kind"] for event in client.events] == ["member.enrolled", "purchase.recorded"]
    told = [one for one in caplog.messages if "nudges cannot go on for now" in one]
    assert told == [one for one in caplog.messages if one.startswith("The loop ")]
    assert told
