"""Planning, claiming and settling jobs; each function is one short transaction."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from tortoise.expressions import F, Q
from tortoise.queryset import QuerySet

from loyalty_graph.db import transaction
from loyalty_graph.identifiers import new_id
from loyalty_graph.jobs.models import JobRow, ScheduleRow
from loyalty_graph.jobs.rules import WAIT_MAX, Handler, Job, latest_slot, next_slot
from loyalty_graph.queues import COUNTED_MAX, Queue

WORKER_LOST = "WorkerLost"
ERROR_CHARACTERS_MAX = 100
DEAD_MAX = 100
DEAD_KEPT_FOR = timedelta(days=90)


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
    kind: str,
    handler: Handler,
    *,
    limit: int,
    now: datetime,
    until: datetime,
    is_likely: bool = False,
) -> list[Job]:
    """Claim up to `limit` due jobs of a kind until then, the longest due first.

    Rows that another worker is claiming are passed over. A job whose workers were lost as often as
    it may be tried is dead: it may be what killed them. Where nothing is due, nobody is held up by
    a transaction; unless some are likely to be, that is looked at first.
    """
    if not is_likely and not await _due(kind, now).exists():
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


async def settle(jobs: Iterable[Job]) -> int:
    """Remove jobs that are done, a claim's by one statement; return how many were still ours.

    Those that are another worker's by now stay.
    """
    of_claims: dict[UUID, list[Job]] = {}
    for job in jobs:
        of_claims.setdefault(job.lease, []).append(job)
    return sum(
        [await _these(some).filter(lease=lease).delete() for lease, some in of_claims.items()]
    )


async def give_back(job: Job) -> None:
    """Let another worker have a job that was begun but could not be ended here."""
    await _mine(job).update(attempts=F("attempts") - 1, lease=None, leased_until=None)


async def fail(job: Job, error: str, *, wait: timedelta | None, now: datetime) -> None:
    """Put a job back to be tried after `wait`, or without one let it rest as dead."""
    changes = {"dead_at": now} if wait is None else {"due_at": now + wait}
    error = error[:ERROR_CHARACTERS_MAX]
    await _mine(job).update(**changes, error=error, lease=None, leased_until=None)


async def queue(now: datetime) -> Queue:
    """Return what is due and runs nowhere, since when, and what is not tried any more."""
    free = Q(leased_until__isnull=True) | Q(leased_until__lte=now)
    due = JobRow.filter(free, due_at__lte=now, dead_at__isnull=True).order_by("due_at")
    moments = await due.limit(COUNTED_MAX).values_list("due_at", flat=True)
    buried = JobRow.filter(dead_at__isnull=False).limit(COUNTED_MAX)
    since: datetime | None = moments[0] if moments else None  # type: ignore[assignment] # one column
    return Queue("jobs", len(moments), since, dead=len(await buried.values_list("id")))


async def dead(*, limit: int = DEAD_MAX) -> list[JobRow]:
    """Return the jobs that are not tried any more, the latest first."""
    return await JobRow.filter(dead_at__isnull=False).order_by("-dead_at").limit(limit)


async def forget_dead(program_id: UUID, *, now: datetime) -> None:
    """Remove the jobs of a programme that have been dead for 90 days."""
    await JobRow.filter(program_id=program_id, dead_at__lt=now - DEAD_KEPT_FOR).delete()


async def revive(job_id: UUID | None, *, now: datetime) -> int:
    """Let a dead job be tried again, as if for the first time; without an id all of them.

    Returns:
        How many there were: 0 when it is not dead, or not there any more.
    """
    found = JobRow.filter(dead_at__isnull=False, **({} if job_id is None else {"id": job_id}))
    return await found.update(dead_at=None, due_at=now, attempts=0, error="")


def _these(rows: Sequence[JobRow | Job]) -> QuerySet[JobRow]:
    # The programme leads the key; without it the index is not used.
    programs = list({row.program_id for row in rows})
    return JobRow.filter(program_id__in=programs, id__in=[row.id for row in rows])


def _mine(job: Job) -> QuerySet[JobRow]:
    """Return the job's row while it is under this very claim: a late worker changes nothing."""
    return JobRow.filter(program_id=job.program_id, id=job.id, lease=job.lease)
