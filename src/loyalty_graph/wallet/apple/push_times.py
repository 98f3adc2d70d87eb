"""How long changes took until APNs had the push: gathered, and counted once a second at most."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from loyalty_graph.db.statements import select
from loyalty_graph.wallet import latency
from loyalty_graph.wallet.apple.models import RegistrationRow
from loyalty_graph.wallet.latency import Stage
from loyalty_graph.wallet.pushes import Push
from loyalty_graph.wallet.service import Platform

COUNTED_EVERY = timedelta(seconds=1)
SAMPLES_MAX = 10_000
"""What comes on top of these in one second is not measured."""


class PushTimes:
    """The times of one pass type. What is lost with the process was only a measurement."""

    def __init__(self, pass_type: str) -> None:
        self._pass_type = pass_type
        self._samples: list[tuple[str, float]] = []
        self._due_at: datetime | None = None

    def note(self, pushes: Iterable[Push], *, now: datetime) -> None:
        """Note that these were taken by APNs now."""
        taken = [(one.target, (now - one.changed_at).total_seconds()) for one in pushes]
        self._samples += taken[: SAMPLES_MAX - len(self._samples)]

    async def count(self, *, now: datetime) -> None:
        """Count what was noted, unless that was done a moment ago."""
        if not self._samples or (self._due_at is not None and now < self._due_at):
            return
        samples, self._samples = self._samples, []
        self._due_at = now + COUNTED_EVERY
        programs = await self._programs([device for device, _ in samples])
        seconds: defaultdict[UUID, list[float]] = defaultdict(list)
        for device, taken_s in samples:
            for program_id in programs.get(device, ()):
                seconds[program_id].append(taken_s)
        for program_id, of_program in seconds.items():
            await latency.record(program_id, Platform.APPLE, Stage.PUSHED, of_program, now=now)

    async def _programs(self, devices: list[str]) -> dict[str, set[UUID]]:
        """Return whose passes these devices hold; a push does not say which of them changed."""
        rows = await select(
            RegistrationRow,
            ("device", "program_id"),
            "where pass_type = $1 and device = any($2)",
            self._pass_type,
            sorted(set(devices)),
        )
        found: defaultdict[str, set[UUID]] = defaultdict(set)
        for device, program_id in rows:
            found[device].add(program_id)
        return found
