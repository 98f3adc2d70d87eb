"""Recording what members did beside buying: one, or many at once."""

from collections.abc import Sequence
from datetime import datetime

import strawberry

from loyalty_graph.errors import InvalidInputError, LoyaltyError
from loyalty_graph.graphql.activities import Activity
from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.entry_payload import EntryPayload
from loyalty_graph.graphql.errors import Payload, RefusalsAsData, user_error
from loyalty_graph.graphql.inputs import KEY, Input, MemberRef, bounded
from loyalty_graph.graphql.nodes import load
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.graphql.scalars import Points
from loyalty_graph.identity.rules import Scope
from loyalty_graph.purchases.rules import (
    ACTIVITY_NAME_LENGTH_MAX,
    NETWORK_LENGTH_MAX,
    PROOF_LENGTH_MAX,
    STORE_LENGTH_MAX,
    ActivityKind,
    Deed,
    one_network,
)
from loyalty_graph.usecases import activities
from loyalty_graph.usecases.posting import BATCH_MAX


@strawberry.input(description="Something a member did beside buying.")
class RecordActivityInput:
    """The input of recordActivity."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    member: MemberRef = strawberry.field(description="Who did it.")
    kind: ActivityKind = strawberry.field(
        description="What it was; none of those that the programme sees itself."
    )
    name: str | None = strawberry.field(
        default=None, description="Of CUSTOM: what, such as WORKOUT_DONE; at most 40 characters."
    )
    network: str | None = strawberry.field(
        default=None,
        description="Of SOCIAL_FOLLOW and SOCIAL_SHARE: where, such as INSTAGRAM, in any case.",
    )
    proof: str | None = strawberry.field(
        default=None,
        description="What shows it, such as the number of an order; at most 100 characters.",
    )
    store: str | None = strawberry.field(
        default=None,
        description="Where; CHECK_IN needs it. A token may be for one store only.",
    )
    occurred_at: datetime | None = strawberry.field(
        default=None, description="When it was done; now, if not given."
    )

    def command(self, context: Context) -> activities.RecordActivity:
        """Return the use case's command.

        Raises:
            InvalidInputError: a reference or text cannot be used.
            WrongStoreError: the token is for another store.
        """
        network = bounded(self.network, NETWORK_LENGTH_MAX, field="network")
        store = bounded(self.store, STORE_LENGTH_MAX, field="store")
        return activities.RecordActivity(
            caller=context.caller,
            idempotency_key=context.idempotency_key(self.idempotency_key),
            member=self.member.reference(field="member"),
            deed=Deed(
                kind=self.kind,
                name=bounded(self.name, ACTIVITY_NAME_LENGTH_MAX, field="name"),
                network=None if network is None else one_network(network),
                proof=bounded(self.proof, PROOF_LENGTH_MAX, field="proof"),
                store=context.viewer.acting_store(store),
            ),
            occurred_at=self.occurred_at or context.now,
            is_dated=self.occurred_at is not None,
            issuer=context.viewer.issuer,
        )


@strawberry.type(description="What recordActivity did.")
class RecordActivityPayload(EntryPayload):
    """The answer of recordActivity."""

    points: Points | None = strawberry.field(default=None, description="What it earned.")

    @strawberry.field(description="The activity; it says why, if it earned nothing.")
    async def activity(self, info: Info) -> Activity | None:
        if self.key is None:
            return None
        found: Activity | None = await load(info, "Activity", *self.key)
        return found


@strawberry.input(description="Activities to record together.")
class RecordActivitiesInput:
    """The input of recordActivities."""

    activities: list[RecordActivityInput] = strawberry.field(
        description=(
            "1 to 500, each with its own idempotency key. To one without, the header "
            "Idempotency-Key gives its own text, a slash, and the place, counted from 0."
        )
    )


@strawberry.type(description="What recordActivities did.")
class RecordActivitiesPayload(Payload):
    """The answer of recordActivities."""

    results: list[RecordActivityPayload] = strawberry.field(
        default_factory=list,
        description="One for each, in order: done, or refused without disturbing the others.",
    )


def _recorded(outcome: activities.ActivityRecorded | LoyaltyError) -> RecordActivityPayload:
    if isinstance(outcome, LoyaltyError):
        return RecordActivityPayload(user_errors=[user_error(outcome)])
    return RecordActivityPayload(
        key=(outcome.member_id, outcome.activity_id),
        entry_sequence=outcome.entry_sequence,
        points=Points(outcome.points),
        balance=Points(outcome.balance_points),
        replayed=outcome.replayed,
    )


async def _record_all(
    context: Context, given: Sequence[RecordActivityInput]
) -> list[RecordActivityPayload]:
    """Record what can be recorded; what is malformed is refused in its place.

    Raises:
        InvalidInputError: none, or too many.
    """
    if not 0 < len(given) <= BATCH_MAX:
        raise InvalidInputError(f"Give 1 to {BATCH_MAX} activities at once.", field="activities")
    wanted = [_command_or_refusal(one, context.at_place(place)) for place, one in enumerate(given)]
    sound = [one for one in wanted if isinstance(one, activities.RecordActivity)]
    outcomes = iter(await activities.record(context.program_id, sound, now=context.now))
    return [_recorded(one if isinstance(one, LoyaltyError) else next(outcomes)) for one in wanted]


def _command_or_refusal(
    given: RecordActivityInput, context: Context
) -> activities.RecordActivity | LoyaltyError:
    try:
        return given.command(context)
    except LoyaltyError as refusal:
        return refusal


@strawberry.type
class ActivityMutation:
    """Mutations of activities."""

    @strawberry.mutation(
        description=(
            "Records something a member did beside buying, and credits what it earns. What earns "
            "nothing is recorded all the same, with the reason."
        ),
        extensions=[NeedsScope(Scope.PURCHASES_WRITE), RefusalsAsData(RecordActivityPayload)],
    )
    async def record_activity(
        self, info: Info, given: Input[RecordActivityInput]
    ) -> RecordActivityPayload | None:
        context = info.context
        command = given.command(context)
        [done] = await activities.record(context.program_id, [command], now=context.now)
        return _recorded(done)

    @strawberry.mutation(
        description="Records up to 500 activities at once.",
        extensions=[NeedsScope(Scope.PURCHASES_WRITE), RefusalsAsData(RecordActivitiesPayload)],
    )
    async def record_activities(
        self, info: Info, given: Input[RecordActivitiesInput]
    ) -> RecordActivitiesPayload | None:
        return RecordActivitiesPayload(results=await _record_all(info.context, given.activities))
