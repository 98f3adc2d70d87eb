"""Save links: what they say, who signed them, and how long they may be."""

from bisect import bisect_left
from datetime import timedelta

import jwt

from loyalty_graph.wallet.google.account import ServiceAccount
from loyalty_graph.wallet.google.links import is_short_enough, save_link
from loyalty_graph.wallet.google.objects import State
from tests.wallet.google.making import CLASS_ID, ISSUER, make_card
from tests.wallet.making import NOW, make_face

SAVE_URL = "https://pay.google.com/gp/v/save"


def link(account: ServiceAccount, *objects: dict[str, object]) -> str:
    return save_link(
        account, objects, save_url=SAVE_URL, origin="https://cards.example/lg", now=NOW
    )


def test_a_save_link_is_signed_by_the_service_account(account: ServiceAccount):
    made = link(account, {"id": f"{ISSUER}.c7"})

    address, _, token = made.rpartition("/")
    claims = jwt.decode(
        token,
        account.key.public_key(),
        algorithms=["RS256"],
        audience="google",
        leeway=timedelta(days=36500),
        options={"verify_iat": False},
    )
    assert address == SAVE_URL
    assert jwt.get_unverified_header(token) == {
        "alg": "RS256",
        "kid": "sandbox-key-1",
        "typ": "JWT",
    }
    assert claims == {
        "iss": account.email,
        "aud": "google",
        "typ": "savetowallet",
        "iat": int(NOW.timestamp()),
        "origins": ["https://cards.example"],
        "payload": {"loyaltyObjects": [{"id": f"{ISSUER}.c7"}]},
    }


def test_a_save_link_over_1800_characters_is_known_as_too_long(account: ServiceAccount):
    def whole(name: str) -> str:
        face = make_face(member_name=name)
        card = make_card().loyalty_object(
            face, object_id=f"{ISSUER}.c7", class_id=CLASS_ID, state=State.ACTIVE
        )
        return link(account, card)

    longest = bisect_left(range(800), 1_801, key=lambda length: len(whole("x" * length)))

    assert is_short_enough(whole("Ada"))
    assert is_short_enough(whole("x" * (longest - 1)))
    assert not is_short_enough(whole("x" * longest))
    assert is_short_enough(link(account, {"id": f"{ISSUER}.{'c' * 32}"}))
