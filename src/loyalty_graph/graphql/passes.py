"""Passes in the API: a member's card, and the link that opens it."""

import strawberry

from loyalty_graph.graphql.context import Info
from loyalty_graph.graphql.enums import describe_enum
from loyalty_graph.graphql.errors import Payload, RefusalsAsData
from loyalty_graph.graphql.inputs import Input, MemberRef
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.identity.rules import Scope
from loyalty_graph.members import service as members
from loyalty_graph.wallet.service import Platform

describe_enum(
    Platform,
    "Whose wallet a card lives in.",
    {Platform.APPLE: "Apple Wallet: the link opens a signed .pkpass file."},
    name="PassPlatform",
)


@strawberry.type(description="A member's card on one platform.")
class Pass:
    """A pass and its link."""

    platform: Platform = strawberry.field(description="Whose wallet it lives in.")
    url: str = strawberry.field(
        description="Opens the card for the points of that moment; good for a week."
    )
    development: bool = strawberry.field(
        description="Signed without Apple's certificate: phones will not add it."
    )


@strawberry.input(description="Who gets a card.")
class IssuePassInput:
    """The input of issuePass."""

    member: MemberRef = strawberry.field(description="The member.")


@strawberry.type(description="What issuePass did.")
class IssuePassPayload(Payload):
    """The answer of issuePass."""

    issued: Pass | None = strawberry.field(
        default=None, name="pass", description="The card; the same one each time."
    )


@strawberry.type
class PassMutation:
    """Mutations of passes."""

    @strawberry.mutation(
        description="Gives a member a card, once, and a fresh link to it each time.",
        extensions=[NeedsScope(Scope.PASSES_ISSUE), RefusalsAsData(IssuePassPayload)],
    )
    async def issue_pass(self, info: Info, given: Input[IssuePassInput]) -> IssuePassPayload | None:
        context, wanted = info.context, given.member.reference(field="member")
        member = await members.find(context.program_id, wanted)
        url = await context.desk.issue(context.program_id, member.id, now=context.now)
        card = Pass(platform=Platform.APPLE, url=url, development=context.desk.development)
        return IssuePassPayload(issued=card)
