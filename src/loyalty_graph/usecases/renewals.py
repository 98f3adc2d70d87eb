"""What time does to subscriptions, written down: renewed, past due, ended; and fees collected."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from loyalty_graph.db import transaction
from loyalty_graph.idempotency import Claim, claim
from loyalty_graph.members.rules import Reference
from loyalty_graph.subscriptions import service as subscriptions
from loyalty_graph.subscriptions.billing import BillingProvider
from loyalty_graph.subscriptions.service import SubscriptionKey
from loyalty_graph.usecases.subscription_desk import by_id, open_desk
from loyalty_graph.usecases.subscription_payments import collect

SUBSCRIPTIONS_AT_ONCE = 200


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
    while found := await subscriptions.due(
        program_id, now=now, after=last, limit=SUBSCRIPTIONS_AT_ONCE
    ):
        for key in found:
            try:
                await _advance(program_id, key, now=now)
                await collect(program_id, key, billing=billing, now=now)
            except Exception as error:  # noqa: BLE001 - the others come first; raised below
                failures.append(error)
        seen, last = seen + len(found), found[-1][1]
    if failures:
        raise ExceptionGroup("some subscriptions could not be brought up to date", failures)
    return seen


@transaction
async def _advance(program_id: UUID, key: SubscriptionKey, *, now: datetime) -> None:
    desk = await open_desk(program_id, _LookAt(key), key, now=now)
    if desk.changes:
        await desk.keep()
