"""What a sender has claimed of a channel's pushes: short leases, kept while the work is in hand.

When a sender is killed, others go on after `LIFE`. What a living one could not bring to an end it
gives back by itself, as soon as the database answers.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from loyalty_graph.db import OUTAGES, in_one_line
from loyalty_graph.identifiers import new_id
from loyalty_graph.wallet import pushes
from loyalty_graph.wallet.pushes import Push
from loyalty_graph.wallet.service import Platform

LIFE = timedelta(seconds=10)
RENEWED_AT = timedelta(seconds=7)
"""With how much of its life left a claim is renewed."""
UNSURE_AT = timedelta(seconds=3)
"""With how much of its life left nothing may be under way any more that must not cross the work of
others. What was cut off on its way may take so long to have no effect any more."""
LOOK_EVERY_S = 1.0

Result = TypeVar("Result")

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Held:
    """Until when a claim is held, how many of its pushes have not ended, and if all are ours."""

    until: datetime
    left: int
    is_whole: bool = True


class Claims:
    """The claims of one sender.

    Args:
        platform: Whose pushes these are.
        channel: The pass type, or the issuer.
        clock: Tells the moment.
    """

    def __init__(self, platform: Platform, channel: str, *, clock: Callable[[], datetime]) -> None:
        self._platform, self._channel, self._clock = platform, channel, clock
        self._held: dict[UUID, _Held] = {}
        self._owed: set[UUID] = set()

    async def take(self, limit: int) -> list[Push]:
        """Claim up to `limit` due pushes; what is not ended or owed is to be renewed.

        Where the answer is lost nobody knows what was claimed: whatever it is, it is given back.
        """
        now = self._clock()
        claim, until = new_id(now), now + LIFE
        self._owed.add(claim)
        claimed = await pushes.claim(
            self._platform, self._channel, claim, limit=limit, now=now, until=until
        )
        self._owed.remove(claim)
        if claimed:
            self._held[claim] = _Held(until, len(claimed))
        return claimed

    def end(self, ended: Iterable[Push]) -> None:
        """Note that it is written down how these ended."""
        for claim, count in Counter(push.claim for push in ended).items():
            held = self._held.get(claim)
            if held is not None:
                held.left -= count
                if held.left <= 0:
                    del self._held[claim]

    @contextmanager
    def owed_if_it_fails(self, claimed: Sequence[Push]) -> Iterator[None]:
        """Owe the claim of these if the block raises: what of it has not ended is given back."""
        try:
            yield
        except BaseException:
            self.owe(claimed[0].claim)
            raise

    def owe(self, claim: UUID) -> None:
        """Have what has not ended of a claim given back."""
        self._held.pop(claim, None)
        self._owed.add(claim)

    async def give_back(self) -> None:
        """Give back what is owed, to be tried at once; what others have claimed since stays theirs.

        To be called before each `take`, and at the end.
        """
        if self._owed:
            owed = sorted(self._owed)
            await pushes.give_back(self._platform, self._channel, owed, now=self._clock())
            self._owed.difference_update(owed)

    async def renew(self) -> None:
        """Hold for another while what is in hand; forget what others have taken over.

        To be called as often as `LOOK_EVERY_S` says; it asks the database when it is time to.
        """
        now = self._clock()
        # One held for longer than that was claimed before our clock was set back.
        due = [
            claim for claim, held in self._held.items() if not RENEWED_AT < held.until - now <= LIFE
        ]
        if not due:
            return
        until = now + LIFE
        kept = await pushes.renew(self._platform, self._channel, due, until=until)
        for claim in due:
            held = self._held[claim]
            held.until = until
            if kept[claim] < held.left:
                logger.info(
                    "Pushes in hand that are not ours any more: %d.", held.left - kept[claim]
                )
                held.left, held.is_whole = kept[claim], False
            if not held.left:
                del self._held[claim]

    def are_sure(self, claim: UUID) -> bool:
        """Return whether all of a claim is held for long enough to have something under way."""
        held = self._held.get(claim)
        return held is not None and held.is_whole and held.until - self._clock() > UNSURE_AT

    async def while_sure(self, claim: UUID, work: Coroutine[Any, Any, Result]) -> Result | None:
        """Do work for a claim that is renewed meanwhile; return what it comes to.

        Where it is lost, or cannot be renewed in time, the work is cancelled: None.
        """
        working = asyncio.create_task(work)
        renewing: asyncio.Task[None] | None = None
        try:
            while True:
                await asyncio.wait([working], timeout=LOOK_EVERY_S)
                if working.done():
                    return working.result()
                if not self.are_sure(claim):
                    return None
                if renewing is None or renewing.done():
                    # Not waited for: a database that is silent must not keep us from looking.
                    renewing = asyncio.create_task(self._try_to_renew())
        finally:
            await _cancel([one for one in (working, renewing) if one is not None])

    async def _try_to_renew(self) -> None:
        try:
            await self.renew()
        except OUTAGES as error:
            logger.warning("Claims could not be renewed: %s", in_one_line(error))


async def _cancel(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
