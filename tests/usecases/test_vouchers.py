import asyncio
from dataclasses import replace
from typing import Any

import pytest

from loyalty_graph.errors import InvalidInputError, LoyaltyError, NotFoundError, WrongStoreError
from loyalty_graph.identifiers import new_id
from loyalty_graph.members.models import Member
from loyalty_graph.outbox import CardMark, FactRow
from loyalty_graph.purchases.rules import Line
from loyalty_graph.rewards import reads
from loyalty_graph.rewards.errors import (
    VoucherAmountError,
    VoucherExpiredError,
    VoucherUsedError,
    VoucherVoidError,
)
from loyalty_graph.rewards.models import RedemptionRow, VoucherRow, VoucherUseRow
from loyalty_graph.rewards.rules import RedemptionState, Step
from loyalty_graph.usecases.vouchers import VoucherMoved
from tests.shop import DAY, NOON, NOTE, Shop, giving, open_shop

TABLES = (RedemptionRow, VoucherRow, VoucherUseRow, FactRow)


async def everything() -> list[list[str]]:
    return [sorted(str(dict(row)) for row in await table.all()) for table in TABLES]


async def opened(**changes: Any) -> tuple[Shop, Member]:
    shop = await open_shop(giving({**NOTE, "code_days": 10, **changes}))
    member = await shop.enrol()
    await shop.buy(member, (Line("TEA", 1, 10000),))
    return shop, member


async def test_money_is_used_bit_by_bit(database: object):
    shop, ada = await opened()
    note = await shop.want(ada, "NOTE")
    await CardMark.all().delete()

    first = await shop.use_money(note, 500, store="south", reference="receipt 7")
    second = await shop.use_money(note, 1500)

    assert (first.number, first.amount_minor, first.remaining_minor) == (1, 500, 1500)
    assert (second.number, second.remaining_minor) == (2, 0)
    assert (await shop.voucher(note)).state == "USED"
    [use, _] = (await reads.uses(shop.program_id, [(ada.id, note.redemption_id)]))[
        ada.id, note.redemption_id
    ]
    assert (use.amount_minor, use.at, use.store, use.reference) == (500, NOON, "south", "receipt 7")
    told = [fact.payload for fact in await FactRow.filter(kind="voucher.used")]
    assert min(told, key=lambda payload: payload["use"]) == {
        "voucher": str(note.redemption_id),
        "use": 1,
        "amount": 500,
        "remaining": 1500,
    }
    assert await CardMark.filter(member_id=ada.id).count() == 1


async def test_the_first_use_makes_the_redemption_a_used_one(database: object):
    shop, ada = await opened()
    note = await shop.want(ada, "NOTE")

    await shop.use_money(note, 1)
    await shop.use_money(note, 1)

    assert (await shop.redemption(note)).state is RedemptionState.USED
    assert await FactRow.filter(kind="redemption.used").count() == 1


async def test_money_is_given_back_in_parts(database: object):
    shop, ada = await opened()
    note = await shop.want(ada, "NOTE")
    used = await shop.use_money(note, 2000)

    part = await shop.put_money_back(note, used.number, amount_minor=300)
    rest = await shop.put_money_back(note, used.number)

    assert (part.number, part.amount_minor, part.remaining_minor) == (2, 300, 300)
    assert (rest.number, rest.amount_minor, rest.remaining_minor) == (3, 1700, 2000)
    assert (await shop.voucher(note)).state == "ACTIVE"
    rows = await VoucherUseRow.all().order_by("number").values_list("amount_minor", "of_number")
    assert list(rows) == [(2000, None), (-300, 1), (-1700, 1)]


@pytest.mark.parametrize(
    ("case", "amount", "changes", "error"),
    [
        ("more than is left", 2001, {}, VoucherAmountError),
        ("nothing", 0, {}, InvalidInputError),
        ("less than nothing", -1, {}, InvalidInputError),
        ("a fortune", 10**16, {}, InvalidInputError),
        ("in no store", 1, {"store": ""}, InvalidInputError),
        ("a long reference", 1, {"reference": "r" * 101}, InvalidInputError),
        ("no such voucher", 1, {"voucher_id": new_id(NOON)}, NotFoundError),
    ],
)
async def test_what_cannot_be_used_changes_nothing(
    database: object, case: str, amount: int, changes: dict[str, Any], error: type[LoyaltyError]
):
    shop, ada = await opened()
    note = await shop.want(ada, "NOTE")
    before = await everything()

    with pytest.raises(error):
        await shop.use_money(note, amount, **changes)

    assert await everything() == before


@pytest.mark.parametrize(
    ("case", "use", "changes", "error"),
    [
        ("more than was used", 1, {"amount_minor": 501}, VoucherAmountError),
        ("nothing", 1, {"amount_minor": 0}, InvalidInputError),
        ("no such use", 2, {}, NotFoundError),
        ("no such voucher", 1, {"voucher_id": new_id(NOON)}, NotFoundError),
    ],
)
async def test_what_cannot_be_given_back_changes_nothing(
    database: object, case: str, use: int, changes: dict[str, Any], error: type[LoyaltyError]
):
    shop, ada = await opened()
    note = await shop.want(ada, "NOTE")
    await shop.use_money(note, 500)
    before = await everything()

    with pytest.raises(error):
        await shop.put_money_back(note, use, **changes)

    assert await everything() == before


async def test_an_empty_a_void_and_an_expired_voucher_say_so(database: object):
    shop, ada = await opened()
    empty, void = await shop.want(ada, "NOTE"), await shop.want(ada, "NOTE")
    await shop.use_money(empty, 2000)
    await shop.take(Step.CANCEL, void)

    with pytest.raises(VoucherUsedError):
        await shop.use_money(empty, 1)
    with pytest.raises(VoucherVoidError):
        await shop.use_money(void, 1)
    with pytest.raises(VoucherExpiredError):
        await shop.later(11 * DAY).put_money_back(empty, 1)

    assert await VoucherUseRow.all().count() == 1


async def test_a_voucher_for_a_store_is_used_there_only(database: object):
    shop, ada = await opened()
    note = await shop.want(ada, "NOTE", store="south")

    with pytest.raises(WrongStoreError):
        await shop.use_money(note, 1, store="north")
    used = await shop.use_money(note, 1, store="south")

    assert used.remaining_minor == 1999


async def test_a_retry_uses_and_gives_back_once(database: object):
    shop, ada = await opened()
    note = await shop.want(ada, "NOTE")
    used = await shop.use_money(note, 500, idempotency_key="k")
    back = await shop.put_money_back(note, 1, idempotency_key="b")

    again = await shop.use_money(note, 500, idempotency_key="k")
    back_again = await shop.put_money_back(note, 1, idempotency_key="b")

    assert again == replace(used, replayed=True)
    assert back_again == replace(back, replayed=True)
    assert (await shop.voucher(note)).remaining_minor == 2000


async def test_fifty_tills_at_once_never_use_more_than_is_on_it(database: object):
    shop, ada = await opened()
    note = await shop.want(ada, "NOTE")

    answers = await asyncio.gather(
        *(shop.use_money(note, 300) for _ in range(50)), return_exceptions=True
    )

    assert sum(isinstance(one, VoucherMoved) for one in answers) == 6
    assert (await shop.voucher(note)).remaining_minor == 200
