"""Payments of subscriptions: told by whoever collects them, or collected for a sandbox."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty_graph.db import transaction
from loyalty_graph.db.sets import Row, fetch
from loyalty_graph.errors import (
    DuplicatePaymentError,
    InvalidInputError,
    LoyaltyError,
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
from loyalty_graph.subscriptions.service import Held, Payment, SubscriptionKey
from loyalty_graph.usecases import posting
from loyalty_graph.usecases.subscription_desk import (
    Desk,
    SubscriptionDone,
    by_id,
    keep_all,
    open_desks,
)

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
    [done] = await record_payments(program_id, [command], now=now)
    if isinstance(done, LoyaltyError):
        raise done
    return done


@posting.settling_conflicts
@transaction
async def record_payments(
    program_id: UUID, commands: Sequence[RecordPayment], *, now: datetime
) -> list[SubscriptionDone | LoyaltyError]:
    """Take payments, no two of one subscription; one answer or refusal for each, in order."""
    return await posting.answer_each(
        commands, _check, lambda sound: _record_sound(program_id, sound, now=now)
    )


async def _record_sound(
    program_id: UUID, commands: Sequence[RecordPayment], *, now: datetime
) -> list[SubscriptionDone | LoyaltyError]:
    payments = [command.payment for command in commands]
    batch, desks = await open_desks(
        program_id,
        commands,
        [one.key for one in payments],
        now=now,
        besides=[
            subscriptions.payments([(one.provider, one.external_id) for one in payments]),
            subscriptions.of_members([one.key[0] for one in payments], limit=1),
        ],
    )
    taken: list[Desk] = []
    answers = posting.decide_each(
        commands, lambda place, command: _record(desks[place], place, command, taken)
    )
    if taken:
        await keep_all(batch, taken)
    return answers


def _record(
    desk: Desk | LoyaltyError, place: int, command: RecordPayment, taken: list[Desk]
) -> SubscriptionDone:
    """Decide about one payment; a desk that takes it is to be kept.

    Raises:
        LoyaltyError: It is refused.
    """
    if isinstance(desk, LoyaltyError):
        raise desk
    payment, batch = command.payment, desk.batch
    if (earlier := batch.earlier(place)) is not None:
        return SubscriptionDone.replay(earlier)
    known, newest = desk.besides
    if known:
        _check_same(command, known[0])
        return SubscriptionDone(payment.key, replayed=True)
    desk.version.settings.check_time(payment.paid_at, now=batch.now, field="paidAt")
    _take(desk, payment, subscriptions.held_of(newest[0]).key)
    done = SubscriptionDone(payment.key)
    batch.writes.append(payment.write(now=batch.now))
    batch.answer(place, done.kept())
    taken.append(desk)
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
    for failure in await collect_all(program_id, [key], billing=billing, now=now):
        raise failure


async def collect_all(
    program_id: UUID,
    keys: Sequence[SubscriptionKey],
    *,
    billing: Mapping[str, BillingProvider],
    now: datetime,
) -> list[Exception]:
    """Collect the fees of these subscriptions as `collect` does; return what went wrong.

    The outcomes are recorded together. One that fails does not hold up the others.
    """
    failures: list[Exception] = []
    outcomes: list[RecordPayment] = []
    for held, charge in await _charges(program_id, keys, now=now):
        provider = billing.get(held.provider or "")
        if provider is None:
            continue
        try:
            charged = await provider.charge(charge)
        except Exception as error:  # noqa: BLE001 - the others come first; the caller is told
            failures.append(error)
            continue
        amount, outcome = charge.amount_minor, charged.outcome
        payment = Payment(held.provider or "", charged.external_id, held.key, outcome, amount, now)
        outcomes.append(RecordPayment(COLLECTOR, charge.key, payment, is_dated=False))
    if outcomes:
        failures += await _record_outcomes(program_id, outcomes, now=now)
    return failures


async def _charges(
    program_id: UUID, keys: Sequence[SubscriptionKey], *, now: datetime
) -> list[tuple[Held, Charge]]:
    """Return the fees that are due now, and are collected from a card that is known."""
    [found] = await fetch(program_id, subscriptions.by_key(keys))
    version = await programs.in_force(program_id, now, now=now)
    charges: list[tuple[Held, Charge]] = []
    for held in (subscriptions.held_of(row) for rows in found for row in rows):
        terms = await subscriptions.terms(program_id, held.state, version)
        state, _ = advance(held.state, terms, now)
        at = attempt_at(state, terms)
        if held.card is None or at is None or at > now:
            continue
        attempt = state.failed_attempts + 1
        charge = Charge(
            key=f"{held.id}:{state.opened}:{attempt}",
            card=held.card,
            amount_minor=due_minor(state, terms),
            currency=version.settings.currency,
            attempt=attempt,
        )
        charges.append((held, charge))
    return charges


async def _record_outcomes(
    program_id: UUID, outcomes: Sequence[RecordPayment], *, now: datetime
) -> list[Exception]:
    """Record what became of charges, together, or when that fails each alone."""
    try:
        answers = await record_payments(program_id, outcomes, now=now)
    except Exception as error:  # noqa: BLE001 - one of them may be to blame; the caller is told
        if len(outcomes) == 1:
            return [error]
        alone = [await _record_outcomes(program_id, [one], now=now) for one in outcomes]
        return [failure for failures in alone for failure in failures]
    return [one for one in answers if isinstance(one, LoyaltyError)]
