"""Activities: what members did beside buying, what it earned, and why if it earned nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry

from loyalty_graph.earning.activities import Hindrance, Verdict, reason_of
from loyalty_graph.graphql.connections import After, Connection, First
from loyalty_graph.graphql.context import Info
from loyalty_graph.graphql.enums import describe_enum
from loyalty_graph.graphql.ids import encode_id
from loyalty_graph.graphql.ledger import LedgerEntry
from loyalty_graph.graphql.member_lists import MemberList
from loyalty_graph.graphql.nodes import Node, load, loads
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.graphql.scalars import Points
from loyalty_graph.identity.rules import Scope
from loyalty_graph.paging import PAGE_SIZE_DEFAULT, Cursor
from loyalty_graph.purchases import reads
from loyalty_graph.purchases.rules import ActivityKind

if TYPE_CHECKING:
    from loyalty_graph.graphql.members import Member


describe_enum(
    ActivityKind,
    "What a member does beside buying.",
    {
        ActivityKind.SIGN_UP: "Joined; the programme sees it itself.",
        ActivityKind.PROFILE_COMPLETED: "Gave all that is asked for; the programme sees it itself.",
        ActivityKind.SOCIAL_FOLLOW: "Follows the shop on a network.",
        ActivityKind.SOCIAL_SHARE: "Told others on a network.",
        ActivityKind.REVIEW: "Wrote a review.",
        ActivityKind.CHECK_IN: "Came to a store.",
        ActivityKind.APP_INSTALLED: "Installed the app.",
        ActivityKind.NEWSLETTER: "Read the newsletter.",
        ActivityKind.SURVEY_ANSWERED: "Answered a survey.",
        ActivityKind.EVENT_ATTENDED: "Came to an event.",
        ActivityKind.BIRTHDAY: "Has a birthday; the programme sees it itself.",
        ActivityKind.ANNIVERSARY: "Joined years ago to the day; the programme sees it itself.",
        ActivityKind.CUSTOM: "Something else; its name says what.",
    },
)
describe_enum(
    Hindrance,
    "Why an activity earned nothing.",
    {
        Hindrance.NO_RULE: "The programme has no rule for its kind.",
        Hindrance.NOT_OPEN: "The rule was not open then.",
        Hindrance.NOT_FOR_MEMBER: "The rule is for other tiers, plans or segments.",
        Hindrance.CONDITION: "The rule's condition did not hold.",
        Hindrance.NEEDS_PROOF: "The rule asks for a proof.",
        Hindrance.COUNTED_ALREADY: "It counts once, and did.",
        Hindrance.COOLDOWN: "It came too soon after the one before; see `until`.",
        Hindrance.ANOTHER_RULE: "Another rule gave points in its place.",
        Hindrance.CAP: "The member had all that the rule gives in a period.",
        Hindrance.BUDGET: "The rule gave all it may in a period.",
    },
    name="ActivityReason",
)


@strawberry.type(description="What an activity earned under one rule.")
class ActivityOutcome:
    """A verdict."""

    rule: str = strawberry.field(description="The rule's code.")
    name: str = strawberry.field(description="What members call the rule.")
    points: Points = strawberry.field(description="What it gave.")
    reason: Hindrance | None = strawberry.field(
        description="Why it gave nothing; null when it gave points."
    )
    until: datetime | None = strawberry.field(
        description="Of COOLDOWN: from when on the next one counts."
    )


@strawberry.type(description="Something a member did beside buying.")
class Activity(Node):
    """An activity."""

    key: strawberry.Private[reads.Key]
    entry_sequence: strawberry.Private[int | None]
    kind: ActivityKind = strawberry.field(description="What it was.")
    name: str | None = strawberry.field(description="Of CUSTOM: what, such as WORKOUT_DONE.")
    network: str | None = strawberry.field(description="The network followed or shared on.")
    proof: str | None = strawberry.field(description="What shows that it was done.")
    store: str | None = strawberry.field(description="Where.")
    occurred_at: datetime = strawberry.field(description="When it was done.")
    recorded_at: datetime = strawberry.field(description="When it was recorded here.")
    points: Points = strawberry.field(description="What it earned.")
    reason: Hindrance | None = strawberry.field(
        description="Why it earned nothing: what its first rule says; null when it earned points."
    )
    outcomes: list[ActivityOutcome] = strawberry.field(
        description="What each rule for its kind gave, in the order of the programme."
    )

    @strawberry.field(description="The entry of the points it earned; null when it earned none.")
    async def entry(self, info: Info) -> LedgerEntry | None:
        if self.entry_sequence is None:
            return None
        key = (self.key[0], self.entry_sequence)
        found: LedgerEntry | None = await load(info, "LedgerEntry", *key)
        return found

    @strawberry.field(
        description="Who did it.", extensions=[NeedsScope(Scope.MEMBERS_READ, member="own")]
    )
    async def member(
        self, info: Info
    ) -> Annotated["Member", strawberry.lazy("loyalty_graph.graphql.members")] | None:
        found: Member | None = await load(info, "Member", self.key[0])
        return found


def activity_of(done: reads.Done) -> Activity:
    """Return an activity as the API shows it."""
    verdicts = [Verdict.of(one) for one in done.verdicts]
    return Activity(
        id=encode_id("Activity", done.member_id, done.id),
        key=(done.member_id, done.id),
        entry_sequence=done.entry_sequence,
        kind=ActivityKind(done.kind),
        name=done.name,
        network=done.network,
        proof=done.proof,
        store=done.store,
        occurred_at=done.occurred_at,
        recorded_at=done.recorded_at,
        points=Points(done.points),
        reason=reason_of(verdicts),
        outcomes=[
            ActivityOutcome(
                rule=one.rule,
                name=one.name,
                points=Points(one.points),
                reason=one.hindrance,
                until=one.until,
            )
            for one in verdicts
        ],
    )


@loads("Activity", UUID, UUID, owner=0)
async def activities_by_key(
    keys: Sequence[reads.Key], *, program_id: UUID, now: datetime
) -> list[Activity | None]:
    """Return the activities with these (member id, activity id) keys."""
    del now
    found = await reads.activities(program_id, keys)
    return [activity_of(found[key]) if key in found else None for key in keys]


MINE = MemberList(
    Cursor("activities", (UUID,)),
    key=lambda done: done.id,
    newest=reads.newest_activities,
    counts=reads.ACTIVITIES.counts,
)


@strawberry.type
class ActiveMember:
    """What a member did beside buying."""

    key: strawberry.Private[UUID]

    @strawberry.field(description="What the member did beside buying, newest first.")
    async def activities(
        self, info: Info, first: First = PAGE_SIZE_DEFAULT, after: After = None
    ) -> Connection[Activity]:
        return await MINE.page(info, self.key, first=first, after=after, node=activity_of)
