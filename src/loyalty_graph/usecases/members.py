"""Enrolling members: each gets a number and an empty account."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from loyalty_graph import outbox
from loyalty_graph.db import transaction
from loyalty_graph.db.sets import fetch, store
from loyalty_graph.errors import MemberExistsError
from loyalty_graph.idempotency import Answered, Claim, answers, claim
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger import service as ledger
from loyalty_graph.members import locks, reads
from loyalty_graph.members import service as members
from loyalty_graph.members.models import Member
from loyalty_graph.members.rules import (
    ConsentPurpose,
    MemberStatus,
    Reference,
    check_next_status,
)
from loyalty_graph.members.service import Profile
from loyalty_graph.programs import service as programs
from loyalty_graph.tiers import service as tiers
from loyalty_graph.usecases import occasions, posting

ENROL_MAX = 500


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A new member, and what he allowed on joining; `source` says where he was asked."""

    profile: Profile
    consents: tuple[ConsentPurpose, ...] = ()
    source: str = "api"

    def claim(self, caller: str, key: str) -> Claim:
        """Return the wish that this enrolment counts once under a caller's key."""
        profile = self.profile
        given = {name: getattr(profile, name) for name in Profile.__dataclass_fields__}
        born = None if profile.birthday is None else profile.birthday.isoformat()
        asked = [self.consents, self.source]
        return claim(caller, key, {"enrolMember": [{**given, "birthday": born}, *asked]})


@posting.settling_conflicts
@transaction
async def enrol(
    program_id: UUID, enrolments: Sequence[Enrolment], *, now: datetime, by: str = "cli"
) -> list[Member]:
    """Enrol members; all or none.

    Raises:
        InvalidInputError: A field cannot be used.
        MemberExistsError: An e-mail, phone number or external id belongs to a member already.
    """
    return await _enrol(program_id, enrolments, now=now, by=by)


async def enrol_once(
    program_id: UUID, wanted: Claim, enrolment: Enrolment, *, now: datetime
) -> tuple[Member, bool]:
    """Enrol a member once under a key; return him, and whether this was a retry.

    Raises:
        InvalidInputError: A field cannot be used.
        MemberExistsError: An e-mail, phone number or external id belongs to a member already.
        IdempotencyMismatchError: The key was used with other input.
    """
    try:
        return await _enrol_once(program_id, wanted, enrolment, now=now)
    except MemberExistsError:
        # It may be a twin of this call that took the address after the key was looked for.
        return await _enrol_once(program_id, wanted, enrolment, now=now)


@posting.settling_conflicts
@transaction
async def _enrol_once(
    program_id: UUID, wanted: Claim, enrolment: Enrolment, *, now: datetime
) -> tuple[Member, bool]:
    answered = Answered([wanted], (await fetch(program_id, answers([wanted])))[0])
    if (earlier := answered.earlier(wanted)) is not None:
        member_id = UUID(earlier["member"])
        return (await reads.members(program_id, [member_id]))[member_id], True
    [member] = await _enrol(program_id, [enrolment], now=now, by=wanted.caller)
    answered.keep(wanted, {"member": str(member.id)})
    await store(program_id, [answered.write(now=now)])
    return member, False


async def _enrol(
    program_id: UUID, enrolments: Sequence[Enrolment], *, now: datetime, by: str
) -> list[Member]:
    enrolled = await bring_along(program_id, enrolments, now=now, by=by)
    await occasions.see(program_id, enrolled, joined=True, now=now)
    return enrolled


@transaction
async def bring_along(
    program_id: UUID, enrolments: Sequence[Enrolment], *, now: datetime, by: str
) -> list[Member]:
    """Enrol members who joined long ago elsewhere: nothing is earned by it.

    Raises:
        InvalidInputError: A field cannot be used.
        MemberExistsError: An e-mail, phone number or external id belongs to a member already.
    """
    assert len(enrolments) <= ENROL_MAX, "the door limits the batch"
    profiles = [one.profile.checked() for one in enrolments]
    enrolled, rows = await members.add(program_id, profiles, now=now)
    ids = [member.id for member in enrolled]
    asked = [
        members.Asked(member_id, purpose, granted=True, source=one.source)
        for member_id, one in zip(ids, enrolments, strict=True)
        for purpose in one.consents
    ]
    told = outbox.change(by, after={"status": MemberStatus.ACTIVE.value})
    facts = [outbox.Fact(new_id(now), "member.enrolled", one, now, {}, told) for one in ids]
    scheme = await tiers.scheme(await programs.in_force(program_id, now, now=now))
    await store(
        program_id,
        [
            *rows,
            members.consents(asked, now=now),
            ledger.open_accounts(program_id, ids),
            *([] if scheme is None else tiers.opened(scheme, ids, now=now)),
            outbox.facts(facts),
        ],
    )
    return enrolled


@transaction
async def set_status(
    program_id: UUID, wanted: Reference, status: MemberStatus, *, now: datetime, by: str = "cli"
) -> Member:
    """Suspend a member, or make him active again.

    Only active members earn and spend; points stay where they are and expire as before. Closing is
    a use case of its own (`membership.close`), because it forfeits points.

    Raises:
        NotFoundError: No such member.
        InvalidInputError: The member cannot move to this status.
    """
    assert status is not MemberStatus.CLOSED, "closing forfeits points"
    member = await members.find(program_id, wanted)
    await ledger.load_accounts(program_id, [member.id])
    await member.refresh_from_db(fields=["status"])
    check_next_status(MemberStatus(member.status), status)
    await locks.lift(program_id, member.id)
    told = outbox.change(by, before={"status": member.status}, after={"status": status})
    payload = {"from": member.status, "to": status}
    changed = outbox.Fact(new_id(now), "member.status_changed", member.id, now, payload, told)
    await store(
        program_id,
        [
            members.set_status(member.id, status),
            ledger.set_status(member.id, status),
            outbox.facts([changed]),
            outbox.mark_cards([member.id], now=now),
        ],
    )
    member.status = status
    return member
