"""Taking an entry back that nothing else undoes."""

import strawberry

from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.entry_payload import EntryPayload
from loyalty_graph.graphql.errors import RefusalsAsData
from loyalty_graph.graphql.ids import decode_id
from loyalty_graph.graphql.inputs import KEY, REASON, Input
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.graphql.scalars import Points
from loyalty_graph.identity.rules import Scope
from loyalty_graph.usecases import reversals


@strawberry.input(description="An entry to take back, and why.")
class ReverseEntryInput:
    """The input of reverseEntry."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    entry_id: strawberry.ID = strawberry.field(description="The entry, a LedgerEntry.")
    reason: str = strawberry.field(description=REASON)

    def command(self, context: Context) -> reversals.ReverseEntry:
        """Return the use case's command.

        Raises:
            InvalidInputError: it is no id of an entry, or there is no key.
            IdempotencyKeysDifferError: the request has another key than the input.
        """
        given = decode_id(self.entry_id, expected="LedgerEntry", field="entryId")
        member_id, sequence = given.numbered(field="entryId")
        return reversals.ReverseEntry(
            caller=context.caller,
            idempotency_key=context.idempotency_key(self.idempotency_key),
            member_id=member_id,
            sequence=sequence,
            reason=self.reason.strip(),
        )


@strawberry.type(description="What reverseEntry did.")
class ReverseEntryPayload(EntryPayload):
    """The answer of reverseEntry."""

    points_taken_back: Points | None = strawberry.field(
        default=None, description="What was taken; below zero it was given back."
    )
    shortfall: Points | None = strawberry.field(
        default=None, description="What was spent already and forgiven."
    )


@strawberry.type
class ReversingMutation:
    """Mutations that take entries back."""

    @strawberry.mutation(
        description=(
            "Takes back what an entry did: points of an activity, points brought along, or what "
            "was adjusted by hand. Other entries are undone by what the refusal names."
        ),
        extensions=[NeedsScope(Scope.POINTS_ADJUST), RefusalsAsData(ReverseEntryPayload)],
    )
    async def reverse_entry(
        self, info: Info, given: Input[ReverseEntryInput]
    ) -> ReverseEntryPayload | None:
        context = info.context
        command = given.command(context)
        done = await reversals.reverse(context.program_id, command, now=context.now)
        return ReverseEntryPayload(
            key=(done.member_id, done.entry_sequence),
            entry_sequence=done.entry_sequence,
            points_taken_back=Points(done.points),
            shortfall=Points(done.shortfall_points),
            balance=Points(done.balance_points),
            replayed=done.replayed,
        )
