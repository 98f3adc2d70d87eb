"""What the doctor looks at in the database: schema, settings, clock, queues, alarms, books."""

import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime, timedelta
from uuid import UUID

from loyalty_graph import alarms
from loyalty_graph.db import standing
from loyalty_graph.db.examining import Examined, examine
from loyalty_graph.jobs import service as jobs
from loyalty_graph.ledger import audit as ledger_audit
from loyalty_graph.ledger.audit import Audit
from loyalty_graph.outbox import numbering
from loyalty_graph.programs import service as programs
from loyalty_graph.queues import COUNTED_MAX, Queue
from loyalty_graph.usecases.doctor_checks import Check, fault, warning, well
from loyalty_graph.wallet import pushes, tags
from loyalty_graph.wallet.service import Platform

SKEW_WARNING, SKEW_FAULT = timedelta(seconds=1), timedelta(seconds=20)
CONNECTIONS_FULL = 0.9
SAMPLE_PLACES, SAMPLE_AT_EACH = 5, 20
LATE_S = {"facts": (10.0, 120.0), "card marks": (10.0, 120.0), "jobs": (120.0, 3600.0)}
"""After how many seconds a queue is late, and after how many nobody can be working on it."""
LATE_PUSHES_S = (60.0, 3600.0)


async def look_at_schema() -> Check:
    """Say whether the database is as this version needs it."""
    name, steps = "schema", await standing()
    if unknown := [one.name for one in steps if one.state == "UNKNOWN"]:
        return warning(
            name,
            f"a newer version has been here: it knows {', '.join(unknown)}",
            "Bring this machine up to the newer version.",
        )
    left = [one for one in steps if one.state != "APPLIED"]
    is_new = len(left) == len(steps)  # Such a database takes all steps at once.
    if needed := [one.name for one in left if is_new or one.phase != "contract"]:
        return fault(name, f"{', '.join(needed)} is missing", "Run `loyalty-graph migrate`.")
    if left:
        return warning(
            name,
            f"{left[0].name} waits for older processes to end",
            "When all run this version, run `loyalty-graph migrate --contract`.",
        )
    return well(name, f"{steps[-1].name}, the newest")


async def look_at_server(clock: Callable[[], datetime]) -> AsyncIterator[Check]:
    """Say which database it is, whether its settings keep data safe, and what time it has."""
    before = clock()
    found = await examine()
    yield well("database", found.version)
    yield _settings(found)
    if found.connections is not None:
        yield _connections(*found.connections)
    if found.clock is not None:
        yield _skew(found.clock, before + (clock() - before) / 2)


def _settings(found: Examined) -> Check:
    name = "database settings"
    wrong = [one for one in found.settings if not one.is_right]
    if wrong:
        told = ", ".join(f"{one.name} is {one.value}" for one in wrong)
        wanted = ", ".join(f"{one.name} = {one.wanted[0]}" for one in wrong)
        return fault(name, f"{told}: acknowledged points may be lost", f"Set {wanted}.")
    return well(name, ", ".join(f"{one.name} {one.value}" for one in found.settings))


def _connections(used: int, most: int) -> Check:
    name, found = "connections", f"{used} of {most} are in use"
    if used >= most * CONNECTIONS_FULL:
        advice = "Raise max_connections, or set a smaller ?pool_size= in LOYALTY_DATABASE_URL."
        return warning(name, found, advice)
    return well(name, found)


def _skew(theirs: datetime, ours: datetime) -> Check:
    name, skew = "clock", abs(theirs - ours)
    found = f"{skew.total_seconds():.3f} s off the database's clock"
    advice = "Let NTP (chrony, systemd-timesyncd) set the clocks of both machines."
    if skew >= SKEW_FAULT:
        return fault(name, f"{found}: leases and expiries go wrong", advice)
    return warning(name, found, advice) if skew >= SKEW_WARNING else well(name, found)


async def look_at_queues(now: datetime) -> AsyncIterator[Check]:
    """Say of each queue since when the oldest waits, and what was given up."""
    for queue in await queues(now):
        yield _queue(queue, now)
        if queue.dead:
            yield fault(
                f"dead {queue.name}",
                f"{_counted(queue.dead)} {'was' if queue.dead == 1 else 'were'} tried too often",
                f"`loyalty-graph {queue.name} dead` shows why; mend it, then"
                f" `loyalty-graph {queue.name} retry ID`.",
            )


async def queues(now: datetime) -> list[Queue]:
    """Return what waits at this moment, in the order in which a change goes through."""
    return [
        await numbering.queue(),
        await tags.queue(),
        await pushes.queue(Platform.APPLE),
        await pushes.queue(Platform.GOOGLE),
        await jobs.queue(now),
    ]


def _queue(queue: Queue, now: datetime) -> Check:
    name, age_s = f"queue of {queue.name}", queue.age_s(now)
    if not queue.waiting:
        return well(name, "nothing waits")
    waits = "waits" if queue.waiting == 1 else "wait"
    found = f"{_counted(queue.waiting)} {waits}, the oldest for {age_s:,.0f} s"
    late_s, lost_s = LATE_S.get(queue.name, LATE_PUSHES_S)
    if age_s >= lost_s:
        return fault(name, found, "See that a worker runs, and what its log says.")
    if age_s >= late_s:
        return warning(name, found, "See whether the workers keep up: `loyalty-graph worker`.")
    return well(name, found)


def _counted(number: int) -> str:
    return f"{number:,} or more" if number == COUNTED_MAX else f"{number:,}"


async def look_at_alarms() -> list[Check]:
    """Say what any process has found wrong and nobody has mended."""
    return [
        fault(f"alarm {one.name}", f"{one.message} (since {one.since:%Y-%m-%d %H:%M} UTC)", _MEND)
        for one in await alarms.present()
    ]


_MEND = "docs/operations.md, “Alarms”, says what to do; it ends by itself when that is mended."


async def look_at_books() -> AsyncIterator[Check]:
    """Say of some members of each programme, chosen at random, whether their books add up."""
    for program_id, slug in (await programs.slugs()).items():
        sample = await _sample(program_id)
        audit: Audit = await ledger_audit.audit(program_id, sample)
        name = f"ledger of {slug}"
        accounts, transfers = (
            _several(audit.accounts, "account"),
            _several(audit.transfers, "transfer"),
        )
        found = f"{accounts} and {transfers} looked at"
        if audit.findings:
            yield fault(
                name,
                f"{_several(len(audit.findings), 'difference')} in {found}",
                "Run `loyalty-graph ledger verify`, keep its output, and do not change anything.",
            )
        else:
            yield well(name, f"{found}, no difference")


def _several(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


async def _sample(program_id: UUID) -> list[UUID]:
    """Return up to a hundred members: some after each of a few random places, and the first."""
    ends = await ledger_audit.first_and_last_member(program_id)
    if ends is None:
        return []
    found: set[UUID] = set()
    for after in _places(*ends):
        found.update(
            await ledger_audit.page_of_members(program_id, after=after, limit=SAMPLE_AT_EACH)
        )
    return sorted(found)


def _places(first: UUID, last: UUID) -> Iterator[UUID | None]:
    yield None
    for _ in range(SAMPLE_PLACES - 1):
        yield UUID(int=first.int + secrets.randbelow(last.int - first.int + 1))
