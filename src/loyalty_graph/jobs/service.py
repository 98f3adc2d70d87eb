"""Planning, claiming and settling jobs; each function is one short transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from tortoise.expressions import F, Q
from tortoise.queryset import QuerySet

from loyalty_graph.db import transaction
from loyalty_graph.identifiers import new_id
from loyalty_graph.jobs.models import JobRow, ScheduleRow
from loyalty_graph.jobs.rules import WAIT_MAX, Handler, Job, latest_slot, next_slot

WORKER_LOST = "WorkerLost"
ERROR_CHARACTERS_MAX = 100
DEAD_MAX = 100


async def plan(
    program_ids: Sequence[UUID], handlers: Mapping[str, Handler], *, now: datetime
) -> None:
    """Make a job of every slot that is due, once however many workers ask at the same time."""
    every = {kind: one.every for kind, one in handlers.items() if one.every is not None}
    rows = await ScheduleRow.filter(kind__in=list(every))
    known = {(row.program_id, row.kind): row.next_at for row in rows}
    missing = [
        ScheduleRow(program_id=program_id, kind=kind, next_at=latest_slot(now, step))
        for program_id in program_ids
        for kind, step in every.items()
        if (program_id, kind) not in known
    ]
    if missing:
        await ScheduleRow.bulk_create(missing, ignore_conflicts=True)
        known |= {(row.program_id, row.kind): row.next_at for row in missing}
    for (program_id, kind), planned in known.items():
        slot, following = next_slot(planned, now, every[kind])
        if following != planned:
            await _advance(program_id, kind, planned, following, slot)


@transaction
async def _advance(
    program_id: UUID, kind: str, planned: datetime, following: datetime, slot: datetime | None
) -> None:
    """Move a schedule on and make the job of its slot; both, or none when another was faster."""
    schedule = ScheduleRow.filter(program_id=program_id, kind=kind, next_at=planned)
    if await schedule.update(next_at=following) and slot is not None:
        await add(program_id, kind, slot.isoformat(), due_at=slot)


async def add(program_id: UUID, kind: str, key: str, *, due_at: datetime) -> None:
    """Add a job; one with the same key that is still to do, or dead, is left as it is."""
    row = JobRow(
        id=new_id(due_at),
        program_id=program_id,
        kind=kind,
        key=key,
        due_at=due_at,
        attempts=0,
        error="",
    )
    await JobRow.bulk_create([row], ignore_conflicts=True)


async def claim(
    kind: str, handler: Handler, *, limit: int, now: datetime, until: datetime
) -> list[Job]:
    """Claim up to `limit` due jobs of a kind until then, the longest due first.

    Rows that another worker is claiming are passed over. A job whose workers were lost as often as
    it may be tried is dead: it may be what killed them. Where nothing is due, nobody is held up by
    a transaction.
    """
    if not await _due(kind, now).exists():
        return []
    return await _claim(kind, handler, limit, now, until)


@transaction
async def _claim(
    kind: str, handler: Handler, limit: int, now: datetime, until: datetime
) -> list[Job]:
    found = _due(kind, now).order_by("due_at").limit(limit)
    rows = await found.select_for_update(skip_locked=True)
    lost = [row for row in rows if row.attempts >= handler.attempts_max]
    taken = [row for row in rows if row.attempts < handler.attempts_max]
    if lost:
        await _these(lost).update(dead_at=now, error=WORKER_LOST, lease=None, leased_until=None)
    lease = new_id(now)
    if taken:
        await _these(taken).update(attempts=F("attempts") + 1, lease=lease, leased_until=until)
    return [
        Job(row.program_id, row.id, row.kind, row.due_at, row.attempts + 1, lease, now)
        for row in taken
    ]


def _due(kind: str, now: datetime) -> QuerySet[JobRow]:
    # What a clock that was ahead has put off, or claimed, further than can be is due at once.
    misdated = now + WAIT_MAX
    is_free = Q(leased_until__isnull=True) | Q(leased_until__lte=now) | Q(leased_until__gt=misdated)
    is_due = Q(due_at__lte=now) | Q(due_at__gt=misdated)
    return JobRow.filter(is_free, is_due, kind=kind, dead_at__isnull=True)


async def renew(job: Job, *, until: datetime) -> bool:
    """Keep a claim for longer; return False when it is another worker's by now."""
    return bool(await _mine(job).update(leased_until=until))


async def settle(job: Job) -> bool:
    """Remove a job that is done; return False when it is another worker's by now."""
    return bool(await _mine(job).delete())


async def give_back(job: Job) -> None:
    """Let another worker have a job that was begun but could not be ended here."""
    await _mine(job).update(attempts=F("attempts") - 1, lease=None, leased_until=None)


async def fail(job: Job, error: str, *, wait: timedelta | None, now: datetime) -> None:
    """Put a job back to be tried after `wait`, or without one let it rest as dead."""
    changes = {"dead_at": now} if wait is None else {"due_at": now + wait}
    error = error[:ERROR_CHARACTERS_MAX]
    await _mine(job).update(**changes, error=error, lease=None, leased_until=None)


async def dead(*, limit: int = DEAD_MAX) -> list[JobRow]:
    """Return the jobs that are not tried any more, the latest first."""
    return await JobRow.filter(dead_at__isnull=False).order_by("-dead_at").limit(limit)


def _these(rows: Sequence[JobRow]) -> QuerySet[JobRow]:
    # The programme leads the key; without it the index is not used.
    programs = list({row.program_id for row in rows})
    return JobRow.filter(program_id__in=programs, id__in=[row.id for row in rows])


def _mine(job: Job) -> QuerySet[JobRow]:
    """Return the job's row while it is under this very claim: a late worker changes nothing."""
    return JobRow.filter(program_id=job.program_id, id=job.id, lease=job.lease)
