"""Payments of subscriptions: told by whoever collects them, or collected for a sandbox."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty_graph.db import transaction
from loyalty_graph.db.sets import Row, fetch
from loyalty_graph.errors import (
    DuplicatePaymentError,
    InvalidInputError,
    SubscriptionExpiredError,
)
from loyalty_graph.idempotency import Claim, claim
from loyalty_graph.members.rules import Reference
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.rules import check_offset
from loyalty_graph.subscriptions import changing
from loyalty_graph.subscriptions import service as subscriptions
from loyalty_graph.subscriptions.billing import LOCAL, BillingProvider, Charge
from loyalty_graph.subscriptions.course import advance, attempt_at, due_minor
from loyalty_graph.subscriptions.rules import PRICE_MAX, PaymentOutcome
from loyalty_graph.subscriptions.service import Payment, SubscriptionKey
from loyalty_graph.usecases import posting
from loyalty_graph.usecases.subscription_desk import Desk, SubscriptionDone, by_id, open_desk

PROVIDER_LENGTH_MAX = 20
EXTERNAL_ID_LENGTH_MAX = 100
COLLECTOR = "system"


@dataclass(frozen=True, slots=True)
class RecordPayment:
    """A payment, or an attempt that failed, that somebody tells of.

    When its caller gave no time, `is_dated` is False and the payment's time is the request's
    moment, which another try cannot repeat.
    """

    caller: str
    idempotency_key: str
    payment: Payment
    is_dated: bool = True

    @property
    def member(self) -> Reference:
        """Whose subscription it is."""
        return by_id(self.payment.key[0])

    @property
    def claim(self) -> Claim:
        """The wish to count once."""
        one = self.payment
        dated = one.paid_at if self.is_dated else None
        given = [one.provider, one.external_id, *one.key, one.outcome, one.amount_minor, dated]
        return claim(self.caller, self.idempotency_key, {"recordSubscriptionPayment": given})


@posting.settling_conflicts
@transaction
async def record_payment(
    program_id: UUID, command: RecordPayment, *, now: datetime
) -> SubscriptionDone:
    """Take a payment of a subscription, or count an attempt that failed; once for each id.

    Raises:
        NotFoundError: No such subscription.
        InvalidInputError: The amount, time or a name cannot be used.
        SubscriptionCancelledError: The subscription was cancelled.
        SubscriptionExpiredError: It had ended when the payment was made.
        DuplicatePaymentError: The external id is another payment's.
        IdempotencyMismatchError: The key was used with other input.
    """
    payment = command.payment
    _check(command)
    desk = await open_desk(
        program_id,
        command,
        payment.key,
        now=now,
        besides=[
            subscriptions.payments([(payment.provider, payment.external_id)]),
            subscriptions.of_members([payment.key[0]], limit=1),
        ],
    )
    if (earlier := desk.batch.earlier(0)) is not None:
        return SubscriptionDone.replay(earlier)
    [[known], [newest]] = desk.besides
    if known:
        _check_same(command, known[0])
        return SubscriptionDone(payment.key, replayed=True)
    desk.version.settings.check_time(payment.paid_at, now=now, field="paidAt")
    _take(desk, payment, subscriptions.held_of(newest[0]).key)
    done = SubscriptionDone(payment.key)
    desk.batch.writes.append(payment.write(now=now))
    desk.batch.answer(0, done.kept())
    await desk.keep()
    return done


def _check(command: RecordPayment) -> None:
    payment = command.payment
    check_offset(payment.paid_at, field="paidAt")
    for text, most, name in (
        (payment.provider, PROVIDER_LENGTH_MAX, "provider"),
        (payment.external_id, EXTERNAL_ID_LENGTH_MAX, "externalId"),
    ):
        if not (0 < len(text) <= most and text.isprintable()):
            raise InvalidInputError(f"This needs 1 to {most} characters.", field=name)
    if payment.provider == LOCAL and command.caller != COLLECTOR:
        raise InvalidInputError(f"{LOCAL} is the sandbox's own provider.", field="provider")
    if not 0 < payment.amount_minor <= PRICE_MAX:
        raise InvalidInputError(
            f"The amount is {payment.amount_minor} minor units; use 1 to {PRICE_MAX}.",
            field="amount",
        )


def _check_same(command: RecordPayment, known: Row) -> None:
    one = command.payment
    given = (*one.key, one.outcome, one.amount_minor)
    if given != known[:4] or (command.is_dated and one.paid_at != known[4]):
        raise DuplicatePaymentError(one.external_id)


def _take(desk: Desk, payment: Payment, newest: SubscriptionKey) -> None:
    """Let a payment do what it does."""
    now, state = desk.batch.now, desk.held.state
    told: dict[str, Any] = {"subscription": str(payment.key[1]), "payment": payment.external_id}
    told["provider"] = payment.provider
    if payment.outcome is PaymentOutcome.FAILED:
        desk.take((changing.fail(state, attempted_at=payment.paid_at), []))
        desk.batch.record_by(desk.actor, "subscription.payment_failed", payment.key[0], **told)
        return
    if state.ended_at and newest != payment.key and state.cancelled_at is None:
        # The member has another one by now; he does not get two.
        raise SubscriptionExpiredError(state.ended_at.isoformat())
    amount, paid_at = payment.amount_minor, payment.paid_at
    desk.take(changing.pay(state, desk.terms, amount, paid_at=paid_at, now=now))
    desk.batch.record_by(desk.actor, "subscription.paid", payment.key[0], **told, amount=amount)


async def collect(
    program_id: UUID,
    key: SubscriptionKey,
    *,
    billing: Mapping[str, BillingProvider],
    now: datetime,
) -> None:
    """Collect a subscription's fee if that is due now and ours to do, and record the outcome.

    The charge has the same key until its outcome is recorded, so a crash in between charges once.
    """
    [[rows]] = await fetch(program_id, subscriptions.by_key([key]))
    held = subscriptions.held_of(rows[0])
    version = await programs.in_force(program_id, now, now=now)
    terms = await subscriptions.terms(program_id, held.state, version)
    state, _ = advance(held.state, terms, now)
    at = attempt_at(state, terms)
    provider = billing.get(held.provider or "")
    if provider is None or held.card is None or at is None or at > now:
        return
    attempt = state.failed_attempts + 1
    charge = Charge(
        key=f"{held.id}:{state.opened}:{attempt}",
        card=held.card,
        amount_minor=due_minor(state, terms),
        currency=version.settings.currency,
        attempt=attempt,
    )
    charged = await provider.charge(charge)
    payment = Payment(
        held.provider or "", charged.external_id, key, charged.outcome, charge.amount_minor, now
    )
    command = RecordPayment(COLLECTOR, charge.key, payment, is_dated=False)
    await record_payment(program_id, command, now=now)
