"""What is done with holds: set points aside, spend them, give them back."""

from typing import TypeVar

import strawberry

from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.entry_payload import EntryPayload
from loyalty_graph.graphql.errors import RefusalsAsData
from loyalty_graph.graphql.holds import PointsHold
from loyalty_graph.graphql.ids import decode_id
from loyalty_graph.graphql.inputs import (
    KEY,
    REASON,
    REASON_CHARACTERS_MAX,
    Input,
    MemberRef,
    bounded,
)
from loyalty_graph.graphql.nodes import load
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.graphql.scalars import Points
from loyalty_graph.identity.rules import Scope
from loyalty_graph.usecases import points_holds
from loyalty_graph.usecases.points_holds import EndHold, HoldMoved, HoldPoints, HoldStep

WHICH = "Which one, by its id in this API."
Told = TypeVar("Told", bound="HoldPayload")


@strawberry.type
class HoldPayload(EntryPayload):
    """What the payloads of mutations about a hold have in common."""

    @strawberry.field(description="The hold, as of now.")
    async def hold(self, info: Info) -> PointsHold | None:
        if self.key is None:
            return None
        found: PointsHold | None = await load(info, "PointsHold", *self.key)
        return found


@strawberry.type(description="What holdPoints did.")
class HoldPointsPayload(HoldPayload):
    """The answer of holdPoints."""


@strawberry.type(description="What captureHold did; its entry is the one that spent the points.")
class CaptureHoldPayload(HoldPayload):
    """The answer of captureHold."""


@strawberry.type(description="What releaseHold did.")
class ReleaseHoldPayload(HoldPayload):
    """The answer of releaseHold."""


@strawberry.input(description="Points to set aside for a while.")
class HoldPointsInput:
    """The input of holdPoints."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    member: MemberRef = strawberry.field(description="Whose points.")
    points: Points = strawberry.field(description="How many.")
    minutes: int = strawberry.field(
        description=f"For how long: 1 to {points_holds.MINUTES_MAX} minutes; then they go back."
    )
    reason: str = strawberry.field(description=REASON)

    def command(self, context: Context) -> HoldPoints:
        """Return the use case's command.

        Raises:
            InvalidInputError: the member's reference is malformed, or there is no key.
            IdempotencyKeysDifferError: the request has another key than the input.
        """
        return HoldPoints(
            caller=context.caller,
            idempotency_key=context.idempotency_key(self.idempotency_key),
            member=self.member.reference(field="member"),
            points=self.points,
            minutes=self.minutes,
            reason=self.reason.strip(),
        )


@strawberry.input(description="A hold whose points are to be spent.")
class CaptureHoldInput:
    """The input of captureHold."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    hold_id: strawberry.ID = strawberry.field(description=WHICH)
    points: Points | None = strawberry.field(
        default=None, description="How many; the rest goes back. All of them, if not given."
    )
    reason: str | None = strawberry.field(default=None, description=REASON)

    def command(self, context: Context) -> EndHold:
        """Return the use case's command.

        Raises:
            InvalidInputError: it is no id of a hold, the reason is too long, or there is no key.
        """
        return _ending(context, HoldStep.CAPTURE, self, self.points)


@strawberry.input(description="A hold whose points are not needed.")
class ReleaseHoldInput:
    """The input of releaseHold."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    hold_id: strawberry.ID = strawberry.field(description=WHICH)
    reason: str | None = strawberry.field(default=None, description=REASON)

    def command(self, context: Context) -> EndHold:
        """Return the use case's command.

        Raises:
            InvalidInputError: it is no id of a hold, the reason is too long, or there is no key.
        """
        return _ending(context, HoldStep.RELEASE, self)


def _ending(
    context: Context,
    step: HoldStep,
    given: CaptureHoldInput | ReleaseHoldInput,
    points: Points | None = None,
) -> EndHold:
    member_id, hold_id = decode_id(given.hold_id, expected="PointsHold", field="holdId").pair(
        field="holdId"
    )
    return EndHold(
        caller=context.caller,
        idempotency_key=context.idempotency_key(given.idempotency_key),
        step=step,
        member_id=member_id,
        hold_id=hold_id,
        points=points,
        reason=bounded(given.reason, REASON_CHARACTERS_MAX, field="reason") or "",
    )


def _told(payload: type[Told], done: HoldMoved) -> Told:
    return payload(
        key=(done.member_id, done.hold_id),
        entry_sequence=done.entry_sequence,
        balance=Points(done.balance_points),
        replayed=done.replayed,
    )


@strawberry.type
class HoldMutation:
    """Mutations of holds."""

    @strawberry.mutation(
        description=(
            "Sets points aside while it is open whether they are needed, as for a booking. "
            "For a reward, redeem it with holdMinutes instead."
        ),
        extensions=[NeedsScope(Scope.REWARDS_REDEEM), RefusalsAsData(HoldPointsPayload)],
    )
    async def hold_points(
        self, info: Info, given: Input[HoldPointsInput]
    ) -> HoldPointsPayload | None:
        context = info.context
        command = given.command(context)
        done = await points_holds.hold(context.program_id, command, now=context.now)
        return _told(HoldPointsPayload, done)

    @strawberry.mutation(
        description="Spends points that a hold set aside, or a part; the rest goes back.",
        extensions=[NeedsScope(Scope.REWARDS_REDEEM), RefusalsAsData(CaptureHoldPayload)],
    )
    async def capture_hold(
        self, info: Info, given: Input[CaptureHoldInput]
    ) -> CaptureHoldPayload | None:
        context = info.context
        command = given.command(context)
        done = await points_holds.end(context.program_id, command, now=context.now)
        return _told(CaptureHoldPayload, done)

    @strawberry.mutation(
        description="Gives points that a hold set aside back to where they were.",
        extensions=[NeedsScope(Scope.REWARDS_REDEEM), RefusalsAsData(ReleaseHoldPayload)],
    )
    async def release_hold(
        self, info: Info, given: Input[ReleaseHoldInput]
    ) -> ReleaseHoldPayload | None:
        context = info.context
        command = given.command(context)
        done = await points_holds.end(context.program_id, command, now=context.now)
        return _told(ReleaseHoldPayload, done)
