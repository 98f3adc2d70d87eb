"""What a partner's calls may issue in a day: the cap, and how much of it is used up."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from tortoise.expressions import F

from loyalty_graph import outbox
from loyalty_graph.db import assert_in_transaction, transaction
from loyalty_graph.db.sets import Lookup, store
from loyalty_graph.errors import InvalidInputError, NotFoundError
from loyalty_graph.identifiers import new_id
from loyalty_graph.identity.models import ApiToken, Partner, PartnerIssuance

POINTS_MAX = 10**15


class DayKey(NamedTuple):
    """Whose count it is, on which local day of the programme (2026-11-22)."""

    partner_id: UUID
    day: str


@transaction
async def cap(
    program_id: UUID, partner_id: UUID, daily_points: int | None, *, now: datetime
) -> Partner:
    """Let a partner's calls issue at most so many points in a day, or any with None.

    It holds from the next request on, for all of its tokens. What was issued while there was no cap
    is not counted.

    Raises:
        NotFoundError: The programme has no such partner.
        InvalidInputError: The points are below zero, or too many.
    """
    if daily_points is not None and not 0 <= daily_points <= POINTS_MAX:
        raise InvalidInputError(f"Use 0 to {POINTS_MAX} points a day.", field="dailyPoints")
    known = Partner.filter(program_id=program_id, id=partner_id)
    partner = await known.select_for_update().get_or_none()
    if partner is None:
        raise NotFoundError("partner", partner_id, field="partner")
    before = partner.daily_points
    if before != daily_points:
        await known.update(daily_points=daily_points)
        tokens = ApiToken.filter(program_id=program_id, partner_id=partner_id)
        await tokens.update(daily_points=daily_points)
        partner.daily_points = daily_points
        await _tell(partner, before, now=now)
    return partner


async def _tell(partner: Partner, before: int | None, *, now: datetime) -> None:
    told = outbox.change(
        "cli",
        about=f"partner:{partner.id}",
        before={"dailyPoints": before},
        after={"dailyPoints": partner.daily_points},
    )
    payload = {"partner": str(partner.id)}
    fact = outbox.Fact(new_id(now), "partner.capped", None, now, payload, told)
    await store(partner.program_id, [outbox.facts([fact])])


def counted(keys: Iterable[DayKey], *, lock: bool) -> Lookup:
    """Return the look-up of what was issued: (partner_id, points); none before the first."""
    by = ("partner_id", "day")
    columns = ("partner_id", "issued_points")
    return Lookup(PartnerIssuance, by, sorted(set(keys)), columns, lock=lock)


async def open_days(program_id: UUID, keys: Iterable[DayKey]) -> None:
    """Make the rows of days that have none yet, so that they can be locked."""
    assert_in_transaction()
    missing = [_nothing(program_id, key) for key in sorted(set(keys))]
    await PartnerIssuance.bulk_create(missing, ignore_conflicts=True)


async def take(program_id: UUID, key: DayKey, points: int, *, limit: int) -> bool:
    """Count points that are issued if the cap allows; return whether it did.

    One guarded update, the last thing a transaction does, so that others wait as short as can be.
    Where there is no row yet, there is one afterwards.
    """
    assert_in_transaction()
    today = PartnerIssuance.filter(program_id=program_id, partner_id=key.partner_id, day=key.day)
    guarded = today.filter(issued_points__lte=limit - points)
    changed = F("issued_points") + points
    if await guarded.update(issued_points=changed):
        return True
    await PartnerIssuance.bulk_create([_nothing(program_id, key)], ignore_conflicts=True)
    return bool(await guarded.update(issued_points=changed))


def _nothing(program_id: UUID, key: DayKey) -> PartnerIssuance:
    return PartnerIssuance(
        program_id=program_id, partner_id=key.partner_id, day=key.day, issued_points=0
    )
