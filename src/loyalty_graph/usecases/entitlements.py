"""What members may use now and why, and counting that they did."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID

from loyalty_graph.benefits import service as benefits
from loyalty_graph.benefits.rules import (
    Benefit,
    Grant,
    GrantSource,
    UsePeriod,
    is_in_season,
    next_period,
    period_start,
)
from loyalty_graph.benefits.service import UseKey
from loyalty_graph.db import transaction
from loyalty_graph.db.sets import Insert
from loyalty_graph.errors import BenefitUsedUpError, InvalidInputError, NotEntitledError
from loyalty_graph.idempotency import Claim, claim
from loyalty_graph.ledger import rules as ledger
from loyalty_graph.members import reads as members
from loyalty_graph.members.models import Member
from loyalty_graph.members.rules import MemberStatus, Reference
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.subscriptions import reads as subscriptions
from loyalty_graph.subscriptions.service import saving_write
from loyalty_graph.tiers import reads as tiers
from loyalty_graph.usecases import posting

SAVED_MAX = 10**12


@dataclass(frozen=True, slots=True)
class Entitlement:
    """A benefit that a member may use now, and the grants that allow it.

    `used` counts this period's uses; `renews_at` is when the next period begins, None where uses
    are not counted.
    """

    benefit: Benefit
    grants: tuple[Grant, ...]
    used: int
    renews_at: datetime | None

    @property
    def left(self) -> int | None:
        """Return how often it may be used until it renews; None as often as one likes."""
        return None if self.benefit.uses is None else max(0, self.benefit.uses - self.used)

    @property
    def until(self) -> datetime | None:
        """Return when the last of its grants ends; None when that is open."""
        ends = [grant.until for grant in self.grants]
        return max((end for end in ends if end), default=None) if all(ends) else None


async def entitlements(
    program_id: UUID, member_ids: Sequence[UUID], *, now: datetime
) -> dict[UUID, list[Entitlement]]:
    """Return what each member may use now, in the order of the programme file.

    Members who are not active may use nothing; a benefit that is used up stands here with nothing
    left.
    """
    version = await programs.in_force(program_id, now, now=now)
    known = await benefits.benefits(version)
    if not known:
        return {member_id: [] for member_id in member_ids}
    people = await members.members(program_id, member_ids)
    granted = await _grants(program_id, member_ids, now=now)
    today = now.astimezone(version.settings.zone).date()
    wanted = {
        member_id: [
            benefit
            for benefit in known.values()
            if _may_use(people.get(member_id), benefit, granted[member_id], today)
        ]
        for member_id in member_ids
    }
    keys = [_key(one, benefit, today) for one, some in wanted.items() for benefit in some]
    uses = await benefits.uses(program_id, keys)
    return {
        member_id: [
            Entitlement(
                benefit,
                tuple(one for one in granted[member_id] if one.benefit == benefit.code),
                uses[_key(member_id, benefit, today)],
                _renews_at(benefit, today, version.settings),
            )
            for benefit in some
        ]
        for member_id, some in wanted.items()
    }


async def _grants(
    program_id: UUID, member_ids: Sequence[UUID], *, now: datetime
) -> dict[UUID, list[Grant]]:
    """Return what members are granted, whatever grants it."""
    by_tier = await tiers.grants(program_id, member_ids, now=now)
    paid = await subscriptions.grants(program_id, member_ids, now=now)
    return {one: [*by_tier.get(one, ()), *paid.get(one, ())] for one in member_ids}


def _may_use(
    member: Member | None, benefit: Benefit, granted: Sequence[Grant], today: date
) -> bool:
    if member is None or member.status != MemberStatus.ACTIVE:
        return False
    if all(one.benefit != benefit.code for one in granted):
        return False
    return is_in_season(benefit, birthday=member.birthday, today=today)


def _key(member_id: UUID, benefit: Benefit, today: date) -> UseKey:
    return member_id, benefit.code, period_start(benefit.per or UsePeriod.DAY, today)


def _renews_at(benefit: Benefit, today: date, settings: ProgramSettings) -> datetime | None:
    if benefit.per is None:
        return None
    first = next_period(benefit.per, today)
    return datetime.combine(first, time(), tzinfo=settings.zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class UseEntitlement:
    """A member's wish to use a benefit once, now; `saved_minor` is what he saves by it."""

    caller: str
    idempotency_key: str
    member: Reference
    benefit: str
    saved_minor: int = 0

    @property
    def claim(self) -> Claim:
        """The wish to count once."""
        given = [self.member.kind, self.member.value, self.benefit, self.saved_minor]
        return claim(self.caller, self.idempotency_key, {"useEntitlement": given})


@dataclass(frozen=True, slots=True)
class EntitlementUsed:
    """The answer: which use of its period this was, and how many are left after it."""

    member_id: UUID
    benefit: str
    used: int
    left: int | None
    replayed: bool = False

    def kept(self) -> dict[str, Any]:
        """Return the answer as it is kept for retries."""
        uses = [self.used, self.left]
        return {"member": str(self.member_id), "benefit": self.benefit, "uses": uses}

    @classmethod
    def replay(cls, kept: dict[str, Any]) -> "EntitlementUsed":
        """Return the first answer to a retry."""
        used, left = kept["uses"]
        return cls(UUID(kept["member"]), kept["benefit"], used, left, replayed=True)


@posting.settling_conflicts
@transaction
async def use_entitlement(
    program_id: UUID, command: UseEntitlement, *, now: datetime
) -> EntitlementUsed:
    """Count one use of a benefit by a member who may use it now.

    Raises:
        NotFoundError: No such member.
        MemberNotActiveError: The member is closed or suspended.
        NotEntitledError: Nothing grants the benefit now.
        BenefitUsedUpError: Every use of this period was made.
        InvalidInputError: What is saved is below nothing, or absurd.
        IdempotencyMismatchError: The key was used with other input.
    """
    if not 0 <= command.saved_minor <= SAVED_MAX:
        raise InvalidInputError("What is saved is nothing or more.", field="saved")
    batch = await posting.load(program_id, [command], now=now)
    if (earlier := batch.earlier(0)) is not None:
        return EntitlementUsed.replay(earlier)
    account = batch.account(0, command.member)
    ledger.check_active(account)
    found = await entitlements(program_id, [account.member_id], now=now)
    may_use = {one.benefit.code: one for one in found[account.member_id]}
    if command.benefit not in may_use:
        raise NotEntitledError(command.benefit)
    one = may_use[command.benefit]
    if one.left == 0:
        assert one.renews_at is not None, "what is counted renews"
        uses, renews_at = one.used, one.renews_at.isoformat()
        raise BenefitUsedUpError(command.benefit, uses=uses, renews_at=renews_at)
    left = None if one.left is None else one.left - 1
    answer = EntitlementUsed(account.member_id, command.benefit, one.used + 1, left)
    version = await programs.in_force(program_id, now, now=now)
    key = _key(account.member_id, one.benefit, now.astimezone(version.settings.zone).date())
    used = benefits.Used(key, answer.used, one.grants[0], now, command.caller)
    batch.writes.append(benefits.use_write(used))
    batch.writes += await _savings(program_id, used, command.saved_minor, now=now)
    batch.record_by(
        command.caller,
        "entitlement.used",
        account.member_id,
        before={"used": one.used, "left": one.left},
        benefit=command.benefit,
        source=used.grant.source,
        code=used.grant.code,
        used=answer.used,
        left=left,
    )
    batch.answer(0, answer.kept())
    await batch.store()
    return answer


async def _savings(
    program_id: UUID, used: benefits.Used, saved_minor: int, *, now: datetime
) -> list[Insert]:
    """Return the write that adds what a use saved to the subscription that granted it, if any."""
    if not saved_minor or used.grant.source != GrantSource.SUBSCRIPTION:
        return []
    member_id, benefit, day = used.key
    found = await subscriptions.newest(program_id, [member_id], now=now)
    reference = f"{benefit}:{day.isoformat()}:{used.number}"
    key = found[member_id].held.key
    return [saving_write(key, benefit, reference, saved_minor=saved_minor, at=now)]
