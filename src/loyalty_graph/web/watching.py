"""Tells open card pages that they show something old: one look at the database serves them all."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from loyalty_graph.db import log_failure
from loyalty_graph.usecases.card_page import Watched

LOOK_EVERY_S = 0.5
PAGES_MAX = 1_000
PAGES_OF_ONE_LINK_MAX = 10

logger = logging.getLogger(__name__)


class Look(Protocol):
    """Finds the state of pages, leaving out those that show nothing any more."""

    def __call__(
        self, pages: Collection[Watched], *, now: datetime
    ) -> Awaitable[Mapping[Watched, str]]:
        """Return the states."""


@dataclass(eq=False, slots=True)
class _Page:
    """An open page: the newest state that was seen of it; None when it is to be closed."""

    watched: Watched
    state: str | None = ""
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class CardWatch:
    """Looks at the state of all open pages twice a second, while there are any."""

    def __init__(self, look: Look, *, clock: Callable[[], datetime]) -> None:
        self._look, self._clock = look, clock
        self._pages: set[_Page] = set()
        self._looking: asyncio.Task[None] | None = None

    def has_room(self, watched: Watched) -> bool:
        """Return whether one more page may be watched: there is a limit for all and for a link."""
        of_link = sum(page.watched == watched for page in self._pages)
        return len(self._pages) < PAGES_MAX and of_link < PAGES_OF_ONE_LINK_MAX

    async def states(self, watched: Watched, *, quiet_s: float) -> AsyncIterator[str | None]:
        """Yield a page's state, then each new one; None when nothing changed for `quiet_s`.

        It ends when the page shows nothing any more, when the database fails, and at `close`.
        """
        page = _Page(watched)
        self._pages.add(page)
        if self._looking is None:
            self._looking = asyncio.create_task(self._keep_looking())
        try:
            while True:
                try:
                    await asyncio.wait_for(page.changed.wait(), quiet_s)
                except TimeoutError:
                    yield None
                    continue
                page.changed.clear()
                if page.state is None:
                    return
                yield page.state
        finally:
            self._pages.discard(page)

    def close(self) -> None:
        """End all streams, so that the server can stop; pages ask again when it is back."""
        for page in self._pages:
            _tell(page, None)

    async def _keep_looking(self) -> None:
        try:
            while self._pages:
                pages = list(self._pages)
                found = await self._look({page.watched for page in pages}, now=self._clock())
                for page in pages:
                    _tell(page, found.get(page.watched))
                await asyncio.sleep(LOOK_EVERY_S)
        except Exception as error:  # noqa: BLE001 - it is logged there; pages ask again
            log_failure(logger, error, "Open card pages cannot be watched")
            self.close()
        finally:
            self._looking = None


def _tell(page: _Page, state: str | None) -> None:
    if state != page.state:
        page.state = state
        page.changed.set()
