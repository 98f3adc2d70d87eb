"""Which wallets a visitor's device has, and the buttons that put a card there."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum, auto

from loyalty_graph.wallet.service import Platform
from loyalty_graph.web.badges import Badges

APPLES_PHONES = re.compile(r"iPhone|iPad|iPod")
# Safari says no more than that; all others on a Mac name themselves as well.
SAFARI, NOT_SAFARI = (
    re.compile(r"Macintosh.*Version/.*Safari/"),
    re.compile(r"Chrom|CriOS|FxiOS|Firefox|Edg|OPR|Opera"),
)
WALLETS = {Platform.APPLE: "Apple Wallet", Platform.GOOGLE: "Google Wallet"}
ANY_WALLET = "Save the card to your phone"


class Device(Enum):
    """What a visitor looks at the page with."""

    APPLE = auto()
    ANDROID = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class Button:
    """A way into a wallet; with official artwork where there is some."""

    words: str
    path: str
    badge: str | None


def device_of(user_agent: str) -> Device:
    """Return what a browser says of its device; an iPad may say that it is a Mac."""
    if APPLES_PHONES.search(user_agent):
        return Device.APPLE
    if "Android" in user_agent:
        return Device.ANDROID
    if SAFARI.search(user_agent) and not NOT_SAFARI.search(user_agent):
        return Device.APPLE
    return Device.OTHER


def buttons(
    device: Device,
    paths: dict[Platform, str],
    badges: Badges,
    *,
    held_in: Collection[Platform],
    locale: str,
) -> list[Button]:
    """Return the buttons for a device, of the wallets that this server has paths to.

    An Android phone opens Apple's file too, where there is no way to Google. A badge says "add", so
    a card that a wallet holds has a plain link to view it.
    """
    wanted = {
        Device.APPLE: [Platform.APPLE],
        Device.ANDROID: [Platform.GOOGLE],
        Device.OTHER: [Platform.APPLE, Platform.GOOGLE],
    }[device]
    offered = [one for one in wanted if one in paths]
    if not offered:
        return [Button(ANY_WALLET, path, None) for path in paths.values()]
    shown = []
    for platform in offered:
        held = platform in held_in
        badge = None if held else badges.of(platform, locale)
        words = f"{'View in' if held else 'Add to'} {WALLETS[platform]}"
        shown.append(Button(words, paths[platform], badge.address if badge else None))
    return shown
