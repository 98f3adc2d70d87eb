"""Giving a member a link to the card page, and taking it away again."""

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
from loyalty_graph.ledger import rules as ledger
from loyalty_graph.members.rules import Reference
from loyalty_graph.usecases import posting
from loyalty_graph.wallet import links
from loyalty_graph.wallet.links import CardLink


@dataclass(frozen=True, slots=True)
class CreateCardLink:
    """A new link for a member."""

    caller: str
    idempotency_key: str
    member: Reference

    @property
    def claim(self) -> Claim:
        """The wish to count once."""
        given = {"createCardLink": [self.member.kind, self.member.value]}
        return claim(self.caller, self.idempotency_key, given)


@dataclass(frozen=True, slots=True)
class CardLinkCreated:
    """The answer: which link it is."""

    member_id: UUID
    link_id: UUID
    replayed: bool = False

    def kept(self) -> dict[str, Any]:
        """Return the answer as it is kept for retries: without the token, which opens the card."""
        return {"member": str(self.member_id), "link": str(self.link_id)}

    @classmethod
    def replay(cls, kept: dict[str, Any]) -> "CardLinkCreated":
        """Return the first answer to a retry."""
        return cls(UUID(kept["member"]), UUID(kept["link"]), replayed=True)


@posting.settling_conflicts
@transaction
async def create(
    program_id: UUID, command: CreateCardLink, *, key: bytes, now: datetime
) -> CardLinkCreated:
    """Give a member one more link, made with the server's key.

    Raises:
        NotFoundError: No such member.
        MemberNotActiveError: The member is closed, suspended or erased.
        InvalidInputError: The member has as many working links as there may be.
        IdempotencyMismatchError: The key was used with other input.
    """
    batch = await posting.load(program_id, [command], now=now)
    if (earlier := batch.earlier(0)) is not None:
        return CardLinkCreated.replay(earlier)
    account = batch.account(0, command.member)
    ledger.check_active(account)
    working = await links.working(program_id, [account.member_id])
    if len(working[account.member_id]) >= links.LINKS_MAX:
        raise InvalidInputError(
            f"The member has {links.LINKS_MAX} links that work; revoke one first.", field="member"
        )
    link = links.new_link(program_id, account.member_id, new_id(now), key=key, now=now)
    batch.writes.append(links.opened(link))
    answer = CardLinkCreated(account.member_id, link.id)
    batch.answer(0, answer.kept())
    told = outbox.change(command.caller, after={"link": str(link.id)})
    batch.record_change("card_link.created", account.member_id, told, link=str(link.id))
    await batch.store()
    return answer


@transaction
async def revoke(
    program_id: UUID, member_id: UUID, link_id: UUID, *, now: datetime, by: str = ""
) -> CardLink:
    """Stop a link from working, at once and for good; doing so again changes nothing.

    Raises:
        NotFoundError: The member has no such link.
    """
    link, worked = await links.revoke(program_id, member_id, link_id, now=now)
    if worked:
        what = {"link": str(link_id)}
        told = outbox.change(by, before=what)
        fact = outbox.Fact(new_id(now), "card_link.revoked", member_id, now, what, told)
        await store(program_id, [outbox.facts([fact])])
    return link
