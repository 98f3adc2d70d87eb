"""Merging members who are one person, and parting them again."""

from typing import TypeVar

import strawberry

from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.entry_payload import EntryPayload
from loyalty_graph.graphql.errors import RefusalsAsData
from loyalty_graph.graphql.ids import decode_id
from loyalty_graph.graphql.inputs import KEY, REASON, Input, MemberRef
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.graphql.scalars import Points
from loyalty_graph.identity.rules import Scope
from loyalty_graph.usecases import merging


@strawberry.input(description="Two members who are one person.")
class MergeMembersInput:
    """The input of mergeMembers."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    merged: MemberRef = strawberry.field(
        name="from",
        description="Who lives on as the other one, and has nothing afterwards; active.",
    )
    into: MemberRef = strawberry.field(description="Who lives on; active.")
    reason: str = strawberry.field(description=REASON)

    def command(self, context: Context) -> merging.MergeMembers:
        """Return the use case's command.

        Raises:
            InvalidInputError: a member's reference is malformed, or there is no key.
        """
        return merging.MergeMembers(
            caller=context.caller,
            idempotency_key=context.idempotency_key(self.idempotency_key),
            merged=self.merged.reference(field="from"),
            into=self.into.reference(field="into"),
            reason=self.reason.strip(),
        )


@strawberry.type(
    description="What mergeMembers did; member, entry and balance are of the one who lives on."
)
class MergeMembersPayload(EntryPayload):
    """The answer of mergeMembers."""


@strawberry.input(description="A member to be parted from the one he lives on as.")
class UnmergeMembersInput:
    """The input of unmergeMembers."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    member_id: strawberry.ID = strawberry.field(
        description="Who was merged, by the id: everything else finds the one who lives on."
    )
    reason: str = strawberry.field(description=REASON)

    def command(self, context: Context) -> merging.UnmergeMembers:
        """Return the use case's command.

        Raises:
            InvalidInputError: it is no id of a member, or there is no key.
        """
        given = decode_id(self.member_id, expected="Member", field="memberId")
        return merging.UnmergeMembers(
            caller=context.caller,
            idempotency_key=context.idempotency_key(self.idempotency_key),
            merged_id=given.uuid(field="memberId"),
            reason=self.reason.strip(),
        )


@strawberry.type(
    description="What unmergeMembers did; member, entry and balance are of the one who was merged."
)
class UnmergeMembersPayload(EntryPayload):
    """The answer of unmergeMembers."""


AnyPayload = TypeVar("AnyPayload", bound=EntryPayload)


def _payload(kind: type[AnyPayload], done: merging.Merged) -> AnyPayload:
    return kind(
        key=(done.member_id, done.other_id),
        entry_sequence=done.entry_sequence,
        balance=Points(done.balance_points),
        replayed=done.replayed,
    )


@strawberry.type
class MergeMutation:
    """Mutations of members who are one person."""

    @strawberry.mutation(
        description=(
            "Lets a member live on as another one, who gets points with their dates, debt, and "
            "what counts for tiers. Numbers and addresses find that one from then on, and old "
            "cards are void. Holds, codes that were not used, money on vouchers, a subscription "
            "and transfers under way have to end first."
        ),
        extensions=[NeedsScope(Scope.MEMBERS_WRITE), RefusalsAsData(MergeMembersPayload)],
    )
    async def merge_members(
        self, info: Info, given: Input[MergeMembersInput]
    ) -> MergeMembersPayload | None:
        context = info.context
        done = await merging.merge(context.program_id, given.command(context), now=context.now)
        return _payload(MergeMembersPayload, done)

    @strawberry.mutation(
        description=(
            "Undoes a merge within 30 days: what is left of points goes back to the lots it came "
            "from. What was spent meanwhile stays spent."
        ),
        extensions=[NeedsScope(Scope.MEMBERS_WRITE), RefusalsAsData(UnmergeMembersPayload)],
    )
    async def unmerge_members(
        self, info: Info, given: Input[UnmergeMembersInput]
    ) -> UnmergeMembersPayload | None:
        context = info.context
        done = await merging.unmerge(context.program_id, given.command(context), now=context.now)
        return _payload(UnmergeMembersPayload, done)
