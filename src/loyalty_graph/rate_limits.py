"""How often something may be asked: one limit for each key, in this process's memory.

The generic cell rate algorithm (ITU-T I.371, annex A): a key has one moment, by which everything it
asked so far would be due at an even pace. `limits` would do, but reads the clock by itself.
"""

from collections import OrderedDict
from collections.abc import Hashable
from datetime import datetime, timedelta

KEYS_MAX = 100_000
NO_WAIT = timedelta(0)


class RateLimit:
    """At most `most` calls of a key at once, and as many in each `per` after that."""

    def __init__(self, most: int, *, per: timedelta, keys_max: int = KEYS_MAX) -> None:
        self._pace, self._per, self._keys_max = per / most, per, keys_max
        self._due: OrderedDict[Hashable, datetime] = OrderedDict()

    def wait(self, key: Hashable, *, now: datetime) -> timedelta:
        """Count a call of this key, unless it comes too early; return how long it must wait.

        The keys used longest ago are forgotten first, so that a flood of keys fills no memory.
        """
        known = self._due.get(key, now)
        # What is due later than it can be was counted by a clock that was ahead; it says nothing.
        due = (known if now < known <= now + self._per else now) + self._pace
        early = due - now - self._per
        if early > NO_WAIT:
            return early
        self._due[key] = due
        self._due.move_to_end(key)
        while len(self._due) > self._keys_max:
            self._due.popitem(last=False)
        return NO_WAIT
