"""Roll-outs in the API: how far a change of the cards' look has come, and letting it rest."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import strawberry

from loyalty_graph.errors import NotFoundError
from loyalty_graph.graphql.connections import First
from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.enums import describe_enum
from loyalty_graph.graphql.errors import Payload, RefusalsAsData
from loyalty_graph.graphql.ids import decode_id, encode_id
from loyalty_graph.graphql.inputs import Input
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.identity.rules import Scope
from loyalty_graph.paging import page_size
from loyalty_graph.wallet import rollouts
from loyalty_graph.wallet.rollouts import ROLLOUTS_MAX, RolloutState

describe_enum(
    RolloutState,
    "How far a roll-out is.",
    {
        RolloutState.RUNNING: "It goes from card to card.",
        RolloutState.PAUSED: "It rests where it is.",
        RolloutState.DONE: "Every card was told.",
        RolloutState.SUPERSEDED: "Another change came; that one goes to all cards anew.",
    },
    name="CardRolloutState",
)


@strawberry.type(
    description="A change that all cards of the programme show, on its way to them at a pace."
)
class CardRollout:
    """A roll-out."""

    id: strawberry.ID = strawberry.field(description="Names it when it is paused or resumed.")
    reason: str = strawberry.field(description="What changed, such as a template.")
    state: RolloutState = strawberry.field(description="How far it is.")
    members: int = strawberry.field(description="How many members hold cards.")
    marked: int = strawberry.field(description="Of how many the cards are to be fetched again.")
    begun_at: datetime = strawberry.field(description="When the change was made.")
    ended_at: datetime | None = strawberry.field(
        description="When the last card was told, or another change came; null until then."
    )


def rollout_of(found: rollouts.Rollout) -> CardRollout:
    """Return a roll-out as the API shows one."""
    return CardRollout(
        id=encode_id("CardRollout", found.id),
        reason=found.reason,
        state=found.state,
        members=found.total,
        marked=found.marked,
        begun_at=found.begun_at,
        ended_at=found.ended_at,
    )


@strawberry.input(description="Which roll-out rests.")
class PauseRolloutInput:
    """The input of pauseRollout."""

    rollout_id: strawberry.ID = strawberry.field(description="The one that is under way.")


@strawberry.input(description="Which roll-out goes on.")
class ResumeRolloutInput:
    """The input of resumeRollout."""

    rollout_id: strawberry.ID = strawberry.field(description="The one that rests.")


@strawberry.type
class _RolloutPayload(Payload):
    rollout: CardRollout | None = strawberry.field(default=None, description="As it is now.")


@strawberry.type(description="What pauseRollout did.")
class PauseRolloutPayload(_RolloutPayload):
    """The answer of pauseRollout."""


@strawberry.type(description="What resumeRollout did.")
class ResumeRolloutPayload(_RolloutPayload):
    """The answer of resumeRollout."""


async def _check_open(context: Context, rollout_id: strawberry.ID) -> UUID:
    """Return the programme whose roll-out this is, if it is under way.

    Raises:
        InvalidInputError: It is no id of a roll-out.
        NotFoundError: It has ended, or was never begun here.
    """
    given = decode_id(rollout_id, expected="CardRollout", field="rolloutId")
    wanted = given.uuid(field="rolloutId")
    newest: Sequence[rollouts.Rollout] = await rollouts.progress(context.program_id, limit=1)
    if not any(one.id == wanted and one.ended_at is None for one in newest):
        raise NotFoundError("roll-out", f"{rollout_id} under way", field="rolloutId")
    return context.program_id


@strawberry.type
class RolloutQuery:
    """Queries about roll-outs."""

    @strawberry.field(
        description="How far changes of the cards' look have come, the newest first.",
        extensions=[NeedsScope(Scope.PROGRAM_WRITE)],
    )
    async def card_rollouts(self, info: Info, first: First = ROLLOUTS_MAX) -> list[CardRollout]:
        found = await rollouts.progress(info.context.program_id, limit=page_size(first))
        return [rollout_of(one) for one in found]


@strawberry.type
class RolloutMutation:
    """Mutations of roll-outs."""

    @strawberry.mutation(
        description="Lets a roll-out rest where it is; one that rests already is left so.",
        extensions=[NeedsScope(Scope.PROGRAM_WRITE), RefusalsAsData(PauseRolloutPayload)],
    )
    async def pause_rollout(
        self, info: Info, given: Input[PauseRolloutInput]
    ) -> PauseRolloutPayload | None:
        program_id = await _check_open(info.context, given.rollout_id)
        found = await rollouts.pause(program_id, now=info.context.now, by=info.context.caller)
        return PauseRolloutPayload(rollout=rollout_of(found))

    @strawberry.mutation(
        description="Lets a roll-out that rests go on where it was.",
        extensions=[NeedsScope(Scope.PROGRAM_WRITE), RefusalsAsData(ResumeRolloutPayload)],
    )
    async def resume_rollout(
        self, info: Info, given: Input[ResumeRolloutInput]
    ) -> ResumeRolloutPayload | None:
        program_id = await _check_open(info.context, given.rollout_id)
        found = await rollouts.resume(program_id, now=info.context.now, by=info.context.caller)
        return ResumeRolloutPayload(rollout=rollout_of(found))
