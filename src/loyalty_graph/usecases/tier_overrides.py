"""Giving a member a tier by hand until a day: a status match, a gesture, a correction."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty_graph import outbox
from loyalty_graph.db import transaction
from loyalty_graph.errors import InvalidInputError, NotFoundError
from loyalty_graph.idempotency import Claim, claim
from loyalty_graph.ledger import rules as ledger
from loyalty_graph.members.rules import Reference
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.rules import check_offset
from loyalty_graph.tiers import service as tiers
from loyalty_graph.tiers.standing import Scheme, advance, override
from loyalty_graph.usecases import posting
from loyalty_graph.usecases.tiering import TierChanges


@dataclass(frozen=True, slots=True)
class OverrideTier:
    """A tier by its code until an instant, and why; without `tier`, an override ends now."""

    caller: str
    idempotency_key: str
    member: Reference
    tier: str | None
    until: datetime | None
    reason: str

    @property
    def claim(self) -> Claim:
        """The wish to count once."""
        member = [self.member.kind, self.member.value]
        given = {"overrideTier": [*member, self.tier, self.until, self.reason]}
        return claim(self.caller, self.idempotency_key, given)


@dataclass(frozen=True, slots=True)
class TierOverridden:
    """The answer: whose tier it was, and which it is now."""

    member_id: UUID
    tier: str | None
    replayed: bool = False


@posting.settling_conflicts
@transaction
async def override_tier(
    program_id: UUID, command: OverrideTier, *, now: datetime
) -> TierOverridden:
    """Give a member a tier by hand; it holds until its end, or until the member rises above it.

    What the member earns is counted and judged meanwhile as ever, and holds again afterwards.

    Raises:
        NotFoundError: No such member or tier.
        InvalidInputError: No end that lies ahead, or no reason; or the programme has no tiers.
        MemberNotActiveError: The member is closed or suspended.
        IdempotencyMismatchError: The key was used with other input.
    """
    _check(command)
    batch = await posting.load(program_id, [command], now=now, by_member=[tiers.standings])
    if (earlier := batch.earlier(0)) is not None:
        return TierOverridden(UUID(earlier["member"]), earlier["tier"], replayed=True)
    _check_end(command, now)
    account = batch.account(0, command.member)
    ledger.check_active(account)
    version = await programs.in_force(program_id, now, now=now)
    scheme = _with_this_tier(command, await tiers.scheme(version))
    found = batch.of_members[tiers.standings]
    standings = await tiers.known(program_id, scheme, found, now=now)
    present, passed = advance(scheme, standings[account.member_id], now)
    given, changed = override(present, command.tier, until=command.until, now=now)
    changes = TierChanges(version, scheme, now)
    changes.add(account.member_id, (given, passed))
    by_hand = TierChanges(version, scheme, now, actor=command.caller, reason=command.reason)
    by_hand.add(account.member_id, (given, changed))
    changes.recorded += by_hand.recorded
    changes.add_to(batch)
    batch.record_change(
        "member.tier_overridden",
        account.member_id,
        outbox.change(
            command.caller,
            before={"tier": present.override, "until": present.override_until},
            after={"tier": command.tier, "until": command.until},
            reason=command.reason,
        ),
    )
    batch.shown.add(account.member_id)
    answer: dict[str, Any] = {"member": str(account.member_id), "tier": given.tier}
    batch.answer(0, answer)
    await batch.store()
    return TierOverridden(account.member_id, given.tier)


def _check(command: OverrideTier) -> None:
    posting.check_text(command.reason, field="reason")
    if not command.reason.strip():
        raise InvalidInputError("An override needs a reason.", field="reason")
    if (command.tier is None) != (command.until is None):
        raise InvalidInputError(
            "Give a tier with the time it ends; or neither, to end an override.", field="until"
        )
    if command.until is not None:
        check_offset(command.until, field="until")


def _with_this_tier(command: OverrideTier, scheme: Scheme | None) -> Scheme:
    if scheme is None:
        raise InvalidInputError("This programme has no tiers.", field="tier")
    if command.tier is not None and scheme.settings.level(command.tier) is None:
        raise NotFoundError("tier", command.tier, field="tier")
    return scheme


def _check_end(command: OverrideTier, now: datetime) -> None:
    if command.until is not None and command.until <= now:
        raise InvalidInputError(
            f"The end {command.until.isoformat()} lies in the past; it is {now.isoformat()}.",
            field="until",
        )
