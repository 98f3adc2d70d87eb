"""Saving and removing at the fake Google, and the callbacks that tell of it."""

import base64
import json
from datetime import datetime
from typing import Any

import httpx2
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from loyalty_graph.sandbox.google_accounts import ServiceAccount
from loyalty_graph.sandbox.google_callbacks import CallbackFault
from tests.sandbox.googling import CARD, CLASS, CLASS_ID, ISSUER, OBJECT_ID, googling, reason

HEARD = httpx2.MockTransport(lambda _request: httpx2.Response(200))


def verify(key: str, signature: str, *texts: str) -> None:
    """Verify one signature as Google's document tells receivers to; lengths are of bytes."""
    public = load_der_public_key(base64.b64decode(key))
    assert isinstance(public, ec.EllipticCurvePublicKey)
    data = b"".join(len(t.encode()).to_bytes(4, "little") + t.encode() for t in texts)
    public.verify(base64.b64decode(signature), data, ec.ECDSA(SHA256()))


def read(body: bytes, keys: dict[str, Any], *, now: datetime) -> dict[str, Any]:
    """Return what a callback says, if both signatures hold and nothing is over."""
    told = json.loads(body)
    [root] = keys["keys"]
    intermediate = told["intermediateSigningKey"]
    [signature] = intermediate["signatures"]
    protocol, sender = "ECv2SigningOnly", "GooglePayPasses"
    assert told["protocolVersion"] == root["protocolVersion"] == protocol
    verify(root["keyValue"], signature, sender, protocol, intermediate["signedKey"])
    key = json.loads(intermediate["signedKey"])
    verify(key["keyValue"], told["signature"], sender, ISSUER, protocol, told["signedMessage"])
    message: dict[str, Any] = json.loads(told["signedMessage"])
    for until in (root["keyExpiration"], key["keyExpiration"], message["expTimeMillis"]):
        if int(until) <= now.timestamp() * 1000:
            raise TimeoutError(until)
    return message


async def test_a_save_link_inserts_the_card_and_tells_the_shop_in_a_signed_callback():
    async with googling(HEARD) as google:
        await google.post("loyaltyClass", CLASS)

        saved = await google.client.get(google.save_link(CARD))

        keys = (await google.client.get("/gp/m/issuer/keys")).json()
        [callback] = google.fake.callbacks
        message = read(callback.body, keys, now=google.now)
        assert saved.status_code == 200
        assert (callback.url, callback.status) == ("https://shop.example/google/callback", 200)
        assert len(message.pop("nonce")) == 32
        assert message == {
            "classId": CLASS_ID,
            "objectId": OBJECT_ID,
            "eventType": "save",
            "count": 1,
            "expTimeMillis": int(google.now.timestamp() * 1000) + 3_600_000,
        }
        shown = (await google.client.get(f"/sandbox/objects/{OBJECT_ID}")).json()
        assert (shown["hasUsers"], shown["notified"]) == (True, [])


async def test_a_save_link_with_an_id_alone_saves_the_card_that_is_there():
    async with googling(HEARD) as google:
        await google.with_card()

        saved = await google.client.get(google.save_link({"id": OBJECT_ID}))
        removed = await google.client.post(f"/sandbox/objects/{OBJECT_ID}/remove")

        events = [
            json.loads(json.loads(one.body)["signedMessage"])["eventType"]
            for one in google.fake.callbacks
        ]
        assert (saved.status_code, removed.status_code) == (200, 200)
        assert events == ["save", "del"]
        assert google.fake.store.objects[OBJECT_ID]["hasUsers"] is False


async def test_a_card_that_nobody_holds_cannot_be_removed():
    async with googling(HEARD) as google:
        await google.with_card()

        answer = await google.client.post(f"/sandbox/objects/{OBJECT_ID}/remove")

        assert (answer.status_code, reason(answer)) == (404, "resourceNotFound")
        assert google.fake.callbacks == []


async def test_a_card_for_one_person_is_not_saved_by_another():
    async with googling(HEARD) as google:
        alone = {**CLASS, "multipleDevicesAndHoldersAllowedStatus": "ONE_USER_ALL_DEVICES"}
        await google.post("loyaltyClass", alone)
        await google.client.get(google.save_link(CARD) + "?holder=ada")

        again = await google.client.get(google.save_link(CARD) + "?holder=ada")
        other = await google.client.get(google.save_link(CARD) + "?holder=mallory")

        assert (again.status_code, other.status_code) == (200, 403)
        assert google.fake.store.holders == {OBJECT_ID: {"ada"}}


@pytest.mark.parametrize(
    ("case", "objects", "claims", "status"),
    [
        ("another key", [CARD], {"key": ServiceAccount("").key}, 400),
        ("another issuer", [CARD], {"iss": "mallory@example.com"}, 400),
        ("another audience", [CARD], {"aud": "apple"}, 400),
        ("another type", [CARD], {"typ": "JWT"}, 400),
        ("no payload", [CARD], {"payload": "all"}, 400),
        ("an unknown part", [CARD], {"payload": {"offerObjects": []}}, 400),
        ("no list", [CARD], {"payload": {"loyaltyObjects": 5}}, 400),
        ("a card that is not there", [{"id": OBJECT_ID}], {}, 400),
        ("a card of another issuer", [{**CARD, "id": "77.card"}], {}, 403),
        ("too long for a browser", [{**CARD, "accountName": "A" * 1500}], {}, 414),
    ],
)
async def test_a_save_link_google_does_not_take_saves_nothing(
    case: str, objects: list[dict[str, Any]], claims: dict[str, Any], status: int
):
    async with googling(HEARD) as google:
        await google.post("loyaltyClass", CLASS)

        answer = await google.client.get(google.save_link(*objects, **claims))

        assert answer.status_code == status
        assert google.fake.store.objects == {}
        assert google.fake.callbacks == []


async def test_a_shop_that_does_not_answer_keeps_nobody_from_saving():
    def down(_request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("down")

    async with googling(httpx2.MockTransport(down)) as google:
        await google.post("loyaltyClass", CLASS)

        saved = await google.client.get(google.save_link(CARD))

        assert saved.status_code == 200
        assert [one.status for one in google.fake.callbacks] == [0]


@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        (CallbackFault.EXPIRED, TimeoutError),
        (CallbackFault.EXPIRED_KEY, TimeoutError),
        (CallbackFault.WRONG_ISSUER, InvalidSignature),
        (CallbackFault.WRONG_ROOT, InvalidSignature),
        (CallbackFault.TAMPERED, InvalidSignature),
    ],
)
async def test_a_faulty_callback_is_one_that_a_receiver_must_refuse(
    fault: CallbackFault, failure: type[Exception]
):
    async with googling(HEARD, fault=fault) as google:
        await google.with_card()

        await google.fake.call_back(OBJECT_ID, "save")

        keys = (await google.client.get("/gp/m/issuer/keys")).json()
        with pytest.raises(failure):
            read(google.fake.callbacks[0].body, keys, now=google.now)


async def test_a_callback_with_non_ascii_text_is_signed_over_the_length_of_its_bytes():
    async with googling(HEARD, fault=CallbackFault.NON_ASCII) as google:
        await google.with_card()

        await google.fake.call_back(OBJECT_ID, "save")

        keys = (await google.client.get("/gp/m/issuer/keys")).json()
        message = read(google.fake.callbacks[0].body, keys, now=google.now)
        assert message["nonce"].startswith("ñøñçé-")


async def test_a_replayed_callback_is_the_same_to_the_byte():
    async with googling(HEARD, fault=CallbackFault.REPLAYED) as google:
        await google.with_card()

        await google.fake.call_back(OBJECT_ID, "save")
        await google.fake.call_back(OBJECT_ID, "del")

        first, second = google.fake.callbacks
        assert first.body == second.body
