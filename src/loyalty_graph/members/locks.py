"""Why members are suspended, and whether they go on earning meanwhile."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from loyalty_graph.db.sets import Lookup, Upsert, fetch
from loyalty_graph.members.models import MemberLock

_LOCK = ("reason", "may_earn", "locked_at", "actor")


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock; `actor` is who put it on, as a caller is named."""

    reason: str
    may_earn: bool
    locked_at: datetime
    actor: str


def put(member_id: UUID, lock: Lock) -> Upsert:
    """Return the write that locks a member, or changes the lock that is on."""
    row = (member_id, lock.reason, lock.may_earn, lock.locked_at, lock.actor)
    merge = tuple((name, f"excluded.{name}") for name in _LOCK)
    return Upsert(MemberLock, ("member_id",), ("member_id", *_LOCK), [row], merge)


async def lift(program_id: UUID, member_id: UUID) -> None:
    """Take a member's lock off, if one is on."""
    await MemberLock.filter(program_id=program_id, member_id=member_id).delete()


async def locks(program_id: UUID, member_ids: Sequence[UUID]) -> dict[UUID, Lock]:
    """Return the locks that are on these members."""
    keys = [(one,) for one in member_ids]
    [found] = await fetch(program_id, Lookup(MemberLock, ("member_id",), keys, _LOCK))
    return {
        member_id: Lock(*rows[0]) for member_id, rows in zip(member_ids, found, strict=True) if rows
    }
