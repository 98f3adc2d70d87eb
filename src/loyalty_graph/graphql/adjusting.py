"""Adding points by hand, or taking them."""

import strawberry

from loyalty_graph.graphql.approvals import Approval, approvals_by_key
from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.entry_payload import EntryPayload
from loyalty_graph.graphql.errors import RefusalsAsData
from loyalty_graph.graphql.inputs import KEY, REASON, Input, MemberRef
from loyalty_graph.graphql.nodes import batched
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.graphql.scalars import Points
from loyalty_graph.identity.rules import Scope
from loyalty_graph.usecases import adjustments


@strawberry.input(description="Points to add or take by hand, and why.")
class AdjustPointsInput:
    """The input of adjustPoints."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    member: MemberRef = strawberry.field(description="Whose points.")
    points: Points = strawberry.field(description="Above zero to add, below zero to take.")
    reason: str = strawberry.field(description=REASON)

    def command(self, context: Context) -> adjustments.AdjustPoints:
        """Return the use case's command.

        Raises:
            InvalidInputError: the member's reference is malformed, or there is no key.
            IdempotencyKeysDifferError: the request has another key than the input.
        """
        return adjustments.AdjustPoints(
            caller=context.caller,
            idempotency_key=context.idempotency_key(self.idempotency_key),
            member=self.member.reference(field="member"),
            points=self.points,
            reason=self.reason.strip(),
            issuer=context.viewer.issuer,
        )


@strawberry.type(description="What adjustPoints did.")
class AdjustPointsPayload(EntryPayload):
    """The answer of adjustPoints."""

    @strawberry.field(
        description="What waits for a second person, when these are too many points for one."
    )
    async def approval(self, info: Info) -> Approval | None:
        waits = self.key is not None and self.entry_sequence is None
        return await batched(info, approvals_by_key, self.key) if waits else None


@strawberry.type
class AdjustmentMutation:
    """Mutations of the ledger."""

    @strawberry.mutation(
        description="Adds or takes points by hand: a gift, a correction, a gesture.",
        extensions=[NeedsScope(Scope.POINTS_ADJUST), RefusalsAsData(AdjustPointsPayload)],
    )
    async def adjust_points(
        self, info: Info, given: Input[AdjustPointsInput]
    ) -> AdjustPointsPayload | None:
        context = info.context
        command = given.command(context)
        done = await adjustments.adjust(context.program_id, command, now=context.now)
        return AdjustPointsPayload(
            key=(done.member_id, done.approval_id or done.entry_sequence),
            entry_sequence=done.entry_sequence,
            balance=Points(done.balance_points),
            replayed=done.replayed,
        )
