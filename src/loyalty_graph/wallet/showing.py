"""What members' cards show at one moment: everything is read in one go, and then put into words."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from loyalty_graph.db.sets import Row, fetch
from loyalty_graph.ledger import reads as ledger
from loyalty_graph.ledger.kinds import meaning
from loyalty_graph.ledger.reads import Move
from loyalty_graph.ledger.terms import terms_of
from loyalty_graph.members import reads as members
from loyalty_graph.members.reads import Profile
from loyalty_graph.members.rules import MemberStatus
from loyalty_graph.money import Money
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.rules import Branding, ProgramSettings
from loyalty_graph.rewards import reads as rewards
from loyalty_graph.subscriptions import reads as subscriptions
from loyalty_graph.subscriptions import service as plans
from loyalty_graph.subscriptions.rules import Status
from loyalty_graph.tiers import reads as tiers
from loyalty_graph.tiers import service as standings
from loyalty_graph.tiers.rules import Basis
from loyalty_graph.wallet.colours import Colour, Colours, parse_colour
from loyalty_graph.wallet.face import CardFace, PlanFace, TierFace, ValueFace
from loyalty_graph.wallet.locales import known_locale
from loyalty_graph.wallet.placeholders import isolated, write_date, write_number
from loyalty_graph.wallet.words import ENDED, word

EXPIRING_SOON = timedelta(days=60)
OVER = {MemberStatus.CLOSED, MemberStatus.MERGED, MemberStatus.ERASED}
BRANDINGS_CACHED = 256
MINUS = "\N{MINUS SIGN}"
RENEWING = {Status.TRIALING, Status.ACTIVE}


class _Found(NamedTuple):
    """What the look-ups found of one member, in their order."""

    profile: Sequence[Row]
    account: Sequence[Row]
    lots: Sequence[Row]
    moves: Sequence[Row]
    vouchers: Sequence[Row]
    standing: Sequence[Row]
    subscription: Sequence[Row]


async def faces(
    program_id: UUID, member_ids: Sequence[UUID], *, now: datetime
) -> dict[UUID, CardFace]:
    """Return what the cards of these members show at `now`; unknown members are absent.

    All is looked up at once: one statement on PostgreSQL, one hop to its thread on SQLite.
    """
    version = await programs.in_force(program_id, now, now=now)
    scheme = await standings.scheme(version)
    ids = list(member_ids)
    with_plans = ids if await plans.has_plans(version) else []
    columns = await fetch(
        program_id,
        members.profiles_of(ids),
        ledger.accounts_of(ids),
        ledger.open_lots_of(ids),
        ledger.last_moves_of(ids),
        rewards.open_vouchers_of(ids),
        standings.standings(ids if scheme else []),
        plans.of_members(with_plans, limit=1),
    )
    rows = zip(*(column or [[]] * len(ids) for column in columns), strict=True)
    found = {one: _Found(*mine) for one, mine in zip(ids, rows, strict=True) if mine[0]}
    statuses = (
        await tiers.statuses_of(
            program_id, scheme, {one: mine.standing for one, mine in found.items()}, now=now
        )
        if scheme
        else {}
    )
    views = await subscriptions.newest_of(
        version, [row for mine in found.values() for row in mine.subscription], now=now
    )
    return {
        one: _face(version.settings, mine, statuses.get(one), views.get(one), now)
        for one, mine in found.items()
    }


def _face(
    settings: ProgramSettings,
    found: _Found,
    status: tiers.Status | None,
    view: subscriptions.View | None,
    now: datetime,
) -> CardFace:
    profile = Profile(*found.profile[0])
    locale = known_locale(profile.locale)
    balance, expirations = _points(settings, found, now)
    points = balance.available or min(0, balance.balance)
    activations = ledger.activations_of(found.lots, now=now)
    soon = [one for one in expirations[:1] if one.expires_at <= now + EXPIRING_SOON]
    is_over = profile.status in OVER
    value = _value(settings, found.vouchers, now)
    branding = settings.branding
    return CardFace(
        program_name=settings.name,
        member_name=" ".join(filter(None, (profile.first_name, profile.last_name)))
        or profile.number,
        member_number=profile.number,
        member_since=profile.enrolled_at,
        points_balance=points,
        points_unit=_unit(settings, points),
        time_zone=settings.time_zone,
        locale=locale,
        expiring_points=soon[0].points if soon else 0,
        expires_at=soon[0].expires_at if soon else None,
        tier_name=status.level.name if status and status.level else None,
        tier=_tier(settings, status),
        plan=_plan(view, locale),
        value=value,
        last_change=_last_change(ledger.move_of(found.moves[0]), settings, locale)
        if found.moves
        else None,
        terms=branding.terms or None,
        support=branding.support or None,
        colours=_colours(branding),
        message=word(ENDED, locale) if is_over else None,
        void=is_over,
        template=branding.template,
        holds_until=_soonest(
            _expiry_shows(expirations[0].expires_at, now) if expirations else None,
            activations[0].activates_at if activations else None,
            status.holds_until if status else None,
            view.holds_until if view else None,
            value.expires_at,
        ),
    )


def _points(
    settings: ProgramSettings, found: _Found, now: datetime
) -> tuple[ledger.Balance, list[ledger.Expiration]]:
    terms, rows = terms_of(settings), (found.account[0], found.lots)
    ends = ledger.expirations_of(*rows, terms=terms, now=now)
    return ledger.balance_of(*rows, terms=terms, now=now), ends


def _expiry_shows(expires_at: datetime, now: datetime) -> datetime:
    """Return when the card next says something else of the points that expire first."""
    announced = expires_at - EXPIRING_SOON
    return announced if announced > now else expires_at


def _tier(settings: ProgramSettings, status: tiers.Status | None) -> TierFace | None:
    if status is None:
        return None
    missing: Money | int | None = None
    if status.next:
        is_money = status.settings.basis is Basis.SPEND
        missing = Money(status.missing, settings.currency) if is_money else status.missing
    return TierFace(
        code=status.tier,
        until=status.outlook.until,
        next_name=status.next.name if status.next else None,
        missing=missing,
    )


def _plan(view: subscriptions.View | None, locale: str) -> PlanFace | None:
    if view is None:
        return None
    return PlanFace(
        name=view.plan.name,
        status=word(view.state.status, locale),
        renews=view.state.status in RENEWING,
        valid_until=view.entitled_until or view.state.ended_at,
        ends_at=view.lapses_unpaid_at,
    )


def _value(settings: ProgramSettings, vouchers: Sequence[Row], now: datetime) -> ValueFace:
    valid = [one for one in vouchers if one[1] is None or one[1] > now]
    return ValueFace(
        balance=Money(sum(remaining for remaining, _ in valid), settings.currency),
        vouchers=len(valid),
        expires_at=_soonest(*(expires_at for _, expires_at in valid)),
    )


def _last_change(move: Move, settings: ProgramSettings, locale: str) -> str:
    # A capture moves no points of the balance: they left it when they were set aside. Points that
    # wait are not in it yet.
    points = move.points or move.held or move.pending
    sign = "+" if points > 0 else MINUS
    day = write_date(move.at.astimezone(settings.zone).date(), locale)
    moved = f"{sign}{write_number(abs(points), locale)} {_unit(settings, points)}"
    happened = word(meaning(move.kind, move.debit, move.credit), locale)
    return f"{isolated(day, locale)}: {isolated(moved, locale)} {happened}"


def _unit(settings: ProgramSettings, points: int) -> str:
    return settings.points.unit_one if abs(points) == 1 else settings.points.unit_other


def _soonest(*times: datetime | None) -> datetime | None:
    return min((at for at in times if at is not None), default=None)


@lru_cache(BRANDINGS_CACHED)
def _colours(branding: Branding) -> Colours:
    return Colours(
        _colour(branding.background), _colour(branding.foreground), _colour(branding.label)
    )


def _colour(text: str) -> Colour:
    colour = parse_colour(text)
    assert colour is not None, "a programme's colours were checked when it was loaded"
    return colour
