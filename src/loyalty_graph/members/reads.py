"""Members and their consents, many at once."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from tortoise.expressions import Q
from tortoise.queryset import QuerySet

from loyalty_graph.db.sets import Lookup
from loyalty_graph.members.models import Consent, Member
from loyalty_graph.members.rules import MemberStatus

__all__ = [
    "Consent",
    "Known",
    "Member",
    "Profile",
    "born_on",
    "consents",
    "count",
    "first_enrolled_at",
    "joined_within",
    "known_of",
    "members",
    "page",
    "profiles_of",
]


class Profile(NamedTuple):
    """What a card says of a member, as `profiles_of` finds it."""

    number: str
    status: str
    first_name: str | None
    last_name: str | None
    locale: str
    enrolled_at: datetime


def profiles_of(member_ids: Sequence[UUID]) -> Lookup:
    """Return the look-up of members' profiles, one key for each; its rows are of `Profile`."""
    return Lookup(Member, ("id",), [(one,) for one in member_ids], Profile._fields)


class Known(NamedTuple):
    """What conditions may ask of a member, as `known_of` finds it."""

    status: str
    locale: str
    enrolled_at: datetime
    birthday: date | None
    email: str | None
    phone: str | None


def known_of(member_ids: Sequence[UUID]) -> Lookup:
    """Return the look-up of what conditions may ask of members, one key for each."""
    return Lookup(Member, ("id",), [(one,) for one in member_ids], Known._fields)


async def members(program_id: UUID, member_ids: Sequence[UUID]) -> dict[UUID, Member]:
    """Return the members with these ids; unknown ones are absent."""
    rows = await Member.filter(program_id=program_id, id__in=list(member_ids))
    return {row.id: row for row in rows}


async def page(program_id: UUID, *, first: int, after: UUID | None) -> list[Member]:
    """Return up to `first` members in the order they were enrolled, those after an id."""
    query = Member.filter(program_id=program_id)
    if after is not None:
        query = query.filter(id__gt=after)
    return await query.order_by("id").limit(first)


async def count(program_id: UUID) -> int:
    """Return how many members the programme has."""
    return await Member.filter(program_id=program_id).count()


async def born_on(
    program_id: UUID, days: Sequence[date], *, before: datetime, first: int, after: UUID | None
) -> list[tuple[UUID, datetime]]:
    """Return up to `first` active members born on one of these days, in the order of their ids.

    Each with the moment of joining, which lies `before`; those after an id.
    """
    return await _page_of(
        Member.filter(program_id=program_id, birthday__in=list(days), enrolled_at__lt=before),
        first=first,
        after=after,
    )


async def joined_within(
    program_id: UUID,
    spans: Sequence[tuple[datetime, datetime]],
    *,
    first: int,
    after: UUID | None,
) -> list[tuple[UUID, datetime]]:
    """Return up to `first` active members who joined in one of these spans; see `born_on`."""
    joined = Q(
        *(Q(enrolled_at__gte=begin, enrolled_at__lt=end) for begin, end in spans), join_type="OR"
    )
    return await _page_of(Member.filter(joined, program_id=program_id), first=first, after=after)


async def _page_of(
    query: QuerySet[Member], *, first: int, after: UUID | None
) -> list[tuple[UUID, datetime]]:
    query = query.filter(status=MemberStatus.ACTIVE)
    if after is not None:
        query = query.filter(id__gt=after)
    rows: Any = await query.order_by("id").limit(first).values_list("id", "enrolled_at")
    return [(member_id, enrolled_at) for member_id, enrolled_at in rows]


async def first_enrolled_at(program_id: UUID) -> datetime | None:
    """Return when the first member joined; None when there is none."""
    row = await Member.filter(program_id=program_id).order_by("enrolled_at").first()
    return None if row is None else row.enrolled_at


async def consents(program_id: UUID, member_ids: Sequence[UUID]) -> dict[UUID, list[Consent]]:
    """Return each member's newest consent for each purpose asked so far."""
    rows = await Consent.filter(program_id=program_id, member_id__in=list(member_ids)).order_by(
        "at", "id"
    )
    newest = {(row.member_id, row.purpose): row for row in rows}
    found: dict[UUID, list[Consent]] = {member_id: [] for member_id in member_ids}
    for row in newest.values():
        found[row.member_id].append(row)
    return found
