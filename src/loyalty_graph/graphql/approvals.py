"""Adjustments that wait for a second person: which there are, and deciding on them."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry

from loyalty_graph.graphql.actors import Actor, actor
from loyalty_graph.graphql.connections import After, Connection, First, connection
from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.entry_payload import EntryPayload
from loyalty_graph.graphql.enums import describe_enum
from loyalty_graph.graphql.errors import RefusalsAsData
from loyalty_graph.graphql.ids import decode_id, encode_id
from loyalty_graph.graphql.inputs import KEY, Input
from loyalty_graph.graphql.nodes import batched, load
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.graphql.scalars import Points
from loyalty_graph.identity.rules import Scope
from loyalty_graph.ledger import approvals as reads
from loyalty_graph.ledger.approving import Approval as Stored
from loyalty_graph.ledger.approving import ApprovalState
from loyalty_graph.paging import PAGE_SIZE_DEFAULT, Cursor, page_of, page_size
from loyalty_graph.usecases import approvals

if TYPE_CHECKING:
    from loyalty_graph.graphql.ledger import LedgerEntry
    from loyalty_graph.graphql.members import Member

APPROVALS = Cursor("approvals", (UUID,))
WHICH = "Which one, by its id."

describe_enum(
    ApprovalState,
    "Where an adjustment that needs a second person stands.",
    {
        ApprovalState.WAITING: "Nobody has decided yet; nothing has moved.",
        ApprovalState.APPROVED: "The points have moved.",
        ApprovalState.REJECTED: "Nothing has moved, and nothing will.",
        ApprovalState.EXPIRED: "Nobody decided in time.",
    },
)


@strawberry.type(description="An adjustment above the limit: a second person of the staff decides.")
class Approval:
    """An approval, as it stands at this moment."""

    stored: strawberry.Private[Stored]
    id: strawberry.ID = strawberry.field(description="Names it when somebody decides.")
    state: ApprovalState = strawberry.field(description="Where it stands.")
    points: Points = strawberry.field(description="What it adds, or takes if below zero.")
    reason: str = strawberry.field(description="Why it was asked for.")
    asked_at: datetime = strawberry.field(description="When.")
    ends_at: datetime = strawberry.field(description="From this instant on nobody can decide.")
    decided_at: datetime | None = strawberry.field(description="When it was decided.")
    note: str = strawberry.field(description="What the one who decided said.")

    @strawberry.field(description="Who asked for it.")
    async def asked_by(self, info: Info) -> Actor:
        return await actor(info, self.stored.asked_by)

    @strawberry.field(description="Who decided; null as long as nobody has.")
    async def decided_by(self, info: Info) -> Actor | None:
        by = self.stored.decided_by
        return None if by is None else await actor(info, by)

    @strawberry.field(description="The entry it came to; null unless it is APPROVED.")
    async def entry(
        self, info: Info
    ) -> Annotated["LedgerEntry", strawberry.lazy("loyalty_graph.graphql.ledger")] | None:
        if self.stored.entry_sequence is None:
            return None
        key = self.stored.member_id, self.stored.entry_sequence
        found: LedgerEntry | None = await load(info, "LedgerEntry", *key)
        return found

    @strawberry.field(
        description="Whose points.", extensions=[NeedsScope(Scope.MEMBERS_READ, member="own")]
    )
    async def member(
        self, info: Info
    ) -> Annotated["Member", strawberry.lazy("loyalty_graph.graphql.members")] | None:
        found: Member | None = await load(info, "Member", self.stored.member_id)
        return found


def approval_of(stored: Stored, *, now: datetime) -> Approval:
    """Return an approval as the API shows it."""
    return Approval(
        stored=stored,
        id=encode_id("Approval", stored.member_id, stored.id),
        state=stored.state_at(now),
        points=Points(stored.points),
        reason=stored.reason,
        asked_at=stored.asked_at,
        ends_at=stored.ends_at,
        decided_at=stored.decided_at,
        note=stored.note,
    )


async def approvals_by_key(
    keys: Sequence[reads.Key], *, program_id: UUID, now: datetime
) -> list[Approval | None]:
    """Return the approvals with these (member id, approval id) keys."""
    found = await reads.found(program_id, keys)
    return [approval_of(found[key], now=now) if key in found else None for key in keys]


@strawberry.type
class DecisionPayload(EntryPayload):
    """What the payloads of decisions have in common."""

    @strawberry.field(description="What was decided, as of now.")
    async def approval(self, info: Info) -> Approval | None:
        return None if self.key is None else await batched(info, approvals_by_key, self.key)


@strawberry.type(description="What approveAdjustment did.")
class ApproveAdjustmentPayload(DecisionPayload):
    """The answer of approveAdjustment."""


@strawberry.type(description="What rejectAdjustment did.")
class RejectAdjustmentPayload(DecisionPayload):
    """The answer of rejectAdjustment."""


@strawberry.input(description="An adjustment that shall happen.")
class ApproveAdjustmentInput:
    """The input of approveAdjustment."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    approval_id: strawberry.ID = strawberry.field(description=WHICH)
    note: str = strawberry.field(default="", description="What you say to it.")


@strawberry.input(description="An adjustment that shall not happen.")
class RejectAdjustmentInput:
    """The input of rejectAdjustment."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    approval_id: strawberry.ID = strawberry.field(description=WHICH)
    note: str = strawberry.field(description="Why not.")


def _command(
    context: Context, given: ApproveAdjustmentInput | RejectAdjustmentInput
) -> approvals.Decide:
    named = decode_id(given.approval_id, expected="Approval", field="approvalId")
    member_id, approval_id = named.pair(field="approvalId")
    return approvals.Decide(
        caller=context.caller,
        idempotency_key=context.idempotency_key(given.idempotency_key),
        member_id=member_id,
        approval_id=approval_id,
        approves=isinstance(given, ApproveAdjustmentInput),
        note=given.note.strip(),
    )


@strawberry.type
class ApprovalQuery:
    """Queries about approvals."""

    @strawberry.field(
        description="Adjustments that wait for a second person, or waited; the newest first.",
        extensions=[NeedsScope(Scope.POINTS_ADJUST)],
    )
    async def approvals(
        self,
        info: Info,
        first: First = PAGE_SIZE_DEFAULT,
        after: After = None,
        *,
        waiting: Annotated[
            bool, strawberry.argument(description="Only those that can be decided now.")
        ] = False,
    ) -> Connection[Approval]:
        waiting_at = info.context.now if waiting else None
        return await _page(info.context, page_size(first), after, waiting_at)


async def _page(
    context: Context, size: int, after: str | None, waiting_at: datetime | None
) -> Connection[Approval]:
    [before] = [None] if after is None else APPROVALS.decode(after)
    assert before is None or isinstance(before, UUID), "the list is sorted by ids"
    rows = await reads.page(
        context.program_id, limit=size + 1, before=before, waiting_at=waiting_at
    )
    return connection(
        page_of(rows, size=size, after=after),
        cursor=APPROVALS,
        key=lambda row: (row.id,),
        node=lambda row: approval_of(row, now=context.now),
        count=lambda: reads.count(context.program_id, waiting_at=waiting_at),
    )


@strawberry.type
class ApprovalMutation:
    """Mutations of approvals."""

    @strawberry.mutation(
        description="Lets an adjustment happen that another one asked for: its points move now.",
        extensions=[NeedsScope(Scope.POINTS_APPROVE), RefusalsAsData(ApproveAdjustmentPayload)],
    )
    async def approve_adjustment(
        self, info: Info, given: Input[ApproveAdjustmentInput]
    ) -> ApproveAdjustmentPayload | None:
        command = _command(info.context, given)
        done = await approvals.decide(info.context.program_id, command, now=info.context.now)
        return ApproveAdjustmentPayload(
            key=(done.member_id, done.approval_id),
            entry_sequence=done.entry_sequence,
            balance=Points(done.balance_points),
            replayed=done.replayed,
        )

    @strawberry.mutation(
        description="Decides that an adjustment which another one asked for does not happen.",
        extensions=[NeedsScope(Scope.POINTS_APPROVE), RefusalsAsData(RejectAdjustmentPayload)],
    )
    async def reject_adjustment(
        self, info: Info, given: Input[RejectAdjustmentInput]
    ) -> RejectAdjustmentPayload | None:
        command = _command(info.context, given)
        done = await approvals.decide(info.context.program_id, command, now=info.context.now)
        return RejectAdjustmentPayload(
            key=(done.member_id, done.approval_id),
            balance=Points(done.balance_points),
            replayed=done.replayed,
        )
