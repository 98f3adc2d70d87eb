"""Voiding receipts that nobody has claimed: their codes stop working, and no points move."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty_graph import outbox
from loyalty_graph.db import transaction
from loyalty_graph.db.sets import fetch, store
from loyalty_graph.idempotency import Answered, Claim, answers, claim
from loyalty_graph.identifiers import new_id
from loyalty_graph.money import Money
from loyalty_graph.programs import service as programs
from loyalty_graph.purchases import receipts
from loyalty_graph.purchases.errors import PurchaseVoidedError, ReceiptClaimedError
from loyalty_graph.purchases.receipts import Receipt
from loyalty_graph.usecases import posting


@dataclass(frozen=True, slots=True)
class VoidReceipt:
    """A receipt without a member that should never have been recorded, or whose goods are back."""

    caller: str
    idempotency_key: str
    receipt_id: UUID
    reason: str = ""

    @property
    def claim(self) -> Claim:
        """The wish to count once."""
        given = {"voidReceipt": [self.receipt_id, self.reason]}
        return claim(self.caller, self.idempotency_key, given)


@dataclass(frozen=True, slots=True)
class ReceiptVoided:
    """The answer: what the goods had cost, net of discounts, in the receipt's currency."""

    amount: Money
    replayed: bool = False

    def kept(self) -> dict[str, Any]:
        """Return the answer as it is kept for retries."""
        return {"amount": self.amount.minor, "currency": self.amount.currency}

    @classmethod
    def replay(cls, kept: dict[str, Any]) -> "ReceiptVoided":
        """Return the first answer to a retry."""
        return cls(Money(kept["amount"], kept["currency"]), replayed=True)


@posting.settling_conflicts
@transaction
async def void(program_id: UUID, command: VoidReceipt, *, now: datetime) -> ReceiptVoided:
    """Let nobody claim a receipt any more. It stays known, so it cannot be recorded once more.

    Raises:
        InvalidInputError: The reason is too long.
        PurchaseVoidedError: It was voided before.
        ReceiptClaimedError: It became somebody's purchase a moment before, which can be voided.
        IdempotencyMismatchError: The key was used with other input.
    """
    posting.check_text(command.reason, field="reason")
    # It is taken before the key is read: whoever waited here finds what the first one answered.
    is_taken = await receipts.void(program_id, command.receipt_id, now=now)
    lookups = receipts.by_id(command.receipt_id), answers([command.claim])
    [[row]], kept = await fetch(program_id, *lookups)
    answered, receipt = Answered([command.claim], kept), Receipt(*row)
    if (earlier := answered.earlier(command.claim)) is not None:
        return ReceiptVoided.replay(earlier)
    if not is_taken:
        is_claimed = receipt.purchase_id is not None
        raise ReceiptClaimedError(field="purchase") if is_claimed else PurchaseVoidedError
    answer = ReceiptVoided(await _cost(program_id, receipt, now=now))
    answered.keep(command.claim, answer.kept())
    fact = _fact(command, receipt, answer, now=now)
    await store(program_id, [outbox.facts([fact]), answered.write(now=now)])
    return answer


async def _cost(program_id: UUID, receipt: Receipt, *, now: datetime) -> Money:
    version = await programs.in_force(program_id, receipt.purchased_at, now=now)
    currency = receipt.receipt["currency"] or version.settings.currency
    return Money(sum(line.net_minor for line in receipt.lines), currency)


def _fact(
    command: VoidReceipt, receipt: Receipt, answer: ReceiptVoided, *, now: datetime
) -> outbox.Fact:
    what = {"source": receipt.source, "externalId": receipt.external_id, **answer.kept()}
    about = f"receipt:{receipt.id}"
    told = outbox.change(command.caller, about=about, after=what, reason=command.reason)
    return outbox.Fact(new_id(now), "receipt.voided", None, now, what, told)
