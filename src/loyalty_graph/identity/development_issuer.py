"""Signs members in during development: a key of our own, where no issuer is set."""

from datetime import datetime, timedelta
from pathlib import Path

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import OKPAlgorithm

from loyalty_graph.config import MemberIssuer, Settings, data_folder, write_once
from loyalty_graph.errors import SettingsError

ISSUER = "loyalty-graph-development"
AUDIENCE = "loyalty-graph"
KEY_NAME = "development"
KEY_FILE = "member-development.pem"
JWKS_FILE = "member-development.jwks.json"


def member_issuers(settings: Settings) -> tuple[MemberIssuer, ...]:
    """Return who signs members in; while nobody is set, the development key, made on first use."""
    if settings.member_issuers:
        return settings.member_issuers
    folder = data_folder(settings)
    key = _key(folder)
    public = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
    named = {**public, "kid": KEY_NAME, "alg": "EdDSA", "use": "sig"}
    write_once(folder / JWKS_FILE, orjson.dumps({"keys": [named]}).decode())
    issuer = MemberIssuer(
        issuer=ISSUER,
        audience=AUDIENCE,
        jwks=str(folder / JWKS_FILE),
        algorithms=("EdDSA",),
        subject="id",
    )
    return (issuer,)


def sign_in(
    settings: Settings, *, program: str, subject: str, now: datetime, life: timedelta
) -> str:
    """Return a token that makes its bearer this member, for development.

    Args:
        settings: Where the data folder is.
        program: The programme's slug.
        subject: The member's id.
        now: The moment.
        life: How long it works.

    Raises:
        SettingsError: issuers are set, so nobody here believes the development key.
    """
    if settings.member_issuers:
        raise SettingsError(
            "LOYALTY_MEMBER_ISSUERS is set: only those issuers sign members in, not this command."
        )
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": subject,
        "program": program,
        "iat": int(now.timestamp()),
        "exp": int((now + life).timestamp()),
    }
    key = _key(data_folder(settings))
    return jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": KEY_NAME})


def _key(folder: Path) -> Ed25519PrivateKey:
    path = folder / KEY_FILE
    if not path.exists():
        fresh = Ed25519PrivateKey.generate()
        pem = fresh.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_once(path, pem.decode())
    key = jwt.algorithms.OKPAlgorithm().prepare_key(path.read_text())
    assert isinstance(key, Ed25519PrivateKey), "we have written it"
    return key
