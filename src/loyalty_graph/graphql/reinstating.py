"""Giving points back that had expired."""

from datetime import datetime

import strawberry

from loyalty_graph.errors import InvalidInputError
from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.entry_payload import EntryPayload
from loyalty_graph.graphql.errors import RefusalsAsData
from loyalty_graph.graphql.ids import decode_id
from loyalty_graph.graphql.inputs import KEY, REASON, Input, MemberRef
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.graphql.scalars import Points
from loyalty_graph.identity.rules import Scope
from loyalty_graph.members.rules import Reference, ReferenceKind
from loyalty_graph.programs.rules import NEVER
from loyalty_graph.usecases import reinstatements

OTHERWISE = "Either the entry, or the member and the days."


@strawberry.input(description="Points that expired and shall be valid again, and why.")
class ReinstateExpiredInput:
    """The input of reinstateExpired."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    entry_id: strawberry.ID | None = strawberry.field(
        default=None, description=f"The entry by which they expired. {OTHERWISE}"
    )
    member: MemberRef | None = strawberry.field(
        default=None, description=f"Whose points. {OTHERWISE}"
    )
    within_days: int | None = strawberry.field(
        default=None, description="All that expired in so many days: 1 to 365."
    )
    valid_days: int | None = strawberry.field(
        default=None,
        description=(
            "They live so many days from now, 1 to 365; as long as points earned now, if not given."
        ),
    )
    reason: str = strawberry.field(description=REASON)

    def command(self, context: Context) -> reinstatements.ReinstateExpired:
        """Return the use case's command.

        Raises:
            InvalidInputError: entry and member are not given as one of them, an id is none of an
                entry, the member's reference is malformed, or there is no key.
            IdempotencyKeysDifferError: the request has another key than the input.
        """
        member, sequence = self._whose()
        return reinstatements.ReinstateExpired(
            caller=context.caller,
            idempotency_key=context.idempotency_key(self.idempotency_key),
            member=member,
            sequence=sequence,
            within_days=self.within_days,
            valid_days=self.valid_days,
            reason=self.reason.strip(),
        )

    def _whose(self) -> tuple[Reference, int | None]:
        if self.entry_id is None and self.member is not None:
            return self.member.reference(field="member"), None
        if self.entry_id is None or self.member is not None:
            raise InvalidInputError(OTHERWISE, field="entryId")
        given = decode_id(self.entry_id, expected="LedgerEntry", field="entryId")
        member_id, sequence = given.numbered(field="entryId")
        return Reference(ReferenceKind.ID, str(member_id)), sequence


@strawberry.type(description="What reinstateExpired did.")
class ReinstateExpiredPayload(EntryPayload):
    """The answer of reinstateExpired."""

    points: Points | None = strawberry.field(
        default=None, description="What is valid again; `entry` is the last of several."
    )
    reclaimed: Points | None = strawberry.field(
        default=None,
        description="What of them had been forgiven since they expired, and is taken again.",
    )
    expires_at: datetime | None = strawberry.field(
        default=None, description="When they end; null when they never do."
    )


@strawberry.type
class ReinstatingMutation:
    """Mutations that give expired points back."""

    @strawberry.mutation(
        description="Makes points valid again whose date had passed, with a new date.",
        extensions=[NeedsScope(Scope.POINTS_ADJUST), RefusalsAsData(ReinstateExpiredPayload)],
    )
    async def reinstate_expired(
        self, info: Info, given: Input[ReinstateExpiredInput]
    ) -> ReinstateExpiredPayload | None:
        context = info.context
        command = given.command(context)
        done = await reinstatements.reinstate(context.program_id, command, now=context.now)
        return ReinstateExpiredPayload(
            key=(done.member_id, done.entry_sequence),
            entry_sequence=done.entry_sequence,
            points=Points(done.points),
            reclaimed=Points(done.reclaimed_points),
            expires_at=None if done.expires_at >= NEVER else done.expires_at,
            balance=Points(done.balance_points),
            replayed=done.replayed,
        )
