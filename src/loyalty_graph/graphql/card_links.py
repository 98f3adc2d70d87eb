"""Links to the card page in the API: a member's links, making one, revoking one."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry

from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.errors import Payload, RefusalsAsData
from loyalty_graph.graphql.ids import decode_id, encode_id
from loyalty_graph.graphql.inputs import KEY, Input, MemberRef
from loyalty_graph.graphql.nodes import Node, load, loads
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.identity.rules import Scope
from loyalty_graph.usecases import card_links
from loyalty_graph.wallet import links

if TYPE_CHECKING:
    from loyalty_graph.graphql.members import Member

LinkKey = tuple[UUID, UUID]
"""(member id, link id)"""


@strawberry.type(description="A link that shows a member's card page to whoever holds it.")
class CardLink(Node):
    """A link."""

    link: strawberry.Private[links.CardLink]
    created_at: datetime = strawberry.field(description="When it was made.")
    revoked_at: datetime | None = strawberry.field(
        description="When it stopped working; null while it works."
    )

    @strawberry.field(
        description=(
            "The address of the page: keep it like a key. Null once the link is revoked, and "
            "where the server's key has changed since (the link still works then)."
        )
    )
    def url(self, info: Info) -> str | None:
        return info.context.desk.card_url(self.link)

    @strawberry.field(
        description="Whose card it shows, as of now.",
        extensions=[NeedsScope(Scope.MEMBERS_READ, member="own")],
    )
    async def member(
        self, info: Info
    ) -> Annotated["Member", strawberry.lazy("loyalty_graph.graphql.members")] | None:
        found: Member | None = await load(info, "Member", self.link.member_id)
        return found


def link_of(link: links.CardLink) -> CardLink:
    """Return a link as the API shows it."""
    return CardLink(
        id=encode_id("CardLink", link.member_id, link.id),
        link=link,
        created_at=link.created_at,
        revoked_at=link.revoked_at,
    )


@loads("CardLink", UUID, UUID, owner=0)
async def links_by_key(
    keys: Sequence[LinkKey], *, program_id: UUID, now: datetime
) -> list[CardLink | None]:
    """Return the links with these keys."""
    del now
    found = await links.links(program_id, keys)
    return [link_of(found[key]) if key in found else None for key in keys]


async def working_links(
    member_ids: Sequence[UUID], *, program_id: UUID, now: datetime
) -> list[list[links.CardLink]]:
    """Return the links of these members that work, newest first."""
    del now
    found = await links.working(program_id, member_ids)
    return [found[member_id] for member_id in member_ids]


@strawberry.input(description="Who gets a link.")
class CreateCardLinkInput:
    """The input of createCardLink."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    member: MemberRef = strawberry.field(description="The member.")

    def command(self, context: Context) -> card_links.CreateCardLink:
        """Return the use case's command.

        Raises:
            InvalidInputError: the member's reference is malformed.
        """
        return card_links.CreateCardLink(
            caller=context.caller,
            idempotency_key=context.idempotency_key(self.idempotency_key),
            member=self.member.reference(field="member"),
        )


@strawberry.input(description="Which link stops working.")
class RevokeCardLinkInput:
    """The input of revokeCardLink."""

    link_id: strawberry.ID = strawberry.field(description="Which link.")

    def key(self) -> LinkKey:
        """Return the (member id, link id).

        Raises:
            InvalidInputError: it is no id of a link.
        """
        given = decode_id(self.link_id, expected="CardLink", field="linkId")
        return given.pair(field="linkId")


@strawberry.type
class _LinkPayload(Payload):
    key: strawberry.Private[LinkKey | None] = None

    @strawberry.field(description="The link, as of now.")
    async def link(self, info: Info) -> CardLink | None:
        if self.key is None:
            return None
        found: CardLink | None = await load(info, "CardLink", *self.key)
        return found


@strawberry.type(description="What createCardLink did.")
class CreateCardLinkPayload(_LinkPayload):
    """The answer of createCardLink."""

    replayed: bool = strawberry.field(
        default=False, description="This was a retry: nothing happened again."
    )


@strawberry.type(description="What revokeCardLink did.")
class RevokeCardLinkPayload(_LinkPayload):
    """The answer of revokeCardLink."""


@strawberry.type
class CardLinkMutation:
    """Mutations of card links."""

    @strawberry.mutation(
        description="Gives a member one more link to the card page; at most 20 work at a time.",
        extensions=[
            NeedsScope(Scope.PASSES_ISSUE, member="own"),
            RefusalsAsData(CreateCardLinkPayload),
        ],
    )
    async def create_card_link(
        self, info: Info, given: Input[CreateCardLinkInput]
    ) -> CreateCardLinkPayload | None:
        context = info.context
        done = await card_links.create(
            context.program_id,
            given.command(context),
            key=context.desk.link_key,
            now=context.now,
        )
        return CreateCardLinkPayload(key=(done.member_id, done.link_id), replayed=done.replayed)

    @strawberry.mutation(
        description="Stops a link from working, at once; doing so again changes nothing.",
        extensions=[
            NeedsScope(Scope.PASSES_ISSUE, member="own"),
            RefusalsAsData(RevokeCardLinkPayload),
        ],
    )
    async def revoke_card_link(
        self, info: Info, given: Input[RevokeCardLinkInput]
    ) -> RevokeCardLinkPayload | None:
        context, key = info.context, given.key()
        await card_links.revoke(context.program_id, *key, now=context.now, by=context.caller)
        return RevokeCardLinkPayload(key=key)
