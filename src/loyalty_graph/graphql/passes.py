"""Passes in the API: a member's cards, what their copies show, issuing and ending them."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from loyalty_graph.errors import InvalidInputError, PlatformNotConfiguredError
from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.enums import describe_enum
from loyalty_graph.graphql.errors import Payload, RefusalsAsData
from loyalty_graph.graphql.ids import decode_id, encode_id
from loyalty_graph.graphql.inputs import Input, MemberRef
from loyalty_graph.graphql.nodes import Node, batched, load, loads
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.graphql.platforms import Platform
from loyalty_graph.graphql.scalars import EventNumber
from loyalty_graph.identity.rules import Scope
from loyalty_graph.members import service as members
from loyalty_graph.wallet import reads, service, voiding
from loyalty_graph.wallet.desk import PassDesk
from loyalty_graph.wallet.google.desk import OBJECTS_MADE_MAX, GoogleDesk
from loyalty_graph.wallet.preview.drawing import Side, preview
from loyalty_graph.wallet.rules import PassState

PassKey = tuple[UUID, UUID]
"""(member id, the serial as a number)"""
PREVIEWS_MAX = 20
"""Each is some 50 kB, and takes some 10 ms to draw."""

describe_enum(
    PassState,
    "Where a pass is in its life.",
    {
        PassState.CREATED: "Nobody got it yet: offer to add it.",
        PassState.ISSUED: "The file or link was handed out, but no wallet has it: offer to add it.",
        PassState.INSTALLED: "A wallet holds it: offer to view it.",
        PassState.UNINSTALLED: "Wallets held it, and none does now: offer to add it.",
        PassState.VOIDED: "Good for nothing any more: issue a new one.",
        PassState.EXPIRED: "Its time is over.",
    },
)


describe_enum(
    Side,
    "Which side of a card.",
    {
        Side.FRONT: "What is seen first.",
        Side.BACK: "The details behind it, or below it.",
    },
    name="CardSide",
)
CardSide = Annotated[Side, strawberry.argument(name="side", description="Which side.")]


@strawberry.type(description="What the copies of a pass should show, and what they do show.")
class PassFreshness:
    """How fresh the copies of a pass are."""

    wanted_version: EventNumber = strawberry.field(
        description="The number of the newest change; it grows with each."
    )
    delivered_version: EventNumber | None = strawberry.field(
        description="The number of the newest change that was handed out; null before the first."
    )
    stale: bool = strawberry.field(description="A wallet holds a copy that shows something old.")
    lag_seconds: int = strawberry.field(
        description="For how many seconds a copy has shown something old; 0 when none does."
    )


@strawberry.type(description="A member's card on one platform.")
class Pass(Node):
    """A pass and its link."""

    row: strawberry.Private[reads.Card]
    serial: str = strawberry.field(description="Stays the same however often the card changes.")
    platform: Platform = strawberry.field(description="Whose wallet it lives in.")
    issued_at: datetime = strawberry.field(description="When the member got it.")

    @strawberry.field(description="Where it is in its life; tells whether to offer Add or View.")
    async def state(self, info: Info) -> PassState:
        return (await batched(info, standings, self.row)).state

    @strawberry.field(
        description=(
            "How many devices told that they hold it. "
            "Google tells only whether it is saved: 1 or 0."
        )
    )
    async def installed_devices(self, info: Info) -> int:
        return (await batched(info, standings, self.row)).copies

    @strawberry.field(description="Whether the copies show what they should.")
    async def freshness(self, info: Info) -> PassFreshness:
        fresh = (await batched(info, standings, self.row)).freshness
        return PassFreshness(
            wanted_version=EventNumber(fresh.wanted),
            delivered_version=None if fresh.delivered is None else EventNumber(fresh.delivered),
            stale=fresh.stale,
            lag_seconds=math.ceil(fresh.lag.total_seconds()),
        )

    @strawberry.field(
        description=(
            "Opens the card for the points of that moment: a file for Apple Wallet, for Google "
            "Wallet the page that saves it. Good for a week."
        )
    )
    def url(self, info: Info) -> str:
        context = info.context
        return context.desk.link(context.program_id, self.serial, now=context.now)

    @strawberry.field(
        description=(
            "Google's own link that saves the card; null for Apple Wallet, for a void card, and "
            f"while Google cannot be reached. At most {OBJECTS_MADE_MAX} cards that Google does "
            "not know yet are brought to it with one request; the others have a link when it is "
            "asked for again."
        )
    )
    async def save_url(self, info: Info) -> str | None:
        google = info.context.desk.google
        if google is None or self.platform is not Platform.GOOGLE or self.row.voided_at:
            return None
        return await batched(info, _save_urls, self.serial, google=google)

    @strawberry.field(
        description=f"The card as a phone shows it, as SVG; of {PREVIEWS_MAX} cards at a time."
    )
    async def preview_svg(self, info: Info, side: CardSide = Side.FRONT) -> str | None:
        return await batched(info, _previews, self.row, desk=info.context.desk, side=side)

    @strawberry.field(description="Signed without Apple's certificate: phones will not add it.")
    def development(self, info: Info) -> bool:
        return self.platform is Platform.APPLE and info.context.desk.development


def pass_of(row: reads.Card) -> Pass:
    """Return a pass as the API shows one."""
    return Pass(
        id=encode_id("Pass", row.member_id, UUID(row.serial)),
        row=row,
        serial=row.serial,
        platform=Platform(row.platform),
        issued_at=row.issued_at,
    )


@loads("Pass", UUID, UUID, owner=0)
async def passes_by_key(
    keys: Sequence[PassKey], *, program_id: UUID, now: datetime
) -> list[Pass | None]:
    """Return the passes with these keys."""
    del now
    wanted = [(member_id, serial.hex) for member_id, serial in keys]
    found = await reads.passes_by_key(program_id, wanted)
    return [pass_of(found[key]) if key in found else None for key in wanted]


async def standings(
    rows: Sequence[reads.Card], *, program_id: UUID, now: datetime
) -> list[reads.Standing]:
    """Return how passes stand at this moment."""
    found = await reads.standings(program_id, rows, now=now)
    return [found[row.serial] for row in rows]


async def _save_urls(
    serials: Sequence[str], *, program_id: UUID, now: datetime, google: GoogleDesk
) -> list[str | None]:
    found = await google.save_urls(program_id, serials, now=now)
    return [found.get(serial) for serial in serials]


async def _previews(
    rows: Sequence[reads.Card], *, program_id: UUID, now: datetime, desk: PassDesk, side: Side
) -> list[str | None]:
    """Draw these cards; that takes a moment, so that only so many are drawn at a time.

    Raises:
        InvalidInputError: There are more.
    """
    if len(rows) > PREVIEWS_MAX:
        raise InvalidInputError(f"At most {PREVIEWS_MAX} cards are drawn at a time.")
    found = await service.faces(program_id, sorted({row.member_id for row in rows}), now=now)

    def draw(row: reads.Card) -> str | None:
        face = found.get(row.member_id)
        if face is None:
            return None
        face = replace(face, void=face.void or row.voided_at is not None)
        printer, platform = desk.printer_of(face), Platform(row.platform)
        return preview(face, printer, platform=platform, side=side)

    return await asyncio.to_thread(lambda: [draw(row) for row in rows])


@strawberry.input(description="Who gets a card, and for which wallet.")
class IssuePassInput:
    """The input of issuePass."""

    member: MemberRef = strawberry.field(description="The member.")
    platform: Platform = strawberry.field(
        default=Platform.APPLE, description="Whose wallet the card is for."
    )


@strawberry.input(description="Whose copies are fetched again.")
class RefreshPassInput:
    """The input of refreshPass."""

    pass_id: strawberry.ID = strawberry.field(description="Which pass.")


@strawberry.input(description="What becomes void.")
class VoidPassInput:
    """The input of voidPass."""

    pass_id: strawberry.ID = strawberry.field(description="Which pass.")


@strawberry.type
class _PassPayload(Payload):
    key: strawberry.Private[PassKey | None] = None

    @strawberry.field(name="pass", description="The card, as of now.")
    async def found(self, info: Info) -> Pass | None:
        if self.key is None:
            return None
        found: Pass | None = await load(info, "Pass", *self.key)
        return found


@strawberry.type(description="What issuePass did.")
class IssuePassPayload(_PassPayload):
    """The answer of issuePass."""


@strawberry.type(description="What refreshPass did.")
class RefreshPassPayload(_PassPayload):
    """The answer of refreshPass."""


@strawberry.type(description="What voidPass did.")
class VoidPassPayload(_PassPayload):
    """The answer of voidPass."""


def _key(pass_id: strawberry.ID) -> PassKey:
    return decode_id(pass_id, expected="Pass", field="passId").pair(field="passId")


async def _issue(context: Context, given: IssuePassInput) -> PassKey:
    """Give the member a card for a wallet that this installation serves; return its key."""
    if given.platform is Platform.GOOGLE and context.desk.google is None:
        raise PlatformNotConfiguredError(given.platform.capitalize())
    member = await members.find(context.program_id, given.member.reference(field="member"))
    if given.platform is Platform.APPLE:
        serials = await context.desk.serials(
            context.program_id, [member.id], now=context.now, by=context.caller
        )
    else:
        serials = await service.issue(
            context.program_id, [member.id], given.platform, now=context.now, by=context.caller
        )
    return member.id, UUID(serials[member.id])


@strawberry.type
class PassMutation:
    """Mutations of passes."""

    @strawberry.mutation(
        description=(
            "Gives a member a card for one wallet, once, and a fresh link to it each time. "
            "After a void one the member gets another, with a serial of its own."
        ),
        extensions=[NeedsScope(Scope.PASSES_ISSUE, member="own"), RefusalsAsData(IssuePassPayload)],
    )
    async def issue_pass(self, info: Info, given: Input[IssuePassInput]) -> IssuePassPayload | None:
        return IssuePassPayload(key=await _issue(info.context, given))

    @strawberry.mutation(
        description=(
            "Has every copy of a card fetched again, with the member's other cards; "
            "what changes by itself needs no such help."
        ),
        extensions=[NeedsScope(Scope.PASSES_ISSUE), RefusalsAsData(RefreshPassPayload)],
    )
    async def refresh_pass(
        self, info: Info, given: Input[RefreshPassInput]
    ) -> RefreshPassPayload | None:
        context, (member_id, serial) = info.context, _key(given.pass_id)
        who, now = context.caller, context.now
        await voiding.refresh(context.program_id, member_id, serial.hex, now=now, by=who)
        return RefreshPassPayload(key=(member_id, serial))

    @strawberry.mutation(
        description=(
            "Makes a card good for nothing, for good: all its copies turn grey. "
            "Doing so again changes nothing."
        ),
        extensions=[NeedsScope(Scope.PASSES_ISSUE), RefusalsAsData(VoidPassPayload)],
    )
    async def void_pass(self, info: Info, given: Input[VoidPassInput]) -> VoidPassPayload | None:
        context, (member_id, serial) = info.context, _key(given.pass_id)
        who, now = context.caller, context.now
        await voiding.void(context.program_id, member_id, serial.hex, now=now, by=who)
        return VoidPassPayload(key=(member_id, serial))
