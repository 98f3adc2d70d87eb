"""Receipts without a member: recorded with a code, claimed later by whoever brings it."""

from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

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
from loyalty_graph.programs.errors import RateMissingError
from loyalty_graph.purchases import service as purchase_rows
from loyalty_graph.purchases.errors import (
    ClaimCodeUnknownError,
    ClaimExpiredError,
    ReceiptClaimedError,
)
from loyalty_graph.purchases.models import (
    MemberSummary,
    Purchase,
    PurchaseLine,
    PurchaseReference,
    UnclaimedReceipt,
)
from loyalty_graph.purchases.rules import Channel, Line
from loyalty_graph.rewards.codes import Codes
from loyalty_graph.usecases import claiming, program_file
from loyalty_graph.usecases.purchase_command import PurchaseRecorded
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
