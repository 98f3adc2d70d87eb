"""The loop that looks after the storage: it tells what is wrong, and finds out when it is over."""

from collections.abc import Callable
from datetime import datetime

from loyalty_graph import alarms
from loyalty_graph.db import StorageError, Trouble, storage
from loyalty_graph.worker.loops import Loop

ALARM = "database.storage"
LOOK_EVERY_S = 1.0


class StorageWatch:
    """Raises an alarm while the storage is in trouble, if an alarm can be written at all.

    Whatever can pass is tried by writing something of some size: so a process that only reads
    becomes ready again, and a nearly full disk is not called well because an alarm still fits.

    Args:
        clock: Tells the moment.
    """

    def __init__(self, *, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._may_be_raised = True  # Perhaps by the process before this one.

    @property
    def loop(self) -> Loop:
        """What every process runs that writes."""
        return Loop("storage", self.step, self.close)

    async def step(self) -> float:
        """Look once; return the seconds until the next look."""
        trouble = storage().present()
        if trouble is not None:
            await self._tell(trouble)
        elif self._may_be_raised:
            await alarms.clear(ALARM)
            self._may_be_raised = False
        return LOOK_EVERY_S

    async def close(self) -> None:
        """Leave everything as it is."""

    async def _tell(self, trouble: Trouble) -> None:
        try:
            await alarms.raise_alarm(ALARM, f"Storage: {trouble.value}.", self._clock())
            self._may_be_raised = True
            if trouble is not Trouble.DAMAGED:
                await alarms.try_space(self._clock())
                storage().works()
        except StorageError:
            return  # It is known.
