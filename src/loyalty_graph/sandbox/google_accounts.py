"""A service account of the fake Google: its key file, the access tokens it gets, its signatures.

Source: Google's "Using OAuth 2.0 for server to server applications".
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SCOPE = "https://www.googleapis.com/auth/wallet_object.issuer"
EMAIL = "loyalty-graph@sandbox.iam.gserviceaccount.com"
ASSERTION_LIFE_MAX = timedelta(hours=1)
TOKEN_LIFE = timedelta(seconds=3599)
CLOCK_SKEW = timedelta(minutes=5)
UNREASONABLE = (
    "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."
    " Check your iat and exp values in the JWT claim."
)


class GrantRefusedError(Exception):
    """The token endpoint gives no token; `error` is OAuth's word for why."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """The one account that the fake Google knows, and the access tokens that are out."""

    token_url: str
    key: rsa.RSAPrivateKey = field(default_factory=_new_key, repr=False)
    key_id: str = field(default_factory=lambda: secrets.token_hex(20))
    _tokens: dict[str, datetime] = field(default_factory=dict, repr=False)

    @classmethod
    def kept(cls, path: Path, token_url: str) -> "ServiceAccount":
        """Return the account whose file is there, or a new one where none can be read."""
        try:
            content = json.loads(path.read_bytes())
            key = load_pem_private_key(content["private_key"].encode(), password=None)
            key_id = str(content["private_key_id"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return cls(token_url)
        return cls(token_url, key, key_id) if isinstance(key, rsa.RSAPrivateKey) else cls(token_url)

    def write(self, path: Path) -> None:
        """Write the account's file as Google's console gives it out, for its owner to read."""
        pem = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        content = {
            "type": "service_account",
            "project_id": "sandbox",
            "private_key_id": self.key_id,
            "private_key": pem.decode(),
            "client_email": EMAIL,
            "client_id": "100000000000000000000",
            "token_uri": self.token_url,
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(content, indent=2))

    def token(self, form: Mapping[str, Any], *, now: datetime) -> dict[str, Any]:
        """Return what the token endpoint answers to an assertion.

        Raises:
            GrantRefusedError: The assertion is not one that Google takes.
        """
        if form.get("grant_type") != GRANT_TYPE:
            raise GrantRefusedError("unsupported_grant_type", "Invalid grant_type.")
        claims = self._claims(str(form.get("assertion", "")))
        issued_at, expires_at = (
            datetime.fromtimestamp(claims[name], now.tzinfo) for name in ("iat", "exp")
        )
        timely = now - ASSERTION_LIFE_MAX <= issued_at <= now + CLOCK_SKEW
        if not (timely and now < expires_at <= issued_at + ASSERTION_LIFE_MAX):
            raise GrantRefusedError("invalid_grant", UNREASONABLE)
        if SCOPE not in str(claims.get("scope", "")).split():
            raise GrantRefusedError("invalid_scope", "Invalid OAuth scope or ID token audience.")
        token = f"ya29.{secrets.token_urlsafe(32)}"
        self._tokens[token] = now + TOKEN_LIFE
        life = int(TOKEN_LIFE.total_seconds())
        return {"access_token": token, "expires_in": life, "token_type": "Bearer"}

    def _claims(self, assertion: str) -> dict[str, Any]:
        try:
            claims = self.verified(assertion, audience=self.token_url)
        except jwt.InvalidAudienceError as error:
            raise GrantRefusedError(
                "invalid_grant", "Invalid JWT: Failed audience check."
            ) from error
        except jwt.InvalidSignatureError as error:
            raise GrantRefusedError("invalid_grant", "Invalid JWT Signature.") from error
        except jwt.InvalidTokenError as error:
            raise GrantRefusedError("invalid_grant", f"Invalid JWT: {error}") from error
        if not all(isinstance(claims.get(name), int) for name in ("iat", "exp")):
            raise GrantRefusedError("invalid_grant", UNREASONABLE)
        return claims

    def verified(self, token: str, *, audience: str) -> dict[str, Any]:
        """Return the claims of a JWT that this account has signed; its times are not looked at.

        Raises:
            jwt.InvalidTokenError: It was not signed by this account, or says it is for another.
        """
        claims: dict[str, Any] = jwt.decode(
            token,
            self.key.public_key(),
            algorithms=["RS256"],
            audience=audience,
            issuer=EMAIL,
            # The fake's clock decides, not the one that the library would read.
            options={
                "require": ["aud", "iss"],
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
        return claims

    def admits(self, authorization: str, *, now: datetime) -> bool:
        """Return whether a request's header carries an access token that is still good."""
        kind, _, token = authorization.partition(" ")
        expires_at = self._tokens.get(token)
        return kind == "Bearer" and expires_at is not None and now < expires_at
