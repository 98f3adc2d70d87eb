"""What is undone is found by either name: as a purchase, or as a receipt nobody has claimed."""

from typing import Any

import pytest

from loyalty_graph.errors import NotFoundError
from loyalty_graph.members.models import Member
from loyalty_graph.money import Money
from loyalty_graph.purchases.models import Purchase, PurchaseReference, Refund, UnclaimedReceipt
from loyalty_graph.rewards.codes import Codes
from loyalty_graph.usecases import claiming, undoing
from loyalty_graph.usecases.receipt_voids import ReceiptVoided
from loyalty_graph.usecases.refund_command import RefundRecorded
from loyalty_graph.usecases.undoing import PurchaseKey, ReceiptName
from tests.shop import GOLDEN, PROGRAM, Shop, open_shop


@pytest.fixture
async def shop(database: object) -> Shop:
    return await open_shop({**PROGRAM, "program": {**PROGRAM["program"], "claim_days": 30}})


async def undo(shop: Shop, named: PurchaseKey | ReceiptName, *, key: str = "undo") -> Any:
    command = undoing.Undo("partner:till", key, named, "Wrong card")
    return await undoing.undo(shop.program_id, command, now=shop.now)


async def keep(shop: Shop) -> claiming.ReceiptRecorded:
    command = claiming.RecordReceipt("partner:till", "keep", "till", "r-1", shop.now, GOLDEN)
    return await claiming.record_receipt(
        shop.program_id, command, codes=Codes(b"k" * 32, "receipt"), now=shop.now
    )


async def test_a_purchase_is_undone_by_its_id_and_by_its_receipt_alike(shop: Shop, ada: Member):
    first = await shop.buy(ada, external_id="r-1")
    second = await shop.buy(ada, external_id="r-2")

    by_id = await undo(shop, PurchaseKey(ada.id, first.purchase_id))
    by_receipt = await undo(shop, ReceiptName("till", "r-2"), key="other")

    assert isinstance(by_id, RefundRecorded)
    assert isinstance(by_receipt, RefundRecorded)
    assert (by_id.purchase_id, by_receipt.purchase_id) == (first.purchase_id, second.purchase_id)
    assert await Purchase.filter(state="VOIDED").count() == 2
    assert await shop.balance(ada) == 0


async def test_a_receipt_that_nobody_has_claimed_is_undone_as_one(shop: Shop):
    await keep(shop)

    done = await undo(shop, ReceiptName("till", "r-1"))
    again = await undo(shop, ReceiptName("till", "r-1"))

    assert done == ReceiptVoided(Money(6099, "EUR"))
    assert again == ReceiptVoided(Money(6099, "EUR"), replayed=True)
    assert (await UnclaimedReceipt.get()).voided_at == shop.now
    assert not await Refund.exists()


async def test_a_receipt_that_was_never_recorded_cannot_be_undone(shop: Shop, ada: Member):
    await shop.buy(ada, external_id="r-1")
    before = await PurchaseReference.all().count()

    with pytest.raises(NotFoundError):
        await undo(shop, ReceiptName("till", "r-9"))

    assert await PurchaseReference.all().count() == before
    assert not await Refund.exists()
    assert await shop.balance(ada) == 108
