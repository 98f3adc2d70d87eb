"""Receipts without a member: a till records one and prints its code, a member claims it later."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from loyalty_graph.db import transaction
from loyalty_graph.db.sets import fetch, store
from loyalty_graph.errors import DuplicatePurchaseError, InvalidInputError, LoyaltyError
from loyalty_graph.idempotency import Answered, Claim, answers, claim
from loyalty_graph.identifiers import new_id
from loyalty_graph.identity.rules import Issuer
from loyalty_graph.members.rules import Reference
from loyalty_graph.programs.rules import CLOCK_STEP_MAX, check_moment
from loyalty_graph.purchases import receipts
from loyalty_graph.purchases import service as purchase_rows
from loyalty_graph.purchases.errors import (
    ClaimExpiredError,
    PurchaseVoidedError,
    ReceiptClaimedError,
)
from loyalty_graph.purchases.receipts import Receipt, lines_as_json
from loyalty_graph.purchases.rules import (
    Channel,
    Line,
    check_lines,
    check_payment,
    check_receipt,
)
from loyalty_graph.rewards.codes import Codes, spelled
from loyalty_graph.usecases import posting, purchase_points, purchases
from loyalty_graph.usecases.exchanging import Exchanges, Priced, check_currency
from loyalty_graph.usecases.purchase_terms import Terms, terms_of


@dataclass(frozen=True)
class RecordReceipt:
    """A receipt of somebody who did not say who he is; see `RecordPurchase`."""

    caller: str
    idempotency_key: str
    source: str
    external_id: str
    purchased_at: datetime
    lines: tuple[Line, ...]
    store: str | None = None
    channel: Channel = Channel.POS
    is_dated: bool = True
    payment: str | None = None
    currency: str | None = None

    @cached_property
    def claim(self) -> Claim:
        """The wish to count once."""
        dated = self.purchased_at if self.is_dated else None
        given = {"recordReceipt": [self.source, self.external_id, dated], **self.particulars}
        return claim(self.caller, self.idempotency_key, given)

    @property
    def particulars(self) -> dict[str, Any]:
        """What is kept of it, as JSON values."""
        return {
            "store": self.store,
            "channel": self.channel,
            "payment": self.payment,
            "currency": self.currency,
            "lines": lines_as_json(self.lines),
        }


@dataclass(frozen=True, slots=True)
class ReceiptRecorded:
    """The answer: which receipt it is, and until when it can be claimed."""

    receipt_id: UUID
    expires_at: datetime
    replayed: bool = False

    def kept(self) -> dict[str, Any]:
        """Return the answer as it is kept for retries: without the code, which is worth points."""
        return {"receipt": str(self.receipt_id), "expires": self.expires_at.isoformat()}

    @classmethod
    def replay(cls, kept: dict[str, Any]) -> "ReceiptRecorded":
        """Return the first answer to a retry."""
        expires_at = datetime.fromisoformat(kept["expires"])
        return cls(UUID(kept["receipt"]), expires_at, replayed=True)


@dataclass(frozen=True, slots=True)
class ClaimPurchase:
    """The code of a receipt that a member brings; `issuer` as for `RecordPurchase`."""

    caller: str
    idempotency_key: str
    member: Reference
    code: str
    issuer: Issuer | None = None


@posting.settling_conflicts
@transaction
async def record_receipt(
    program_id: UUID, command: RecordReceipt, *, codes: Codes, now: datetime
) -> ReceiptRecorded:
    """Keep a receipt that nobody has claimed; it is checked as a purchase is, and earns nothing.

    Raises:
        InvalidInputError: The receipt cannot be used, or the programme takes none without a member.
        UnknownProductTypeError: The rules refuse a product type they do not name.
        RateMissingError: Nothing is known of what its currency was worth on its day.
        DuplicatePurchaseError: The receipt is recorded already.
        IdempotencyMismatchError: The key was used with other input.
    """
    _check(command, now=now)
    name = (command.source, command.external_id)
    lookups = answers([command.claim]), purchase_rows.receipts([name])
    kept, [known] = await fetch(program_id, *lookups)
    answered = Answered([command.claim], kept)
    if (earlier := answered.earlier(command.claim)) is not None:
        return ReceiptRecorded.replay(earlier)
    terms = await terms_of(program_id, command.purchased_at, now)
    expires_at = _expires_at(terms, command.purchased_at, now=now)
    await _check_earning(program_id, command, terms)
    if known:
        raise DuplicatePurchaseError(*name)
    at = command.purchased_at
    receipt = Receipt(new_id(now), *name, command.particulars, at, now, expires_at)
    code = codes.text(program_id, receipt.id)
    answer = ReceiptRecorded(receipt.id, expires_at)
    answered.keep(command.claim, answer.kept())
    writes = receipts.writes(receipt, code_hash=codes.hash(code))
    await store(program_id, [*writes, answered.write(now=now)])
    return answer


def _check(command: RecordReceipt, *, now: datetime) -> None:
    """Refuse what cannot be a receipt whatever the database holds."""
    check_receipt(command.source, command.external_id, command.store)
    if command.payment is not None:
        check_payment(command.payment)
    check_moment(command.purchased_at, now=now, field="purchasedAt", ahead=CLOCK_STEP_MAX)
    check_lines(command.lines)
    check_currency(command.currency)
    _ = command.claim


def _expires_at(terms: Terms, at: datetime, *, now: datetime) -> datetime:
    """Return until when a receipt can be claimed: as long as the programme takes its day at most.

    Raises:
        InvalidInputError: The programme takes none without a member, or none so old.
    """
    settings = terms.present
    if settings.claim_days is None:
        raise InvalidInputError(
            "Name the member: this programme keeps no receipts to be claimed.", field="member"
        )
    settings.check_time(at, now=now, field="purchasedAt")
    accepted_until = at + timedelta(days=settings.accept_days)
    return min(now + timedelta(days=settings.claim_days), accepted_until)


async def _check_earning(program_id: UUID, command: RecordReceipt, terms: Terms) -> None:
    """Refuse now what could not be claimed later."""
    priced = Priced(command.currency, terms.version.settings, command.purchased_at)
    exchanges = await Exchanges.of(program_id, [priced])
    lines = exchanges.converted(command.lines, priced)
    purchase_points.earned(
        terms,
        command,
        lines,
        at=command.purchased_at,
        by=(),
        buyer=purchase_points.SOMEBODY,
    )


@posting.settling_conflicts
@transaction
async def claim_purchase(
    program_id: UUID, command: ClaimPurchase, *, codes: Codes, now: datetime
) -> purchases.PurchaseRecorded:
    """Record a receipt for the member who claims it: it earns by the rules of its own day.

    Raises:
        InvalidInputError: It is no code, or mistyped.
        ClaimCodeUnknownError: No receipt has this code.
        PurchaseVoidedError: The receipt was voided.
        ReceiptClaimedError: Somebody has claimed it before.
        ClaimExpiredError: It could be claimed until a day that has passed.
        NotFoundError: No such member.
        MemberNotActiveError: The member may not earn now.
        IdempotencyMismatchError: The key was used with other input.
    """
    receipt = await receipts.find(program_id, codes.hash(spelled(command.code)))
    if receipt.voided_at is not None:
        raise PurchaseVoidedError(field="code")
    is_mine = receipt.purchase_id is None and await receipts.hand_over(program_id, receipt)
    [answer] = await purchases.record(program_id, [_purchase(command, receipt)], now=now)
    if isinstance(answer, DuplicatePurchaseError):
        raise ReceiptClaimedError
    if isinstance(answer, LoyaltyError):
        raise answer
    if is_mine:
        if receipt.expires_at <= now:
            raise ClaimExpiredError(receipt.expires_at.isoformat())
        await receipts.claimed(program_id, receipt.id, answer.purchase_id)
    return answer


def _purchase(command: ClaimPurchase, receipt: Receipt) -> purchases.RecordPurchase:
    told = receipt.receipt
    return purchases.RecordPurchase(
        caller=command.caller,
        idempotency_key=command.idempotency_key,
        member=command.member,
        source=receipt.source,
        external_id=receipt.external_id,
        purchased_at=receipt.purchased_at,
        lines=receipt.lines,
        store=told["store"],
        channel=Channel(told["channel"]),
        payment=told["payment"],
        currency=told["currency"],
        claimed=receipt.id,
        issuer=command.issuer,
    )
