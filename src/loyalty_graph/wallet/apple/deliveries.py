"""Writes down which states of cards were handed out, and what devices say they have.

A fetch does not wait for it: the writes are gathered and made a moment later, in sets. What a crash
takes with it is written at the device's next question, which tells what it has.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from loyalty_graph.db import transaction
from loyalty_graph.db.sets import Lookup, Update, fetch, store
from loyalty_graph.db.statements import execute
from loyalty_graph.wallet import latency
from loyalty_graph.wallet.apple.issued import IssuedPass
from loyalty_graph.wallet.latency import Stage
from loyalty_graph.wallet.models import PassRow
from loyalty_graph.wallet.service import Platform

FLUSH_EVERY_S = 0.25
ROWS_AT_ONCE = 500
_KEY = ("member_id", "platform", "serial")
_WRITTEN = (
    "delivered_tag",
    "delivered_at",
    "stale_since",
    "handed_out_tag",
    "handed_out_at",
    "holds_until",
)


class Delivery(NamedTuple):
    """A copy of a pass that was handed out at `at`, or that a device showed to have then.

    `changed_at` is when what it shows happened, if this tells how long the change took; otherwise
    None. `holds_until` is when the card shows something else by itself.
    """

    program_id: UUID
    member_id: UUID
    serial: str
    tag: int
    at: datetime
    holds_until: datetime | None
    changed_at: datetime | None = None


def tells_something(issued: IssuedPass, holds_until: datetime | None) -> bool:
    """Return whether a copy of this state is worth writing down."""
    return (
        issued.handed_out_tag is None
        or issued.delivered_tag is None
        or issued.delivered_tag < issued.update_tag
        or issued.holds_until != holds_until
    )


def delivery(
    issued: IssuedPass, holds_until: datetime | None, *, at: datetime, fetched: bool = False
) -> Delivery:
    """Return that a copy of this state was handed out; `fetched` by a device that was told."""
    changed_at = issued.changed_at if fetched else None
    return Delivery(*issued[:2], issued.serial, issued.update_tag, at, holds_until, changed_at)


class Deliveries:
    """What was handed out and is not written yet, the newest of each pass."""

    def __init__(self) -> None:
        self._passes: dict[str, Delivery] = {}
        self._listed: dict[tuple[str, str], int] = {}

    def note(self, delivery: Delivery) -> None:
        """Remember a delivery; of one state the first counts."""
        before = self._passes.get(delivery.serial)
        if before is None or before.tag < delivery.tag:
            self._passes[delivery.serial] = delivery

    def listed(self, pass_type: str, device: str, tag: int) -> None:
        """Remember that a device has everything up to this tag."""
        key = (pass_type, device)
        self._listed[key] = max(tag, self._listed.get(key, tag))

    async def step(self) -> float:
        """Write what is remembered; return the seconds until the next step."""
        await self._write()
        return FLUSH_EVERY_S

    async def close(self) -> None:
        """Write what is left."""
        await self._write()

    async def _write(self) -> None:
        passes, self._passes = self._passes, {}
        listed, self._listed = self._listed, {}
        try:
            by_program: defaultdict[UUID, list[Delivery]] = defaultdict(list)
            for delivery in passes.values():
                by_program[delivery.program_id].append(delivery)
            for program_id, deliveries in by_program.items():
                for first in range(0, len(deliveries), ROWS_AT_ONCE):
                    await keep(program_id, deliveries[first : first + ROWS_AT_ONCE])
            if listed:
                await _keep_listed(sorted(listed.items()))
        except BaseException:
            # Nothing is lost, and nothing newer is undone: each row only moves forward.
            for delivery in passes.values():
                self.note(delivery)
            for (pass_type, device), tag in listed.items():
                self.listed(pass_type, device, tag)
            raise


async def keep(program_id: UUID, deliveries: Sequence[Delivery]) -> None:
    """Write these down, one for each pass at most, and how long changes took."""
    waited = await _keep(
        program_id, sorted(deliveries, key=lambda one: (one.member_id, one.serial))
    )
    if waited:
        now = max(one.at for one in deliveries)
        await latency.record(program_id, Platform.APPLE, Stage.FETCHED, waited, now=now)


@transaction
async def _keep(program_id: UUID, deliveries: Sequence[Delivery]) -> list[float]:
    """Return how many seconds each change took that these were the first to deliver."""
    keys = [(one.member_id, Platform.APPLE, one.serial) for one in deliveries]
    [found] = await fetch(program_id, Lookup(PassRow, _KEY, keys, _WRITTEN, lock=True))
    rows, waited = [], []
    for key, one, hits in zip(keys, deliveries, found, strict=True):
        if not hits:
            continue
        tag, at, stale_since, first_tag, first_at, holds_until = hits[0]
        holds_until = _holds_until(one, tag, holds_until)
        if tag is None or tag < one.tag:
            if tag is not None and one.changed_at is not None:
                waited.append((one.at - one.changed_at).total_seconds())
            tag, at = one.tag, one.at
            # What it lacks, if it lacks anything, happened after it was asked for.
            stale_since = max(stale_since, at)
        if first_tag is None or one.tag < first_tag:
            first_tag = one.tag
        handed_out = (first_tag, one.at if first_at is None else first_at)
        after = (tag, at, stale_since, *handed_out, holds_until)
        if after != tuple(hits[0]):
            rows.append((*key, *after))
    await store(program_id, [Update(PassRow, _KEY, _WRITTEN, rows)])
    return waited


def _holds_until(one: Delivery, tag: int | None, known: datetime | None) -> datetime | None:
    """Return when the first copy of the newest state shows what the card no longer does."""
    if tag is None or tag < one.tag:
        return one.holds_until
    if tag > one.tag:
        return known
    # Of one state: this copy may have been made after others ceased to hold, and hide them.
    return min((at for at in (known, one.holds_until) if at is not None), default=None)


@transaction
async def _keep_listed(listed: Sequence[tuple[tuple[str, str], int]]) -> None:
    for (pass_type, device), tag in listed:
        await execute(
            "update apple_device set listed_tag = $3 where pass_type = $1 and device = $2 "
            "and (listed_tag is null or listed_tag < $3)",
            pass_type,
            device,
            tag,
        )
