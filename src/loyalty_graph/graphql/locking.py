"""Locks on members in the API: suspended for a reason, perhaps earning on."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import strawberry

from loyalty_graph.graphql.actors import Actor, actor
from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.errors import RefusalsAsData
from loyalty_graph.graphql.inputs import KEY, Input, MemberRef
from loyalty_graph.graphql.member_payload import MemberPayload
from loyalty_graph.graphql.nodes import batched
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.identity.rules import Scope
from loyalty_graph.members import locks
from loyalty_graph.usecases import locking

REASON = "Why; at most 500 characters. The member cannot read it."


@strawberry.type(description="Why a member is suspended.")
class MemberLock:
    """A lock that is on."""

    stored: strawberry.Private[locks.Lock]
    reason: str = strawberry.field(description="Why.")
    may_earn: bool = strawberry.field(description="Whether the member earns meanwhile.")
    locked_at: datetime = strawberry.field(description="Since when it is as it is.")

    @strawberry.field(description="Who put it on.")
    async def locked_by(self, info: Info) -> Actor:
        return await actor(info, self.stored.actor)


@strawberry.type
class LockableMember:
    """A member as one who may be locked."""

    key: strawberry.Private[UUID]

    @strawberry.field(
        description="Why the member is suspended; null when nobody said.",
        extensions=[NeedsScope(Scope.MEMBERS_READ)],
    )
    async def lock(self, info: Info) -> MemberLock | None:
        return await batched(info, _locks, self.key)


async def _locks(
    member_ids: Sequence[UUID], *, program_id: UUID, now: datetime
) -> list[MemberLock | None]:
    del now
    found = await locks.locks(program_id, member_ids)
    return [_lock_of(found[one]) if one in found else None for one in member_ids]


def _lock_of(lock: locks.Lock) -> MemberLock:
    return MemberLock(
        stored=lock, reason=lock.reason, may_earn=lock.may_earn, locked_at=lock.locked_at
    )


@strawberry.input(description="Whom to lock, and why.")
class LockMemberInput:
    """The input of lockMember."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    member: MemberRef = strawberry.field(description="Who cannot spend any more.")
    may_earn: bool = strawberry.field(
        default=False, description="Whether purchases and activities go on earning points."
    )
    reason: str = strawberry.field(description=REASON)


@strawberry.input(description="Whom to unlock, and why.")
class UnlockMemberInput:
    """The input of unlockMember."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    member: MemberRef = strawberry.field(description="Who can spend again.")
    reason: str = strawberry.field(description=REASON)


@strawberry.type
class _LockPayload(MemberPayload):
    replayed: bool = strawberry.field(
        default=False, description="This was a retry: nothing happened again."
    )


@strawberry.type(description="What lockMember did.")
class LockMemberPayload(_LockPayload):
    """The answer of lockMember."""


@strawberry.type(description="What unlockMember did.")
class UnlockMemberPayload(_LockPayload):
    """The answer of unlockMember."""


async def _set(
    context: Context, given: LockMemberInput | UnlockMemberInput, *, may_earn: bool | None
) -> locking.LockSet:
    command = locking.SetLock(
        caller=context.caller,
        idempotency_key=context.idempotency_key(given.idempotency_key),
        member=given.member.reference(field="member"),
        reason=given.reason.strip(),
        may_earn=may_earn,
    )
    return await locking.set_lock(context.program_id, command, now=context.now)


@strawberry.type
class LockMutation:
    """Mutations of locks."""

    @strawberry.mutation(
        description="Suspends a member: points stay, nothing can be spent; changes a lock too.",
        extensions=[NeedsScope(Scope.MEMBERS_WRITE), RefusalsAsData(LockMemberPayload)],
    )
    async def lock_member(
        self, info: Info, given: Input[LockMemberInput]
    ) -> LockMemberPayload | None:
        done = await _set(info.context, given, may_earn=given.may_earn)
        return LockMemberPayload(key=done.member_id, replayed=done.replayed)

    @strawberry.mutation(
        description="Lets a suspended member earn and spend again.",
        extensions=[NeedsScope(Scope.MEMBERS_WRITE), RefusalsAsData(UnlockMemberPayload)],
    )
    async def unlock_member(
        self, info: Info, given: Input[UnlockMemberInput]
    ) -> UnlockMemberPayload | None:
        done = await _set(info.context, given, may_earn=None)
        return UnlockMemberPayload(key=done.member_id, replayed=done.replayed)
