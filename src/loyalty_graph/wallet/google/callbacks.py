"""What Google tells: a member has saved the card, or deleted it.

Callbacks come once or several times if at all, late and in any order. One whose nonce was seen
changes nothing; one that expires before another of the same pass was sent before it, and changes
nothing either.
"""

import asyncio
import hashlib
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from loyalty_graph import outbox
from loyalty_graph.db import transaction
from loyalty_graph.db.sets import store
from loyalty_graph.wallet.google.answers import Outcome
from loyalty_graph.wallet.google.http import Request, Requests
from loyalty_graph.wallet.google.models import GoogleCallbackRow
from loyalty_graph.wallet.google.signatures import (
    Key,
    MalformedError,
    is_genuine,
    moment,
    open_envelope,
    read_message,
    read_roots,
)
from loyalty_graph.wallet.models import SERIAL_LENGTH, PassRow
from loyalty_graph.wallet.service import Platform, fact_of

KEPT_FOR = timedelta(hours=1)
READ_AGAIN_AFTER = timedelta(seconds=30)
NONCE_CHARACTERS_MAX = 1_000
SAVED, DELETED = "save", "del"

logger = logging.getLogger(__name__)


class Verdict(StrEnum):
    """What became of a callback."""

    APPLIED = "applied"
    DUPLICATE = "seen before"
    OVERTAKEN = "overtaken by a later one"
    MALFORMED = "not a callback"
    FORGED = "not signed by Google for this issuer"
    EXPIRED = "expired"
    UNKNOWN = "of a pass that is not here"
    NO_KEYS = "not checked: Google's keys cannot be read"


@dataclass(frozen=True, slots=True)
class Callback:
    """What a genuine callback says."""

    object_id: str
    is_saved: bool
    nonce: str
    expires_at: datetime


class RootKeys:
    """Google's root keys, read once an hour, and again when one is not known.

    Args:
        url: Where they are published.
        requests: How they are read.
    """

    def __init__(self, url: str, requests: Requests) -> None:
        self._url, self._requests = url, requests
        self._reading = asyncio.Lock()
        self._keys: list[Key] = []
        self._read_at: datetime | None = None
        self._tried_at: datetime | None = None

    async def known(self, *, now: datetime, again: bool = False) -> list[Key]:
        """Return the keys; those known stay while Google cannot be reached, until they expire."""
        if again or self._read_at is None or now - self._read_at > KEPT_FOR:
            await self._read(now)
        return [key for key in self._keys if now < key.expires_at]

    async def _read(self, now: datetime) -> None:
        """Read them, unless that was tried a moment ago: forged callbacks flood nobody."""
        async with self._reading:
            if self._tried_at is not None and now - self._tried_at < READ_AGAIN_AFTER:
                return
            self._tried_at = now
            answer = await self._requests.send(Request("GET", self._url))
            keys = read_roots(answer.body) if answer.outcome is Outcome.DONE else []
            if keys:
                self._keys, self._read_at = keys, now
            else:
                because = answer.because or "there are none for us"
                logger.warning("Google's keys for callbacks cannot be read: %s", because)


class Callbacks:
    """Takes callbacks for one issuer.

    Args:
        issuer_id: Whose objects they must be about, and for whom they must be signed.
        roots: Whom to believe.
    """

    def __init__(self, issuer_id: str, roots: RootKeys) -> None:
        self._issuer_id, self._roots = issuer_id, roots

    async def receive(self, body: bytes, *, now: datetime) -> Verdict:
        """Check a callback, and let the pass be installed or removed by it.

        Whatever is wrong with it, nothing of it is kept.
        """
        try:
            said = await self._said(body, now=now)
        except MalformedError:
            return Verdict.MALFORMED
        if not isinstance(said, Callback):
            return said
        issuer_id, _, serial = said.object_id.partition(".")
        if issuer_id != self._issuer_id:
            return Verdict.FORGED
        if said.expires_at <= now:
            return Verdict.EXPIRED
        if len(serial) > SERIAL_LENGTH:
            return Verdict.UNKNOWN
        return await _apply(serial, said, now=now)

    async def _said(self, body: bytes, *, now: datetime) -> Callback | Verdict:
        envelope = open_envelope(body)
        roots = await self._roots.known(now=now)
        if not is_genuine(envelope, roots, self._issuer_id, now=now):
            roots = await self._roots.known(now=now, again=True)
            if not is_genuine(envelope, roots, self._issuer_id, now=now):
                return Verdict.FORGED if roots else Verdict.NO_KEYS
        return _callback(envelope.signed_message)


def _callback(signed_message: str) -> Callback:
    given = read_message(signed_message)
    object_id, event, nonce = (given.get(name) for name in ("objectId", "eventType", "nonce"))
    if not isinstance(object_id, str) or event not in {SAVED, DELETED}:
        raise MalformedError("signedMessage")
    if not isinstance(nonce, str) or not 0 < len(nonce) <= NONCE_CHARACTERS_MAX:
        raise MalformedError("nonce")
    return Callback(object_id, event == SAVED, nonce, moment(given.get("expTimeMillis")))


async def prune(*, now: datetime) -> None:
    """Forget the callbacks that would be refused as expired if they came again."""
    await GoogleCallbackRow.filter(expires_at__lte=now).delete()


@transaction
async def _apply(serial: str, said: Callback, *, now: datetime) -> Verdict:
    # The pass is locked, so that two callbacks of one pass come one after the other.
    ours = PassRow.filter(serial=serial, platform=Platform.GOOGLE)
    row = await ours.select_for_update().get_or_none()
    if row is None:
        return Verdict.UNKNOWN
    nonce = hashlib.sha256(said.nonce.encode()).hexdigest()
    if await GoogleCallbackRow.exists(nonce_sha256=nonce):
        return Verdict.DUPLICATE
    later = GoogleCallbackRow.filter(serial=serial, expires_at__gt=said.expires_at)
    overtaken = await later.exists()
    await GoogleCallbackRow.create(nonce_sha256=nonce, serial=serial, expires_at=said.expires_at)
    await prune(now=now)
    if overtaken:
        return Verdict.OVERTAKEN
    await _install(row, is_saved=said.is_saved, now=now)
    return Verdict.APPLIED


async def _install(row: PassRow, *, is_saved: bool, now: datetime) -> None:
    """Write that a wallet holds the pass, or none any more, unless that is known."""
    was_saved = row.installed_at is not None and row.removed_at is None
    if is_saved == was_saved:
        return
    ours = PassRow.filter(
        program_id=row.program_id,
        member_id=row.member_id,
        platform=row.platform,
        serial=row.serial,
    )
    if is_saved:
        await ours.update(installed_at=now, removed_at=None)
    else:
        await ours.update(removed_at=now)
    kind = "pass.installed" if is_saved else "pass.removed"
    told = fact_of(kind, row.member_id, row.serial, Platform.GOOGLE, now=now)
    await store(row.program_id, [outbox.facts([told])])
