"""Recording purchases: the till's single call and an import's batch are the same function."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple
from uuid import UUID

from loyalty_graph.db import transaction
from loyalty_graph.errors import LoyaltyError
from loyalty_graph.programs.rules import CLOCK_STEP_MAX, check_moment
from loyalty_graph.purchases import service as purchases
from loyalty_graph.purchases.rules import check_lines, check_payment, check_receipt
from loyalty_graph.usecases import payments, posting
from loyalty_graph.usecases.bonuses import Bonuses, settling_budgets
from loyalty_graph.usecases.exchanging import Exchanges, check_currency
from loyalty_graph.usecases.issuing import Issuing
from loyalty_graph.usecases.memberships import Memberships
from loyalty_graph.usecases.purchase_command import PurchaseRecorded, RecordPurchase
from loyalty_graph.usecases.purchase_deciding import Progress, decide, priced
from loyalty_graph.usecases.purchase_terms import terms_at
from loyalty_graph.usecases.spending import Spending
from loyalty_graph.usecases.tiering import Tiering

__all__ = ["PurchaseRecorded", "RecordCall", "RecordPurchase", "record", "record_gathered"]


@posting.settling_conflicts
async def record(
    program_id: UUID, commands: Sequence[RecordPurchase], *, now: datetime
) -> list[PurchaseRecorded | LoyaltyError]:
    """Record purchases and credit their points; one answer or refusal for each, in order.

    A refusal writes nothing and does not disturb its neighbours. When others used up a budget of
    the rules meanwhile, everything is decided again, with the budgets locked.
    """
    return await settling_budgets(partial(_record, program_id, commands, now))


@transaction
async def _record(
    program_id: UUID, commands: Sequence[RecordPurchase], now: datetime, *, lock: bool
) -> list[PurchaseRecorded | LoyaltyError]:
    return await _record_batch(program_id, commands, now, lock=lock)


class RecordCall(NamedTuple):
    """One caller's purchase, in his programme, asked for at `now`."""

    program_id: UUID
    command: RecordPurchase
    now: datetime


@posting.settling_conflicts
async def record_gathered(calls: Sequence[RecordCall]) -> list[PurchaseRecorded | LoyaltyError]:
    """Record what several callers asked for at about the same time, in one transaction.

    One answer or refusal for each, in order; a programme's purchases are recorded as of its latest
    call. Programmes are taken in order, so that two transactions never wait for each other.
    """
    return await settling_budgets(partial(_record_gathered, calls))


@transaction
async def _record_gathered(
    calls: Sequence[RecordCall], *, lock: bool
) -> list[PurchaseRecorded | LoyaltyError]:
    places: dict[UUID, list[int]] = {}
    for place, call in enumerate(calls):
        places.setdefault(call.program_id, []).append(place)
    answers: dict[int, PurchaseRecorded | LoyaltyError] = {}
    for program_id, at in sorted(places.items()):
        now = max(calls[place].now for place in at)
        commands = [calls[place].command for place in at]
        answers |= zip(at, await _record_batch(program_id, commands, now, lock=lock), strict=True)
    return [answers[place] for place in range(len(calls))]


async def _record_batch(
    program_id: UUID, commands: Sequence[RecordPurchase], now: datetime, *, lock: bool
) -> list[PurchaseRecorded | LoyaltyError]:
    return await posting.answer_each(
        commands,
        partial(_check, now=now),
        lambda sound: _record_sound(program_id, sound, now, lock=lock),
    )


def _check(command: RecordPurchase, *, now: datetime) -> None:
    """Refuse what cannot be a purchase whatever the database holds."""
    check_receipt(command.source, command.external_id, command.store)
    if command.payment is not None:
        check_payment(command.payment)
    # What was recorded before the clock was set back is still answered to a retry; whether a new
    # purchase is ahead is looked at when it is decided.
    check_moment(command.purchased_at, now=now, field="purchasedAt", ahead=CLOCK_STEP_MAX)
    check_lines(command.lines)
    check_currency(command.currency)
    payments.check_points(command.pay_points)
    _ = command.claim


async def _record_sound(
    program_id: UUID, commands: Sequence[RecordPurchase], now: datetime, *, lock: bool
) -> list[PurchaseRecorded | LoyaltyError]:
    times = [command.purchased_at for command in commands]
    terms = await terms_at(program_id, times, now)
    keys = list({(command.source, command.external_id) for command in commands})
    tiering = await Tiering.of(program_id, now=now)
    memberships = await Memberships.of(program_id, now=now)
    bonuses = Bonuses.of(terms, lock=lock)
    await bonuses.open(program_id)
    issuing = await Issuing.of(program_id, commands, now=now, lock=lock)
    prices = [priced(command, terms[command.purchased_at]) for command in commands]
    exchanges = await Exchanges.of(program_id, prices)
    spending = Spending.of(commands, prices)
    batch = await posting.load_to_spend(
        program_id,
        commands,
        [command.pay_points for command in commands],
        at=max(times),
        now=now,
        whole=bonuses.reads_balances,
        besides=[purchases.receipts(keys), *bonuses.lookups, *issuing.lookups],
        by_member=[
            *tiering.lookups,
            *memberships.lookups,
            *bonuses.by_member,
            *spending.by_member,
        ],
    )
    receipts, *budgets = issuing.take(batch.found)
    await tiering.take(batch, zip(batch.members, times, strict=True))
    await memberships.take(batch, zip(batch.members, times, strict=True))
    bonuses.take((row for rows in budgets for row in rows), batch.of_members)
    spending.take(batch)
    known = {key for key, rows in zip(keys, receipts, strict=True) if rows}
    so_far = Progress(known, [], tiering, memberships, bonuses, exchanges, issuing, spending)
    answers = posting.decide_each(
        commands,
        lambda place, command: decide(batch, place, command, terms[command.purchased_at], so_far),
    )
    batch.writes.extend(purchases.writes(so_far.decided))
    tiering.add_to(batch)
    bonuses.add_to(batch)
    await batch.store()
    await bonuses.settle(program_id)
    await issuing.settle(program_id)
    return answers
