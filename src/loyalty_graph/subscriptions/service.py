"""The plans of a programme's version, and subscriptions as rows: read, and written in sets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from tortoise.expressions import Q

from loyalty_graph.db import assert_in_transaction
from loyalty_graph.db.sets import Insert, Lookup, Row, Update, Upsert, Write, fetch
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.stored import read_stored
from loyalty_graph.subscriptions.course import Change, State, Terms, next_step_at
from loyalty_graph.subscriptions.history import Period, periods
from loyalty_graph.subscriptions.models import (
    MemberSubscription,
    SubscriptionPast,
    SubscriptionPayment,
    SubscriptionPeriod,
    SubscriptionPlans,
    SubscriptionSaving,
)
from loyalty_graph.subscriptions.rules import PaymentOutcome, Status, SubscriptionPlan

SubscriptionKey = tuple[UUID, UUID]
"""(member id, subscription id)"""

_STATE = tuple(one.name for one in fields(State))
_HELD = ("member_id", "id", "provider", "card", *_STATE)
# What `dataclasses.astuple` copies value by value took most of a renewal's time.
_state_row = attrgetter(*_STATE)
_period_row = attrgetter(*(one.name for one in fields(Period)))
_PERIOD = ("starts_at", "ends_at", "plan_code", "plan_version")
_NEWEST_FIRST = "status = 'EXPIRED', id DESC"
"""At most one has not ended, and that is the newest."""

_SETTINGS = TypeAdapter(list[SubscriptionPlan])
_plans: dict[tuple[UUID, int], Mapping[str, SubscriptionPlan]] = {}
"""Versions never change, so each is read once; there are as many as versions in use."""
_with_plans: dict[tuple[UUID, int], bool] = {}


async def store_plans(program_id: UUID, version: int, plans: Sequence[SubscriptionPlan]) -> None:
    """Store the plans of a programme's version, if it has any."""
    assert_in_transaction()
    if plans:
        settings = [one.model_dump(mode="json") for one in plans]
        await SubscriptionPlans.create(program_id=program_id, version=version, settings=settings)


async def plans(program_id: UUID, version: int) -> Mapping[str, SubscriptionPlan]:
    """Return the plans of a programme's version by their codes, in the order of its file."""
    key = (program_id, version)
    if key not in _plans:
        rules = await SubscriptionPlans.get_or_none(program_id=program_id, version=version)
        stored = [] if rules is None else rules.settings
        _plans[key] = {one.code: one for one in read_stored(_SETTINGS.validate_python, stored)}
    return _plans[key]


async def has_plans(version: programs.Version) -> bool:
    """Return whether this version of a programme or one before it has plans."""
    key = (version.program_id, version.number)
    if key not in _with_plans:
        older = SubscriptionPlans.filter(program_id=key[0], version__lte=key[1])
        _with_plans[key] = await older.exists()
    return _with_plans[key]


async def terms(program_id: UUID, state: State, present: programs.Version) -> Terms:
    """Return what a subscription runs by: its own plan, in the programme's present time zone."""
    known = await plans(program_id, state.plan_version)
    return Terms(known[state.plan_code], state.plan_version, present.settings.zone)


@dataclass(frozen=True, slots=True)
class Held:
    """A member's subscription; `card` is what `provider` collects from, if it is ours to ask."""

    member_id: UUID
    id: UUID
    state: State
    provider: str | None = None
    card: str | None = None

    @property
    def key(self) -> SubscriptionKey:
        """Return what finds it."""
        return self.member_id, self.id

    def with_state(self, state: State) -> "Held":
        """Return the subscription as it stands now."""
        return replace(self, state=state)


def by_key(keys: Sequence[SubscriptionKey]) -> Lookup:
    """Return the look-up of these subscriptions, one key for each."""
    return Lookup(MemberSubscription, ("member_id", "id"), keys, _HELD)


def of_members(member_ids: Sequence[UUID], *, limit: int | None = None) -> Lookup:
    """Return the look-up of members' subscriptions, the newest first, one key for each member."""
    keys = [(one,) for one in member_ids]
    return Lookup(
        MemberSubscription, ("member_id",), keys, _HELD, order_by=_NEWEST_FIRST, limit=limit
    )


def periods_of(member_ids: Sequence[UUID]) -> Lookup:
    """Return the look-up of the periods of members' subscriptions, one key for each member."""
    keys = [(one,) for one in member_ids]
    columns = ("subscription_id", "number", *_PERIOD)
    return Lookup(SubscriptionPeriod, ("member_id",), keys, columns)


def pasts_of(member_ids: Sequence[UUID], *, at: datetime) -> Lookup:
    """Return the look-up of how members' subscriptions stood at an instant, one key for each.

    The newest subscription comes first, and of each what was recorded last until then.
    """
    keys = [(one, at + datetime.resolution) for one in member_ids]
    return Lookup(
        SubscriptionPast,
        ("member_id",),
        keys,
        ("member_id", "id", *_STATE),
        order_by="id DESC, recorded_at DESC",
        limit=1,
        below="recorded_at",
    )


def past_of(row: Row) -> Held:
    """Return the subscription as it stood, by what the look-up found."""
    member_id, key, plan, version, status, *rest = row
    return Held(member_id, key, State(plan, version, Status(status), *rest))


def held_of(row: Row) -> Held:
    """Return the subscription that a look-up found."""
    member_id, key, provider, card, plan, version, status, *rest = row
    return Held(member_id, key, State(plan, version, Status(status), *rest), provider, card)


def writes(
    before: Held | None,
    after: Held,
    changes: Sequence[Change],
    terms: Terms,
    *,
    now: datetime,
) -> list[Write]:
    """Return the writes that keep a subscription as it stands, and the periods it began.

    It is also kept that it stood so from `now` on.
    """
    columns = (*_HELD[2:], "next_step_at")
    state = after.state
    at = next_step_at(state, terms, collects=after.provider is not None)
    row = (*after.key, after.provider, after.card, *_state_row(state), at)
    kept: Write
    if before is None:
        kept = Insert(MemberSubscription, ("member_id", "id", *columns), [row])
    else:
        kept = Update(MemberSubscription, ("member_id", "id"), columns, [row])
    past = Upsert(
        SubscriptionPast,
        ("member_id", "id", "recorded_at"),
        ("member_id", "id", "recorded_at", *_STATE),
        [(*after.key, now, *_state_row(state))],
        tuple((column, f"excluded.{column}") for column in _STATE),
    )
    return [kept, past, *_period_writes(after.key, changes)]


def _period_writes(key: SubscriptionKey, changes: Sequence[Change]) -> list[Write]:
    by = ("member_id", "subscription_id", "number")
    begun: list[Row] = []
    ended: list[Row] = []
    for number, found in periods(changes).items():
        if isinstance(found, Period):
            begun.append((*key, number, *_period_row(found)))
        else:
            ended.append((*key, number, found))
    return [
        Insert(SubscriptionPeriod, (*by, *_PERIOD), begun),
        Update(SubscriptionPeriod, by, ("ends_at",), ended),
    ]


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment of a subscription, or an attempt that failed, as its provider tells it."""

    provider: str
    external_id: str
    key: SubscriptionKey
    outcome: PaymentOutcome
    amount_minor: int
    paid_at: datetime

    def write(self, *, now: datetime) -> Insert:
        """Return the write that keeps it."""
        columns = (
            "provider",
            "external_id",
            "member_id",
            "subscription_id",
            "outcome",
            "amount_minor",
            "paid_at",
            "recorded_at",
        )
        told = (self.outcome, self.amount_minor, self.paid_at)
        row = (self.provider, self.external_id, *self.key, *told, now)
        return Insert(SubscriptionPayment, columns, [row])


def payments(keys: Sequence[tuple[str, str]]) -> Lookup:
    """Return the look-up of payments by (provider, external id)."""
    columns = ("member_id", "subscription_id", "outcome", "amount_minor", "paid_at")
    return Lookup(SubscriptionPayment, ("provider", "external_id"), keys, columns)


def saving_write(
    key: SubscriptionKey, benefit: str, reference: str, *, saved_minor: int, at: datetime
) -> Insert:
    """Return the write that keeps what a use of a benefit saved a subscription's member."""
    columns = ("reference", "member_id", "subscription_id", "benefit", "saved_minor", "at")
    return Insert(SubscriptionSaving, columns, [(reference, *key, benefit, saved_minor, at)])


DuePlace = tuple[datetime, UUID]
"""Since when something is to be done about a subscription, and its id."""


async def due(
    program_id: UUID, *, now: datetime, after: DuePlace | None, limit: int
) -> list[tuple[DuePlace, SubscriptionKey]]:
    """Return subscriptions that something is to be done about, the longest due first."""
    found = MemberSubscription.filter(program_id=program_id, next_step_at__lte=now)
    if after is not None:
        at, key = after
        later_ones = Q(next_step_at__gt=at) | Q(next_step_at=at, id__gt=key)
        found = found.filter(later_ones, next_step_at__gte=at)
    rows: Any = (
        await found.order_by("next_step_at", "id")
        .limit(limit)
        .values_list("next_step_at", "member_id", "id")
    )
    return [((at, key), (member_id, key)) for at, member_id, key in rows]


async def still_due(
    program_id: UUID, keys: Sequence[SubscriptionKey], *, now: datetime, after: DuePlace
) -> set[SubscriptionKey]:
    """Return which of these are due after a place, though they were looked at before it."""
    lookup = Lookup(MemberSubscription, ("member_id", "id"), keys, ("next_step_at",))
    [found] = await fetch(program_id, lookup)
    ends = {key: rows[0][0] for key, rows in zip(keys, found, strict=True) if rows}
    return {key for key, at in ends.items() if at and at <= now and (at, key[1]) > after}
