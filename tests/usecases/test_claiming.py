"""Receipts without a member: recorded with a code, claimed later by whoever brings it."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from loyalty_graph.errors import (
    DuplicatePurchaseError,
    IdempotencyMismatchError,
    InvalidInputError,
    LoyaltyError,
    MemberNotActiveError,
    NotFoundError,
    UnknownProductTypeError,
)
from loyalty_graph.idempotency import IdempotencyRow
from loyalty_graph.ledger.models import TransferRow
from loyalty_graph.members.models import Member
from loyalty_graph.money import Money
from loyalty_graph.outbox import FactRow
from loyalty_graph.programs.errors import RateMissingError
from loyalty_graph.purchases import receipts
from loyalty_graph.purchases import service as purchase_rows
from loyalty_graph.purchases.errors import (
    ClaimCodeUnknownError,
    ClaimExpiredError,
    PurchaseVoidedError,
    ReceiptClaimedError,
)
from loyalty_graph.purchases.models import (
    MemberSummary,
    Purchase,
    PurchaseLine,
    PurchaseReference,
    UnclaimedReceipt,
)
from loyalty_graph.purchases.receipts import Receipt
from loyalty_graph.purchases.rules import Channel, Line
from loyalty_graph.rewards.codes import Codes
from loyalty_graph.usecases import claiming, program_file, receipt_voids
from loyalty_graph.usecases.purchase_command import PurchaseRecorded
from loyalty_graph.usecases.receipt_voids import ReceiptVoided, VoidReceipt
from tests.shop import DAY, GOLDEN, NOON, PROGRAM, Shop, by_id, open_shop

CODES = Codes(b"k" * 32, "receipt")
CLAIMED: dict[str, Any] = {**PROGRAM, "program": {**PROGRAM["program"], "claim_days": 30}}
TABLES = (
    *(IdempotencyRow, MemberSummary, Purchase, PurchaseLine, PurchaseReference),
    *(TransferRow, UnclaimedReceipt),
)
_numbers = count(1)


async def everything() -> list[object]:
    return [sorted(map(str, await table.all().values_list())) for table in TABLES]


@pytest.fixture
async def shop(database: object) -> Shop:
    return await open_shop(CLAIMED)


@pytest.fixture
async def ada(shop: Shop) -> Member:
    return await shop.enrol()


def receipt(shop: Shop, **changes: Any) -> claiming.RecordReceipt:
    command = claiming.RecordReceipt(
        "partner:till", f"keep-{next(_numbers)}", "till", "r-1", shop.now, GOLDEN
    )
    return replace(command, **changes)


async def keep(shop: Shop, **changes: Any) -> claiming.ReceiptRecorded:
    command = receipt(shop, **changes)
    return await claiming.record_receipt(shop.program_id, command, codes=CODES, now=shop.now)


async def claim(
    shop: Shop, member: Member, kept: claiming.ReceiptRecorded | str, **changes: Any
) -> PurchaseRecorded:
    code = kept if isinstance(kept, str) else CODES.text(shop.program_id, kept.receipt_id)
    key = f"claim-{next(_numbers)}"
    command = claiming.ClaimPurchase("partner:till", key, by_id(member), code)
    return await claiming.claim_purchase(
        shop.program_id, replace(command, **changes), codes=CODES, now=shop.now
    )


async def test_whoever_joins_later_earns_for_the_receipt_by_the_rules_of_its_day(shop: Shop):
    labels = (Line("TEA", 3, 500, 100, 20, "tea-1", labels=("ORGANIC",)), *GOLDEN)
    kept = await keep(shop, lines=labels, store="south", channel=Channel.WEB, payment="CARD")
    generous = {**PROGRAM["earning"], "default_rate": {"points": 50, "per_amount_minor": 100}}
    later = shop.later(2 * DAY)
    await program_file.load(
        program_file.check({**CLAIMED, "earning": generous}, name="t"), now=later.now
    )
    ada = await later.enrol()

    done = await claim(later, ada, kept)

    assert (done.points, done.balance_points, done.replayed) == (122, 122, False)
    bought = await Purchase.get(id=done.purchase_id)
    assert (bought.member_id, bought.purchased_at, bought.recorded_at) == (ada.id, NOON, later.now)
    assert (bought.store, bought.channel, bought.payment) == ("south", "WEB", "CARD")
    assert (bought.external_id, bought.rule_version, bought.total_minor) == ("r-1", 1, 7499)
    line = await PurchaseLine.get(number=1)
    assert (line.sku, line.labels, line.discount_minor, line.tax_minor) == (
        "tea-1",
        ["ORGANIC"],
        100,
        20,
    )
    assert await purchase_rows.find(shop.program_id, "till", "r-1") == (ada.id, done.purchase_id)
    assert (await UnclaimedReceipt.get()).purchase_id == done.purchase_id


async def test_a_kept_receipt_moves_nothing_and_nobody_finds_it_as_a_purchase(shop: Shop):
    kept = await keep(shop)

    assert kept.expires_at == NOON + 30 * DAY
    assert await Purchase.all().count() == await TransferRow.all().count() == 0
    with pytest.raises(NotFoundError):
        await purchase_rows.find(shop.program_id, "till", "r-1")


@pytest.mark.parametrize("is_claimed", [False, True])
async def test_a_receipt_counts_once_whether_it_is_claimed_or_not(
    shop: Shop, ada: Member, *, is_claimed: bool
):
    kept = await keep(shop)
    if is_claimed:
        await claim(shop, ada, kept)
    before = await everything()

    with pytest.raises(DuplicatePurchaseError):
        await keep(shop)
    with pytest.raises(DuplicatePurchaseError):
        await shop.buy(ada, external_id="r-1")

    assert await everything() == before


async def test_a_retry_of_keeping_gets_the_same_receipt(shop: Shop):
    first = await keep(shop, idempotency_key="k")
    before = await everything()

    again = await keep(shop.later(DAY), idempotency_key="k", purchased_at=NOON)

    assert again == replace(first, replayed=True)
    with pytest.raises(IdempotencyMismatchError):
        await keep(shop, idempotency_key="k", external_id="r-2")
    assert await everything() == before


async def test_a_retry_of_a_claim_gets_the_first_answer(shop: Shop, ada: Member):
    kept = await keep(shop)
    first = await claim(shop, ada, kept, idempotency_key="k")
    before = await everything()

    again = await claim(shop.later(60 * DAY), ada, kept, idempotency_key="k")

    assert again == replace(first, replayed=True)
    another = await shop.later(DAY).enrol()
    with pytest.raises(IdempotencyMismatchError):
        await claim(shop, another, kept, idempotency_key="k")
    assert await everything() == before


async def test_a_receipt_is_claimed_once(shop: Shop, ada: Member):
    kept = await keep(shop)
    await claim(shop, ada, kept)
    before = await everything()

    with pytest.raises(ReceiptClaimedError):
        await claim(shop, await shop.enrol(), kept)

    assert await everything() == before


@pytest.mark.parametrize(
    ("days", "purchased", "last"),
    [("as long as the programme says", 0, 30), ("while the day is accepted", 355, 10)],
)
async def test_after_its_time_a_receipt_cannot_be_claimed(
    shop: Shop, ada: Member, days: str, purchased: int, last: int
):
    kept = await keep(shop, purchased_at=NOON - purchased * DAY)
    before = await everything()
    over = shop.later(last * DAY)

    with pytest.raises(ClaimExpiredError):
        await claim(over, ada, kept)

    assert await everything() == before
    in_time = over.later(-timedelta(seconds=1))
    assert (await claim(in_time, ada, kept)).points == 108


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("000000-000000-000000", ClaimCodeUnknownError),
        ("000000-000000-000001", InvalidInputError),
        ("hello", InvalidInputError),
        ("", InvalidInputError),
    ],
)
async def test_what_is_no_code_claims_nothing(
    shop: Shop, ada: Member, code: str, error: type[LoyaltyError]
):
    await keep(shop)
    before = await everything()

    with pytest.raises(error):
        await claim(shop, ada, code)

    assert await everything() == before


async def test_a_code_of_another_programme_is_unknown(shop: Shop):
    kept = await keep(shop)
    tea = {**CLAIMED, "program": {**CLAIMED["program"], "name": "Tea", "slug": "tea-club"}}
    other = await open_shop(tea)
    bob = await other.enrol()

    with pytest.raises(ClaimCodeUnknownError):
        await claim(other, bob, CODES.text(shop.program_id, kept.receipt_id))


async def test_a_refused_claim_leaves_the_receipt_to_be_claimed(shop: Shop, ada: Member):
    kept = await keep(shop)
    gone = await shop.enrol()
    await shop.close(gone)

    with pytest.raises(MemberNotActiveError):
        await claim(shop, gone, kept)

    assert (await claim(shop, ada, kept)).points == 108


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"lines": (Line("SOFA", 1, 100),)}, UnknownProductTypeError),
        ({"lines": ()}, InvalidInputError),
        ({"source": ""}, InvalidInputError),
        ({"payment": ""}, InvalidInputError),
        ({"currency": "XXX1"}, InvalidInputError),
        ({"currency": "USD"}, RateMissingError),
        ({"purchased_at": NOON + DAY}, InvalidInputError),
        ({"purchased_at": NOON - 366 * DAY}, InvalidInputError),
        ({"idempotency_key": ""}, InvalidInputError),
    ],
)
async def test_a_receipt_that_could_not_be_claimed_is_not_kept(
    shop: Shop, changes: dict[str, Any], error: type[LoyaltyError]
):
    before = await everything()

    with pytest.raises(error):
        await keep(shop, **changes)

    assert await everything() == before


async def test_a_programme_keeps_such_receipts_only_where_it_says_so(database: object):
    shop = await open_shop()

    with pytest.raises(InvalidInputError, match="Name the member"):
        await keep(shop)


async def void(shop: Shop, kept: claiming.ReceiptRecorded, **changes: Any) -> ReceiptVoided:
    command = VoidReceipt("partner:till", "void", kept.receipt_id, "goods are back")
    return await receipt_voids.void(shop.program_id, replace(command, **changes), now=shop.now)


async def test_a_voided_receipt_cannot_be_claimed_and_stays_known(shop: Shop, ada: Member):
    kept, other = await keep(shop), await keep(shop, external_id="r-2")
    later = shop.later(40 * DAY)

    done = await void(later, kept)

    assert done == ReceiptVoided(Money(6099, "EUR"))
    what = {"source": "till", "externalId": "r-1", "amount": 6099, "currency": "EUR"}
    fact = await FactRow.get(kind="receipt.voided")
    assert (fact.member_id, fact.payload) == (None, what)
    assert fact.change == {
        "actor": "partner:till",
        "before": None,
        "after": what,
        "reason": "goods are back",
        "about": f"receipt:{kept.receipt_id}",
    }
    before = await everything()
    with pytest.raises(PurchaseVoidedError) as refused:
        await claim(shop, ada, kept)
    assert refused.value.field == "code"
    with pytest.raises(DuplicatePurchaseError):
        await shop.buy(ada, external_id="r-1")
    assert await everything() == before
    assert (await claim(shop, ada, other)).points == 108


async def test_a_voided_receipt_tells_what_is_to_be_given_back_in_its_own_currency(shop: Shop):
    kept = await keep(shop, currency="EUR", lines=(Line("TEA", 2, 500, 100),))

    assert await void(shop, kept) == ReceiptVoided(Money(900, "EUR"))


async def test_a_retry_voids_a_receipt_once(shop: Shop):
    kept = await keep(shop)
    first = await void(shop, kept)
    before = await everything()

    again = await void(shop.later(DAY), kept)

    assert again == replace(first, replayed=True)
    for changes, error in (
        ({"idempotency_key": "other"}, PurchaseVoidedError),
        ({"reason": "another"}, IdempotencyMismatchError),
        ({"reason": "r" * 501}, InvalidInputError),
    ):
        with pytest.raises(error):
            await void(shop, kept, **changes)
    assert await everything() == before
    assert await FactRow.filter(kind="receipt.voided").count() == 1


async def test_what_was_claimed_meanwhile_is_voided_as_a_purchase_only(shop: Shop, ada: Member):
    kept = await keep(shop)
    await claim(shop, ada, kept)
    before = await everything()

    with pytest.raises(ReceiptClaimedError) as refused:
        await void(shop, kept)

    assert refused.value.field == "purchase"
    assert await everything() == before


async def test_of_a_claim_and_a_void_at_once_one_wins(shop: Shop, ada: Member):
    kept = await keep(shop)

    done = await asyncio.gather(claim(shop, ada, kept), void(shop, kept), return_exceptions=True)

    assert sum(isinstance(one, LoyaltyError) for one in done) == 1
    row = await UnclaimedReceipt.get()
    assert (row.purchase_id is None) != (row.voided_at is None)
    assert await shop.balance(ada) == (108 if row.purchase_id else 0)


async def test_who_claims_a_receipt_as_it_is_voided_gets_nothing(
    shop: Shop, ada: Member, monkeypatch: pytest.MonkeyPatch
):
    kept = await keep(shop)
    before = await everything()
    hand_over = receipts.hand_over

    async def late(program_id: UUID, receipt: Receipt) -> bool:
        await UnclaimedReceipt.all().update(voided_at=NOON)
        return await hand_over(program_id, receipt)

    monkeypatch.setattr(receipts, "hand_over", late)

    with pytest.raises(PurchaseVoidedError):
        await claim(shop, ada, kept)

    assert await everything() == before
