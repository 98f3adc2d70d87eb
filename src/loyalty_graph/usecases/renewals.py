"""What time does to subscriptions, written down: renewed, past due, ended; and fees collected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from loyalty_graph.db import transaction
from loyalty_graph.errors import NotFoundError
from loyalty_graph.idempotency import Claim, claim
from loyalty_graph.members.rules import Reference
from loyalty_graph.subscriptions import service as subscriptions
from loyalty_graph.subscriptions.billing import BillingProvider
from loyalty_graph.subscriptions.service import SubscriptionKey
from loyalty_graph.usecases.subscription_desk import Desk, by_id, keep_all, open_desks
from loyalty_graph.usecases.subscription_payments import collect_all

SUBSCRIPTIONS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class _LookAt:
    """Nobody's command: time's. It keeps no answer."""

    key: SubscriptionKey

    @property
    def member(self) -> Reference:
        return by_id(self.key[0])

    @property
    def claim(self) -> Claim:
        return claim("system", f"look at {self.key[1]}", {})


async def run(program_id: UUID, *, billing: Mapping[str, BillingProvider], now: datetime) -> int:
    """Bring every subscription up to date for which something is due; return how many.

    Run twice it does no more. One that fails does not hold up the others.

    Raises:
        ExceptionGroup: Some could not be brought up to date.
    """
    failures: list[Exception] = []
    seen, last = 0, None
    again: set[SubscriptionKey] = set()
    while found := await subscriptions.due(
        program_id, now=now, after=last, limit=SUBSCRIPTIONS_AT_ONCE
    ):
        # What falls due once more, at a later time that has passed too, waits for the next run.
        keys, last = [key for _, key in found if key not in again], found[-1][0]
        if not keys:
            continue
        behind, sound = await _advance_each(program_id, keys, now=now)
        failures += behind
        failures += await collect_all(program_id, sound, billing=billing, now=now)
        again |= await subscriptions.still_due(program_id, keys, now=now, after=last)
        seen += len(keys)
    if failures:
        raise ExceptionGroup("some subscriptions could not be brought up to date", failures)
    return seen


async def _advance_each(
    program_id: UUID, keys: Sequence[SubscriptionKey], *, now: datetime
) -> tuple[list[Exception], list[SubscriptionKey]]:
    """Let subscriptions run on together, or when that fails each alone.

    Returns what went wrong, and the subscriptions with which nothing did.
    """
    try:
        await _advance(program_id, keys, now=now)
    except Exception as error:  # noqa: BLE001 - the others come first; the caller raises it
        if len(keys) == 1:
            return [error], []
        alone = [await _advance_each(program_id, [key], now=now) for key in keys]
        failures = [error for errors, _ in alone for error in errors]
        return failures, [key for _, sound in alone for key in sound]
    return [], list(keys)


@transaction
async def _advance(program_id: UUID, keys: Sequence[SubscriptionKey], *, now: datetime) -> None:
    commands = [_LookAt(key) for key in keys]
    batch, desks = await open_desks(program_id, commands, keys, now=now)
    if missing := [one for one in desks if isinstance(one, NotFoundError)]:
        raise missing[0]
    changed = [one for one in desks if isinstance(one, Desk) and one.changes]
    if changed:
        await keep_all(batch, changed)
