"""Passes in the API: a member's card, and the link that opens it."""

from datetime import datetime

import strawberry

from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.enums import describe_enum
from loyalty_graph.graphql.errors import Payload, RefusalsAsData
from loyalty_graph.graphql.inputs import Input, MemberRef
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.identity.rules import Scope
from loyalty_graph.members import service as members
from loyalty_graph.wallet import reads, service
from loyalty_graph.wallet.service import Platform

describe_enum(
    Platform,
    "Whose wallet a card lives in.",
    {
        Platform.APPLE: "Apple Wallet: the link opens a signed .pkpass file.",
        Platform.GOOGLE: "Google Wallet: the link saves the card to a Google account.",
    },
    name="PassPlatform",
)


@strawberry.type(description="A member's card on one platform.")
class Pass:
    """A pass and its link."""

    serial: str = strawberry.field(description="Stays the same however often the card changes.")
    platform: Platform = strawberry.field(description="Whose wallet it lives in.")
    issued_at: datetime = strawberry.field(description="When the member first got it.")
    url: str = strawberry.field(
        description="Opens the card for the points of that moment; good for a week."
    )
    development: bool = strawberry.field(
        description="Signed without Apple's certificate: phones will not add it."
    )


def pass_of(context: Context, row: reads.Card) -> Pass:
    """Return a pass as the API shows one, with a fresh link."""
    return Pass(
        serial=row.serial,
        platform=Platform(row.platform),
        issued_at=row.issued_at,
        url=context.desk.link(context.program_id, row.serial, now=context.now),
        development=context.desk.development,
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
        extensions=[NeedsScope(Scope.PASSES_ISSUE, member="own"), RefusalsAsData(IssuePassPayload)],
    )
    async def issue_pass(self, info: Info, given: Input[IssuePassInput]) -> IssuePassPayload | None:
        context, wanted = info.context, given.member.reference(field="member")
        member = await members.find(context.program_id, wanted)
        await service.issue(context.program_id, [member.id], now=context.now)
        [row] = (await reads.passes(context.program_id, [member.id]))[member.id]
        return IssuePassPayload(issued=pass_of(context, row))
