"""Subscriptions as they stand now, and what they give, many members at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from loyalty_graph.benefits.rules import Grant
from loyalty_graph.db.sets import Lookup, Row, fetch
from loyalty_graph.programs import service as programs
from loyalty_graph.subscriptions import service
from loyalty_graph.subscriptions.course import (
    Change,
    State,
    Terms,
    advance,
    due_minor,
    entitled_until,
    lapses_at,
    later,
    next_step_at,
)
from loyalty_graph.subscriptions.history import Period, periods, plan_at
from loyalty_graph.subscriptions.models import (
    MemberSubscription,
    SubscriptionPayment,
    SubscriptionSaving,
)
from loyalty_graph.subscriptions.rules import PaymentOutcome, Status, SubscriptionPlan
from loyalty_graph.subscriptions.service import Held, SubscriptionKey


@dataclass(frozen=True, slots=True)
class View:
    """A subscription that has run on to now, whether or not the job has been here.

    `entitled_until` is None when it gives nothing now; `lapses_at` when it does not end by itself.
    """

    held: Held
    terms: Terms
    changes: Sequence[Change]

    @property
    def state(self) -> State:
        """Return how it stands."""
        return self.held.state

    @property
    def plan(self) -> SubscriptionPlan:
        """Return the plan it runs by."""
        return self.terms.plan

    @property
    def entitled_until(self) -> datetime | None:
        """Return until when it gives its benefits as things stand."""
        return entitled_until(self.state, self.terms)

    @property
    def lapses_at(self) -> datetime | None:
        """Return when it ends if nothing is paid or taken back."""
        return lapses_at(self.state, self.terms)

    @property
    def holds_until(self) -> datetime | None:
        """Return when it stands otherwise though nobody does anything; None when never."""
        return next_step_at(self.state, self.terms, collects=False)

    @property
    def lapses_unpaid_at(self) -> datetime | None:
        """Return when it is over if nothing is paid from now on; None while it is paused."""
        if self.state.status in {Status.TRIALING, Status.ACTIVE}:
            return later(self.state.period_end, self.terms.zone, days=self.plan.grace_days)
        return self.state.ended_at or self.lapses_at

    @property
    def due_minor(self) -> int:
        """Return what is to be paid now."""
        return due_minor(self.state, self.terms)


@dataclass(frozen=True, slots=True)
class Totals:
    """What was paid for a subscription so far, and what its benefits saved."""

    paid_minor: int
    saved_minor: int


async def plans(program_id: UUID, *, now: datetime) -> list[tuple[int, SubscriptionPlan]]:
    """Return what can be subscribed to now, each with the version it is from."""
    version = await programs.in_force(program_id, now, now=now)
    offered = await service.plans(program_id, version.number)
    return [(version.number, one) for one in offered.values()]


async def subscriptions(
    program_id: UUID, keys: Sequence[SubscriptionKey], *, now: datetime
) -> dict[SubscriptionKey, View]:
    """Return the subscriptions with these keys; unknown ones are absent."""
    [found] = await fetch(program_id, service.by_key(keys))
    views = await _views(program_id, [row for rows in found for row in rows], now)
    return {view.held.key: view for view in views}


async def newest(
    program_id: UUID, member_ids: Sequence[UUID], *, now: datetime
) -> dict[UUID, View]:
    """Return the last subscription of each of these members; who never had one is absent."""
    [found] = await fetch(program_id, service.of_members(member_ids, limit=1))
    version = await programs.in_force(program_id, now, now=now)
    return await newest_of(version, [row for rows in found for row in rows], now=now)


async def newest_then(
    program_id: UUID, member_ids: Sequence[UUID], *, at: datetime, now: datetime
) -> dict[UUID, View]:
    """Return the last subscription of each of these members as it stood at an instant.

    Who never had had one is absent. It is what was answered then.
    """
    [found] = await fetch(program_id, service.pasts_of(member_ids, at=at))
    version = await programs.in_force(program_id, at, now=now)
    held = [service.past_of(row) for rows in found for row in rows]
    return {one.member_id: await _view(one, version, at) for one in held}


async def newest_of(
    version: programs.Version, rows: Sequence[Row], *, now: datetime
) -> dict[UUID, View]:
    """Return members' last subscriptions, by the rows that `service.of_members` found."""
    views = [await _view(service.held_of(row), version, now) for row in rows]
    return {view.held.member_id: view for view in views}


async def _views(program_id: UUID, rows: Sequence[Row], now: datetime) -> list[View]:
    version = await programs.in_force(program_id, now, now=now)
    return [await _view(service.held_of(row), version, now) for row in rows]


async def _view(held: Held, version: programs.Version, now: datetime) -> View:
    terms = await service.terms(version.program_id, held.state, version)
    state, changes = advance(held.state, terms, now)
    return View(held.with_state(state), terms, changes)


async def grants(
    program_id: UUID, member_ids: Sequence[UUID], *, now: datetime
) -> dict[UUID, list[Grant]]:
    """Return the benefits that members have by their subscription at `now`; others are absent."""
    found = await newest(program_id, member_ids, now=now)
    return {
        member_id: [replace(one, until=until) for one in view.plan.grants()]
        for member_id, view in found.items()
        if (until := view.entitled_until) is not None
    }


async def plans_at(
    program_id: UUID, member_ids: Sequence[UUID], *, now: datetime, at: datetime
) -> dict[UUID, SubscriptionPlan]:
    """Return the plans whose benefits members had `at` a time, as is known now; others are absent.

    They multiply the points of what happened then.
    """
    held, told = await fetch(
        program_id, service.of_members(member_ids), service.periods_of(member_ids)
    )
    version = await programs.in_force(program_id, now, now=now)
    found: dict[UUID, SubscriptionPlan] = {}
    for member_id, rows, known in zip(member_ids, held, told, strict=True):
        if plan := await plan_of(rows, known, version, now=now, at=at):
            found[member_id] = plan
    return found


async def plan_of(
    rows: Sequence[Row],
    known: Sequence[Row],
    version: programs.Version,
    *,
    now: datetime,
    at: datetime,
) -> SubscriptionPlan | None:
    """Return the plan a member had `at` a time, from what the two look-ups found of him.

    `rows` are from `service.of_members`, `known` from `service.periods_of`. What is written down
    mostly says it; only where no period covers the time, subscriptions are let run on to now.
    """
    had = next(((row[4], row[5]) for row in known if row[2] <= at < row[3]), None)
    for row in rows if had is None else ():
        view = await _view(service.held_of(row), version, now)
        had = had or plan_at(view.state, view.terms, _history(view, known).values(), at)
    if had is None:
        return None
    code, number = had
    return (await service.plans(version.program_id, number))[code]


def _history(view: View, known: Sequence[Row]) -> dict[int, Period]:
    """Return the periods of a subscription: those written down, and those begun since."""
    mine = {row[1]: Period(*row[2:]) for row in known if row[0] == view.held.id}
    begun = periods(view.changes).items()
    return mine | {number: one for number, one in begun if isinstance(one, Period)}


async def totals(
    program_id: UUID, keys: Sequence[SubscriptionKey], *, at: datetime | None = None
) -> Mapping[SubscriptionKey, Totals]:
    """Return what was paid and saved by each of these subscriptions, until `at` or until now."""
    by: list[Row] = [(key,) for _, key in keys]
    if at is not None:
        by = [(key, at + datetime.resolution) for _, key in keys]
    succeeded = f"outcome = '{PaymentOutcome.SUCCEEDED}'"
    paid, saved = await fetch(
        program_id,
        Lookup(
            SubscriptionPayment,
            ("subscription_id",),
            by,
            ("amount_minor",),
            where=succeeded,
            below=None if at is None else "recorded_at",
        ),
        Lookup(
            SubscriptionSaving,
            ("subscription_id",),
            by,
            ("saved_minor",),
            below=None if at is None else "at",
        ),
    )
    return {
        key: Totals(sum(one for (one,) in fees), sum(one for (one,) in savings))
        for key, fees, savings in zip(keys, paid, saved, strict=True)
    }


async def subscriber_counts(program_id: UUID, plans: Sequence[str]) -> dict[str, int]:
    """Return how many members have a subscription to each of these plans that has not ended."""
    open_ = MemberSubscription.filter(program_id=program_id).exclude(status=Status.EXPIRED)
    return {plan: await open_.filter(plan_code=plan).count() for plan in plans}
