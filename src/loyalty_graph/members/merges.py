"""Members who became one: who lives on as whom, and what finds them meanwhile."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tortoise.expressions import Q

from loyalty_graph.db.sets import Insert, Lookup, Update, fetch
from loyalty_graph.members.models import Member, MemberMerge, MemberReference
from loyalty_graph.members.rules import ReferenceKind


@dataclass(frozen=True, slots=True)
class Merge:
    """A member who lives on as another one; `status` is that of before.

    `qualifying_points` is what of theirs counts for the other one's tier.
    """

    member_id: UUID
    id: UUID
    into_id: UUID
    qualifying_points: int
    merged_at: datetime


_COLUMNS = ("into_id", "qualifying_points", "merged_at")


def merged(one: Merge) -> Insert:
    """Return the write of a merge."""
    row = (one.member_id, one.id, one.into_id, one.qualifying_points, one.merged_at, None)
    return Insert(MemberMerge, ("member_id", "id", *_COLUMNS, "unmerged_at"), [row])


def unmerged(one: Merge, *, now: datetime) -> Update:
    """Return the write that ends a merge."""
    return Update(
        MemberMerge, ("member_id", "id"), ("unmerged_at",), [(one.member_id, one.id, now)]
    )


def counting(one: Merge, qualifying_points: int) -> Update:
    """Return the write of what else counts for the survivor's tier."""
    row = (one.member_id, one.id, qualifying_points)
    return Update(MemberMerge, ("member_id", "id"), ("qualifying_points",), [row])


async def in_force(program_id: UUID, member_ids: Sequence[UUID]) -> dict[UUID, Merge]:
    """Return how these members live on as others; who lives as himself is absent."""
    keys = [(one,) for one in member_ids]
    [found] = await fetch(
        program_id,
        Lookup(MemberMerge, ("member_id",), keys, ("id", *_COLUMNS), where="unmerged_at IS NULL"),
    )
    return {
        member_id: Merge(member_id, *rows[0])
        for member_id, rows in zip(member_ids, found, strict=True)
        if rows
    }


async def count(program_id: UUID) -> int:
    """Return how many members live on as others."""
    return await MemberMerge.filter(program_id=program_id, unmerged_at__isnull=True).count()


async def living_as(program_id: UUID, member_id: UUID) -> list[UUID]:
    """Return who lives on as this member, also over others in between."""
    of_program = MemberMerge.filter(program_id=program_id, unmerged_at__isnull=True)
    found: list[UUID] = []
    wanted = [member_id]
    while wanted:
        rows = await of_program.filter(into_id__in=wanted).order_by("id")
        wanted = [row.member_id for row in rows]
        found += wanted
    return found


async def survivor_of(program_id: UUID, member_id: UUID) -> UUID:
    """Return as whom a member lives by now: perhaps of several merges, perhaps himself."""
    while merge := (await in_force(program_id, [member_id])).get(member_id):
        member_id = merge.into_id
    return member_id


async def joined_to(
    program_id: UUID, member_ids: Sequence[UUID], *, at: datetime | None = None
) -> list[tuple[UUID, UUID]]:
    """Return who lives (at an instant: lived) on as one of these members, each with that one.

    Also through several merges.
    """
    stood = Q(unmerged_at__isnull=True)
    if at is not None:
        stood = Q(stood | Q(unmerged_at__gt=at), merged_at__lte=at)
    found: list[tuple[UUID, UUID]] = []
    latest = {one: one for one in member_ids}
    while latest:
        rows = await MemberMerge.filter(stood, program_id=program_id, into_id__in=list(latest))
        latest = {row.member_id: latest[row.into_id] for row in rows}
        found += latest.items()
    return found


async def hand_over(program_id: UUID, member_id: UUID, into_id: UUID) -> None:
    """Let whatever finds a member find another one."""
    directory = MemberReference.filter(program_id=program_id, member_id=member_id)
    await directory.update(member_id=into_id)


async def take_back(program_id: UUID, member: Member, from_id: UUID) -> None:
    """Let what a member is known by find him again; what the other took over stays there."""
    known = (
        (ReferenceKind.NUMBER, member.number),
        (ReferenceKind.EXTERNAL_ID, member.external_id),
        (ReferenceKind.EMAIL, member.email),
        (ReferenceKind.PHONE, member.phone),
    )
    other: Any = await Member.get(program_id=program_id, id=from_id)
    theirs = {other.number, other.external_id, other.email, other.phone}
    for kind, value in known:
        if value is not None and value not in theirs:
            await MemberReference.filter(
                program_id=program_id, kind=kind, value=value, member_id=from_id
            ).update(member_id=member.id)
