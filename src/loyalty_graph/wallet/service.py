"""Issuing cards: one pass for each member and platform, and what each shows at this moment."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from loyalty_graph import outbox
from loyalty_graph.db import transaction
from loyalty_graph.db.sets import Lookup, fetch, store
from loyalty_graph.errors import MemberNotActiveError, NotFoundError
from loyalty_graph.identifiers import new_id
from loyalty_graph.members import reads as members
from loyalty_graph.members.rules import MemberStatus
from loyalty_graph.wallet.models import SERIAL_LENGTH, PassRow
from loyalty_graph.wallet.showing import faces

__all__ = ["Platform", "faces", "fact_of", "holder", "issue"]

SERIAL_BYTES = SERIAL_LENGTH // 2


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
    by: str = "",
) -> dict[UUID, str]:
    """Give each member a pass on a platform unless there is one; return the serials.

    A void one does not count: the new pass has a serial of its own, and the copies of the void one
    stay void.
    `token_generation` is whose key makes the tokens of new passes, see `apple.tokens`. The audit
    log keeps `by` whom, if it was somebody.

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
    without = sorted(set(member_ids) - serials.keys())
    new = [_new(program_id, one, platform, token_generation, now=now) for one in without]
    if not new:
        return serials
    # Somebody else may be giving the same member one at this moment; the first one counts.
    await PassRow.bulk_create(new, ignore_conflicts=True)
    issued = await _serials(program_id, member_ids, platform)
    made = [row for row in new if issued[row.member_id] == row.serial]
    told = [
        fact_of("pass.issued", row.member_id, row.serial, platform, now=now, by=by) for row in made
    ]
    await store(program_id, [outbox.facts(told)])
    return issued


def _new(
    program_id: UUID, member_id: UUID, platform: Platform, token_generation: int, *, now: datetime
) -> PassRow:
    return PassRow(
        serial=secrets.token_hex(SERIAL_BYTES),
        program_id=program_id,
        member_id=member_id,
        platform=platform,
        token_generation=token_generation,
        issued_at=now,
        changed_at=now,
        stale_since=now,
        last_modified=now.replace(microsecond=0),
    )


def fact_of(
    kind: str, member_id: UUID, serial: str, platform: Platform, *, now: datetime, by: str = ""
) -> outbox.Fact:
    """Return the fact that something happened to a pass; the audit log keeps who did it, if any."""
    told = {"pass": serial, "platform": platform.value}
    return outbox.Fact(new_id(now), kind, member_id, now, told, outbox.change(by, after=told))


async def _serials(
    program_id: UUID, member_ids: Sequence[UUID], platform: Platform
) -> dict[UUID, str]:
    keys = [(member_id, platform) for member_id in member_ids]
    by, not_void = ("member_id", "platform"), "voided_at IS NULL"
    [rows] = await fetch(program_id, Lookup(PassRow, by, keys, ("serial",), not_void))
    return {key[0]: hits[0][0] for key, hits in zip(keys, rows, strict=True) if hits}


async def holder(program_id: UUID, serial: str) -> UUID:
    """Return the member who holds a pass.

    Raises:
        NotFoundError: There is no such pass.
    """
    row = await PassRow.get_or_none(program_id=program_id, serial=serial)
    if row is None:
        raise NotFoundError("pass", serial)
    return row.member_id
