"""Issuing cards: one pass for each member and platform, and what each shows at this moment."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from loyalty_graph import outbox
from loyalty_graph.db import transaction
from loyalty_graph.db.sets import Lookup, fetch, store
from loyalty_graph.errors import MemberNotActiveError, NotFoundError
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger import reads as ledger
from loyalty_graph.ledger.reads import Entry, Expiration
from loyalty_graph.ledger.rules import Kind
from loyalty_graph.members import reads as members
from loyalty_graph.members.models import Member
from loyalty_graph.members.rules import MemberStatus
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.tiers import reads as tiers
from loyalty_graph.tiers.rules import TierLevel
from loyalty_graph.wallet.colours import Colour, Colours, parse_colour
from loyalty_graph.wallet.face import CardFace
from loyalty_graph.wallet.locales import known_locale
from loyalty_graph.wallet.models import SERIAL_LENGTH, PassRow

EXPIRING_SOON = timedelta(days=60)
SERIAL_BYTES = SERIAL_LENGTH // 2
ENDED = {MemberStatus.CLOSED, MemberStatus.MERGED, MemberStatus.ERASED}
MEMBERSHIP_ENDED = "This membership has ended."

_WHAT_HAPPENED = {
    Kind.EARN: "earned",
    Kind.REDEEM: "spent",
    Kind.UNREDEEM: "given back",
    Kind.HOLD: "set aside",
    Kind.CAPTURE: "set aside before, now spent",
    Kind.RELEASE: "no longer set aside",
    Kind.REVERSE: "taken back for a return",
    Kind.FORGIVE: "forgiven",
    Kind.RECLAIM: "no longer forgiven",
    Kind.EXPIRE: "expired",
    Kind.ADJUST: "adjusted by hand",
}


class Platform(StrEnum):
    """Whose wallet a card lives in."""

    APPLE = "APPLE"
    GOOGLE = "GOOGLE"


@transaction
async def issue(
    program_id: UUID,
    member_ids: Sequence[UUID],
    platform: Platform = Platform.APPLE,
    *,
    token_generation: int = 0,
    now: datetime,
) -> dict[UUID, str]:
    """Give each member a pass on a platform unless there is one; return the serials.

    A void one does not count: the new pass has a serial of its own, and the copies of the void one
    stay void.
    `token_generation` is whose key makes the tokens of new passes, see `apple.tokens`.

    Raises:
        NotFoundError: No such member.
        MemberNotActiveError: The member is closed, suspended or erased.
    """
    found = await members.members(program_id, member_ids)
    for member_id in member_ids:
        if member_id not in found:
            raise NotFoundError("member", member_id, field="member")
        if found[member_id].status != MemberStatus.ACTIVE:
            raise MemberNotActiveError(member_id, found[member_id].status)
    serials = await _serials(program_id, member_ids, platform)
    new = [
        PassRow(
            serial=secrets.token_hex(SERIAL_BYTES),
            program_id=program_id,
            member_id=member_id,
            platform=platform,
            token_generation=token_generation,
            issued_at=now,
            changed_at=now,
            last_modified=now.replace(microsecond=0),
        )
        for member_id in sorted(set(member_ids) - serials.keys())
    ]
    if not new:
        return serials
    # Somebody else may be giving the same member one at this moment; the first one counts.
    await PassRow.bulk_create(new, ignore_conflicts=True)
    issued = await _serials(program_id, member_ids, platform)
    made = [row for row in new if issued[row.member_id] == row.serial]
    told = [fact_of("pass.issued", row.member_id, row.serial, platform, now=now) for row in made]
    await store(program_id, [outbox.facts(told)])
    return issued


def fact_of(
    kind: str, member_id: UUID, serial: str, platform: Platform, *, now: datetime
) -> outbox.Fact:
    """Return the fact that something happened to a pass."""
    told = {"pass": serial, "platform": platform.value}
    return outbox.Fact(new_id(now), kind, member_id, now, told)


async def _serials(
    program_id: UUID, member_ids: Sequence[UUID], platform: Platform
) -> dict[UUID, str]:
    keys = [(member_id, platform) for member_id in member_ids]
    by, not_void = ("member_id", "platform"), "voided_at IS NULL"
    [rows] = await fetch(program_id, Lookup(PassRow, by, keys, ("serial",), not_void))
    return {key[0]: hits[0][0] for key, hits in zip(keys, rows, strict=True) if hits}


async def token_generations(program_id: UUID, serials: Sequence[str]) -> dict[str, int]:
    """Return whose key made the token of each pass.

    Raises:
        NotFoundError: There is no such pass.
    """
    keys = [(serial,) for serial in serials]
    [rows] = await fetch(program_id, Lookup(PassRow, ("serial",), keys, ("token_generation",)))
    found = {serial: hits[0][0] for serial, hits in zip(serials, rows, strict=True) if hits}
    if missing := set(serials) - found.keys():
        raise NotFoundError("pass", min(missing))
    return found


async def holder(program_id: UUID, serial: str) -> UUID:
    """Return the member who holds a pass.

    Raises:
        NotFoundError: There is no such pass.
    """
    row = await PassRow.get_or_none(program_id=program_id, serial=serial)
    if row is None:
        raise NotFoundError("pass", serial)
    return row.member_id


async def faces(
    program_id: UUID, member_ids: Sequence[UUID], *, now: datetime
) -> dict[UUID, CardFace]:
    """Return what the cards of these members show at `now`; unknown members are absent."""
    version = await programs.in_force(program_id, now, now=now)
    known = await members.members(program_id, member_ids)
    balances = await ledger.balances(program_id, member_ids, now=now)
    expirations = await ledger.expirations(program_id, member_ids, now=now)
    newest = await ledger.newest_entries(program_id, member_ids, limit=1)
    statuses = await tiers.statuses(program_id, member_ids, now=now)
    levels = {member_id: status.level for member_id, status in statuses.items()}
    return {
        member_id: _face(
            version.settings,
            member,
            balances[member_id].available
            if balances[member_id].balance >= 0
            else balances[member_id].balance,
            [one for one in expirations[member_id] if one.expires_at <= now + EXPIRING_SOON],
            newest[member_id],
            levels.get(member_id),
        )
        for member_id, member in known.items()
    }


def _face(
    settings: ProgramSettings,
    member: Member,
    balance: int,
    expiring: Sequence[Expiration],
    newest: Sequence[Entry],
    level: TierLevel | None,
) -> CardFace:
    soonest = expiring[0] if expiring else None
    is_over = member.status in ENDED
    return CardFace(
        program_name=settings.name,
        member_name=" ".join(filter(None, (member.first_name, member.last_name))) or member.number,
        member_number=member.number,
        member_since=member.enrolled_at,
        points_balance=balance,
        points_unit=settings.points.unit_one if balance == 1 else settings.points.unit_other,
        time_zone=settings.time_zone,
        locale=known_locale(member.locale),
        expiring_points=soonest.points if soonest else 0,
        expires_at=soonest.expires_at if soonest else None,
        tier_name=level.name if level else None,
        last_change=_last_change(newest[0], settings) if newest else None,
        terms=settings.branding.terms or None,
        support=settings.branding.support or None,
        colours=_colours(settings),
        message=MEMBERSHIP_ENDED if is_over else None,
        void=is_over,
        template=settings.branding.template,
    )


def _last_change(entry: Entry, settings: ProgramSettings) -> str:
    day = entry.at.astimezone(settings.zone).date()
    # A capture moves no points of the balance: they left it when they were set aside.
    points = entry.points or entry.held
    unit = settings.points.unit_one if abs(points) == 1 else settings.points.unit_other
    return f"{day:%d %b %Y}: {points:+,} {unit} {_WHAT_HAPPENED[entry.kind]}"


def _colours(settings: ProgramSettings) -> Colours:
    branding = settings.branding
    return Colours(
        _colour(branding.background), _colour(branding.foreground), _colour(branding.label)
    )


def _colour(text: str) -> Colour:
    colour = parse_colour(text)
    assert colour is not None, "a programme's colours were checked when it was loaded"
    return colour
