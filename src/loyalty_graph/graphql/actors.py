"""Who did something, as the API shows it."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import strawberry

from loyalty_graph.graphql.context import Info
from loyalty_graph.graphql.enums import describe_enum
from loyalty_graph.graphql.nodes import batched
from loyalty_graph.identity import reads


class ActorKind(StrEnum):
    """What kind of somebody did it."""

    MEMBER = "MEMBER"
    PARTNER = "PARTNER"
    STAFF = "STAFF"
    CLI = "CLI"
    SYSTEM = "SYSTEM"


describe_enum(
    ActorKind,
    "What kind of somebody did it.",
    {
        ActorKind.MEMBER: "A member, for himself.",
        ActorKind.PARTNER: "A till, a shop or another system, with a token of its own.",
        ActorKind.STAFF: "Somebody who runs the programme.",
        ActorKind.CLI: "An operator, on the command line.",
        ActorKind.SYSTEM: "The programme itself, as its rules say.",
    },
)
_KINDS = {kind.lower(): kind for kind in ActorKind}


@strawberry.type(description="Who did something.")
class Actor:
    """An actor."""

    kind: ActorKind = strawberry.field(description="What kind of somebody it is.")
    id: str | None = strawberry.field(
        description="Which one; null on the command line and for the programme itself."
    )
    name: str | None = strawberry.field(description="The name of a partner or of somebody's.")


async def actor(info: Info, caller: str) -> Actor:
    """Return who a caller, such as `staff:<id>`, is."""
    return await batched(info, _actors, caller)


async def _actors(callers: Sequence[str], *, program_id: UUID, now: datetime) -> list[Actor]:
    del now
    found = await reads.actors(program_id, callers)
    return [
        Actor(kind=_KINDS.get(one.kind, ActorKind.SYSTEM), id=one.id, name=one.name)
        for one in found
    ]
