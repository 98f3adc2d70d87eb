"""Tiers: which there are, where members stand, and how they came there."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from loyalty_graph.benefits import service as benefits
from loyalty_graph.benefits.rules import Benefit as Definition
from loyalty_graph.graphql.benefits import Benefit, benefit_of
from loyalty_graph.graphql.connections import After, Connection, First
from loyalty_graph.graphql.context import Info
from loyalty_graph.graphql.enums import describe_enum
from loyalty_graph.graphql.inputs import MemberRef
from loyalty_graph.graphql.member_lists import MemberList
from loyalty_graph.graphql.money import Money, money_of
from loyalty_graph.graphql.nodes import batched
from loyalty_graph.graphql.permissions import Everybody, NeedsScope
from loyalty_graph.graphql.programs import Slug, program_asked_for
from loyalty_graph.graphql.scalars import Points
from loyalty_graph.identity.rules import Scope
from loyalty_graph.members import service as members
from loyalty_graph.paging import PAGE_SIZE_DEFAULT, Cursor
from loyalty_graph.programs import service as programs
from loyalty_graph.tiers import reads
from loyalty_graph.tiers.rules import Basis, Downgrade, TierLevel, TierSettings, Window
from loyalty_graph.tiers.standing import ChangeKind

WHOLE_PERCENT = 100

describe_enum(
    Basis,
    "What is counted for tiers.",
    {
        Basis.SPEND: "What was spent, net of discounts and refunds, without tax.",
        Basis.QUALIFYING_POINTS: "Points that purchases earned; spending them takes nothing off.",
    },
    name="TierBasis",
)
describe_enum(
    Window,
    "Over which time it is counted, in the programme's time zone.",
    {
        Window.CALENDAR_YEAR: "From January to December.",
        Window.ROLLING_12_MONTHS: "The last twelve months, to the day.",
    },
    name="TierWindow",
)
describe_enum(
    Downgrade,
    "What becomes of a member who did not keep the tier.",
    {
        Downgrade.NONE: "Keeps it all the same.",
        Downgrade.ONE_STEP: "Falls to the next lower one.",
        Downgrade.TO_EARNED: "Falls to the highest that would have been kept.",
    },
    name="TierDowngrade",
)
describe_enum(
    ChangeKind,
    "Why a member's tier changed.",
    {
        ChangeKind.UPGRADED: "Bought enough for a higher one.",
        ChangeKind.DOWNGRADED: "Did not buy enough to keep it.",
        ChangeKind.OVERRIDDEN: "Was given another by hand.",
        ChangeKind.OVERRIDE_ENDED: "What was given by hand has ended.",
        ChangeKind.RULES_CHANGED: "The programme has other tiers now.",
    },
    name="TierChangeKind",
)


@strawberry.type(description="A tier of the programme.")
class Tier:
    """A tier."""

    code: str = strawberry.field(description="What overrideTier calls it, such as GOLD.")
    name: str = strawberry.field(description="What members call it.")
    rank: int = strawberry.field(description="Counts the tiers from 0, the lowest.")
    basis: Basis = strawberry.field(description="What is counted.")
    window: Window = strawberry.field(description="Over which time.")
    entry_amount: Money | None = strawberry.field(
        description="What reaches it; null where points are counted."
    )
    entry_points: Points | None = strawberry.field(
        description="What reaches it; null where money is counted."
    )
    keep_amount: Money | None = strawberry.field(
        description="What keeps it in the next window; null where points are counted."
    )
    keep_points: Points | None = strawberry.field(
        description="What keeps it in the next window; null where money is counted."
    )
    downgrade: Downgrade = strawberry.field(description="What becomes of who does not keep it.")
    grace_days: int = strawberry.field(description="How many days it stays after the window.")
    multiplier: str = strawberry.field(
        description='By what purchases earn more: an exact ratio such as "5/4", or "1".'
    )
    color: str | None = strawberry.field(description="A CSS colour; null when none is set.")
    benefits: list[Benefit] = strawberry.field(description="What it grants.")


@strawberry.type(description="A tier that will be lost if nothing more is bought.")
class TierRisk:
    """What threatens, and what would avert it."""

    at: datetime = strawberry.field(description="When.")
    to_tier: Tier | None = strawberry.field(description="What is left then; null for none.")
    amount_to_keep: Money | None = strawberry.field(
        description="What is missing; null where points are counted, or nothing helps."
    )
    points_to_keep: Points | None = strawberry.field(
        description="What is missing; null where money is counted, or nothing helps."
    )


@strawberry.type(description="Where a member stands among the tiers.")
class TierStatus:
    """A member's tier and what comes next."""

    tier: Tier | None = strawberry.field(description="The tier; null when none was reached.")
    since: datetime | None = strawberry.field(
        description="When the member came to it; null when that was on joining."
    )
    until: datetime | None = strawberry.field(
        description="When it ends if nothing more is bought; null when never."
    )
    amount: Money | None = strawberry.field(
        description="What was spent in the present window; null where points are counted."
    )
    points: Points | None = strawberry.field(
        description="What was earned in the present window; null where money is counted."
    )
    progress: int = strawberry.field(
        description="How far it is to the next tier, in whole percent; 100 at the highest."
    )
    next: Tier | None = strawberry.field(description="The next tier; null at the highest.")
    amount_to_next: Money | None = strawberry.field(
        description="What is missing for it; null at the highest or where points are counted."
    )
    points_to_next: Points | None = strawberry.field(
        description="What is missing for it; null at the highest or where money is counted."
    )
    risk: TierRisk | None = strawberry.field(
        description="How the tier is lost at the end of this period; null when it is not."
    )
    projected: Tier | None = strawberry.field(
        description="The tier after this period if nothing more is bought; null for none."
    )


@strawberry.type(description="A change of a member's tier.")
class TierChange:
    """One change."""

    sequence: int = strawberry.field(description="Counts the member's changes from 1.")
    kind: ChangeKind = strawberry.field(description="Why.")
    tier_before: str | None = strawberry.field(description="The code; null for none.")
    tier_after: str | None = strawberry.field(description="The code; null for none.")
    at: datetime = strawberry.field(description="When.")
    reason: str = strawberry.field(description="What was said where it was done by hand.")


class _Shown:
    """The programme's tiers as the API shows them."""

    def __init__(
        self, settings: TierSettings, known: Mapping[str, Definition], currency: str
    ) -> None:
        self.settings, self.known, self.currency = settings, known, currency
        self.tiers: dict[str, Tier] = {}

    @classmethod
    async def of(
        cls, program_id: UUID, *, now: datetime, at: datetime | None = None
    ) -> "_Shown | None":
        """Return the tiers in force `at` an instant, or now."""
        version = await programs.in_force(program_id, at or now, now=now)
        settings = await reads.settings(program_id, now=now, at=at)
        if settings is None:
            return None
        return cls(settings, await benefits.benefits(version), version.settings.currency)

    def money(self, value: int) -> Money | None:
        counts = self.settings.basis is Basis.SPEND
        return money_of(value, self.currency) if counts else None

    def points(self, value: int) -> Points | None:
        return None if self.settings.basis is Basis.SPEND else Points(value)

    def tier(self, code: str | None) -> Tier | None:
        level = self.settings.level(code)
        return None if level is None else self.level(level)

    def level(self, level: TierLevel) -> Tier:
        """Return a tier, made once however many members have it."""
        if level.code not in self.tiers:
            self.tiers[level.code] = self._made(level)
        return self.tiers[level.code]

    def _made(self, level: TierLevel) -> Tier:
        return Tier(
            code=level.code,
            name=level.name,
            rank=self.settings.rank(level.code),
            basis=self.settings.basis,
            window=self.settings.window,
            entry_amount=self.money(level.entry),
            entry_points=self.points(level.entry),
            keep_amount=self.money(level.keep),
            keep_points=self.points(level.keep),
            downgrade=self.settings.downgrade,
            grace_days=self.settings.grace_days,
            multiplier=str(level.multiplier),
            color=level.color,
            benefits=[benefit_of(self.known[code]) for code in level.benefits],
        )

    def status(self, one: reads.Status) -> TierStatus:
        following, at = one.next, one.outlook.falls_at
        return TierStatus(
            tier=self.tier(one.tier),
            since=one.since,
            until=one.outlook.until,
            amount=self.money(one.value),
            points=self.points(one.value),
            progress=_percent(one.value, following),
            next=None if following is None else self.level(following),
            amount_to_next=self.money(one.missing) if following else None,
            points_to_next=self.points(one.missing) if following else None,
            risk=None if at is None else self.risk(one, at),
            projected=self.tier(one.outlook.projected),
        )

    def risk(self, one: reads.Status, at: datetime) -> TierRisk:
        missing = one.outlook.missing
        return TierRisk(
            at=at,
            to_tier=self.tier(one.outlook.projected),
            amount_to_keep=self.money(missing) if missing else None,
            points_to_keep=self.points(missing) if missing else None,
        )


def _percent(value: int, following: TierLevel | None) -> int:
    if following is None:
        return WHOLE_PERCENT
    return min(WHOLE_PERCENT, value * WHOLE_PERCENT // following.entry)


async def tier_statuses(
    member_ids: Sequence[UUID], *, program_id: UUID, now: datetime
) -> list[TierStatus | None]:
    """Return where each of these members stands; None when the programme has no tiers."""
    shown = await _Shown.of(program_id, now=now)
    if shown is None:
        return [None for _ in member_ids]
    found = await reads.statuses(program_id, member_ids, now=now)
    return [shown.status(found[member_id]) for member_id in member_ids]


async def _statuses_then(
    member_ids: Sequence[UUID], *, program_id: UUID, now: datetime, as_of: datetime
) -> list[TierStatus | None]:
    shown = await _Shown.of(program_id, now=now, at=as_of)
    if shown is None:
        return [None for _ in member_ids]
    found = await reads.statuses_then(program_id, member_ids, at=as_of, now=now)
    return [shown.status(found[member_id]) for member_id in member_ids]


CHANGES = MemberList(
    Cursor("tierChanges", (int,)),
    key=lambda change: change.sequence,
    newest=reads.history,
    counts=reads.history_counts,
)


def _change(one: reads.PastChange) -> TierChange:
    return TierChange(
        sequence=one.sequence,
        kind=one.kind,
        tier_before=one.tier_before,
        tier_after=one.tier_after,
        at=one.at,
        reason=one.reason,
    )


@strawberry.type
class TieredMember:
    """Where a member stands."""

    key: strawberry.Private[UUID]
    as_of: strawberry.Private[datetime | None]

    @strawberry.field(description="The tier; null when the programme has no tiers.")
    async def tier(self, info: Info) -> TierStatus | None:
        if self.as_of is not None:
            return await batched(info, _statuses_then, self.key, as_of=self.as_of)
        return await batched(info, tier_statuses, self.key)

    @strawberry.field(description="Every change of the tier, newest first.")
    async def tier_history(
        self, info: Info, first: First = PAGE_SIZE_DEFAULT, after: After = None
    ) -> Connection[TierChange]:
        return await CHANGES.page(info, self.key, first=first, after=after, node=_change)


@strawberry.type
class TierQuery:
    """Queries about tiers."""

    @strawberry.field(
        description=(
            "The programme's tiers, the lowest first; empty when it has none. "
            "Everybody may ask, also without a token."
        ),
        extensions=[Everybody()],
    )
    async def tiers(self, info: Info, slug: Slug = None) -> list[Tier]:
        program_id = await program_asked_for(info.context, slug)
        shown = await _Shown.of(program_id, now=info.context.now)
        return [] if shown is None else [shown.level(level) for level in shown.settings.levels]

    @strawberry.field(
        description="Every change of a member's tier, newest first.",
        extensions=[NeedsScope(Scope.MEMBERS_READ, member="own")],
    )
    async def tier_history(
        self,
        info: Info,
        member: Annotated[
            MemberRef, strawberry.argument(description="What you know of the member.")
        ],
        first: First = PAGE_SIZE_DEFAULT,
        after: After = None,
    ) -> Connection[TierChange] | None:
        wanted = member.reference(field="member")
        row = await members.find(info.context.program_id, wanted)
        return await CHANGES.page(info, row.id, first=first, after=after, node=_change)
