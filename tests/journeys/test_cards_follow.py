"""What happens at the till reaches the card in the phone and the card at Google, whatever it is."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.world import world
from tests.shop import COFFEE
from tests.tiers.shop import with_tiers
from tests.usecases.subscribing import PLANS

PROGRAM: dict[str, Any] = {**with_tiers(), "rewards": [COFFEE], "subscription_plans": PLANS}
ADA = {"externalId": "ada"}
STATES = "query ($ref: MemberRef!) { member(ref: $ref) { passes { platform state } } }"


def tea(number: int, amount: str) -> dict[str, Any]:
    """Return a receipt of this amount; it earns a point for each full euro."""
    return {
        "idempotencyKey": f"till-{number}",
        "member": ADA,
        "source": "till",
        "externalId": f"receipt-{number}",
        "lines": [{"productType": "TEA", "quantity": 1, "unitAmount": amount}],
    }


@pytest.mark.slow
async def test_both_cards_follow_purchase_tier_redemption_refund_subscription_and_expiry(
    database_url: str, tmp_path: Path
):
    async with world(database_url, tmp_path, PROGRAM) as one:
        await one.do("enrolMember", {**ADA, "firstName": "Ada"}, "member { id }")
        page = await one.page_of(ADA)
        await one.phone.add(page)
        await one.save_at_google(page)

        states = (await one.ask(STATES, {"ref": ADA}))["data"]["member"]["passes"]
        assert sorted((card["platform"], card["state"]) for card in states) == [
            ("APPLE", "INSTALLED"),
            ("GOOGLE", "INSTALLED"),
        ]

        await one.do("recordPurchase", tea(1, "40.00"), "balance")
        await one.both_show(40, "Base")

        await one.do("recordPurchase", tea(2, "120.00"), "balance")
        await one.both_show(160, "Silver")

        wish = {"idempotencyKey": "wish", "member": ADA, "reward": "COFFEE"}
        await one.do("redeemReward", wish, "balance")
        await one.both_show(120, "Silver")

        receipt = {"receipt": {"source": "till", "externalId": "receipt-1"}}
        back = {"idempotencyKey": "back", "purchase": receipt}
        await one.do("refundPurchase", back, "balance")
        await one.both_show(80, "Silver")

        begun = {"idempotencyKey": "plus", "member": ADA, "plan": "PLUS"}
        done = await one.do("subscribe", begun, "subscription { id }")
        paid = {
            "idempotencyKey": "paid",
            "subscriptionId": done["subscription"]["id"],
            "provider": "stripe",
            "externalId": "pi-1",
            "amount": "10.00",
        }
        await one.do("recordSubscriptionPayment", paid, "replayed")
        await one.both_show(130, "Silver")

        one.put_clock_forward(timedelta(days=200))
        await one.both_show(0, "Silver")

        # Each change was one push, and at most one more.
        assert 6 <= len(one.pushes) <= 12
        assert {push.status for push in one.pushes} == {200}
