"""Signatures of Google's callbacks: protocol ECv2SigningOnly.

A root key signs an intermediate key, the intermediate key signs the message. What is signed is a
sequence of texts, each after its length in bytes of UTF-8: four bytes, the lowest first.
Source: Google Wallet API, "Use callbacks for saves and deletions", and Google Pay, "Payment data
cryptography for merchants".
"""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

PROTOCOL = "ECv2SigningOnly"
SENDER = "GooglePayPasses"
LENGTH_BYTES = 4
SIGNATURES_MAX = 10
KEYS_MAX = 20
MILLISECONDS_MAX = 10**14


class MalformedError(ValueError):
    """What was given is no such thing; the message says which part."""


@dataclass(frozen=True, slots=True)
class Key:
    """A public key, and until when it signs."""

    public: EllipticCurvePublicKey
    expires_at: datetime

    def signed(self, signature: bytes, texts: Iterable[str]) -> bool:
        """Return whether these texts were signed with the key."""
        try:
            self.public.verify(signature, joined(texts), ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Envelope:
    """A callback as it comes, taken apart; nothing of it is believed yet."""

    protocol: str
    signature: bytes
    signed_message: str
    signed_key: str
    key_signatures: tuple[bytes, ...]


def joined(texts: Iterable[str]) -> bytes:
    """Return what is signed: each text after its length in bytes."""
    encoded = (text.encode() for text in texts)
    return b"".join(len(one).to_bytes(LENGTH_BYTES, "little") + one for one in encoded)


def open_envelope(body: bytes) -> Envelope:
    """Take the body of a callback apart.

    Raises:
        MalformedError: it is no callback.
    """
    given = _object(body, "body")
    key = given.get("intermediateSigningKey")
    if not isinstance(key, dict):
        raise MalformedError("intermediateSigningKey")
    signatures = key.get("signatures")
    if not isinstance(signatures, list) or len(signatures) > SIGNATURES_MAX:
        raise MalformedError("signatures")
    return Envelope(
        _text(given, "protocolVersion"),
        _binary(given.get("signature")),
        _text(given, "signedMessage"),
        _text(key, "signedKey"),
        tuple(_binary(one) for one in signatures),
    )


def is_genuine(envelope: Envelope, roots: Iterable[Key], recipient: str, *, now: datetime) -> bool:
    """Return whether Google has signed this for the recipient, with keys that are good now.

    Raises:
        MalformedError: the signed key is none.
    """
    if envelope.protocol != PROTOCOL:
        return False
    trusted = [root for root in roots if now < root.expires_at]
    of_key = (SENDER, PROTOCOL, envelope.signed_key)
    if not any(
        root.signed(signature, of_key) for root in trusted for signature in envelope.key_signatures
    ):
        return False
    key = read_key(_object(envelope.signed_key.encode(), "signedKey"))
    of_message = (SENDER, recipient, PROTOCOL, envelope.signed_message)
    return now < key.expires_at and key.signed(envelope.signature, of_message)


def read_message(signed_message: str) -> dict[str, Any]:
    """Return what a signed message says.

    Raises:
        MalformedError: it is no JSON object.
    """
    return _object(signed_message.encode(), "signedMessage")


def read_roots(published: Mapping[str, Any]) -> list[Key]:
    """Return the root keys of this protocol among those that Google publishes."""
    given = published.get("keys")
    roots = []
    for one in given[:KEYS_MAX] if isinstance(given, list) else []:
        if isinstance(one, dict) and one.get("protocolVersion") == PROTOCOL:
            try:
                roots.append(read_key(one))
            except MalformedError:
                continue  # One of a kind we do not know must not take the others with it.
    return roots


def read_key(given: Mapping[str, Any]) -> Key:
    """Return a key from its JSON: P-256 in DER, and when it expires.

    Raises:
        MalformedError: it is none.
    """
    try:
        public = load_der_public_key(_binary(given.get("keyValue")))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise MalformedError("keyValue") from error
    if not isinstance(public, EllipticCurvePublicKey) or not isinstance(public.curve, SECP256R1):
        raise MalformedError("keyValue")
    return Key(public, moment(given.get("keyExpiration")))


def moment(milliseconds: object) -> datetime:
    """Return the moment of milliseconds since 1970, given as a number or as its text.

    Raises:
        MalformedError: it is none.
    """
    if isinstance(milliseconds, str) and milliseconds.isascii() and milliseconds.isdecimal():
        milliseconds = int(milliseconds[:20])
    if type(milliseconds) is not int or not 0 <= milliseconds < MILLISECONDS_MAX:
        raise MalformedError("milliseconds")
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _object(data: bytes, part: str) -> dict[str, Any]:
    try:
        given = orjson.loads(data)
    except ValueError as error:
        raise MalformedError(part) from error
    if not isinstance(given, dict):
        raise MalformedError(part)
    return given


def _text(given: Mapping[str, Any], name: str) -> str:
    text = given.get(name)
    if not isinstance(text, str):
        raise MalformedError(name)
    return text


def _binary(text: object) -> bytes:
    try:
        return base64.b64decode(text if isinstance(text, str) else "", validate=True)
    except ValueError as error:
        raise MalformedError("base64") from error
