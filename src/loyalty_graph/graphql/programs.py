"""The programme: its public face, open to everybody."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

import strawberry

from loyalty_graph.errors import InvalidInputError, NotFoundError
from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.enums import describe_enum
from loyalty_graph.graphql.ids import encode_id
from loyalty_graph.graphql.money import Money, money_of
from loyalty_graph.graphql.nodes import Node, loads
from loyalty_graph.graphql.permissions import Everybody
from loyalty_graph.graphql.scalars import Points
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.expiry import ExpiryPolicy, PeriodEnd
from loyalty_graph.programs.rules import ClawbackPolicy, ProgramSettings

Slug = Annotated[
    str | None,
    strawberry.argument(
        name="slug",
        description="Which programme. Without it: the token's, or the only one there is.",
    ),
]

describe_enum(
    ClawbackPolicy,
    "What happens when goods come back but their points are spent already.",
    {
        ClawbackPolicy.CLAMP_TO_ZERO: "What is there is taken, the rest is forgiven.",
        ClawbackPolicy.ALLOW_NEGATIVE: "The rest becomes debt that the next purchases pay.",
        ClawbackPolicy.PENDING_FIRST: (
            "Whatever waits is taken before what can be spent; the rest is forgiven."
        ),
        ClawbackPolicy.KEEP: "The member keeps the points; what counts for a tier falls.",
    },
)


describe_enum(
    ExpiryPolicy,
    "When points expire.",
    {
        ExpiryPolicy.NONE: "Never.",
        ExpiryPolicy.ROLLING: "So many months after they were earned.",
        ExpiryPolicy.FIXED: "On certain days of every year.",
        ExpiryPolicy.SLIDING: "So many months after the member was active for the last time.",
    },
)
describe_enum(
    PeriodEnd,
    "To the end of what points live, once their months are over.",
    {
        PeriodEnd.DAY: "Of that day.",
        PeriodEnd.MONTH: "Of that month.",
        PeriodEnd.YEAR: "Of that year.",
    },
)


@strawberry.type(description="How long points live.")
class PointExpiry:
    """A programme's policy."""

    policy: ExpiryPolicy = strawberry.field(description="When points expire.")
    months: int | None = strawberry.field(
        description="How many months they live; null where they do not expire by months."
    )
    end: PeriodEnd = strawberry.field(description="To the end of what they live then.")
    dates: list[str] = strawberry.field(
        description="Days of the year such as 12-31; empty where points do not expire by dates."
    )
    minimum_months: int = strawberry.field(
        description="Points younger than that many months live on to the next date."
    )
    resets: list[str] = strawberry.field(
        description=(
            "What lets points that slide live on: PURCHASE, REDEMPTION, ACTIVITY, or only one of "
            "a kind such as ACTIVITY:CHECK_IN."
        )
    )
    notice_days: int | None = strawberry.field(
        description=(
            "Points end only after their owner was told so many days before; null where they end "
            "by their date alone."
        )
    )
    reinstate_days: int | None = strawberry.field(
        description=(
            "Points that are given back after their end live so many days more; null where they "
            "stay expired."
        )
    )


@strawberry.type(description="How the programme looks on cards and pages; CSS colours.")
class Branding:
    """The colours of a programme."""

    background: str = strawberry.field(description="Behind everything, such as rgb(18, 54, 42).")
    foreground: str = strawberry.field(description="Of values.")
    label: str = strawberry.field(description="Of the words beside them.")


@strawberry.type(description="What points are worth when they pay a part of a purchase.")
class PointPayment:
    """An exact ratio, and the largest part."""

    points: Points = strawberry.field(description="So many points ...")
    worth: Money = strawberry.field(description="... pay this much.")
    basket_percent_max: int = strawberry.field(
        description="They pay at most this part of a purchase, in percent."
    )


@strawberry.type(description="What members may give each other, and what it costs.")
class PointTransfers:
    """Limits are null where there is none."""

    min_points: Points = strawberry.field(description="The fewest points of one transfer.")
    max_points: Points | None = strawberry.field(description="The most points of one transfer.")
    max_points_per_day: Points | None = strawberry.field(
        description="The most that a member gives in a day of the programme's time zone."
    )
    max_points_per_year: Points | None = strawberry.field(
        description="The most that a member gives in a year of the programme's time zone."
    )
    fee_points: Points = strawberry.field(description="What giving costs beside what is given.")
    fee_percent: int = strawberry.field(description="What it costs too, of the points given.")
    keeps_dates: bool = strawberry.field(
        description="Points end when they would have ended; else they live as if earned anew."
    )


@strawberry.type(description="A shop of the programme.")
class Store:
    """A store."""

    code: str = strawberry.field(description="What purchases name it by.")
    name: str = strawberry.field(description="What members call it.")
    labels: list[str] = strawberry.field(description="What conditions look for.")
    city: str = strawberry.field(description="Where it is; empty when nothing is said.")
    latitude: Decimal | None = strawberry.field(
        description="Degrees north, up to six decimals; null when nothing is said."
    )
    longitude: Decimal | None = strawberry.field(
        description="Degrees east, up to six decimals; null when nothing is said."
    )


@strawberry.type(description="A loyalty programme: what a home screen shows around the points.")
class Program(Node):
    """One version of a programme."""

    name: str = strawberry.field(description="What members call it.")
    slug: str = strawberry.field(description="Its name in addresses; never changes.")
    currency_code: str = strawberry.field(description="Of all money here: ISO 4217, such as EUR.")
    time_zone: str = strawberry.field(
        description="Where its days begin and end, such as Europe/Berlin."
    )
    point_name: str = strawberry.field(description="One point, such as bean.")
    point_name_plural: str = strawberry.field(description="Several points, such as beans.")
    expiry_months: int | None = strawberry.field(
        description="How many months points live; null when they do not expire by months."
    )
    expiry: PointExpiry = strawberry.field(description="How long points live.")
    point_payment: PointPayment | None = strawberry.field(
        description="What points pay of a purchase; null when they do not pay."
    )
    point_transfers: PointTransfers | None = strawberry.field(
        description="What members may give each other; null when they may not."
    )
    clawback: ClawbackPolicy = strawberry.field(
        description="What happens when points to be taken back are spent already."
    )
    version: int = strawberry.field(
        description="Grows with each change of the rules; entries name the one they came from."
    )
    sandbox: bool = strawberry.field(description="Nothing here is real; test tokens work.")
    branding: Branding = strawberry.field(description="How it looks.")
    terms: str = strawberry.field(description="The terms of membership; empty when none are set.")
    support: str = strawberry.field(description="Whom to ask; empty when nobody is named.")
    stores: list[Store] = strawberry.field(description="The shops, in the order of the file.")


def program_of(version: programs.Version) -> Program:
    """Return a version of a programme as the API shows it."""
    settings = version.settings
    return Program(
        id=encode_id("Program", version.program_id),
        name=settings.name,
        slug=settings.slug,
        currency_code=settings.currency,
        time_zone=settings.time_zone,
        point_name=settings.points.unit_one,
        point_name_plural=settings.points.unit_other,
        expiry_months=settings.points.lives.months,
        expiry=_expiry_of(settings),
        point_payment=_payment_of(settings),
        point_transfers=_transfers_of(settings),
        clawback=settings.points.clawback,
        version=version.number,
        sandbox=settings.sandbox,
        branding=Branding(
            background=settings.branding.background,
            foreground=settings.branding.foreground,
            label=settings.branding.label,
        ),
        terms=settings.branding.terms,
        support=settings.branding.support,
        stores=[
            Store(
                code=one.code,
                name=one.name,
                labels=list(one.labels),
                city=one.city,
                latitude=one.latitude,
                longitude=one.longitude,
            )
            for one in settings.stores
        ],
    )


def _expiry_of(settings: ProgramSettings) -> PointExpiry:
    lives = settings.points.lives
    return PointExpiry(
        policy=lives.policy,
        months=lives.months,
        end=lives.end,
        dates=list(lives.dates),
        minimum_months=lives.minimum_months,
        resets=list(lives.resets),
        notice_days=lives.notice_days,
        reinstate_days=lives.reinstate_days,
    )


def _transfers_of(settings: ProgramSettings) -> PointTransfers | None:
    terms = settings.points.transfers
    if terms is None:
        return None

    def most(points: int | None) -> Points | None:
        return None if points is None else Points(points)

    return PointTransfers(
        min_points=Points(terms.min_points),
        max_points=most(terms.max_points),
        max_points_per_day=most(terms.max_points_per_day),
        max_points_per_year=most(terms.max_points_per_year),
        fee_points=Points(terms.fee_points),
        fee_percent=terms.fee_percent,
        keeps_dates=terms.keeps_dates,
    )


def _payment_of(settings: ProgramSettings) -> PointPayment | None:
    payment = settings.points.payment
    if payment is None:
        return None
    return PointPayment(
        points=Points(payment.points),
        worth=money_of(payment.worth_minor, settings.currency),
        basket_percent_max=payment.basket_percent_max,
    )


@loads("Program", UUID, everybody=True)
async def programs_by_key(
    keys: Sequence[tuple[UUID]], *, program_id: UUID, now: datetime
) -> list[Program | None]:
    """Return the viewer's own programme, and nobody else's."""
    own = program_of(await programs.in_force(program_id, now, now=now))
    return [own if key == (program_id,) else None for key in keys]


async def program_asked_for(context: Context, slug: str | None) -> UUID:
    """Return the programme a public field is about.

    Raises:
        NotFoundError: no programme has this slug.
        InvalidInputError: none is named, and the installation does not have exactly one.
    """
    if slug is not None:
        return await programs.find(slug)
    if context.viewer.program_id is not None:
        return context.viewer.program_id
    try:
        return await programs.only_program()
    except NotFoundError as error:
        raise InvalidInputError(
            "Name the programme: there is none here yet, or several.", field="slug"
        ) from error


@strawberry.type
class ProgramQuery:
    """Queries about the programme."""

    @strawberry.field(
        description="The programme. Everybody may ask, also without a token.",
        extensions=[Everybody()],
    )
    async def program(
        self,
        info: Info,
        slug: Slug = None,
        version: Annotated[
            int | None,
            strawberry.argument(description="As it was in this version; null: as it is now."),
        ] = None,
    ) -> Program | None:
        program_id = await program_asked_for(info.context, slug)
        now = info.context.now
        if version is not None:
            return program_of(await programs.numbered(program_id, version, now=now))
        return program_of(await programs.in_force(program_id, now, now=now))
