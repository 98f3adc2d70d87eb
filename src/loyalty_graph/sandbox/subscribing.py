"""What the demo's members do with paid memberships: begun, paid by cards of the sandbox, ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from loyalty_graph.members.rules import Reference, ReferenceKind
from loyalty_graph.sandbox.chance import Chance
from loyalty_graph.sandbox.redeeming import CALLER, Visit
from loyalty_graph.subscriptions import reads
from loyalty_graph.subscriptions.billing import LOCAL, LocalBilling
from loyalty_graph.subscriptions.rules import Status
from loyalty_graph.subscriptions.service import SubscriptionKey
from loyalty_graph.usecases import renewals, subscriptions

SUBSCRIBES_ONE_IN = 400
CANCELS_ONE_IN = 80
CARDS = (*["ok"] * 8, "fails_1", "declined")

Subscribed = Mapping[int, SubscriptionKey]
"""The subscription that each household has or had."""


@dataclass(frozen=True, slots=True)
class Subscribing:
    """What members do with a programme's plans, by fixed rules.

    On the evening of one in `one_in` of its days of shopping, a household that never had a plan
    subscribes to one; hashes name the plan and the card. Of ten cards eight pay, one pays at the
    second attempt, one never does. On one in 80 of their later days of shopping subscribers cancel,
    and the subscription ends with its period.
    """

    program_id: UUID
    chance: Chance
    one_in: int = SUBSCRIBES_ONE_IN

    async def evening(
        self, day: date, visits: Mapping[int, Visit], had: Subscribed, *, now: datetime
    ) -> dict[int, SubscriptionKey]:
        """Renew what is due, cancel and subscribe; return the subscriptions of this evening."""
        billing = {LOCAL: LocalBilling(lambda: now)}
        await renewals.run(self.program_id, billing=billing, now=now)
        for household in sorted(visits.keys() & had.keys()):
            if self.chance.falls(CANCELS_ONE_IN, "unsubscribes", household, day):
                await self._cancel(had[household], now=now)
        plans = [plan.code for _, plan in await reads.plans(self.program_id, now=now)]
        begun: dict[int, SubscriptionKey] = {}
        for household in sorted(visits.keys() - had.keys()) if plans else ():
            if not self.chance.falls(self.one_in, "subscribes", household, day):
                continue
            command = subscriptions.Subscribe(
                caller=CALLER,
                idempotency_key=f"subscribe-{household}",
                member=Reference(ReferenceKind.ID, str(visits[household].member_id)),
                plan=plans[self.chance.number("plan", household) % len(plans)],
                card=CARDS[self.chance.number("card", household) % len(CARDS)],
            )
            done = await subscriptions.subscribe(self.program_id, command, billing=billing, now=now)
            begun[household] = done.key
        return begun

    async def _cancel(self, key: SubscriptionKey, *, now: datetime) -> None:
        """Cancel a subscription, unless it has ended or will."""
        found = await reads.subscriptions(self.program_id, [key], now=now)
        if found[key].state.status in (Status.CANCELLED, Status.EXPIRED):
            return
        command = subscriptions.CancelSubscription(CALLER, f"unsubscribe-{key[1]}", key)
        await subscriptions.change(self.program_id, command, now=now)
