"""ECv2SigningOnly to the letter: who must have signed what, with keys that are good when."""

import json
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from loyalty_graph.sandbox.google_callbacks import CallbackFault, CallbackSigner
from loyalty_graph.wallet.google.signatures import (
    MalformedError,
    is_genuine,
    joined,
    open_envelope,
    read_key,
    read_roots,
)
from tests.shop import NOON
from tests.wallet.google.making import ISSUER

SIGNER = CallbackSigner(ISSUER)
ROOTS = read_roots(SIGNER.published(now=NOON))
SAVE = {"classId": f"{ISSUER}.club", "objectId": f"{ISSUER}.c7", "eventType": "save", "nonce": "n1"}
HOUR = timedelta(hours=1)


def body(fault: CallbackFault | None = None, **message: Any) -> bytes:
    return SIGNER.sign({**SAVE, **message}, now=NOON, fault=fault)


def changed(**parts: Any) -> bytes:
    return json.dumps({**json.loads(body()), **parts}).encode()


def genuine(text: bytes, **changes: Any) -> bool:
    known = {"roots": ROOTS, "recipient": ISSUER, "now": NOON, **changes}
    return is_genuine(open_envelope(text), known["roots"], known["recipient"], now=known["now"])


def test_what_is_signed_is_each_text_after_its_length_in_bytes():
    assert joined(["ab", "é"]) == b"\x02\x00\x00\x00ab\x02\x00\x00\x00\xc3\xa9"
    assert joined(["x" * 300])[:4] == b"\x2c\x01\x00\x00"


def test_a_callback_of_googles_is_genuine():
    assert len(ROOTS) == 1
    assert genuine(body())


@given(st.text(st.characters(codec="utf-8"), max_size=20))
def test_non_ascii_callbacks_are_not_rejected(text: str):
    assert genuine(body(nonce=text))


@pytest.mark.parametrize(
    "fault",
    [
        CallbackFault.WRONG_ISSUER,
        CallbackFault.WRONG_ROOT,
        CallbackFault.TAMPERED,
        CallbackFault.EXPIRED_KEY,
    ],
)
def test_what_google_did_not_sign_for_us_is_not_genuine(fault: CallbackFault):
    assert not genuine(body(fault))


def test_other_recipients_protocols_and_roots_are_not_genuine():
    assert not genuine(body(), recipient="1")
    assert not genuine(changed(protocolVersion="ECv2"))
    assert not genuine(body(), roots=[])
    assert not genuine(body(), roots=read_roots(CallbackSigner(ISSUER).published(now=NOON)))


def test_keys_are_good_until_they_expire():
    week, ten_years = timedelta(days=7), timedelta(days=3650)

    assert genuine(body(), now=NOON + week - timedelta(milliseconds=1))
    assert not genuine(body(), now=NOON + week)
    old_roots = read_roots(SIGNER.published(now=NOON - ten_years))
    assert not genuine(body(), roots=old_roots)


def test_one_good_signature_of_the_key_is_enough():
    key = json.loads(body())["intermediateSigningKey"]
    others = CallbackSigner(ISSUER).sign(SAVE, now=NOON)
    odd = json.loads(others)["intermediateSigningKey"]["signatures"]

    both = {**key, "signatures": [*odd, *key["signatures"]]}
    assert genuine(changed(intermediateSigningKey=both))
    assert not genuine(changed(intermediateSigningKey={**key, "signatures": []}))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (b"", "body"),
        (b"[]", "body"),
        (b'{"signature": "\\ud800"}', "body"),
        (b"{}", "intermediateSigningKey"),
        (changed(intermediateSigningKey={"signedKey": "{}"}), "signatures"),
        (
            changed(intermediateSigningKey={"signedKey": "{}", "signatures": ["x"] * 11}),
            "signatures",
        ),
        (changed(intermediateSigningKey={"signedKey": 7, "signatures": []}), "signedKey"),
        (changed(signedMessage=None), "signedMessage"),
        (changed(protocolVersion=2), "protocolVersion"),
        (changed(signature="***"), "base64"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_callback_is_malformed(text: bytes, part: str):
    with pytest.raises(MalformedError, match=part):
        open_envelope(text)


def key_of(public: Any, **changes: Any) -> dict[str, Any]:
    import base64

    spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    expires = str(int((NOON + HOUR).timestamp() * 1000))
    return {"keyValue": base64.b64encode(spki).decode(), "keyExpiration": expires, **changes}


@pytest.mark.parametrize(
    ("given", "part"),
    [
        (key_of(ec.generate_private_key(ec.SECP384R1()).public_key()), "keyValue"),
        (key_of(ed25519.Ed25519PrivateKey.generate().public_key()), "keyValue"),
        ({"keyValue": "AAAA", "keyExpiration": "1"}, "keyValue"),
        ({"keyExpiration": "1"}, "keyValue"),
        (
            key_of(ec.generate_private_key(ec.SECP256R1()).public_key(), keyExpiration="soon"),
            "milliseconds",
        ),
        (
            key_of(ec.generate_private_key(ec.SECP256R1()).public_key(), keyExpiration=10**15),
            "milliseconds",
        ),
        (
            key_of(ec.generate_private_key(ec.SECP256R1()).public_key(), keyExpiration=True),
            "milliseconds",
        ),
    ],
    ids=["P-384", "Ed25519", "no DER", "nothing", "no number", "too late", "a truth"],
)
def test_keys_of_another_kind_are_none(given: dict[str, Any], part: str):
    with pytest.raises(MalformedError, match=part):
        read_key(given)


def test_a_root_that_cannot_be_used_does_not_take_the_others_with_it():
    [good] = SIGNER.published(now=NOON)["keys"]
    odd = [7, {**good, "keyValue": "AAAA"}, {**good, "protocolVersion": "ECv2"}]

    assert read_roots({"keys": [*odd, good]}) == ROOTS
    assert read_roots({"keys": "none"}) == read_roots({}) == []
