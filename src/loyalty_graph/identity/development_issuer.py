"""Signs members in during development: a key of our own, where no issuer is set."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import OKPAlgorithm

from loyalty_graph.config import MemberIssuer, Settings, data_folder, write_once, write_over
from loyalty_graph.errors import SettingsError

ISSUER = "loyalty-graph-development"
AUDIENCE = "loyalty-graph"
KEY_NAME = "development"
KEY_FILE = "member-development.pem"
JWKS_FILE = "member-development.jwks.json"
REPLACED_AT = "replaced_at"
"""A member of our own in a published key (RFC 7517, section 4, allows them): seconds since 1970."""
LIFE_MAX = timedelta(days=30)
"""No token of ours lives longer."""


def member_issuers(settings: Settings) -> tuple[MemberIssuer, ...]:
    """Return who signs members in; while nobody is set, the development key, made on first use."""
    if settings.member_issuers:
        return settings.member_issuers
    folder = data_folder(settings)
    _publish(folder, _key(folder))
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
    folder = data_folder(settings)
    key = _key(folder)
    _publish(folder, key)
    x = _public(key, "")["x"]
    [name] = [one["kid"] for one in _published(folder) if one["x"] == x]
    return jwt.encode(claims, key, algorithm="EdDSA", headers={"kid": name})


def replace_key(settings: Settings, *, now: datetime) -> str:
    """Sign members in with a new key from now on; tokens of the one before stay good to their end.

    The public parts of both are published before the new one signs. Those replaced more than 30
    days ago are taken away: no token lives longer.

    Returns:
        The new key's name.

    Raises:
        SettingsError: Issuers are set, whose keys are their own business; or it cannot be written.
    """
    if settings.member_issuers:
        raise SettingsError(
            "LOYALTY_MEMBER_ISSUERS is set: their keys are replaced where they are, and read again"
            " by themselves."
        )
    folder = data_folder(settings)
    _publish(folder, _key(folder))
    fresh, name = Ed25519PrivateKey.generate(), f"{KEY_NAME}-{now:%Y%m%dT%H%M%SZ}"
    keys = [
        {REPLACED_AT: int(now.timestamp()), **one}
        for one in _published(folder)
        if one.get(REPLACED_AT, now.timestamp()) > (now - LIFE_MAX).timestamp()
    ]
    write_over(folder / JWKS_FILE, _jwks([*keys, _public(fresh, name)]))
    write_over(folder / KEY_FILE, _pem(fresh))
    return name


def published(settings: Settings) -> list[str]:
    """Return the names of the development keys whose tokens are good, oldest first."""
    if settings.member_issuers or not (settings.data_dir / JWKS_FILE).exists():
        return []
    return [str(one["kid"]) for one in _published(settings.data_dir)]


def _publish(folder: Path, key: Ed25519PrivateKey) -> None:
    write_once(folder / JWKS_FILE, _jwks([_public(key, KEY_NAME)]))


def _published(folder: Path) -> list[dict[str, Any]]:
    keys: list[dict[str, Any]] = orjson.loads((folder / JWKS_FILE).read_bytes())["keys"]
    return keys


def _public(key: Ed25519PrivateKey, name: str) -> dict[str, Any]:
    public = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**public, "kid": name, "alg": "EdDSA", "use": "sig"}


def _jwks(keys: list[dict[str, Any]]) -> str:
    return orjson.dumps({"keys": keys}).decode()


def _pem(key: Ed25519PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _key(folder: Path) -> Ed25519PrivateKey:
    path = folder / KEY_FILE
    if not path.exists():
        write_once(path, _pem(Ed25519PrivateKey.generate()))
    key = jwt.algorithms.OKPAlgorithm().prepare_key(path.read_text())
    assert isinstance(key, Ed25519PrivateKey), "we have written it"
    return key
