"""Giving a member a tier by hand."""

from datetime import datetime

import strawberry

from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.errors import RefusalsAsData
from loyalty_graph.graphql.inputs import KEY, REASON, Input, MemberRef
from loyalty_graph.graphql.member_payload import MemberPayload
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.identity.rules import Scope
from loyalty_graph.usecases import tier_overrides


@strawberry.input(description="A tier given by hand until a time, or the end of such a gift.")
class OverrideTierInput:
    """The input of overrideTier."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    member: MemberRef = strawberry.field(description="Whose tier.")
    tier: str | None = strawberry.field(
        default=None, description="Which one, by its code; null ends what was given before."
    )
    until: datetime | None = strawberry.field(
        default=None, description="When it ends; given together with the tier."
    )
    reason: str = strawberry.field(description=REASON)

    def command(self, context: Context) -> tier_overrides.OverrideTier:
        """Return the use case's command.

        Raises:
            InvalidInputError: the member's reference is malformed.
        """
        return tier_overrides.OverrideTier(
            caller=context.caller,
            idempotency_key=context.idempotency_key(self.idempotency_key),
            member=self.member.reference(field="member"),
            tier=self.tier,
            until=self.until,
            reason=self.reason.strip(),
        )


@strawberry.type(description="What overrideTier did.")
class OverrideTierPayload(MemberPayload):
    """The answer of overrideTier."""

    tier: str | None = strawberry.field(
        default=None, description="The code right after it; a retry gets the same answer."
    )
    replayed: bool = strawberry.field(
        default=False, description="This was a retry: nothing happened again."
    )


@strawberry.type
class TierMutation:
    """Mutations of tiers."""

    @strawberry.mutation(
        description=(
            "Gives a member a tier by hand until a time, or until the member rises above it. "
            "What the member earns is counted meanwhile and holds again afterwards."
        ),
        extensions=[NeedsScope(Scope.MEMBERS_WRITE), RefusalsAsData(OverrideTierPayload)],
    )
    async def override_tier(
        self, info: Info, given: Input[OverrideTierInput]
    ) -> OverrideTierPayload | None:
        context = info.context
        command = given.command(context)
        done = await tier_overrides.override_tier(context.program_id, command, now=context.now)
        return OverrideTierPayload(key=done.member_id, tier=done.tier, replayed=done.replayed)
