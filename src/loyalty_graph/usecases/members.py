"""Enrolling members: each gets a number and an empty account."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from loyalty_graph import outbox
from loyalty_graph.db import transaction
from loyalty_graph.db.sets import store
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger import service as ledger
from loyalty_graph.members import service as members
from loyalty_graph.members.models import Member
from loyalty_graph.members.rules import (
    ConsentPurpose,
    MemberStatus,
    Reference,
    check_next_status,
)
from loyalty_graph.members.service import Profile
from loyalty_graph.usecases import posting

ENROL_MAX = 500


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A new member, and what he allowed on joining; `source` says where he was asked."""

    profile: Profile
    consents: tuple[ConsentPurpose, ...] = ()
    source: str = "api"


@posting.settling_conflicts
@transaction
async def enrol(
    program_id: UUID, enrolments: Sequence[Enrolment], *, now: datetime
) -> list[Member]:
    """Enrol members; all or none.

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
    facts = [outbox.Fact(new_id(now), "member.enrolled", one, now, {}) for one in ids]
    await store(
        program_id,
        [
            *rows,
            members.consents(asked, now=now),
            ledger.open_accounts(program_id, ids),
            outbox.facts(facts),
        ],
    )
    return enrolled


@transaction
async def set_status(
    program_id: UUID, wanted: Reference, status: MemberStatus, *, now: datetime
) -> Member:
    """Suspend a member, make him active again, or close him for good.

    Only active members earn and spend; points stay where they are and expire as before.

    Raises:
        NotFoundError: No such member.
        InvalidInputError: The member cannot move to this status.
    """
    member = await members.find(program_id, wanted)
    await ledger.load_accounts(program_id, [member.id])
    await member.refresh_from_db(fields=["status"])
    check_next_status(MemberStatus(member.status), status)
    changed = outbox.Fact(
        new_id(now), "member.status_changed", member.id, now, {"from": member.status, "to": status}
    )
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
