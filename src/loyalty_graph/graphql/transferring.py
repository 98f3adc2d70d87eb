"""Giving points to another member."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry

from loyalty_graph.errors import InvalidInputError
from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.entry_payload import EntryPayload
from loyalty_graph.graphql.enums import describe_enum
from loyalty_graph.graphql.errors import RefusalsAsData
from loyalty_graph.graphql.inputs import KEY, REASON_CHARACTERS_MAX, Input, MemberRef, bounded
from loyalty_graph.graphql.nodes import batched, load
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.graphql.scalars import Points
from loyalty_graph.identity.rules import Scope, ViewerKind
from loyalty_graph.ledger import transfers as stored
from loyalty_graph.ledger.transfers import TransferState
from loyalty_graph.members.rules import Reference
from loyalty_graph.usecases import transfers

if TYPE_CHECKING:
    from loyalty_graph.graphql.members import Member

describe_enum(
    TransferState,
    "Where the points of a transfer are.",
    {
        TransferState.SENT: "Under way; that takes a moment.",
        TransferState.RECEIVED: "With the recipient.",
        TransferState.RETURNED: (
            "With the giver again, and the fee too: the recipient could not receive them."
        ),
    },
    name="PointsTransferState",
)


@strawberry.type(description="Points that a member gave another one.")
class PointsTransfer:
    """A transfer, as its giver sees it."""

    state: TransferState = strawberry.field(description="Where the points are.")
    points: Points = strawberry.field(description="What the recipient gets.")
    fee: Points = strawberry.field(description="What the giver paid beside them.")
    sent_at: datetime = strawberry.field(description="When the giver gave them.")
    settled_at: datetime | None = strawberry.field(
        description="When they arrived, or came back; null while they are under way."
    )


async def _transfers(
    keys: Sequence[stored.TransferKey], *, program_id: UUID, now: datetime
) -> list[stored.PointsTransfer]:
    del now
    found = await stored.transfers(program_id, keys)
    return [found[key] for key in keys]


@strawberry.input(
    one_of=True,
    description="Who receives points; give exactly one. Members give the number of the card.",
)
class RecipientRef:
    """One of the ways to name a recipient; unlike a `MemberRef` it may be somebody else."""

    id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The member's id in this API."
    )
    number: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The twelve digits of the card; spaces and hyphens do not matter.",
    )
    email: str | None = strawberry.field(
        default=strawberry.UNSET, description="The e-mail address, in any spelling."
    )
    phone: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The phone number in international form, such as +4915112345678.",
    )
    external_id: str | None = strawberry.field(
        default=strawberry.UNSET, description="The member's id in your own system."
    )

    def reference(self, context: Context, *, field: str) -> Reference:
        """Return the reference in its one spelling.

        Members name a recipient by a number only: whose address is a member's is not theirs to
        find out.

        Raises:
            InvalidInputError: it is nothing of its kind, or no number where a member asks.
        """
        is_member = context.viewer.kind is ViewerKind.MEMBER
        if is_member and not isinstance(self.number, str):
            raise InvalidInputError("Name the recipient by the number of the card.", field=field)
        given = MemberRef(
            id=self.id,
            number=self.number,
            email=self.email,
            phone=self.phone,
            external_id=self.external_id,
        )
        return given.reference(field=field)


@strawberry.input(description="Points that a member gives another one.")
class TransferPointsInput:
    """The input of transferPoints."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    member: MemberRef = strawberry.field(description="Who gives.")
    to: RecipientRef = strawberry.field(description="Who receives.")
    points: Points = strawberry.field(
        description="What arrives; the programme's fee is paid beside it."
    )
    reason: str | None = strawberry.field(
        default=None,
        description=f"Why; at most {REASON_CHARACTERS_MAX} characters. Both members can read it.",
    )

    def command(self, context: Context) -> transfers.TransferPoints:
        """Return the use case's command.

        Raises:
            InvalidInputError: a reference or text cannot be used, or there is no key.
        """
        return transfers.TransferPoints(
            caller=context.caller,
            idempotency_key=context.idempotency_key(self.idempotency_key),
            member=self.member.reference(field="member"),
            recipient=self.to.reference(context, field="to"),
            points=self.points,
            reason=bounded(self.reason, REASON_CHARACTERS_MAX, field="reason") or "",
        )


@strawberry.type(description="What transferPoints did; entry and balance are the giver's.")
class TransferPointsPayload(EntryPayload):
    """The answer of transferPoints."""

    @strawberry.field(description="The transfer, as of now.")
    async def transfer(self, info: Info) -> PointsTransfer | None:
        if self.key is None:
            return None
        one = await batched(info, _transfers, self.key)
        return PointsTransfer(
            state=one.state,
            points=Points(one.points),
            fee=Points(one.fee_points),
            sent_at=one.sent_at,
            settled_at=one.settled_at,
        )

    @strawberry.field(
        description="Who receives the points.", extensions=[NeedsScope(Scope.MEMBERS_READ)]
    )
    async def recipient(
        self, info: Info
    ) -> Annotated["Member", strawberry.lazy("loyalty_graph.graphql.members")] | None:
        if self.key is None:
            return None
        one = await batched(info, _transfers, self.key)
        found: Member | None = await load(info, "Member", one.recipient_id)
        return found


@strawberry.type
class TransferMutation:
    """Mutations of points that change hands."""

    @strawberry.mutation(
        description=(
            "Gives points of a member to another one, with the dates they had, within the limits "
            "of the programme. What cannot arrive comes back."
        ),
        extensions=[
            NeedsScope(Scope.POINTS_ADJUST, member="own", withheld=("reason",)),
            RefusalsAsData(TransferPointsPayload),
        ],
    )
    async def transfer_points(
        self, info: Info, given: Input[TransferPointsInput]
    ) -> TransferPointsPayload | None:
        context = info.context
        done = await transfers.transfer(context.program_id, given.command(context), now=context.now)
        return TransferPointsPayload(
            key=(done.member_id, done.transfer_id),
            entry_sequence=done.entry_sequence,
            balance=Points(done.balance_points),
            replayed=done.replayed,
        )
