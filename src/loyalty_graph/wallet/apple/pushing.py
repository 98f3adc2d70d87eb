"""The loop that tells devices through APNs that their passes have changed.

One push for each device and pass type says no more than: look. A claim that is not ended, because
a process was killed between sending and saying so, comes back: one push more, and nothing lost.
So may what is answered to a claim that others have taken over meanwhile.
"""

import asyncio
import logging
import ssl
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import perf_counter
from urllib.parse import urlsplit

from loyalty_graph import traces
from loyalty_graph.alarms import clear, raise_alarm
from loyalty_graph.config import APNS_URL, Settings
from loyalty_graph.db.statements import select
from loyalty_graph.errors import SettingsError
from loyalty_graph.pauses import chance, full_jitter_s
from loyalty_graph.wallet import pushes
from loyalty_graph.wallet.apple.answers import (
    Answer,
    BadToken,
    Delivered,
    Later,
    Refused,
    Unregistered,
)
from loyalty_graph.wallet.apple.apns import Apns
from loyalty_graph.wallet.apple.models import DeviceRow
from loyalty_graph.wallet.apple.push_times import PushTimes
from loyalty_graph.wallet.apple.registrations import forget_device
from loyalty_graph.wallet.apple.signing import Signer
from loyalty_graph.wallet.claims import Claims
from loyalty_graph.wallet.pushes import Push
from loyalty_graph.wallet.service import Platform

LOOK_EVERY_S = 0.3
IN_HAND_MAX = 1_000
SETTLE_AFTER_S = 0.02
"""What is answered within this time is written down together."""
CLOSE_GRACE_S = 8.0
PROVED_EVERY = timedelta(minutes=5)
"""Another process may have raised the alarm and died; one that lives and is refused raises it again
sooner than that."""
FOR_DEVELOPERS = {"api.sandbox.push.apple.com", "api.development.push.apple.com"}
FIRST_PAUSE_MAX_S, PAUSE_MAX_S = 1.0, 300.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answered:
    """A push that was sent to a token, and what APNs said."""

    push: Push
    token: str
    answer: Answer


class ApplePushes:
    """Sends the pushes of one pass type, beside any number of others that do.

    Args:
        apns: The connection.
        clock: Tells the moment.
    """

    def __init__(self, apns: Apns, *, clock: Callable[[], datetime]) -> None:
        self._apns, self._clock = apns, clock
        self._claims = Claims(Platform.APPLE, apns.topic, clock=clock)
        self._alarm = f"apns.{apns.topic}"
        self._in_hand = 0
        self._answered: list[Answered] = []
        self._news = asyncio.Event()
        self._prove_again_at: datetime | None = None
        self._times = PushTimes(apns.topic)

    @property
    def channel(self) -> tuple[Platform, str]:
        """Return whose pushes these are."""
        return Platform.APPLE, self._apns.topic

    def wake(self) -> None:
        """Look at once: pushes are due."""
        self._news.set()

    async def step(self) -> float:
        """Write down what was answered, send what is due, or wait a moment for either."""
        self._news.clear()
        settled = await self._settle()
        await self._claims.give_back()
        await self._claims.renew()
        await self._times.count(now=self._clock())
        if not await self._send_due() and not settled:
            await self._wait(LOOK_EVERY_S)
        return 0.0

    async def close(self) -> None:
        """Wait a while for the answers to what is in hand, then leave."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + CLOSE_GRACE_S
        while self._in_hand and (left_s := ends_at - loop.time()) > 0:
            self._news.clear()
            await self._settle()
            await self._claims.renew()
            await self._wait(min(left_s, LOOK_EVERY_S))
        await self._apns.close()
        await self._settle()
        await self._claims.give_back()
        await self._times.count(now=self._clock())

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            pass

    async def _send_due(self) -> bool:
        """Claim and send what there is room for; nothing while APNs cannot be used."""
        most = 1 if self._apns.troubled else IN_HAND_MAX
        room = 0 if self._apns.pause_s else most - self._in_hand
        if room <= 0:
            return False
        claimed = await self._claims.take(room)
        if not claimed:
            return False
        with self._claims.owed_if_it_fails(claimed):
            tokens = await _tokens(self._apns.topic, claimed)
            gone = [push for push in claimed if push.target not in tokens]
            await pushes.dropped(gone)
        self._claims.end(gone)
        by_token: defaultdict[str, list[Push]] = defaultdict(list)
        for push in claimed:
            if push.target in tokens:
                by_token[tokens[push.target]].append(push)
        for token, theirs in by_token.items():
            self._send(token, theirs)
        return True

    def _send(self, token: str, theirs: Sequence[Push]) -> None:
        """Send one push, which tells all devices of a token."""

        def hear(sent: asyncio.Future[Answer]) -> None:
            if not self._answered:
                asyncio.get_running_loop().call_later(SETTLE_AFTER_S, self._news.set)
            self._in_hand -= len(theirs)
            for push in theirs:
                told = {"push.result": type(sent.result()).__name__}
                traces.ended("push to Apple", perf_counter() - began, parent=push.trace, **told)
            self._answered += [Answered(push, token, sent.result()) for push in theirs]

        self._in_hand += len(theirs)
        began = perf_counter()
        self._apns.send(token).add_done_callback(hear)

    async def _settle(self) -> bool:
        """Write down what APNs said; return whether it said anything."""
        answered, self._answered = self._answered, []
        if not answered:
            return False
        try:
            await self._write_down(answered, now=self._clock())
        except BaseException:
            # Writing it down twice does no harm; forgetting it would send it twice.
            self._answered = answered + self._answered
            raise
        self._claims.end(one.push for one in answered)
        return True

    async def _write_down(self, answered: Sequence[Answered], *, now: datetime) -> None:
        delivered = [one.push for one in _with(answered, Delivered)]
        await pushes.done(delivered, now=now)
        self._times.note(delivered, now=now)
        await self._put_back(_with(answered, Later, Refused), now=now)
        gone = _with(answered, Unregistered, BadToken)
        for one in gone:
            await self._forget(one, now=now)
        if gone:
            logger.info("Devices whose push tokens APNs no longer knows: %d.", len(gone))
        await self._tell_of_certificate(answered, now=now)

    async def _forget(self, one: Answered, *, now: datetime) -> None:
        """Forget a device, unless it told a token since: then it is tried again."""
        since = one.answer.since if isinstance(one.answer, Unregistered) else None
        told_until = one.push.claimed_at if since is None else since
        was_forgotten = await forget_device(
            one.push.channel,
            one.push.target,
            push_token=one.token,
            told_until=told_until,
            now=now,
        )
        if not was_forgotten:
            await pushes.failed([one.push], now=now, retry_at=_retry_at(one, now))

    async def _put_back(self, some: Sequence[Answered], *, now: datetime) -> None:
        """Have these tried again, the later the more often they failed."""
        alike: defaultdict[tuple[Answer, int], list[Answered]] = defaultdict(list)
        for one in some:
            alike[one.answer, one.push.attempts].append(one)
        for same in alike.values():
            retry_at = _retry_at(same[0], now)
            await pushes.failed([one.push for one in same], now=now, retry_at=retry_at)
        reasons = Counter(one.answer.reason for one in some if isinstance(one.answer, Later))
        for reason, count in reasons.items():
            logger.warning("Pushes that are tried again: %d (%s).", count, reason)

    async def _tell_of_certificate(self, answered: Sequence[Answered], *, now: datetime) -> None:
        """Raise an alarm when the certificate is refused; it is over when it was of use."""
        refused = next(
            (one.answer for one in reversed(answered) if isinstance(one.answer, Refused)), None
        )
        if refused is not None:
            self._prove_again_at = None
            ends = f"{self._apns.signer.expires_at:%Y-%m-%d}"
            message = (
                f"Nothing is pushed to passes of {self._apns.topic}, whose certificate is valid"
                f" until {ends}: APNs and we do not trust each other ({refused.reason})."
            )
            await raise_alarm(self._alarm, message, now)
        elif self._may_prove(now) and any(_with(answered, Delivered, Unregistered, BadToken)):
            await clear(self._alarm)
            self._prove_again_at = now + PROVED_EVERY

    def _may_prove(self, now: datetime) -> bool:
        return self._prove_again_at is None or self._prove_again_at <= now


def open_pushes(
    settings: Settings, signer_now: Callable[[], Signer], *, clock: Callable[[], datetime]
) -> ApplePushes:
    """Return what pushes with these settings; it connects when there is something to push.

    Raises:
        SettingsError: LOYALTY_APNS_ROOT is no file of certificates, or LOYALTY_APNS_URL is a place
            that knows no passes.
    """
    root = settings.apns_root
    if urlsplit(settings.apns_url).hostname in FOR_DEVELOPERS:
        # All devices would be forgotten, and phones do not register again by themselves.
        raise SettingsError(
            "LOYALTY_APNS_URL: Apple's sandbox knows no passes, and takes all their push tokens"
            f" for bad ones; leave it at {APNS_URL}."
        )
    try:
        ssl.create_default_context(cafile=root)
    except OSError as error:
        fault = f"LOYALTY_APNS_ROOT: {root} holds no certificates in PEM that can be read."
        raise SettingsError(fault) from error
    return ApplePushes(Apns(settings.apns_url, signer_now, root=root), clock=clock)


def pushes_to_apple(settings: Settings) -> bool:
    """Return whether devices are told of changes: Apple knows no passes of a development CA."""
    return "apns_url" in settings.model_fields_set or settings.pass_type_identifier is not None


async def _tokens(pass_type: str, claimed: Sequence[Push]) -> dict[str, str]:
    """Return the push tokens of these devices; those that are not there any more are absent."""
    rows = await select(
        DeviceRow,
        ("device", "push_token"),
        "where pass_type = $1 and device = any($2)",
        pass_type,
        [push.target for push in claimed],
    )
    return dict(rows)


def _with(answered: Iterable[Answered], *kinds: type[Answer]) -> list[Answered]:
    return [one for one in answered if isinstance(one.answer, kinds)]


def _retry_at(one: Answered, now: datetime) -> datetime:
    asked_s = one.answer.retry_after_s if isinstance(one.answer, Later) else 0.0
    jitter_s = full_jitter_s(
        one.push.attempts, first_s=FIRST_PAUSE_MAX_S, longest_s=PAUSE_MAX_S, chance=chance()
    )
    return now + timedelta(seconds=asked_s + jitter_s)
