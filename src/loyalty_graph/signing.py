"""Signed links: who holds one may do one thing with one subject until a moment; derived keys.

The token is a JWT with HS256 and nothing else; the algorithm is pinned, so `none` and public-key
confusion (RFC 8725, sections 2.1 and 3.1) are refused. The purpose is the audience.
"""

import hashlib
import hmac
from datetime import datetime

import jwt

from loyalty_graph.errors import UnauthenticatedError

ALGORITHM = "HS256"
KEY_BYTES_MIN = 32


def derive_key(key: bytes, purpose: str) -> bytes:
    """Return a key of its own for a purpose, so that no two uses of one secret meet."""
    return hmac.digest(key, purpose.encode(), hashlib.sha256)


def sign_link(purpose: str, subject: str, *, key: bytes, expires_at: datetime) -> str:
    """Return a token that opens `subject` for `purpose` until `expires_at` (whole seconds)."""
    assert len(key) >= KEY_BYTES_MIN, "RFC 7518, section 3.2: a key as long as the hash"
    claims = {"aud": purpose, "sub": subject, "exp": int(expires_at.timestamp())}
    return jwt.encode(claims, key, algorithm=ALGORITHM)


def read_link(token: str, *, purpose: str, key: bytes, now: datetime) -> str:
    """Return the subject of a token made by `sign_link` with this purpose and key.

    Raises:
        UnauthenticatedError: forged or damaged, made for another purpose, or expired.
    """
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            audience=purpose,
            # The moment of the request decides, not the clock that the library would read.
            options={"require": ["aud", "sub", "exp"], "verify_exp": False},
        )
    except jwt.InvalidAudienceError as error:
        raise UnauthenticatedError("This link was made for something else.") from error
    except jwt.InvalidTokenError as error:
        raise UnauthenticatedError("This link is not genuine.") from error
    if claims["exp"] <= now.timestamp():
        raise UnauthenticatedError("This link has expired; ask for a new one.")
    return str(claims["sub"])
