"""What the card page tells beside the points: how far the next tier is, and what may be used."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from loyalty_graph.benefits.rules import UsePeriod
from loyalty_graph.money import Money
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.rewards.rules import Obstacle
from loyalty_graph.subscriptions import reads as subscriptions
from loyalty_graph.subscriptions.rules import Status
from loyalty_graph.tiers import reads as tiers
from loyalty_graph.tiers.rules import Basis, Window
from loyalty_graph.usecases import entitlements, reward_offers
from loyalty_graph.usecases.entitlements import Entitlement
from loyalty_graph.wallet.locales import Script

WHOLE_PERCENT = 100
REWARDS_SHOWN, NEXT_REWARDS_SHOWN = 3, 2
WARNED_BEFORE = timedelta(days=120)


@dataclass(frozen=True, slots=True)
class Keeping:
    """What must be added by a day, so that the tier is not lost."""

    missing: str
    last_day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The way to the next tier, with amounts as they are written for the member.

    `next` is None at the highest tier, and then nothing is missing. `percent` is counted from 0.
    """

    tier: str | None
    next: str | None
    counted: str
    entry: str
    missing: str
    percent: int
    window: Window
    keeping: Keeping | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Perk:
    """A benefit the member may use; `left` of its period, None as often as one likes."""

    name: str
    description: str
    left: int | None
    per: UsePeriod | None
    again_from: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidPlan:
    """A member's subscription; amounts as they are written for the member.

    `until` is the last day of what was paid or tried; of a fee that is due, the last day it may
    be paid. None while it is paused.
    """

    name: str
    status: Status
    renews_on: date
    until: date | None
    price: str
    due: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reachable:
    """A reward, and how many points are missing for it; none when it can be had now."""

    name: str
    cost_points: int
    missing_points: int


async def progress(
    program_id: UUID, member_id: UUID, *, script: Script, now: datetime
) -> Progress | None:
    """Return how far a member is to the next tier; None where the programme has no tiers."""
    found = await tiers.statuses(program_id, [member_id], now=now)
    if member_id not in found:
        return None
    status, settings = (
        found[member_id],
        (await programs.in_force(program_id, now, now=now)).settings,
    )

    def written(value: int) -> str:
        if status.settings.basis is Basis.SPEND:
            return script.money(Money(value, settings.currency))
        unit = settings.points.unit_one if value == 1 else settings.points.unit_other
        return f"{script.number(value)} {unit}"

    entry = status.next.entry if status.next else 0
    at = status.outlook.falls_at
    warned = at is not None and status.outlook.missing and at <= now + WARNED_BEFORE
    return Progress(
        tier=status.level.name if status.level else None,
        next=status.next.name if status.next else None,
        counted=written(status.value),
        entry=written(entry),
        missing=written(status.missing),
        percent=min(WHOLE_PERCENT, status.value * WHOLE_PERCENT // entry) if entry else 0,
        window=status.settings.window,
        keeping=Keeping(written(status.outlook.missing), last_day(at, settings))
        if at is not None and warned
        else None,
    )


async def perks(program_id: UUID, member_id: UUID, *, now: datetime) -> Sequence[Perk]:
    """Return what a member may use now, in the order of the programme file."""
    settings = (await programs.in_force(program_id, now, now=now)).settings
    found = await entitlements.entitlements(program_id, [member_id], now=now)
    return [_perk(one, settings) for one in found[member_id]]


def _perk(one: Entitlement, settings: ProgramSettings) -> Perk:
    used_up = one.left == 0 and one.renews_at is not None
    return Perk(
        name=one.benefit.name,
        description=one.benefit.description,
        left=one.left,
        per=one.benefit.per,
        again_from=one.renews_at.astimezone(settings.zone).date()
        if used_up and one.renews_at
        else None,
    )


async def paid_plan(
    program_id: UUID, member_id: UUID, *, script: Script, now: datetime
) -> PaidPlan | None:
    """Return a member's subscription; None without one, or when it is over."""
    found = await subscriptions.newest(program_id, [member_id], now=now)
    view = found.get(member_id)
    if view is None or view.state.status is Status.EXPIRED:
        return None
    settings, state = (await programs.in_force(program_id, now, now=now)).settings, view.state
    end = view.lapses_at or (None if state.paused_at else state.period_end)
    return PaidPlan(
        name=view.plan.name,
        status=state.status,
        renews_on=state.period_end.astimezone(settings.zone).date(),
        until=None if end is None else last_day(end, settings),
        price=script.money(Money(view.plan.price_minor, settings.currency)),
        due=script.money(Money(view.due_minor, settings.currency)),
    )


async def rewards(program_id: UUID, member_id: UUID, *, now: datetime) -> Sequence[Reachable]:
    """Return the dearest rewards a member can have now, and the next ones, the cheapest first.

    Those that more points would not bring are left out.
    """
    found = (await reward_offers.offers(program_id, [member_id], now=now))[member_id]
    offers = [one.offer for one in found if set(one.offer.obstacles) <= {Obstacle.POINTS_SHORT}]
    now_theirs = [one for one in offers if not one.points_short][-REWARDS_SHOWN:]
    next_ones = [one for one in offers if one.points_short][:NEXT_REWARDS_SHOWN]
    return [
        Reachable(name=one.reward.name, cost_points=one.cost, missing_points=one.points_short)
        for one in (*now_theirs, *next_ones)
    ]


def last_day(end: datetime, settings: ProgramSettings) -> date:
    """Return the last day before an instant at which something ends, in the programme's zone."""
    return (end - timedelta.resolution).astimezone(settings.zone).date()
