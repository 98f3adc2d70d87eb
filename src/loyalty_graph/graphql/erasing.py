"""A person's data in the API: taking it along, and erasing somebody for good."""

import strawberry

from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.errors import RefusalsAsData
from loyalty_graph.graphql.inputs import KEY, Input, MemberRef
from loyalty_graph.graphql.member_payload import MemberPayload
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.graphql.scalars import Points
from loyalty_graph.identity.rules import Scope
from loyalty_graph.usecases import erasing, exporting


@strawberry.input(description="Who is to be forgotten.")
class EraseMemberInput:
    """The input of eraseMember."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    member: MemberRef = strawberry.field(description="Who asked to be forgotten.")

    def command(self, context: Context) -> erasing.EraseMember:
        """Return the use case's command.

        Raises:
            InvalidInputError: the member's reference is malformed, or there is no key.
        """
        return erasing.EraseMember(
            caller=context.caller,
            idempotency_key=context.idempotency_key(self.idempotency_key),
            member=self.member.reference(field="member"),
            secret=context.desk.link_key,
        )


@strawberry.type(description="What eraseMember did.")
class EraseMemberPayload(MemberPayload):
    """The answer of eraseMember."""

    forfeited: Points | None = strawberry.field(
        default=None, description="The points that were left and are gone."
    )
    replayed: bool = strawberry.field(
        default=False, description="This was a retry: nothing happened again."
    )


@strawberry.input(description="Whose data.")
class ExportMemberDataInput:
    """The input of exportMemberData."""

    member: MemberRef = strawberry.field(description="Whose data.")


@strawberry.type(description="What exportMemberData found.")
class ExportMemberDataPayload(MemberPayload):
    """The answer of exportMemberData."""

    data: str | None = strawberry.field(
        default=None,
        description="A JSON document: under `tables` all rows about the member, by their table.",
    )


@strawberry.type
class PersonMutation:
    """Mutations of what is known of a person."""

    @strawberry.mutation(
        description="Returns everything that is kept of a member, and notes that it was asked for.",
        extensions=[
            NeedsScope(Scope.MEMBERS_READ, member="own"),
            RefusalsAsData(ExportMemberDataPayload),
        ],
    )
    async def export_member_data(
        self, info: Info, given: Input[ExportMemberDataInput]
    ) -> ExportMemberDataPayload | None:
        context, wanted = info.context, given.member.reference(field="member")
        key, data = await exporting.export(
            context.program_id, wanted, now=context.now, by=context.caller
        )
        return ExportMemberDataPayload(key=key, data=data)

    @strawberry.mutation(
        description=(
            "Forgets a person for good: name, addresses, birthday, texts and explanations go, and "
            "the membership ends as by closeMember. Numbers stay, so the books can still be proved."
        ),
        extensions=[NeedsScope(Scope.MEMBERS_WRITE), RefusalsAsData(EraseMemberPayload)],
    )
    async def erase_member(
        self, info: Info, given: Input[EraseMemberInput]
    ) -> EraseMemberPayload | None:
        context = info.context
        done = await erasing.erase(context.program_id, given.command(context), now=context.now)
        return EraseMemberPayload(
            key=done.member_id, forfeited=Points(done.forfeited_points), replayed=done.replayed
        )
