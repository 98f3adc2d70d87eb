"""Offers: what a member sees and activates ("clips to the card") before buying."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty_graph.db import transaction
from loyalty_graph.earning import offers as activated
from loyalty_graph.earning import service as earning
from loyalty_graph.earning.errors import OfferActivatedError, OfferNotOpenError, OfferUsedUpError
from loyalty_graph.earning.offers import Activation, OfferState, OnOffer
from loyalty_graph.earning.rule_settings import Offer
from loyalty_graph.errors import NotFoundError, shown
from loyalty_graph.idempotency import Claim, claim
from loyalty_graph.ledger import rules as ledger
from loyalty_graph.members.rules import MemberStatus, Reference
from loyalty_graph.programs import service as programs
from loyalty_graph.segments import loading
from loyalty_graph.segments.facts import MemberFacts
from loyalty_graph.usecases import posting


@dataclass(frozen=True, slots=True)
class Offered:
    """An offer as a member sees it; `activation` is None before it is activated."""

    offer: Offer
    activation: Activation | None

    @property
    def state(self) -> OfferState:
        """Return where it stands for the member."""
        return OfferState.AVAILABLE if self.activation is None else self.activation.state

    @property
    def uses_left(self) -> int:
        """Return how often it may still be used, once it is activated."""
        return self.offer.uses if self.activation is None else self.activation.uses_left


async def offers(
    program_id: UUID, member_ids: Sequence[UUID], *, now: datetime
) -> dict[UUID, list[Offered]]:
    """Return the open offers that each member may see, in the order of the programme file.

    Those of his audience, and what he has activated, whatever he is now. Members who are not active
    see none.
    """
    version = await programs.in_force(program_id, now, now=now)
    on_offer = await earning.on_offer(version)
    open_ = [one for one in on_offer.values() if one.is_open(now)]
    if not open_:
        return {member_id: [] for member_id in member_ids}
    facts = await _facts(version, member_ids, now=now)
    clipped = await activated.activations(program_id, member_ids)
    return {
        member_id: _shown(open_, facts.get(member_id), clipped[member_id])
        for member_id in member_ids
    }


def _shown(
    open_: Sequence[OnOffer], member: MemberFacts | None, clipped: Mapping[str, Activation]
) -> list[Offered]:
    if member is None or member.status != MemberStatus.ACTIVE:
        return []
    return [
        Offered(one.settings, clipped.get(one.settings.code))
        for one in open_
        if one.settings.code in clipped or one.is_for(member)
    ]


async def _facts(
    version: programs.Version, member_ids: Sequence[UUID], *, now: datetime
) -> dict[UUID, MemberFacts]:
    return await loading.facts_of(
        version.program_id, member_ids, at=now, now=now, zone=version.settings.zone
    )


@dataclass(frozen=True, slots=True)
class ActivateOffer:
    """A member's wish to have an offer with the next purchases."""

    caller: str
    idempotency_key: str
    member: Reference
    offer: str

    @property
    def claim(self) -> Claim:
        """The wish to count once."""
        given = {"activateOffer": [self.member.kind, self.member.value, self.offer]}
        return claim(self.caller, self.idempotency_key, given)


@dataclass(frozen=True, slots=True)
class OfferActivated:
    """The answer: whose offer it is now."""

    member_id: UUID
    offer: str
    replayed: bool = False


@posting.settling_conflicts
@transaction
async def activate(program_id: UUID, command: ActivateOffer, *, now: datetime) -> OfferActivated:
    """Activate an open offer for a member; from now on his purchases use it.

    Raises:
        NotFoundError: No such member, or no such offer for him: these cannot be told apart.
        MemberNotActiveError: The member is closed or suspended.
        OfferActivatedError: He has activated it already.
        OfferUsedUpError: He has used it up.
        OfferNotOpenError: It opens later, or is over.
        IdempotencyMismatchError: The key was used with other input.
    """
    batch = await posting.load(program_id, [command], now=now, by_member=[activated.activations_of])
    if (earlier := batch.earlier(0)) is not None:
        return OfferActivated(UUID(earlier["member"]), earlier["offer"], replayed=True)
    account = batch.account(0, command.member)
    ledger.check_active(account)
    one = await _wanted(batch, account.member_id, command.offer)
    activation = Activation(one.code, now, used=0, uses_left=one.uses)
    batch.writes.append(activated.activate(account.member_id, activation))
    told: dict[str, Any] = {"offer": one.code, "usesLeft": one.uses}
    batch.record_by(command.caller, "offer.activated", account.member_id, **told)
    batch.answer(0, _kept(account.member_id, one.code))
    await batch.store()
    return OfferActivated(account.member_id, one.code)


def _kept(member_id: UUID, offer: str) -> dict[str, Any]:
    return {"member": str(member_id), "offer": offer}


async def _wanted(batch: posting.Batch, member_id: UUID, code: str) -> Offer:
    """Return the offer that the member may activate now."""
    rows = batch.of_members[activated.activations_of][member_id]
    clipped = {row[0]: activated.activation_of(row) for row in rows}
    if (before := clipped.get(code)) is not None:
        if not before.uses_left:
            raise OfferUsedUpError(code)
        raise OfferActivatedError(code, uses_left=before.uses_left)
    version = await programs.in_force(batch.program_id, batch.now, now=batch.now)
    one = (await earning.on_offer(version)).get(code)
    if one is not None:
        [facts] = (await _facts(version, [member_id], now=batch.now)).values()
        if one.is_for(facts):
            if not one.is_open(batch.now):
                raise OfferNotOpenError(code)
            return one.settings
    raise NotFoundError("offer", shown(code), place="what the member is offered", field="offer")
