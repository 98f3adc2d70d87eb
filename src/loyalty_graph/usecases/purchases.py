"""Recording purchases: the till's single call and an import's batch are the same function."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple
from uuid import UUID

from loyalty_graph.db import transaction
from loyalty_graph.earning.calculators import Calculation, RewardCalculator
from loyalty_graph.errors import DuplicatePurchaseError, LoyaltyError
from loyalty_graph.idempotency import Claim, claim
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger import rules as ledger
from loyalty_graph.members import service as members
from loyalty_graph.members.rules import Reference
from loyalty_graph.programs import service as programs
from loyalty_graph.programs.rules import check_offset
from loyalty_graph.purchases import service as purchases
from loyalty_graph.purchases.rules import Channel, Line, check_lines, check_receipt
from loyalty_graph.subscriptions import reads as subscriptions
from loyalty_graph.tiers import reads as tier_reads
from loyalty_graph.usecases import payments, posting
from loyalty_graph.usecases.memberships import Memberships
from loyalty_graph.usecases.purchase_terms import Terms, terms_at, terms_of
from loyalty_graph.usecases.tiering import Tiering, multipliers


@dataclass(frozen=True)
class RecordPurchase:
    """A receipt to be recorded for a member; `source` and `external_id` name it.

    At most `pay_points` of the member's points pay a part of it, worth as much as these are.
    When its caller gave no time, `is_dated` is False and `purchased_at` is the request's moment,
    which another try cannot repeat.
    """

    caller: str
    idempotency_key: str
    member: Reference
    source: str
    external_id: str
    purchased_at: datetime
    lines: tuple[Line, ...]
    store: str | None = None
    channel: Channel = Channel.POS
    is_dated: bool = True
    pay_points: int = 0
    payment: str | None = None

    @cached_property
    def claim(self) -> Claim:
        """The wish to count once."""
        dated = self.purchased_at if self.is_dated else None
        return claim(
            self.caller,
            self.idempotency_key,
            {
                "recordPurchase": [self.member.kind, self.member.value],
                "receipt": [self.source, self.external_id, dated, self.store],
                "channel": self.channel,
                "lines": [_given(line) for line in self.lines],
                "payWithPoints": self.pay_points,
                "payment": self.payment,
            },
        )


def _given(line: Line) -> list[Any]:
    return [
        line.product_type,
        line.quantity,
        line.unit_minor,
        line.discount_minor,
        line.tax_minor,
        line.sku,
        line.labels,
    ]


@dataclass(frozen=True, slots=True)
class PurchaseRecorded:
    """The answer: points that were earned, and the entry and balance they led to.

    `entry_sequence` is None when it earned nothing. `paid_points` paid `paid_minor` of it.
    """

    member_id: UUID
    purchase_id: UUID
    points: int
    balance_points: int
    entry_sequence: int | None
    paid_points: int = 0
    paid_minor: int = 0
    replayed: bool = False

    def kept(self) -> dict[str, Any]:
        """Return the answer as it is kept for retries."""
        return {
            "member": str(self.member_id),
            "purchase": str(self.purchase_id),
            "points": self.points,
            "balance": self.balance_points,
            "entry": self.entry_sequence,
            "paid": [self.paid_points, self.paid_minor],
        }

    @classmethod
    def replay(cls, kept: dict[str, Any]) -> "PurchaseRecorded":
        """Return the first answer to a retry."""
        paid_points, paid_minor = kept["paid"]
        return cls(
            UUID(kept["member"]),
            UUID(kept["purchase"]),
            kept["points"],
            kept["balance"],
            kept["entry"],
            paid_points,
            paid_minor,
            replayed=True,
        )


@dataclass(frozen=True, slots=True)
class _Progress:
    """What a batch has come to so far: receipts that are known, purchases, what members have."""

    known: set[tuple[str, str]]
    decided: list[purchases.Recorded]
    tiering: Tiering
    memberships: Memberships


@posting.settling_conflicts
@transaction
async def record(
    program_id: UUID, commands: Sequence[RecordPurchase], *, now: datetime
) -> list[PurchaseRecorded | LoyaltyError]:
    """Record purchases and credit their points; one answer or refusal for each, in order.

    A refusal writes nothing and does not disturb its neighbours.
    """
    return await _record_batch(program_id, commands, now)


class RecordCall(NamedTuple):
    """One caller's purchase, in his programme, asked for at `now`."""

    program_id: UUID
    command: RecordPurchase
    now: datetime


@posting.settling_conflicts
@transaction
async def record_gathered(calls: Sequence[RecordCall]) -> list[PurchaseRecorded | LoyaltyError]:
    """Record what several callers asked for at about the same time, in one transaction.

    One answer or refusal for each, in order; a programme's purchases are recorded as of its latest
    call. Programmes are taken in order, so that two transactions never wait for each other.
    """
    places: dict[UUID, list[int]] = {}
    for place, call in enumerate(calls):
        places.setdefault(call.program_id, []).append(place)
    answers: dict[int, PurchaseRecorded | LoyaltyError] = {}
    for program_id, at in sorted(places.items()):
        now = max(calls[place].now for place in at)
        commands = [calls[place].command for place in at]
        answers |= zip(at, await _record_batch(program_id, commands, now), strict=True)
    return [answers[place] for place in range(len(calls))]


async def _record_batch(
    program_id: UUID, commands: Sequence[RecordPurchase], now: datetime
) -> list[PurchaseRecorded | LoyaltyError]:
    return await posting.answer_each(
        commands, _check, lambda sound: _record_sound(program_id, sound, now)
    )


def _check(command: RecordPurchase) -> None:
    """Refuse what cannot be a purchase whatever the database holds."""
    check_receipt(command.source, command.external_id, command.store)
    check_offset(command.purchased_at, field="purchasedAt")
    check_lines(command.lines)
    payments.check_points(command.pay_points)
    _ = command.claim


async def _record_sound(
    program_id: UUID, commands: Sequence[RecordPurchase], now: datetime
) -> list[PurchaseRecorded | LoyaltyError]:
    times = [command.purchased_at for command in commands]
    terms = await terms_at(program_id, times, now)
    keys = list({(command.source, command.external_id) for command in commands})
    tiering = await Tiering.of(program_id, now=now)
    memberships = await Memberships.of(program_id, now=now)
    batch = await posting.load_to_spend(
        program_id,
        commands,
        [command.pay_points for command in commands],
        at=max(times),
        now=now,
        besides=[purchases.receipts(keys)],
        by_member=[*tiering.lookups, *memberships.lookups],
    )
    await tiering.take(batch, zip(batch.members, times, strict=True))
    await memberships.take(batch, zip(batch.members, times, strict=True))
    known = {key for key, rows in zip(keys, batch.found[0], strict=True) if rows}
    so_far = _Progress(known, [], tiering, memberships)
    answers = posting.decide_each(
        commands,
        lambda place, command: _decide(batch, place, command, terms[command.purchased_at], so_far),
    )
    batch.writes.extend(purchases.writes(so_far.decided))
    tiering.add_to(batch)
    await batch.store()
    return answers


def _decide(
    batch: posting.Batch,
    place: int,
    command: RecordPurchase,
    terms: Terms,
    so_far: _Progress,
) -> PurchaseRecorded:
    if (earlier := batch.earlier(place)) is not None:
        return PurchaseRecorded.replay(earlier)
    terms.present.check_time(command.purchased_at, now=batch.now, field="purchasedAt")
    account = batch.account(place, command.member)
    ledger.check_active(account)
    if (command.source, command.external_id) in so_far.known:
        raise DuplicatePurchaseError(command.source, command.external_id)
    paid = payments.paid_lines(terms.version.settings, command.lines, command.pay_points)
    calculation = terms.calculator.calculate(paid)
    tier = so_far.tiering.tier_at(account.member_id, command.purchased_at)
    plan = so_far.memberships.multipliers_at(account.member_id, command.purchased_at)
    calculation = calculation.times((*multipliers(terms.scheme, tier), *plan))
    bought = replace(command, lines=paid) if command.pay_points else command
    recorded = _credit(batch, account, bought, terms, calculation)
    so_far.known.add((command.source, command.external_id))
    so_far.decided.append(recorded)
    so_far.tiering.count(
        account.member_id,
        spend_minor=recorded.spend_minor,
        points=recorded.points,
        at=command.purchased_at,
    )
    return _answer(batch, place, account, recorded)


def _credit(
    batch: posting.Batch,
    account: ledger.Account,
    command: RecordPurchase,
    terms: Terms,
    calculation: Calculation,
) -> purchases.Recorded:
    purchase_id = new_id(batch.now)
    entry_sequence = None
    payments.pay(
        account,
        purchase_id,
        command.lines,
        at=command.purchased_at,
        now=batch.now,
        actor=command.caller,
        rule_version=terms.version.number,
    )
    if calculation.points:
        cause = ledger.Cause(
            reference=str(purchase_id),
            at=command.purchased_at,
            recorded_at=batch.now,
            actor=command.caller,
            explanation=explanation(terms.calculator, calculation),
            rule_version=terms.version.number,
            salt=posting.salt(),
        )
        expires_at = terms.version.settings.expires_at(command.purchased_at)
        entry_sequence = ledger.earn(
            account, calculation.points, cause, expires_at=expires_at
        ).sequence
    return purchases.Recorded(
        id=purchase_id,
        member_id=account.member_id,
        source=command.source,
        external_id=command.external_id,
        store=command.store,
        channel=command.channel,
        purchased_at=command.purchased_at,
        recorded_at=batch.now,
        currency=terms.version.settings.currency,
        lines=command.lines,
        line_points=calculation.line_points,
        points=calculation.points,
        entry_sequence=entry_sequence,
        rule_version=terms.version.number,
        payment=command.payment,
        pinned=calculation.pinned(),
    )


def explanation(calculator: RewardCalculator, calculation: Calculation) -> dict[str, Any]:
    """Return why a purchase earned its points, as JSON values."""
    return {"calculator": calculator.name, **calculation.reckoning()}


def _answer(
    batch: posting.Batch,
    place: int,
    account: ledger.Account,
    recorded: purchases.Recorded,
) -> PurchaseRecorded:
    answer = PurchaseRecorded(
        account.member_id,
        recorded.id,
        recorded.points,
        account.balance,
        recorded.entry_sequence,
        recorded.paid_points,
        recorded.paid_minor,
    )
    batch.answer(place, answer.kept())
    batch.record(
        "purchase.recorded",
        account.member_id,
        purchase=str(recorded.id),
        entry=recorded.entry_sequence,
        points=recorded.points,
        paidPoints=recorded.paid_points,
        balance=account.balance,
    )
    return answer


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a purchase would earn, and until when; nothing was written."""

    version: programs.Version
    lines: tuple[Line, ...]
    calculation: Calculation
    explanation: dict[str, Any]
    expires_at: datetime


async def simulate(
    program_id: UUID,
    lines: Sequence[Line],
    *,
    purchased_at: datetime,
    now: datetime,
    member: Reference | None = None,
    pay_points: int = 0,
) -> Simulation:
    """Return what these lines would earn under the rules in force at `purchased_at`.

    With a `member` they earn what his tier and his paid membership then earn.

    Raises:
        NotFoundError: No such member.
        InvalidInputError: The lines, the time or the points to pay with cannot be a purchase's.
        PaymentTooLargeError: Points pay less of a purchase.
        UnknownProductTypeError: The programme refuses a product type.
    """
    check_offset(purchased_at, field="purchasedAt")
    terms = await terms_of(program_id, purchased_at, now)
    terms.present.check_time(purchased_at, now=now, field="purchasedAt")
    check_lines(lines)
    payments.check_points(pay_points)
    paid = payments.paid_lines(terms.version.settings, lines, pay_points)
    calculation = terms.calculator.calculate(paid)
    if member is not None:
        found = await members.find(program_id, member)
        tier = await tier_reads.tier_at(program_id, found.id, purchased_at, now=now)
        plans = await subscriptions.multipliers(program_id, [found.id], now=now, at=purchased_at)
        mine = (*multipliers(terms.scheme, tier), *plans.get(found.id, ()))
        calculation = calculation.times(mine)
    why = explanation(terms.calculator, calculation)
    expires_at = terms.version.settings.expires_at(purchased_at)
    return Simulation(terms.version, paid, calculation, why, expires_at)
