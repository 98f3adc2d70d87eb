"""Who signs members' tokens in tests: one key of each algorithm."""

import hashlib
import hmac
import warnings
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from functools import cache
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm


@cache
def _rsa_key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@dataclass(frozen=True)
class Signer:
    algorithm: str
    kid: str
    private: Any

    @classmethod
    def of(cls, algorithm: str, kid: str, *, bits: int = 2048) -> "Signer":
        make = {
            "EdDSA": ed25519.Ed25519PrivateKey.generate,
            "RS256": lambda: _rsa_key(bits),
            "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
        }
        return cls(algorithm, kid, make[algorithm]())

    @property
    def jwk(self) -> dict[str, Any]:
        kind: Any = {"EdDSA": OKPAlgorithm, "RS256": RSAAlgorithm, "ES256": ECAlgorithm}[
            self.algorithm
        ]
        return {**kind.to_jwk(self.private.public_key(), as_dict=True), "kid": self.kid}

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        named = {"kid": self.kid, **header}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # It complains about short keys.
            return jwt.encode(claims, self.private, algorithm=self.algorithm, headers=named)

    def public_pem(self) -> bytes:
        pem: bytes = self.private.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )
        return pem


def jwks(*signers: Signer) -> bytes:
    return orjson.dumps({"keys": [signer.jwk for signer in signers]})


def unsigned(claims: dict[str, Any], header: dict[str, Any], *, secret: bytes = b"") -> str:
    """Return a token as a forger makes it: any header, no signature or an HMAC."""
    parts = [urlsafe_b64encode(orjson.dumps(part)).rstrip(b"=") for part in (header, claims)]
    body = b".".join(parts)
    signature = hmac.digest(secret, body, hashlib.sha256) if secret else b""
    return (body + b"." + urlsafe_b64encode(signature).rstrip(b"=")).decode()


ED = Signer.of("EdDSA", "ed")
RS = Signer.of("RS256", "rs")
ES = Signer.of("ES256", "es")
