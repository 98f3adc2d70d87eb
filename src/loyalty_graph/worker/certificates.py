"""The loop that looks at the pass certificates: new ones sign, and what ends or fails is told."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from loyalty_graph import alarms
from loyalty_graph.errors import CertificateError
from loyalty_graph.wallet.apple.certificates import Candidate
from loyalty_graph.wallet.apple.signers import Signers
from loyalty_graph.wallet.apple.signing import Signer
from loyalty_graph.worker.loops import Loop

ALARM = "apple.certificate"
LOOK_EVERY_S = 60.0
WARNED_DAYS_BEFORE = (7, 30, 60)

logger = logging.getLogger(__name__)


class CertificateWatch:
    """Lets new certificates sign while the process runs, and warns of those that end or fail.

    Each warning is given once: of a fault, and of an end 60, 30 and 7 days before it. The alarm
    stays until a certificate signs that is good for longer, and nothing newer fails.

    Args:
        signers: Who signs.
        clock: Tells the moment.
    """

    def __init__(self, signers: Signers, *, clock: Callable[[], datetime]) -> None:
        self._signers, self._clock = signers, clock
        self._told: set[object] = set()

    @property
    def loop(self) -> Loop:
        """What every process that signs or pushes runs."""
        return Loop("certificates", self.step, self.close)

    async def step(self) -> float:
        """Look once; return the seconds until the next look."""
        now, before = self._clock(), self._signers.current
        try:
            candidates = await asyncio.to_thread(self._signers.look, now=now)
        except CertificateError as error:
            candidates = [Candidate(fault=error.message)]
        signer = self._signers.current
        if signer is not before:
            logger.info("Passes are signed by another certificate now: %s", _words(signer, now))
        for one in candidates:
            if one.fault is not None:
                self._warn(one.fault, one.fault)
        days = _ends_within(signer, now)
        if days is not None:
            self._warn((signer.certificate, days), _words(signer, now))
        await self._alarm(signer, candidates, now)
        return LOOK_EVERY_S

    async def close(self) -> None:
        """Leave everything as it is."""

    async def _alarm(self, signer: Signer, candidates: Sequence[Candidate], now: datetime) -> None:
        """Raise the alarm while somebody must do something, and clear it when it is done."""
        faults = [one.fault for one in candidates if one.fault and _is_newer(one, signer)]
        if _ends_within(signer, now) is not None:
            faults.append(_words(signer, now))
        if faults:
            await alarms.raise_alarm(ALARM, "; ".join(faults), now)
        else:
            await alarms.clear(ALARM)

    def _warn(self, key: object, message: str) -> None:
        if key not in self._told:
            self._told.add(key)
            logger.warning("Pass certificate: %s", message)


def _is_newer(one: Candidate, signer: Signer) -> bool:
    """Say whether one should sign in place of the one that does; older ones may fail."""
    begins = signer.certificate.not_valid_before_utc
    return one.certificate is None or one.certificate.not_valid_before_utc > begins


def _ends_within(signer: Signer, now: datetime) -> int | None:
    """Return within how many days its time is over: 7, 30 or 60; None while there is more.

    A development CA is made anew when it ends.
    """
    if signer.development:
        return None
    left = signer.expires_at - now
    return next((days for days in WARNED_DAYS_BEFORE if left <= timedelta(days=days)), None)


def _words(signer: Signer, now: datetime) -> str:
    identity, left = signer.identity, (signer.expires_at - now).days
    ends = f"ends on {signer.expires_at:%Y-%m-%d}, in {left} days"
    ended = f"ended on {signer.expires_at:%Y-%m-%d}"
    name = f"{identity.pass_type_identifier} of team {identity.team_identifier}"
    return f"{name} {ends if left >= 0 else ended}"
