"""Random members for tests of segments, written as their tables hold them."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from loyalty_graph.db import transaction
from loyalty_graph.db.sets import Insert, store
from loyalty_graph.ledger.models import AccountRow, LotRow
from loyalty_graph.members.models import Member
from loyalty_graph.members.rules import MemberStatus
from loyalty_graph.purchases.models import MemberSummary
from loyalty_graph.subscriptions.models import MemberSubscription
from loyalty_graph.subscriptions.rules import Status
from loyalty_graph.tiers.models import TierStanding
from tests.shop import PROGRAM
from tests.tiers.shop import BENEFITS, TIERS
from tests.usecases.subscribing import PLANS

CLUB: dict[str, Any] = {
    **PROGRAM,
    "benefits": BENEFITS,
    "tiers": {**TIERS, "downgrade": "NONE"},
    "subscription_plans": PLANS,
}
AGO = [timedelta(0), timedelta(hours=1), timedelta(hours=23), timedelta(days=1, hours=2)]
AGO += [timedelta(days=3), timedelta(days=30)]
MOMENTS = [timedelta(0), timedelta(1), -timedelta(1)]
TABLES = (Member, AccountRow, LotRow, MemberSummary, TierStanding, MemberSubscription)


@dataclass(frozen=True)
class Person:
    """What is written of a member; times are counted back from now."""

    status: str
    locale: str
    joined: timedelta
    birthday: date | None
    email: str | None
    phone: str | None
    purchases: tuple[int, int, timedelta] | None
    points: tuple[int, int] | None
    lapses: timedelta | None
    lots: tuple[tuple[int, timedelta, timedelta | None, timedelta | None], ...]
    tier: tuple[str | None, str | None] | None
    plan: tuple[str, str, timedelta] | None


people = st.builds(
    Person,
    status=st.sampled_from(list(MemberStatus)),
    locale=st.sampled_from(["en", "de", "de-AT", "DE_de", "gsw-CH", "pt-BR"]),
    joined=st.sampled_from(AGO),
    birthday=st.none() | st.sampled_from([date(2000, 2, 29), date(1999, 2, 28), date(1980, 3, 1)]),
    email=st.none() | st.just("ada@example.com"),
    phone=st.none() | st.just("+491511234567"),
    purchases=st.none() | st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from(AGO)),
    points=st.none() | st.tuples(st.integers(-2, 3), st.integers(0, 3)),
    lapses=st.none() | st.sampled_from(MOMENTS),
    lots=st.lists(
        st.tuples(
            st.integers(0, 2),
            st.sampled_from(MOMENTS),
            st.none() | st.sampled_from(MOMENTS),
            st.none() | st.sampled_from(MOMENTS),
        ),
        max_size=3,
    ).map(tuple),
    tier=st.none()
    | st.tuples(
        st.none() | st.sampled_from(["BASE", "SILVER", "GOLD"]),
        st.none() | st.sampled_from(["BASE", "GOLD"]),
    ),
    plan=st.none()
    | st.tuples(
        st.sampled_from(list(Status)),
        st.sampled_from(["PLUS", "TRY"]),
        st.sampled_from([timedelta(days=1), -timedelta(days=1)]),
    ),
)


def key(number: int) -> UUID:
    return UUID(int=number)


@transaction
async def replace_all(program_id: UUID, found: list[Person], *, now: datetime) -> None:
    """Let these people be all the members of the programme; their ids count from 1."""
    for table in TABLES:
        await table.filter(program_id=program_id).delete()
    numbered = [(key(number), one) for number, one in enumerate(found, 1)]
    await store(
        program_id,
        [
            Insert(
                Member,
                ("id", "number", "status", "locale", "enrolled_at", "birthday", "email", "phone"),
                [
                    (
                        one_id,
                        str(one_id.int),
                        one.status,
                        one.locale,
                        now - one.joined,
                        one.birthday,
                        one.email,
                        one.phone,
                    )
                    for one_id, one in numbered
                ],
            ),
            Insert(
                MemberSummary,
                ("member_id", "purchase_count", "spend_minor", "last_purchase_at"),
                [
                    (one_id, *one.purchases[:2], now - one.purchases[2])
                    for one_id, one in numbered
                    if one.purchases
                ],
            ),
            *_points(numbered, now),
            Insert(
                TierStanding,
                ("member_id", "earned", "override", "measure", "amounts", "sequence"),
                [
                    (one_id, *one.tier, "SPEND CALENDAR_YEAR", {}, 0)
                    for one_id, one in numbered
                    if one.tier
                ],
            ),
            _subscriptions(numbered, now),
        ],
    )


def _points(numbered: list[tuple[UUID, Person]], now: datetime) -> list[Insert]:
    accounts = [
        (
            *(one_id, "ACTIVE", one.points[0], 0, 0, one.points[1], 0, 0, b""),
            one.lapses if one.lapses is None else now + one.lapses,
        )
        for one_id, one in numbered
        if one.points
    ]
    lots = [
        (
            one_id,
            place,
            2,
            points,
            now + left,
            waits if waits is None else now + waits,
            waits is not None,
            told if told is None else now + max(told, left),
        )
        for one_id, one in numbered
        for place, (points, left, waits, told) in enumerate(one.lots if one.points else ())
    ]
    points = ("balance_points", "held_points", "qualifying_points", "lifetime_points")
    points += ("pending_points",)
    return [
        Insert(
            AccountRow, ("member_id", "status", *points, "sequence", "head", "lapses_at"), accounts
        ),
        Insert(
            LotRow,
            (
                "member_id",
                "sequence",
                "points",
                "remaining_points",
                "expires_at",
                "activates_at",
                "is_pending",
                "told_expires_at",
            ),
            lots,
        ),
    ]


def _subscriptions(numbered: list[tuple[UUID, Person]], now: datetime) -> Insert:
    """Return subscriptions that run on, are in their days of grace, or are over."""
    rows = []
    for one_id, one in numbered:
        if one.plan is None:
            continue
        status, plan, left = one.plan
        ends = now - timedelta(hours=1) if status == Status.PAST_DUE else now + timedelta(days=9)
        over = now + left if status == Status.CANCELLED else None
        begun = now - timedelta(hours=2)
        rows.append(
            (one_id, one_id, plan, 1, status, begun, begun, begun, ends, 0, 1, False, 0, 0, 0, over)
        )
    columns = ("member_id", "id", "plan_code", "plan_version", "status", "started_at", "anchor_at")
    columns += ("period_start", "period_end", "periods", "opened", "is_trial", "paid_minor")
    return Insert(
        MemberSubscription, (*columns, "credit_minor", "failed_attempts", "ends_at"), rows
    )
