"""A customer: a link to the card, the card in the phone, a purchase, a change of mind."""

from pathlib import Path

import pytest

from tests.journeys.world import world
from tests.tiers.shop import with_tiers

ADA = {"externalId": "ada"}
CARD = "query ($ref: MemberRef!) { member(ref: $ref) { passes { state installedDevices } } }"
BASKET = {
    "idempotencyKey": "till-1",
    "member": ADA,
    "source": "till",
    "externalId": "receipt-1",
    "lines": [{"productType": "COFFEE", "quantity": 2, "unitAmount": "10.00"}],
}


@pytest.mark.slow
async def test_the_card_comes_into_the_phone_changes_at_the_till_and_leaves_again(
    database_url: str, tmp_path: Path
):
    async with world(database_url, tmp_path, with_tiers()) as one:

        async def card() -> dict[str, object]:
            found = await one.ask(CARD, {"ref": ADA})
            [only] = found["data"]["member"]["passes"]
            return dict(only)

        # The shop sends a link; behind it is the card, and a button for the phone.
        await one.do("enrolMember", {**ADA, "firstName": "Ada"}, "member { id }")
        page = await one.page_of(ADA)
        shown = await one.client.get(page)
        assert (shown.status_code, "Ada" in shown.text) == (200, True)

        # She adds it; the shop knows that it is there.
        held = await one.phone.add(page)
        assert (held.name, one.on_phone()) == ("Bean Club", ("0", "Base"))
        assert await card() == {"state": "INSTALLED", "installedDevices": 1}

        # At the till she buys; before she has left, the phone says what she has now.
        await one.do("recordPurchase", BASKET, "balance")
        await one.comes(lambda: one.on_phone() == ("40", "Base"))
        assert one.notices == ["You now have 40 beans."]
        assert ">40<" in (await one.client.get(page)).text

        # She wants it no longer. What she buys then is pushed to nobody.
        await one.phone.remove(held.serial)
        assert await card() == {"state": "UNINSTALLED", "installedDevices": 0}
        pushes = len(one.pushes)
        again = {**BASKET, "idempotencyKey": "till-2", "externalId": "receipt-2"}
        done = await one.do("recordPurchase", again, "balance")
        assert (done["balance"], len(one.pushes)) == (80, pushes)

        # The link still shows it, and she may add it once more.
        await one.phone.add(page)
        assert one.on_phone() == ("80", "Base")
        assert await card() == {"state": "INSTALLED", "installedDevices": 1}
