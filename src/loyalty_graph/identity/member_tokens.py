"""Members' tokens: JWTs of the issuers an operator trusts, with pinned algorithms.

Source: RFC 7519 (JWT), RFC 8725 (best practices). The algorithm must be one that was set for the
issuer and the one of the key found for it; `none` and HMAC cannot be set.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import jwt

from loyalty_graph.config import MemberIssuer
from loyalty_graph.errors import UnauthenticatedError
from loyalty_graph.identity.keys import Fetch, KeySet, fetch

TOKEN_CHARACTERS_MAX = 8_000
SUBJECT_CHARACTERS_MAX = 200
LIFE_MAX = timedelta(days=366)
REQUIRED = ["iss", "aud", "sub", "exp"]


@dataclass(frozen=True, slots=True)
class MemberClaims:
    """What a good token says.

    Attributes:
        program: The programme's slug; the only programme, if not given.
        subject_kind: Whether the subject is a member's id or the external id.
        subject: Who it is about.
        expires_at: When it stops working, leeway included.
    """

    program: str | None
    subject_kind: Literal["id", "external_id"]
    subject: str
    expires_at: datetime


class MemberTokens:
    """Reads members' tokens.

    Args:
        issuers: Whose tokens are good.
        fetch: Reads an issuer's keys.
    """

    def __init__(self, issuers: Sequence[MemberIssuer], *, fetch: Fetch = fetch) -> None:
        self._issuers = {one.issuer: (one, KeySet(one.jwks, fetch=fetch)) for one in issuers}

    async def claims(self, text: str, *, now: datetime) -> MemberClaims:
        """Return what a token says, once its signature, issuer, audience and times are good.

        Raises:
            UnauthenticatedError: malformed, forged, expired, not yet good, of an unknown issuer or
                for another audience; the message says which.
        """
        header, issuer_name = _unverified(text)
        issuer, keys = self._issuers.get(issuer_name, (None, None))
        if issuer is None or keys is None:
            raise UnauthenticatedError("This token is of an issuer that is not trusted here.")
        algorithm = header.get("alg")
        if algorithm not in issuer.algorithms:
            accepted = ", ".join(issuer.algorithms)
            raise UnauthenticatedError(f"This token must be signed with {accepted}.")
        key = await keys.key(header.get("kid"), algorithm, now=now)
        return _checked(_verified(text, key, algorithm, issuer), issuer, now=now)


def _unverified(text: str) -> tuple[dict[str, Any], str]:
    """Return header and issuer as the token gives them: what to check it by, and no more."""
    try:
        if len(text) > TOKEN_CHARACTERS_MAX:
            raise jwt.DecodeError("too long")
        whole = jwt.decode_complete(text, options={"verify_signature": False})
    except (jwt.InvalidTokenError, ValueError, RecursionError) as error:
        raise UnauthenticatedError("This is not a member's token (JWT).") from error
    return whole["header"], str(whole["payload"].get("iss"))


def _verified(text: str, key: jwt.PyJWK, algorithm: str, issuer: MemberIssuer) -> dict[str, Any]:
    try:
        return jwt.decode(
            text,
            key,
            algorithms=[algorithm],
            audience=issuer.audience,
            issuer=issuer.issuer,
            options={
                "require": REQUIRED,
                "enforce_minimum_key_length": True,
                # The moment of the request decides, not the clock that the library would read.
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
    except jwt.InvalidAudienceError as error:
        raise UnauthenticatedError("This token is for another audience.") from error
    except jwt.MissingRequiredClaimError as error:
        raise UnauthenticatedError(f"This token lacks the claim {error.claim}.") from error
    except (jwt.PyJWTError, ValueError) as error:
        raise UnauthenticatedError("This token is not genuine.") from error


def _checked(claims: dict[str, Any], issuer: MemberIssuer, *, now: datetime) -> MemberClaims:
    leeway = timedelta(seconds=issuer.leeway_s)
    expires_at = _instant(claims, "exp", now=now) + leeway
    if expires_at <= now:
        raise UnauthenticatedError("This token has expired.")
    for name in ("nbf", "iat"):
        if name in claims and _instant(claims, name, now=now) - leeway > now:
            raise UnauthenticatedError("This token is not good yet.")
    subject, program = claims["sub"], issuer.program or claims.get("program")
    if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_CHARACTERS_MAX:
        raise UnauthenticatedError("This token's claim sub names nobody.")
    if program is not None and not isinstance(program, str):
        raise UnauthenticatedError("This token's claim program names no programme.")
    return MemberClaims(program, issuer.subject, subject, expires_at)


def _instant(claims: dict[str, Any], name: str, *, now: datetime) -> datetime:
    """Return a claim's moment, a year ahead at most, so that no number is too large for a date."""
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UnauthenticatedError(f"This token's claim {name} is no time.")
    latest = (now + LIFE_MAX).timestamp()
    return datetime.fromtimestamp(min(max(value, 0), latest), UTC)
