"""Whether processes that are waited for still run: who renews its row does."""

import time
from collections.abc import Callable, Mapping
from datetime import timedelta

LIFE = timedelta(seconds=60)
"""A process that did not renew its row for so long has ended, or will be refused when it wakes."""


class Watch:
    """Remembers when the rows of processes were first seen as they are.

    Args:
        clock: Tells the seconds since some moment; no other machine's clock is compared with it.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[str, tuple[int, float]] = {}

    def see(self, marks: Mapping[str, int]) -> None:
        """Look at the rows there are: what each process wrote when it last renewed its own."""
        now, before = self._clock(), self._seen
        self._seen = {
            one: before[one] if one in before and before[one][0] == mark else (mark, now)
            for one, mark in marks.items()
        }

    def silent(self) -> dict[str, int]:
        """Return which processes are silent if their mark is still this one."""
        long_ago = self._clock() - LIFE.total_seconds()
        return {one: mark for one, (mark, since) in self._seen.items() if since <= long_ago}
