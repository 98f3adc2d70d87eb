"""Importing receipts: checked as a whole, then recorded once each, however often it is tried."""

import pytest

from loyalty_graph.members.models import Member
from loyalty_graph.purchases.models import Purchase
from loyalty_graph.usecases import balances, proof, purchase_import, purchases
from loyalty_graph.usecases.balance_rows import BalanceFormat
from loyalty_graph.usecases.purchase_import import Imported
from tests.shop import Shop

HEAD = "receipt,email,purchased_at,product_type,unit_amount\n"
AT = "2026-03-01T10:00:00Z"


def file_of(*receipts: str, email: str = "ada@example.com", at: str = AT) -> str:
    return HEAD + "".join(f"{one},{email},{at},TEA,10.00\n" for one in receipts)


async def bring(shop: Shop, text: str, *, dry_run: bool = False) -> Imported:
    return await purchase_import.import_file(
        shop.program_id,
        balances.file_of(text, source="shop", form=BalanceFormat.CSV),
        caller="cli",
        now=shop.now,
        tell=lambda *_: None,
        dry_run=dry_run,
    )


async def test_receipts_are_recorded_once(shop: Shop, ada: Member):
    first = await bring(shop, file_of("a", "b"))
    again = await bring(shop, file_of("a", "b", "c"))

    assert first == Imported(receipts=2, recorded=2, points=20, is_written=True)
    assert again == Imported(receipts=3, known=2, recorded=1, points=10, is_written=True)
    assert await shop.balance(ada) == 30
    assert (await proof.verify(shop.program_id, now=shop.now)).findings == []


async def test_an_import_that_was_stopped_goes_on_where_it_was(
    shop: Shop, ada: Member, monkeypatch: pytest.MonkeyPatch
):
    text = file_of(*(str(number) for number in range(501)))
    record, batches = purchases.record, []

    async def dies_after_one(*args: object, **named: object) -> object:
        batches.append(args)
        if len(batches) == 2:
            raise OSError("the plug was pulled")
        return await record(*args, **named)

    monkeypatch.setattr(purchases, "record", dies_after_one)
    with pytest.raises(OSError, match="plug"):
        await bring(shop, text)
    rest = await bring(shop, text)

    assert (rest.known, rest.recorded) == (500, 1)
    assert len(batches) == 3
    assert await Purchase.all().count() == 501


async def test_a_receipt_that_stands_twice_counts_once(shop: Shop, ada: Member):
    done = await bring(shop, file_of("a", "b", "a"))

    assert (done.receipts, done.recorded, done.known, done.refused) == (3, 2, 1, 0)
    assert await shop.balance(ada) == 20


async def test_a_receipt_that_stands_for_two_members_counts_for_one(shop: Shop, ada: Member):
    carl = await shop.enrol(email="carl@example.com")
    text = file_of("a", "b") + file_of("a", email="carl@example.com").removeprefix(HEAD)

    done = await bring(shop, text)

    assert (done.receipts, done.recorded, done.known, done.refused) == (3, 2, 0, 1)
    assert [one.code for one in done.faults] == ["IDEMPOTENCY_MISMATCH"]
    assert await shop.balance(ada) + await shop.balance(carl) == 20


async def test_a_members_receipts_are_recorded_in_the_order_of_the_file(shop: Shop, ada: Member):
    await shop.enrol(email="carl@example.com")
    names = [f"{number:04}" for number in range(505)]
    text = file_of(*names) + file_of("other", email="carl@example.com").removeprefix(HEAD)

    done = await bring(shop, text)

    entries = Purchase.filter(member_id=ada.id).order_by("entry_sequence")
    assert done.recorded == 506
    assert await entries.values_list("external_id", flat=True) == names


async def test_when_one_is_wrong_none_is_recorded(shop: Shop, ada: Member):
    text = file_of("a") + f"b,nobody@example.com,{AT},TEA,1\nc,ada@example.com,{AT},TEA,much\n"

    done = await bring(shop, text)

    assert (done.receipts, done.recorded, done.refused, done.is_written) == (3, 0, 2, False)
    assert [(one.line, one.code, one.field) for one in done.faults] == [
        (3, "NOT_FOUND", "email"),
        (4, "INVALID_INPUT", "lines[0].unit_amount"),
    ]
    assert await Purchase.all().count() == 0


async def test_a_dry_run_writes_nothing(shop: Shop, ada: Member):
    done = await bring(shop, file_of("a"), dry_run=True)

    assert done == Imported(receipts=1)
    assert await Purchase.all().count() == 0


async def test_what_the_programme_refuses_does_not_keep_back_the_others(shop: Shop, ada: Member):
    text = file_of("a") + "old,ada@example.com,2020-01-01T00:00:00Z,TEA,1\n"

    done = await bring(shop, text)

    assert (done.recorded, done.refused, done.is_written) == (1, 1, True)
    assert [one.line for one in done.faults] == [3]
    assert await shop.balance(ada) == 10
