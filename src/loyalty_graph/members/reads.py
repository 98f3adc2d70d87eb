"""Members and their consents, many at once."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from loyalty_graph.db.sets import Lookup
from loyalty_graph.members.models import Consent, Member

__all__ = [
    "Consent",
    "Known",
    "Member",
    "Profile",
    "consents",
    "count",
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
