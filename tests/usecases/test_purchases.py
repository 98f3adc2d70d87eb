import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tortoise.exceptions import IntegrityError

from loyalty_graph.errors import (
    DuplicatePurchaseError,
    IdempotencyMismatchError,
    InvalidInputError,
    LoyaltyError,
    NotFoundError,
    UnknownProductTypeError,
)
from loyalty_graph.idempotency import IdempotencyRow
from loyalty_graph.ledger.models import AccountRow, LotRow, TransferRow
from loyalty_graph.members.models import Member
from loyalty_graph.members.rules import Reference, ReferenceKind
from loyalty_graph.outbox import CardMark, FactRow
from loyalty_graph.purchases import service as purchases_service
from loyalty_graph.purchases.models import (
    MemberSummary,
    Purchase,
    PurchaseLine,
    PurchaseReference,
)
from loyalty_graph.purchases.rules import Line
from loyalty_graph.usecases import purchases
from tests.shop import DAY, GOLDEN, NOON, PROGRAM, Shop, open_shop, record_one

TABLES = (
    AccountRow,
    CardMark,
    FactRow,
    IdempotencyRow,
    LotRow,
    MemberSummary,
    Purchase,
    PurchaseLine,
    PurchaseReference,
    TransferRow,
)


async def everything() -> list[object]:
    """Return all rows of all tables a purchase writes to."""
    return [sorted(map(str, await table.all().values_list())) for table in TABLES]


async def test_a_purchase_earns_by_product_type(shop: Shop, ada: Member):
    bought = await shop.buy(ada)

    assert (bought.points, bought.balance_points, bought.entry_sequence) == (108, 108, 1)
    lines = await PurchaseLine.filter(purchase_id=bought.purchase_id).order_by("number")
    assert [(line.product_type, line.points) for line in lines] == [
        ("COFFEE", 27),
        ("MUG", 74),
        ("GIFT_CARD", 0),
        ("TEA", 7),
    ]
    purchase = await Purchase.get(id=bought.purchase_id)
    assert (purchase.total_minor, purchase.currency, purchase.rule_version) == (6099, "EUR", 1)


async def test_the_entry_explains_every_step(shop: Shop, ada: Member):
    await shop.buy(ada)

    entry = await TransferRow.get(member_id=ada.id)
    assert entry.explanation == {
        "calculator": "PRODUCT_TYPE",
        "steps": [
            {
                "type": "COFFEE",
                "amount": 1350,
                "rate": [2, 100],
                "by": ["PRORATA", "FLOOR"],
                "points": 27,
            },
            {
                "type": "MUG",
                "amount": 1499,
                "rate": [5, 100],
                "by": ["PRORATA", "FLOOR"],
                "points": 74,
            },
            {"type": "GIFT_CARD", "amount": 2500, "excluded": True, "points": 0},
            {
                "type": "TEA",
                "amount": 750,
                "rate": [1, 100],
                "by": ["PRORATA", "FLOOR"],
                "points": 7,
            },
        ],
    }
    assert (entry.kind, entry.debit, entry.credit) == ("EARN", "ISSUED", "MEMBER")
    assert entry.rule_version == 1


async def test_a_purchase_leaves_a_fact_a_card_mark_and_a_summary(shop: Shop, ada: Member):
    first = await shop.buy(ada)
    await shop.later(DAY).buy(ada, (Line("TEA", 1, 250),))

    facts = await FactRow.filter(kind="purchase.recorded").order_by("at")
    assert facts[0].payload == {
        "purchase": str(first.purchase_id),
        "entry": 1,
        "points": 108,
        "paidPoints": 0,
        "balance": 108,
    }
    assert await CardMark.filter(member_id=ada.id).count() == 1
    summary = await MemberSummary.get(member_id=ada.id)
    assert (summary.purchase_count, summary.spend_minor) == (2, 6349)
    assert summary.last_purchase_at == NOON + DAY


async def test_points_live_through_the_local_day_six_months_later(shop: Shop, ada: Member):
    await shop.buy(ada)

    lot = await LotRow.get(member_id=ada.id)
    assert lot.expires_at.isoformat() == "2026-09-02T22:00:00+00:00"


async def test_a_purchase_without_points_has_no_entry(shop: Shop, ada: Member):
    bought = await shop.buy(ada, (Line("GIFT_CARD", 1, 2500),))

    assert (bought.points, bought.entry_sequence, bought.balance_points) == (0, None, 0)
    assert await TransferRow.all().count() == 0


async def test_a_retry_gets_the_first_answer_and_changes_nothing(shop: Shop, ada: Member):
    command = shop.receipt(ada)
    first = await record_one(shop.program_id, command, now=NOON)
    before = await everything()

    again = await record_one(shop.program_id, command, now=NOON + DAY)

    assert again == replace(first, replayed=True)
    assert await everything() == before


async def test_other_input_under_the_same_key_is_refused(shop: Shop, ada: Member):
    command = shop.receipt(ada)
    await record_one(shop.program_id, command, now=NOON)
    before = await everything()

    with pytest.raises(IdempotencyMismatchError, match="used with other input"):
        await record_one(shop.program_id, replace(command, lines=GOLDEN[:1]), now=NOON)

    assert await everything() == before


async def test_one_receipt_counts_for_one_member(shop: Shop, ada: Member):
    bob = await shop.enrol(external_id="bob")
    await shop.buy(ada, external_id="R1")
    before = await everything()

    with pytest.raises(DuplicatePurchaseError, match="R1 of till is recorded already"):
        await shop.buy(bob, external_id="R1")

    assert await everything() == before


@pytest.mark.parametrize(
    ("case", "changes", "error", "message"),
    [
        ("no lines", {"lines": ()}, InvalidInputError, "1 to 500 lines"),
        ("zero quantity", {"lines": (Line("TEA", 0, 5),)}, InvalidInputError, "quantity is 0"),
        ("negative quantity", {"lines": (Line("TEA", -1, 5),)}, InvalidInputError, "is -1"),
        ("below zero", {"lines": (Line("TEA", 1, -5),)}, InvalidInputError, "not below zero"),
        ("beyond 64 bits", {"lines": (Line("TEA", 1, 2**64),)}, InvalidInputError, "too large"),
        ("large sum", {"lines": (Line("TEA", 1, 10**15),) * 2}, InvalidInputError, "total is too"),
        ("discount", {"lines": (Line("TEA", 1, 5, 6),)}, InvalidInputError, "discount is larger"),
        ("no type", {"lines": (Line("", 1, 5),)}, InvalidInputError, "product type needs"),
        ("unknown type", {"lines": (Line("SOAP", 1, 5),)}, UnknownProductTypeError, "SOAP"),
        ("ahead", {"purchased_at": NOON + timedelta(minutes=6)}, InvalidInputError, "future"),
        ("too old", {"purchased_at": NOON - 366 * DAY}, InvalidInputError, "365 days ago"),
        ("no offset", {"purchased_at": NOON.replace(tzinfo=None)}, InvalidInputError, "offset"),
        ("no source", {"source": ""}, InvalidInputError, "source needs"),
        ("no id", {"external_id": ""}, InvalidInputError, "external id needs"),
        ("blank id", {"external_id": "  "}, InvalidInputError, "external id needs"),
        ("id with NUL", {"external_id": "R\0"}, InvalidInputError, "external id needs"),
        ("no store", {"store": ""}, InvalidInputError, "store needs"),
        ("long store", {"store": "s" * 61}, InvalidInputError, "store needs 1 to 60"),
        ("long SKU", {"lines": (Line("TEA", 1, 5, sku="s" * 61),)}, InvalidInputError, "SKU needs"),
        ("no key", {"idempotency_key": ""}, InvalidInputError, "key needs 1 to 255"),
        ("key with NUL", {"idempotency_key": "k\0"}, InvalidInputError, "key needs 1 to 255"),
        (
            "unknown member",
            {"member": Reference(ReferenceKind.EXTERNAL_ID, "nobody")},
            NotFoundError,
            "no member nobody",
        ),
    ],
)
async def test_a_refused_purchase_changes_nothing(
    shop: Shop,
    ada: Member,
    case: str,
    changes: dict[str, object],
    error: type[LoyaltyError],
    message: str,
):
    before = await everything()

    with pytest.raises(error, match=message):
        await shop.buy(ada, **changes)

    assert await everything() == before


async def test_a_refusal_does_not_disturb_its_neighbours(shop: Shop, ada: Member):
    good, bad, other = (
        shop.receipt(ada),
        shop.receipt(ada, (Line("SOAP", 1, 1),)),
        shop.receipt(ada),
    )

    answers = await purchases.record(shop.program_id, [good, bad, other], now=NOON)

    assert isinstance(answers[1], UnknownProductTypeError)
    assert [getattr(one, "balance_points", None) for one in answers] == [108, None, 216]
    assert await shop.balance(ada) == 216


async def test_a_batch_sees_its_own_keys_and_receipts(shop: Shop, ada: Member):
    command = shop.receipt(ada)
    same_receipt = replace(command, idempotency_key="another")

    answers = await purchases.record(shop.program_id, [command, command, same_receipt], now=NOON)

    assert isinstance(answers[0], purchases.PurchaseRecorded)
    assert answers[1] == replace(answers[0], replayed=True)
    assert isinstance(answers[2], DuplicatePurchaseError)
    assert await shop.balance(ada) == 108


async def test_twins_at_the_same_moment_count_once(shop: Shop, ada: Member):
    command = shop.receipt(ada)

    answers = await asyncio.gather(
        *(record_one(shop.program_id, command, now=NOON) for _ in range(8))
    )

    assert sum(not answer.replayed for answer in answers) == 1
    assert await shop.balance(ada) == 108


async def test_one_receipt_at_two_tills_at_once_counts_once(shop: Shop, ada: Member):
    bob = await shop.enrol(external_id="bob")
    commands = [shop.receipt(one, external_id="R1") for one in (ada, bob) for _ in range(4)]

    answers = await asyncio.gather(
        *(purchases.record(shop.program_id, [command], now=NOON) for command in commands)
    )

    recorded = [one for [one] in answers if isinstance(one, purchases.PurchaseRecorded)]
    assert len(recorded) == 1
    assert await shop.balance(ada) + await shop.balance(bob) == 108


@pytest.mark.parametrize(
    ("kind", "value"), [("EMAIL", "ada@example.com"), ("NUMBER", None), ("ID", None)]
)
async def test_a_member_is_found_by_any_reference(
    shop: Shop, ada: Member, kind: str, value: str | None
):
    known = value or {"NUMBER": ada.number, "ID": str(ada.id)}[kind]

    bought = await shop.buy(ada, member=Reference(ReferenceKind(kind), known))

    assert bought.member_id == ada.id


async def test_a_simulation_gives_the_same_numbers_and_writes_nothing(shop: Shop, ada: Member):
    before = await everything()

    simulated = await shop.simulate(GOLDEN)

    assert await everything() == before
    await shop.buy(ada)
    entry = await TransferRow.get(member_id=ada.id)
    lot = await LotRow.get(member_id=ada.id)
    assert (simulated.points, simulated.explanation) == (108, entry.explanation)
    assert simulated.expires_at == lot.expires_at


async def test_a_purchase_is_found_by_its_receipt(shop: Shop, ada: Member):
    bought = await shop.buy(ada, external_id="R1")

    found = await purchases_service.find(shop.program_id, "till", "R1")

    assert found == (ada.id, bought.purchase_id)
    with pytest.raises(NotFoundError, match="no purchase R2 of till"):
        await purchases_service.find(shop.program_id, "till", "R2")


async def test_an_undated_retry_is_a_retry(shop: Shop, ada: Member):
    command = replace(shop.receipt(ada), is_dated=False)
    first = await record_one(shop.program_id, command, now=NOON)

    later = NOON + timedelta(minutes=3)
    retry = replace(command, purchased_at=later)
    again = await record_one(shop.program_id, retry, now=later)

    assert again == replace(first, replayed=True)


async def test_gathered_calls_of_several_programmes_are_answered_in_order(shop: Shop, ada: Member):
    data = {**PROGRAM, "program": {**PROGRAM["program"], "slug": "tea-club"}}
    other = await open_shop(data)
    bob = await other.enrol()
    tea = (Line("TEA", 1, 300),)

    answers = await purchases.record_gathered(
        [
            purchases.RecordCall(shop.program_id, shop.receipt(ada), NOON),
            purchases.RecordCall(other.program_id, other.receipt(bob, tea), NOON),
            purchases.RecordCall(other.program_id, other.receipt(ada), NOON),
            purchases.RecordCall(shop.program_id, shop.receipt(ada, tea), NOON),
        ]
    )

    assert [
        answer.code if isinstance(answer, LoyaltyError) else answer.balance_points
        for answer in answers
    ] == [108, 3, "NOT_FOUND", 111]
    assert (await shop.balance(ada), await other.balance(bob)) == (111, 3)


async def test_gathered_calls_meet_a_conflict_by_starting_over(
    shop: Shop, ada: Member, monkeypatch: pytest.MonkeyPatch
):
    record_batch, conflicts = purchases._record_batch, iter([IntegrityError("twin")])

    async def record_beside_a_twin(*given: Any, **how: Any) -> Any:
        answers = await record_batch(*given, **how)
        if (conflict := next(conflicts, None)) is not None:
            raise conflict
        return answers

    monkeypatch.setattr(purchases, "_record_batch", record_beside_a_twin)
    [answer] = await purchases.record_gathered(
        [purchases.RecordCall(shop.program_id, shop.receipt(ada), NOON)]
    )

    assert isinstance(answer, purchases.PurchaseRecorded)
    assert (answer.balance_points, answer.replayed) == (108, False)
    assert await shop.balance(ada) == 108


async def test_twenty_tills_at_once_record_a_receipt_for_one_of_their_members(shop: Shop):
    members = [await shop.enrol() for _ in range(20)]

    answers = await asyncio.gather(
        *(shop.buy(member, external_id="one") for member in members), return_exceptions=True
    )

    assert sum(isinstance(one, purchases.PurchaseRecorded) for one in answers) == 1
    assert sum(isinstance(one, DuplicatePurchaseError) for one in answers) == 19
    assert sorted([await shop.balance(one) for one in members]) == [*([0] * 19), 108]


async def test_twenty_tills_at_once_use_a_key_for_one_of_their_members(shop: Shop):
    members = [await shop.enrol() for _ in range(20)]

    answers = await asyncio.gather(
        *(shop.buy(member, idempotency_key="one") for member in members), return_exceptions=True
    )

    assert sum(isinstance(one, purchases.PurchaseRecorded) for one in answers) == 1
    assert sum(isinstance(one, IdempotencyMismatchError) for one in answers) == 19
    assert sorted([await shop.balance(one) for one in members]) == [*([0] * 19), 108]


async def test_a_purchase_that_twenty_send_at_once_is_recorded_once(shop: Shop, ada: Member):
    command = shop.receipt(ada)

    answers = await asyncio.gather(
        *(record_one(shop.program_id, command, now=NOON) for _ in range(20))
    )

    assert sum(not one.replayed for one in answers) == 1
    assert {one.balance_points for one in answers} == {108}
    assert await shop.balance(ada) == 108
