"""An issuer's public keys (JWKS, RFC 7517): read from a file or URL, kept, and read again.

A key nobody has seen is looked for once in half a minute at most, however many tokens name one, so
that forged tokens cannot make us flood the issuer.
"""

import asyncio
import logging
import urllib.request
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from http.client import HTTPException
from pathlib import Path
from typing import Any

import jwt
import orjson

from loyalty_graph.errors import UnauthenticatedError

KEPT_FOR = timedelta(minutes=10)
KEPT_FOR_WHEN_UNREACHABLE = timedelta(hours=24)
READ_AGAIN_AFTER = timedelta(seconds=30)
FETCH_TIMEOUT_S = 5.0
BYTES_MAX = 200_000
KEYS_MAX = 100

logger = logging.getLogger(__name__)
Fetch = Callable[[str], Awaitable[bytes]]


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Keys come from the address the operator named, and from nowhere else."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirects)


async def fetch(source: str) -> bytes:
    """Return what a file or URL holds, read outside the event loop.

    Raises:
        OSError: it cannot be read in 5 seconds, or answers with an error or a redirect.
    """
    return await asyncio.to_thread(_read, source)


def _read(source: str) -> bytes:
    if "://" not in source:
        with Path(source).open("rb") as file:
            return file.read(BYTES_MAX)
    with _opener.open(source, timeout=FETCH_TIMEOUT_S) as answer:
        content: bytes = answer.read(BYTES_MAX)
    return content


class KeySet:
    """The public keys of one issuer.

    Args:
        source: A file or URL.
        fetch: Reads it.
    """

    def __init__(self, source: str, *, fetch: Fetch = fetch) -> None:
        self._source = source
        self._fetch = fetch
        self._reading = asyncio.Lock()
        self._keys: list[jwt.PyJWK] = []
        self._read_at: datetime | None = None
        self._tried_at: datetime | None = None

    async def key(self, name: str | None, algorithm: str, *, now: datetime) -> jwt.PyJWK:
        """Return the key with this name (`kid`) for this algorithm; without a name the only one.

        Raises:
            UnauthenticatedError: the issuer has no such key, or cannot be asked.
        """
        if self._read_at is None or now - self._read_at > KEPT_FOR:
            await self._read_again(now)
        found = self._find(name, algorithm)
        if found is None:
            await self._read_again(now)
            found = self._find(name, algorithm)
        if self._read_at is None or now - self._read_at > KEPT_FOR_WHEN_UNREACHABLE:
            raise UnauthenticatedError("The keys of this token's issuer cannot be read now.")
        if found is None:
            raise UnauthenticatedError("This token is signed with a key its issuer does not name.")
        return found

    def _find(self, name: str | None, algorithm: str) -> jwt.PyJWK | None:
        fitting = [
            key
            for key in self._keys
            if key.algorithm_name == algorithm and (name is None or key.key_id == name)
        ]
        return fitting[0] if len(fitting) == 1 else None

    async def _read_again(self, now: datetime) -> None:
        """Read the keys, unless that was tried a moment ago; those known stay when it fails."""
        async with self._reading:
            if self._tried_at is not None and now - self._tried_at < READ_AGAIN_AFTER:
                return
            self._tried_at = now
            try:
                self._keys = _keys(await self._fetch(self._source))
                self._read_at = now
            except (OSError, HTTPException, ValueError, jwt.PyJWTError) as error:
                logger.warning("The keys at %s cannot be read: %s", self._source, error)


def _keys(content: bytes) -> list[jwt.PyJWK]:
    """Return the keys that signatures are checked with.

    Raises:
        ValueError: it is no JWKS.
        PyJWTError: none of its keys can be used.
    """
    given = orjson.loads(content)
    if not isinstance(given, dict) or not isinstance(given.get("keys"), list):
        raise ValueError("it is no JSON Web Key Set")  # noqa: TRY004 - content, not a type of ours
    usable = jwt.PyJWKSet(given["keys"][:KEYS_MAX]).keys
    return [key for key in usable if key.public_key_use in (None, "sig")]
