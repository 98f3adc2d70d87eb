"""Save links: a signed token that puts a loyalty object into whoever's Google Wallet opens it.

Source: Google, "Issuing passes with the web, e-mail and SMS": RS256 by the service account, and at
most 1,800 characters, since browsers cut off longer addresses.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import jwt

from loyalty_graph.wallet.google.account import ServiceAccount

AUDIENCE, KIND, ALGORITHM = "google", "savetowallet", "RS256"
LINK_CHARACTERS_MAX = 1_800
SAVE_PATH = "/gp/v/save"


def save_link(
    account: ServiceAccount,
    objects: Sequence[Mapping[str, Any]],
    *,
    save_url: str,
    origin: str,
    now: datetime,
) -> str:
    """Return the link that saves these loyalty objects.

    Args:
        account: Who signs.
        objects: Whole objects, or only `{"id": ...}` of objects that Google has already.
        save_url: Where Google Wallet takes such tokens.
        origin: The site that the link is shown on; of its address, scheme and host count.
        now: When it is made.
    """
    site = urlsplit(origin)
    claims = {
        "iss": account.email,
        "aud": AUDIENCE,
        "typ": KIND,
        "iat": int(now.timestamp()),
        "origins": [f"{site.scheme}://{site.netloc}"],
        "payload": {"loyaltyObjects": list(objects)},
    }
    headers = {"kid": account.key_id}
    token = jwt.encode(claims, account.key, algorithm=ALGORITHM, headers=headers)
    return f"{save_url}/{token}"


def is_short_enough(link: str) -> bool:
    """Return whether browsers and messengers keep the link whole."""
    return len(link) <= LINK_CHARACTERS_MAX
