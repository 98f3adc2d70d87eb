"""The test shop with plans, and what its members do with them, in one line each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any

from loyalty_graph.members.models import Member
from loyalty_graph.subscriptions import reads
from loyalty_graph.subscriptions.billing import LOCAL, BillingProvider, LocalBilling
from loyalty_graph.subscriptions.models import (
    MemberSubscription,
    SubscriptionPayment,
    SubscriptionPeriod,
)
from loyalty_graph.subscriptions.rules import PaymentOutcome
from loyalty_graph.subscriptions.service import Payment, SubscriptionKey
from loyalty_graph.usecases import renewals, subscription_payments, subscriptions
from loyalty_graph.usecases.subscription_desk import SubscriptionDone
from tests.shop import PROGRAM, Shop, by_id, open_shop

PLANS: list[dict[str, Any]] = [
    {
        "code": "PLUS",
        "name": "Bean Plus",
        "interval": "MONTH",
        "price_minor": 1000,
        "grace_days": 6,
        "dunning_attempts": 3,
        "welcome_points": 50,
        "multiplier": "3/2",
    },
    {"code": "PLUS_YEAR", "name": "Bean Plus", "interval": "YEAR", "price_minor": 10000},
    {"code": "TRY", "name": "Try", "interval": "MONTH", "price_minor": 500, "trial_days": 14},
]
WITH_PLANS = {**PROGRAM, "subscription_plans": PLANS}
SANDBOX = {
    **WITH_PLANS,
    "program": {**PROGRAM["program"], "slug": "bean-sandbox", "sandbox": True},
}
TABLES = (MemberSubscription, SubscriptionPeriod, SubscriptionPayment)
_numbers = count(1)


@dataclass
class Club:
    """A shop whose clock moves, and the provider of its sandbox."""

    shop: Shop
    now: datetime
    billing: Mapping[str, BillingProvider] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.billing = {LOCAL: LocalBilling(lambda: self.now)}

    async def subscribe(
        self, member: Member, plan: str = "PLUS", *, card: str | None = None, key: str = ""
    ) -> SubscriptionDone:
        command = subscriptions.Subscribe("partner:app", key or _key(), by_id(member), plan, card)
        return await subscriptions.subscribe(
            self.shop.program_id, command, billing=self.billing, now=self.now
        )

    async def pay(
        self, key: SubscriptionKey, amount: int = 1000, external_id: str = "", **changes: Any
    ) -> SubscriptionDone:
        told = {
            "provider": "stripe",
            "external_id": external_id or f"pi-{next(_numbers)}",
            "outcome": PaymentOutcome.SUCCEEDED,
            "paid_at": self.now,
        }
        caller = changes.pop("caller", "partner:app")
        idempotency_key = changes.pop("idempotency_key", None) or _key()
        is_dated = changes.pop("is_dated", True)
        payment = Payment(key=key, amount_minor=amount, **(told | changes))
        command = subscription_payments.RecordPayment(caller, idempotency_key, payment, is_dated)
        return await subscription_payments.record_payment(
            self.shop.program_id, command, now=self.now
        )

    async def do(
        self, kind: type[subscriptions.SubscriptionCommand], key: SubscriptionKey, **named: Any
    ) -> SubscriptionDone:
        idempotency_key = named.pop("idempotency_key", None) or _key()
        command = kind("partner:app", idempotency_key, key, **named)
        return await subscriptions.change(self.shop.program_id, command, now=self.now)

    async def change_plan(
        self, key: SubscriptionKey, plan: str, *, idempotency_key: str = ""
    ) -> SubscriptionDone:
        command = subscriptions.ChangePlan("partner:app", idempotency_key or _key(), key, plan)
        return await subscriptions.change_plan(
            self.shop.program_id, command, billing=self.billing, now=self.now
        )

    async def renew(self) -> int:
        return await renewals.run(self.shop.program_id, billing=self.billing, now=self.now)

    async def view(self, key: SubscriptionKey) -> reads.View:
        return (await reads.subscriptions(self.shop.program_id, [key], now=self.now))[key]

    async def status(self, key: SubscriptionKey) -> str:
        return (await self.view(key)).state.status.value


def _key() -> str:
    return f"key {next(_numbers)}"


async def open_club(data: dict[str, Any] = WITH_PLANS) -> Club:
    shop = await open_shop(data)
    return Club(shop, shop.now)


async def rows() -> list[object]:
    """Return what is written of subscriptions."""
    return [sorted(map(str, await table.all().values_list())) for table in TABLES]
