"""What becomes of a membership: its particulars change, consents are asked, and one day it ends."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty_graph import outbox
from loyalty_graph.db import transaction
from loyalty_graph.db.sets import store
from loyalty_graph.errors import InvalidInputError
from loyalty_graph.idempotency import Claim, claim
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger import pending
from loyalty_graph.ledger import rules as ledger_rules
from loyalty_graph.ledger import service as ledger
from loyalty_graph.members import changing, reads
from loyalty_graph.members import service as members
from loyalty_graph.members.models import Member
from loyalty_graph.members.rules import (
    ConsentPurpose,
    MemberStatus,
    Reference,
    check_next_status,
)
from loyalty_graph.rewards import service as rewards
from loyalty_graph.usecases import held_points, leaving, occasions, posting
from loyalty_graph.wallet import voiding

GIVEN_ONCE = ("birthday",)
"""What members cannot change: a birthday that moves brings gifts in every month."""


@posting.settling_conflicts
@transaction
async def update(
    program_id: UUID,
    wanted: Reference,
    changes: Mapping[str, Any],
    *,
    now: datetime,
    by_member: bool = False,
    by: str = "",
) -> Member:
    """Change what is known of a member; None forgets, what is not named stays.

    `changes` holds the names of a `Profile`'s fields. The fact that tells of it names what changed,
    not the values: they are a person's. A change that changes nothing writes nothing. A closed
    member may be changed too: without an address he can join anew with it.

    Args:
        program_id: The member's programme.
        wanted: The member, by what is known before.
        changes: What is to be known from now on.
        now: The moment.
        by_member: The member asks, who gives a birthday once.
        by: Who asks, for the audit log.

    Raises:
        NotFoundError: No such member.
        InvalidInputError: A value cannot be used, or is known and given once only.
        MemberExistsError: An e-mail, phone number or external id belongs to another member.
        MemberNotActiveError: The member is merged or erased.
    """
    member = await changing.lock(program_id, wanted)
    for name in changes.keys() & set(GIVEN_ONCE if by_member else ()):
        if getattr(member, name) not in (None, changes[name]):
            raise InvalidInputError(f"The {name} is known; only the shop changes it.", field=name)
    was = {name: getattr(member, name) for name in changes}
    changed, writes = await changing.change(member, changes)
    if changed:
        before = {name: was[name] for name in changed}
        after = {name: getattr(member, name) for name in changed}
        told = outbox.change(by, before=before, after=after)
        payload = {"changed": changed}
        fact = outbox.Fact(new_id(now), "member.updated", member.id, now, payload, told)
        marks = outbox.mark_cards([member.id], now=now)
        await store(program_id, [*writes, outbox.facts([fact]), marks])
        await occasions.see(program_id, [member], joined=False, now=now)
    return member


@transaction
async def set_consents(
    program_id: UUID,
    wanted: Reference,
    answers: Mapping[ConsentPurpose, bool],
    *,
    source: str,
    now: datetime,
    by: str = "",
) -> Member:
    """Keep what a member allowed or refused; `source` says where he was asked.

    Every answer is kept, also one given before: when somebody last said yes is a proof. The fact
    names only the purposes whose answer is another than before.

    Raises:
        NotFoundError: No such member.
        MemberNotActiveError: The member is merged or erased.
    """
    member = await changing.lock(program_id, wanted)
    newest = (await reads.consents(program_id, [member.id]))[member.id]
    before = {one.purpose: one.granted for one in newest}
    asked = [
        members.Asked(member.id, purpose, granted=granted, source=source)
        for purpose, granted in answers.items()
    ]
    changed = {
        one.purpose.value: one.granted for one in asked if before.get(one.purpose) != one.granted
    }
    was = {purpose: before.get(purpose) for purpose in changed}
    told = outbox.change(by, before=was, after=changed)
    fact = outbox.Fact(new_id(now), "consent.changed", member.id, now, {"granted": changed}, told)
    facts = [fact]
    await store(
        program_id,
        [members.consents(asked, now=now), outbox.facts(facts if changed else [])],
    )
    return member


@dataclass(frozen=True, slots=True)
class CloseMember:
    """A membership to end."""

    caller: str
    idempotency_key: str
    member: Reference

    @property
    def claim(self) -> Claim:
        """The wish to count once."""
        given = {"closeMember": [self.member.kind, self.member.value]}
        return claim(self.caller, self.idempotency_key, given)


@dataclass(frozen=True, slots=True)
class MemberClosed:
    """The answer: who was closed, and the points that were forfeited."""

    member_id: UUID
    forfeited_points: int
    replayed: bool = False


@posting.settling_conflicts
@transaction
async def close(program_id: UUID, command: CloseMember, *, now: datetime) -> MemberClosed:
    """End a membership for good; points that are left are forfeited by an entry of kind EXPIRE.

    The subscription ends at once. Points that were set aside, or given for a code that was not used
    yet, come back first and are forfeited with the others; vouchers are void. Whoever is closed
    neither earns nor spends, but goods may still come back, and debt stays on the books. Closing
    again forfeits nothing and writes nothing but the answer.

    Raises:
        NotFoundError: No such member.
        InvalidInputError: The member was merged or erased.
        IdempotencyMismatchError: The key was used with other input.
    """
    batch = await posting.load(program_id, [command], now=now, spending=True)
    if (earlier := batch.earlier(0)) is not None:
        return MemberClosed(UUID(earlier["member"]), earlier["forfeited"], replayed=True)
    account = batch.account(0, command.member)
    if not account.has_all_lots:
        batch = await posting.load(program_id, [command], now=now, whole=[account.member_id])
        account = batch.account(0, command.member)
    forfeited, back = 0, Counter[str]()
    if account.status != MemberStatus.CLOSED:
        check_next_status(MemberStatus(account.status), MemberStatus.CLOSED)
        forfeited, back = await end(batch, account, actor=command.caller)
    kept = {"member": str(account.member_id), "forfeited": forfeited}
    batch.answer(0, kept)
    await batch.store()
    await rewards.move_stock(program_id, {reward: -many for reward, many in back.items()})
    return MemberClosed(account.member_id, forfeited)


async def end(
    batch: posting.Batch, account: ledger_rules.Account, *, actor: str
) -> tuple[int, Counter[str]]:
    """End the membership of an account with all its lots, and all that ends with it.

    Returns the forfeited points, and how many of each reward go back on the shelf: moving the stock
    must be the transaction's last statement.
    """
    await leaving.end_subscription(batch, account)
    back = await leaving.end_redemptions(batch, account, actor=actor)
    await held_points.end_all(batch, account, actor=actor)
    return await _forfeit(batch, account, actor=actor), back


async def _forfeit(batch: posting.Batch, account: ledger_rules.Account, *, actor: str) -> int:
    member_id, now = account.member_id, batch.now
    cause = ledger_rules.Cause(
        reference=str(member_id),
        at=now,
        recorded_at=now,
        actor=actor,
        explanation={"by": "closing"},
        salt=posting.salt(),
    )
    transfer = ledger_rules.forfeit(account, cause)
    waiting = pending.forfeit(account, cause)
    ended = [one for one in (transfer, waiting) if one is not None]
    forfeited = sum(one.points for one in ended)
    told = {"from": account.status, "forfeited": forfeited, "balance": account.balance}
    entry = ended[0].sequence if ended else None
    change = outbox.change(
        actor,
        before={"status": account.status},
        after={"status": MemberStatus.CLOSED.value, "forfeited": forfeited},
    )
    batch.record_change("member.closed", member_id, change, entry=entry, **told)
    # Apart from the batch, which writes the same account's row.
    await store(
        batch.program_id,
        [
            members.set_status(member_id, MemberStatus.CLOSED),
            ledger.set_status(member_id, MemberStatus.CLOSED),
        ],
    )
    batch.shown.add(member_id)
    await voiding.void_all(batch.program_id, member_id, now=now)
    return forfeited
