"""Erasing a person: what was known of somebody goes, the books stay whole and can be proved."""

import hashlib
import hmac
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty_graph import idempotency, outbox
from loyalty_graph.db import personal, transaction
from loyalty_graph.db.sets import store
from loyalty_graph.idempotency import Claim, claim
from loyalty_graph.identity import audit
from loyalty_graph.ledger import service as ledger
from loyalty_graph.members import merges
from loyalty_graph.members import service as members
from loyalty_graph.members.rules import MemberStatus, Reference
from loyalty_graph.rewards import service as rewards
from loyalty_graph.usecases import membership, posting
from loyalty_graph.wallet import links, voiding

HAS_LEFT = {MemberStatus.CLOSED, MemberStatus.MERGED, MemberStatus.ERASED}


@dataclass(frozen=True, slots=True)
class EraseMember:
    """A person to be forgotten.

    `secret` is the server's key: the answer is kept for retries after everything else is gone, and
    a plain hash of an address could be guessed.
    """

    caller: str
    idempotency_key: str
    member: Reference
    secret: bytes

    @property
    def claim(self) -> Claim:
        """The wish to count once."""
        named = f"erase/{self.member.kind}/{self.member.value}".encode()
        given = {"eraseMember": hmac.new(self.secret, named, hashlib.sha256).hexdigest()}
        return claim(self.caller, self.idempotency_key, given)


@dataclass(frozen=True, slots=True)
class MemberErased:
    """The answer: who was erased, and the points that were forfeited."""

    member_id: UUID
    forfeited_points: int
    replayed: bool = False

    def kept(self) -> dict[str, Any]:
        """Return the answer as it is kept for retries."""
        return {"member": str(self.member_id), "forfeited": self.forfeited_points}


@posting.settling_conflicts
@transaction
async def erase(program_id: UUID, command: EraseMember, *, now: datetime) -> MemberErased:
    """Forget a person for good: whatever any table calls personal is emptied or removed.

    The membership ends first, if it has not, as when it is closed. Ids, points, amounts and moments
    stay, so that the books are whole and every chain still verifies; passes are void, links to the
    card page work no more, and nothing but the id finds the member. Earlier answers to callers that
    name the member go too. Erasing again removes what came to be known since, for example with
    goods that came back. Members who were merged into this one are the same person, and erased too.

    Raises:
        NotFoundError: No such member.
        IdempotencyMismatchError: The key was used with other input.
    """
    batch = await posting.load(program_id, [command], now=now, whole=True)
    if (earlier := batch.earlier(0)) is not None:
        return MemberErased(UUID(earlier["member"]), earlier["forfeited"], replayed=True)
    account = batch.account(0, command.member)
    member_id, was = account.member_id, MemberStatus(account.status)
    # Who did what to the member stays known, though not any more what it was.
    await audit.keep_all()
    for one in [member_id, *(others := await merges.living_as(program_id, member_id))]:
        await personal.erase(program_id, one)
        await idempotency.forget(program_id, one)
    forfeited, back = 0, Counter[str]()
    if was not in HAS_LEFT:
        forfeited, back = await membership.end(batch, account, actor=command.caller)
    for one in [member_id, *others]:
        await _shut_out(program_id, one, now=now)
    answer = MemberErased(member_id, forfeited)
    batch.answer(0, answer.kept())
    if was is not MemberStatus.ERASED:
        change = outbox.change(
            command.caller,
            before={"status": was.value},
            after={"status": MemberStatus.ERASED.value},
        )
        batch.record_change("member.erased", member_id, change, **{"from": was.value})
        batch.shown.add(member_id)
    await batch.store()
    # What ended just now has entries too.
    await personal.erase(program_id, member_id, only="transfer")
    await rewards.move_stock(program_id, {reward: -many for reward, many in back.items()})
    return answer


async def _shut_out(program_id: UUID, member_id: UUID, *, now: datetime) -> None:
    await voiding.void_all(program_id, member_id, now=now)
    await links.revoke_all(program_id, member_id, now=now)
    erased = MemberStatus.ERASED
    await store(
        program_id, [members.set_status(member_id, erased), ledger.set_status(member_id, erased)]
    )
