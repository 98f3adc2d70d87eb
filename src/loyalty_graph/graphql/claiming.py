"""Claiming receipts that were recorded without a member."""

import strawberry

from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.errors import RefusalsAsData
from loyalty_graph.graphql.inputs import KEY, Input, MemberRef
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.graphql.purchases import PurchasePayload
from loyalty_graph.graphql.rule_points import (
    BY_RULE,
    CAPPED,
    PointsCapped,
    RulePoints,
    points_by_rule,
    points_capped,
)
from loyalty_graph.graphql.scalars import Points
from loyalty_graph.identity.rules import Scope
from loyalty_graph.usecases import claiming


@strawberry.input(description="The code of a receipt, and who claims it.")
class ClaimPurchaseInput:
    """The input of claimPurchase."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    member: MemberRef = strawberry.field(description="Whose purchase it was.")
    code: str = strawberry.field(
        description="In any spelling: case, spaces and hyphens do not matter."
    )

    def command(self, context: Context) -> claiming.ClaimPurchase:
        """Return the use case's command.

        Raises:
            InvalidInputError: the member's reference is malformed.
        """
        return claiming.ClaimPurchase(
            caller=context.caller,
            idempotency_key=context.idempotency_key(self.idempotency_key),
            member=self.member.reference(field="member"),
            code=self.code,
            issuer=context.viewer.issuer,
        )


@strawberry.type(description="What claimPurchase did.")
class ClaimPurchasePayload(PurchasePayload):
    """The answer of claimPurchase."""

    points: Points | None = strawberry.field(default=None, description="What it earned.")
    points_by_rule: list[RulePoints] = strawberry.field(default_factory=list, description=BY_RULE)
    capped: PointsCapped | None = strawberry.field(default=None, description=CAPPED)


@strawberry.type
class ClaimMutation:
    """Mutations of receipts without a member."""

    @strawberry.mutation(
        description=(
            "Makes a receipt that was recorded without a member the member's purchase: it earns "
            "by the rules of its own day. Codes can only be tried so often."
        ),
        extensions=[
            NeedsScope(Scope.PURCHASES_WRITE, member="own"),
            RefusalsAsData(ClaimPurchasePayload),
        ],
    )
    async def claim_purchase(
        self, info: Info, given: Input[ClaimPurchaseInput]
    ) -> ClaimPurchasePayload | None:
        context = info.context
        command = given.command(context)
        await context.check_claims()
        done = await claiming.claim_purchase(
            context.program_id, command, codes=context.receipt_codes, now=context.now
        )
        return ClaimPurchasePayload(
            key=(done.member_id, done.purchase_id),
            entry_sequence=done.entry_sequence,
            points=Points(done.points),
            points_by_rule=[points_by_rule(one) for one in done.rules],
            capped=points_capped(done.capped),
            balance=Points(done.balance_points),
            replayed=done.replayed,
        )
