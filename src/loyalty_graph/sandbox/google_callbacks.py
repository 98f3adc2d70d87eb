"""Signed callbacks as Google sends them: ECv2SigningOnly, with a root key of our own.

Source: Google's "Use callbacks for saves and deletions", and "Payment data cryptography for
merchants" for the protocol. What is signed are texts, each after its length in bytes, four bytes,
the lowest first.
"""

import base64
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PROTOCOL = "ECv2SigningOnly"
SENDER = "GooglePayPasses"
ROOT_LIFE = timedelta(days=3650)
INTERMEDIATE_LIFE = timedelta(days=7)
MESSAGE_LIFE = timedelta(hours=1)


class CallbackFault(StrEnum):
    """What may be wrong or unusual about a callback, to try those who receive it."""

    EXPIRED = "expired"
    EXPIRED_KEY = "expired-key"
    WRONG_ISSUER = "wrong-issuer"
    WRONG_ROOT = "wrong-root"
    TAMPERED = "tampered"
    REPLAYED = "replayed"
    NON_ASCII = "non-ascii"


def _millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _public_text(key: ec.EllipticCurvePrivateKey) -> str:
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(spki).decode()


def _signature(key: ec.EllipticCurvePrivateKey, *texts: str) -> str:
    encoded = [text.encode() for text in texts]
    data = b"".join(len(one).to_bytes(4, "little") + one for one in encoded)
    return base64.b64encode(key.sign(data, ec.ECDSA(SHA256()))).decode()


@dataclass(frozen=True, slots=True)
class CallbackSigner:
    """A root key, an intermediate key, and what they sign for one issuer."""

    issuer_id: str
    root: ec.EllipticCurvePrivateKey = field(default_factory=_new_key, repr=False)
    intermediate: ec.EllipticCurvePrivateKey = field(default_factory=_new_key, repr=False)

    def published(self, *, now: datetime) -> dict[str, Any]:
        """Return the root keys as Google publishes them."""
        return {
            "keys": [
                {
                    "keyValue": _public_text(self.root),
                    "protocolVersion": PROTOCOL,
                    "keyExpiration": str(_millis(now + ROOT_LIFE)),
                }
            ]
        }

    def sign(
        self, message: dict[str, Any], *, now: datetime, fault: CallbackFault | None = None
    ) -> bytes:
        """Return the body of a callback that says `message`, good for an hour."""
        late = fault is CallbackFault.EXPIRED
        expires_at = now - timedelta(seconds=1) if late else now + MESSAGE_LIFE
        told = {**message, "expTimeMillis": _millis(expires_at)}
        if fault is CallbackFault.NON_ASCII:
            told["nonce"] = f"ñøñçé-{told['nonce']}"
        text = json.dumps(told, ensure_ascii=False)
        recipient = "1" + self.issuer_id if fault is CallbackFault.WRONG_ISSUER else self.issuer_id
        body = {
            "signature": _signature(self.intermediate, SENDER, recipient, PROTOCOL, text),
            "intermediateSigningKey": self._signed_key(now=now, fault=fault),
            "protocolVersion": PROTOCOL,
            "signedMessage": text + " " * (fault is CallbackFault.TAMPERED),
        }
        return json.dumps(body, ensure_ascii=False).encode()

    def _signed_key(self, *, now: datetime, fault: CallbackFault | None) -> dict[str, Any]:
        over = fault is CallbackFault.EXPIRED_KEY
        expires_at = now - timedelta(seconds=1) if over else now + INTERMEDIATE_LIFE
        signed_key = json.dumps(
            {
                "keyValue": _public_text(self.intermediate),
                "keyExpiration": str(_millis(expires_at)),
            }
        )
        root = _new_key() if fault is CallbackFault.WRONG_ROOT else self.root
        return {
            "signedKey": signed_key,
            "signatures": [_signature(root, SENDER, PROTOCOL, signed_key)],
        }
