"""A partner's till: a token with scopes, a purchase, a redemption, and a network that fails."""

from pathlib import Path

import pytest

from tests.api import GOLDEN_LINES
from tests.journeys.world import world
from tests.shop import giving

ADA = {"externalId": "ada"}
BASKET = {
    "idempotencyKey": "till-7-1",
    "member": ADA,
    "source": "till-7",
    "externalId": "1",
    "lines": GOLDEN_LINES,
}
WISH = {"idempotencyKey": "till-7-2", "member": ADA, "reward": "COFFEE"}


@pytest.mark.slow
async def test_a_till_buys_and_redeems_over_a_network_that_loses_answers(
    database_url: str, tmp_path: Path
):
    async with world(database_url, tmp_path, giving()) as one:
        till = await one.partner("members:write", "members:read", "purchases:write")
        counter = await one.partner("rewards:redeem", "members:read")
        await one.do("enrolMember", ADA, "member { id }", token=till)

        # The answer is lost, the till asks again: it counts once.
        asked = "points balance replayed"
        first = await one.do("recordPurchase", BASKET, asked, token=till)
        again = await one.do("recordPurchase", BASKET, asked, token=till)
        assert first == {"userErrors": [], "points": 108, "balance": 108, "replayed": False}
        assert again == {**first, "replayed": True}

        # The same key with another basket is a mistake of the till, and so is the receipt again.
        other = {**BASKET, "lines": GOLDEN_LINES[:1]}
        mistaken = await one.do("recordPurchase", other, asked, token=till)
        copied = {**BASKET, "idempotencyKey": "till-7-3"}
        doubled = await one.do("recordPurchase", copied, asked, token=till)
        assert mistaken["userErrors"] == [{"code": "IDEMPOTENCY_MISMATCH"}]
        assert doubled["userErrors"] == [{"code": "DUPLICATE_PURCHASE"}]

        # This token may not redeem; the one of the counter may, and a retry gets the same code.
        refused = await one.ask(
            "mutation ($input: RedeemRewardInput!) { redeemReward(input: $input) { balance } }",
            {"input": WISH},
            token=till,
        )
        fields = "balance replayed redemption { code status }"
        coffee = await one.do("redeemReward", WISH, fields, token=counter)
        retried = await one.do("redeemReward", WISH, fields, token=counter)
        assert refused["errors"][0]["extensions"]["code"] == "FORBIDDEN"
        assert (coffee["balance"], coffee["redemption"]["status"]) == (68, "ISSUED")
        assert retried == {**coffee, "replayed": True}

        # The code is good for one coffee.
        use = {"idempotencyKey": "till-7-4", "redemption": {"code": coffee["redemption"]["code"]}}
        used = await one.do("useRedemption", use, fields, token=counter)
        twice = {**use, "idempotencyKey": "till-7-5"}
        spent = await one.do("useRedemption", twice, fields, token=counter)
        assert used["redemption"] == {**coffee["redemption"], "status": "USED"}
        assert [error["code"] for error in spent["userErrors"]] == ["REDEMPTION_USED"]

        assert used["balance"] == 68
