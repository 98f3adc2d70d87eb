"""Which wallets a device is offered."""

from pathlib import Path

import pytest

from loyalty_graph.wallet.service import Platform
from loyalty_graph.web.badges import Badges, load_badges
from loyalty_graph.web.wallets import ANY_WALLET, Button, Device, buttons, device_of
from tests.web import agents

BOTH = {Platform.APPLE: "/pass", Platform.GOOGLE: "/google"}
ONLY_APPLE = {Platform.APPLE: "/pass"}
NO_ART = Badges({})
APPLE, GOOGLE = (
    Button("Add to Apple Wallet", "/pass", None),
    Button("Add to Google Wallet", "/google", None),
)


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        (agents.IPHONE, Device.APPLE),
        (agents.CHROME_ON_IPHONE, Device.APPLE),
        (agents.SAFARI, Device.APPLE),
        (agents.CHROME_ON_A_MAC, Device.OTHER),
        (agents.FIREFOX_ON_A_MAC, Device.OTHER),
        (agents.ANDROID, Device.ANDROID),
        (agents.WINDOWS, Device.OTHER),
        ("curl/8.10.1", Device.OTHER),
        ("", Device.OTHER),
        ("Macintosh " * 20_000, Device.OTHER),
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_device_is_known_by_what_its_browser_says(agent: str, device: Device):
    assert device_of(agent) is device


@pytest.mark.parametrize(
    ("device", "paths", "offered"),
    [
        (Device.APPLE, BOTH, [APPLE]),
        (Device.ANDROID, BOTH, [GOOGLE]),
        (Device.OTHER, BOTH, [APPLE, GOOGLE]),
        (Device.OTHER, ONLY_APPLE, [APPLE]),
        # Android opens Apple's file too.
        (Device.ANDROID, ONLY_APPLE, [Button(ANY_WALLET, "/pass", None)]),
    ],
)
def test_a_device_is_offered_its_own_wallet(
    device: Device, paths: dict[Platform, str], offered: list[Button]
):
    assert buttons(device, paths, NO_ART, held_in=(), locale="en") == offered


def test_a_card_that_a_wallet_holds_is_viewed_there(tmp_path: Path):
    (tmp_path / "apple.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")

    [apple, google] = buttons(
        Device.OTHER, BOTH, load_badges(tmp_path), held_in={Platform.APPLE}, locale="en"
    )

    assert apple == Button("View in Apple Wallet", "/pass", None), "its badge would say: add"
    assert google == GOOGLE
