from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest

from loyalty_graph.errors import (
    DuplicateRefundError,
    IdempotencyMismatchError,
    InvalidInputError,
    LoyaltyError,
    NotFoundError,
    RefundTooLargeError,
)
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger.models import AccountRow, LotRow, TransferRow
from loyalty_graph.members.models import Member
from loyalty_graph.purchases import service as purchases
from loyalty_graph.purchases.errors import RefundAmountTooLargeError
from loyalty_graph.purchases.models import MemberSummary, PurchaseLine, Refund, RefundLine
from loyalty_graph.purchases.rules import Line
from loyalty_graph.usecases import program_file, proof, refunds
from tests.shop import DAY, NOON, PROGRAM, Shop, open_shop, program

IN_FIVE_PARTS = [(1, 1), (2, 1), (1, 2), (4, 2), (3, 1)]
"""(line, units): coffee, mug, two coffees, two teas, the card."""


async def rows() -> list[object]:
    tables = (AccountRow, TransferRow, LotRow, Refund, PurchaseLine, MemberSummary)
    return [sorted(map(str, await table.all().values_list())) for table in tables]


async def test_five_partial_refunds_give_back_exactly_what_was_earned(shop: Shop, ada: Member):
    bought = await shop.buy(ada)

    refunds = [await shop.bring_back(bought, {line: units}) for line, units in IN_FIVE_PARTS]

    assert [refund.clawed_back_points for refund in refunds] == [9, 74, 18, 7, 0]
    assert await shop.balance(ada) == 0
    summary = await MemberSummary.get(member_id=ada.id)
    assert (summary.purchase_count, summary.spend_minor) == (1, 0)


@pytest.mark.parametrize("order", list(permutations(IN_FIVE_PARTS))[::13])
async def test_the_order_of_partial_refunds_does_not_matter(
    shop: Shop, ada: Member, order: tuple[tuple[int, int], ...]
):
    bought = await shop.buy(ada)

    refunds = [await shop.bring_back(bought, {line: units}) for line, units in order]

    assert sum(refund.clawed_back_points for refund in refunds) == 108
    assert await shop.balance(ada) == 0


async def test_a_whole_refund_brings_back_all_that_is_left(shop: Shop, ada: Member):
    bought = await shop.buy(ada)
    await shop.bring_back(bought, {1: 2})

    refund = await shop.bring_back(bought, None)

    assert (refund.due_points, refund.amount_minor) == (90, 6099 - 900)
    assert await shop.balance(ada) == 0


async def test_an_amount_takes_back_what_it_had_earned(shop: Shop, ada: Member):
    bought = await shop.buy(ada, (Line("COFFEE", 3, 500), Line("MUG", 1, 1500)))

    refund = await shop.bring_back(bought, None, amount_minor=1000)

    assert (refund.amount_minor, refund.due_points) == (1000, 10 + 25)
    assert await shop.balance(ada) == 30 + 75 - 35
    lines = (
        await PurchaseLine.all()
        .order_by("number")
        .values_list("refunded_quantity", "reduced_minor")
    )
    assert list(lines) == [(0, 500), (0, 500)]
    back = await RefundLine.all().order_by("number").values_list("quantity", "amount_minor")
    assert list(back) == [(0, 500), (0, 500)]


async def test_refunds_by_amount_line_and_whole_add_up_in_any_order(shop: Shop, ada: Member):
    for order in permutations([{"amount_minor": 1111}, {1: 2}, {"amount_minor": 700}, {4: 1}]):
        bought = await shop.buy(ada)

        done = [
            await shop.bring_back(bought, None, **part)
            if "amount_minor" in part
            else await shop.bring_back(bought, part)
            for part in order
        ]
        done.append(await shop.bring_back(bought, None))

        assert sum(refund.clawed_back_points for refund in done) == 108
        assert sum(refund.amount_minor for refund in done) == 6099
        assert await shop.balance(ada) == 0
    summary = await MemberSummary.get(member_id=ada.id)
    assert summary.spend_minor == 0


async def test_the_whole_amount_can_be_given_back_while_the_goods_stay(shop: Shop, ada: Member):
    bought = await shop.buy(ada)

    refund = await shop.bring_back(bought, None, amount_minor=6099)

    assert (refund.due_points, await shop.balance(ada)) == (108, 0)
    with pytest.raises(RefundAmountTooLargeError, match=r"only 0\.00 EUR are left"):
        await shop.bring_back(bought, None, amount_minor=1)


async def test_a_discount_is_spread_over_the_units_to_the_minor_unit(shop: Shop, ada: Member):
    bought = await shop.buy(ada, (Line("COFFEE", 3, 450, 100),))

    amounts = [(await shop.bring_back(bought, {1: 1})).amount_minor for _ in range(3)]

    assert amounts == [416, 417, 417]
    assert await shop.balance(ada) == 0


async def test_a_refund_is_recomputed_with_the_rules_it_earned_under(shop: Shop, ada: Member):
    bought = await shop.buy(ada)
    generous = {**PROGRAM["earning"], "default_rate": {"points": 50, "per_amount_minor": 100}}
    later = shop.later(DAY)
    changed = program_file.check({**PROGRAM, "earning": generous}, name="test")
    await program_file.load(changed, now=later.now)

    refund = await later.bring_back(bought, {4: 2})

    assert refund.clawed_back_points == 7
    entry = await TransferRow.get(member_id=ada.id, kind="REVERSE")
    assert entry.rule_version == 1
    assert entry.explanation is not None
    assert (entry.explanation["before"], entry.explanation["after"]) == (108, 101)


async def test_points_spent_meanwhile_are_a_shortfall_when_clamped(shop: Shop, ada: Member):
    bought = await shop.buy(ada)
    await shop.redeem(ada, 80)

    refund = await shop.bring_back(bought, None)

    assert (refund.clawed_back_points, refund.shortfall_points) == (28, 80)
    assert (refund.balance_points, await shop.balance(ada)) == (0, 0)
    kinds = await TransferRow.all().order_by("sequence").values_list("kind", "points")
    assert list(kinds) == [("EARN", 108), ("REDEEM", 80), ("REVERSE", 108), ("REVERSE", 80)]


async def test_after_a_shortfall_new_points_are_the_members(shop: Shop, ada: Member):
    bought = await shop.buy(ada)
    await shop.redeem(ada, 80)
    await shop.bring_back(bought, None)

    await shop.buy(ada, (Line("TEA", 1, 3000),))

    assert await shop.balance(ada) == 30


async def test_points_spent_meanwhile_are_debt_when_the_programme_allows(database: object):
    shop = await open_shop(program(clawback="ALLOW_NEGATIVE"))
    ada = await shop.enrol()
    bought = await shop.buy(ada)
    await shop.redeem(ada, 80)

    refund = await shop.bring_back(bought, None)
    await shop.buy(ada, (Line("TEA", 1, 3000),))

    assert (refund.clawed_back_points, refund.shortfall_points) == (108, 0)
    assert refund.balance_points == -80
    assert await shop.balance(ada) == -50


async def test_a_generous_programme_takes_no_points_but_what_counts_for_the_tier(database: object):
    shop = await open_shop(program(clawback="KEEP"))
    ada = await shop.enrol()
    bought = await shop.buy(ada)
    await shop.redeem(ada, 80)

    refund = await shop.bring_back(bought, None)

    assert (refund.due_points, refund.clawed_back_points, refund.shortfall_points) == (108, 0, 108)
    assert (refund.balance_points, await shop.balance(ada)) == (28, 28)
    account = await AccountRow.get(member_id=ada.id)
    assert (account.qualifying_points, account.lifetime_points) == (0, 108)
    assert (await proof.verify(shop.program_id, now=NOON)).findings == []


async def test_other_lots_give_when_the_purchases_own_is_spent(shop: Shop, ada: Member):
    first = await shop.buy(ada)
    await shop.later(DAY).buy(ada)
    await shop.later(DAY).redeem(ada, 108)

    refund = await shop.later(2 * DAY).bring_back(first, None)

    assert (refund.clawed_back_points, refund.shortfall_points) == (108, 0)
    assert await shop.balance(ada) == 0


async def test_qualifying_points_fall_by_all_points_due(shop: Shop, ada: Member):
    bought = await shop.buy(ada)
    await shop.redeem(ada, 108)

    await shop.bring_back(bought, {2: 1})

    account = await AccountRow.get(member_id=ada.id)
    assert (account.qualifying_points, account.lifetime_points) == (34, 108)


async def test_a_refund_of_nothing_earned_has_no_entry(shop: Shop, ada: Member):
    bought = await shop.buy(ada)

    refund = await shop.bring_back(bought, {3: 1})

    assert (refund.due_points, refund.entry_sequence) == (0, None)
    assert await TransferRow.all().count() == 1


async def test_a_retried_refund_counts_once(shop: Shop, ada: Member):
    bought = await shop.buy(ada)
    first = await shop.bring_back(bought, {1: 1}, idempotency_key="k")
    before = await rows()

    again = await shop.bring_back(bought, {1: 1}, idempotency_key="k")

    assert again == replace(first, replayed=True)
    assert await rows() == before
    with pytest.raises(IdempotencyMismatchError):
        await shop.bring_back(bought, {1: 2}, idempotency_key="k")


@pytest.mark.parametrize(
    ("case", "quantities", "changes", "error", "message"),
    [
        ("too many", {1: 4}, {}, RefundTooLargeError, "4 units to refund, but only 3"),
        ("no such line", {5: 1}, {}, InvalidInputError, "no line 5"),
        ("zero", {1: 0}, {}, InvalidInputError, "quantity is 0"),
        ("beyond 64 bits", {1: 2**64}, {}, InvalidInputError, "cannot be kept: Integer exceeds"),
        ("nothing", {}, {}, InvalidInputError, "at least one line"),
        ("no amount", None, {"amount_minor": 0}, InvalidInputError, "above zero"),
        (
            "dear",
            None,
            {"amount_minor": 6100},
            RefundAmountTooLargeError,
            r"only 60.99 EUR are",
        ),
        ("both", {1: 1}, {"amount_minor": 100}, InvalidInputError, "not both"),
        ("blank id", {1: 1}, {"external_id": ""}, InvalidInputError, "external id needs"),
        ("long reason", {1: 1}, {"reason": "r" * 501}, InvalidInputError, "At most 500"),
        ("reason with NUL", {1: 1}, {"reason": "r\0"}, InvalidInputError, "character NUL"),
        ("half a pair", {1: 1}, {"reason": "\ud83d"}, InvalidInputError, "cannot be kept: str is"),
        ("before it", {1: 1}, {"refunded_at": NOON - DAY}, InvalidInputError, "before its purch"),
        ("ahead", {1: 1}, {"refunded_at": NOON + DAY}, InvalidInputError, "future"),
        ("naive", {1: 1}, {"refunded_at": NOON.replace(tzinfo=None)}, InvalidInputError, "offset"),
        ("no purchase", {1: 1}, {"purchase_id": new_id(NOON)}, NotFoundError, "no purchase"),
        ("no member", {1: 1}, {"member_id": new_id(NOON)}, NotFoundError, "no member"),
    ],
)
async def test_a_refused_refund_changes_nothing(  # noqa: PLR0913, PLR0917 - one table
    shop: Shop,
    ada: Member,
    case: str,
    quantities: dict[int, int] | None,
    changes: dict[str, object],
    error: type[LoyaltyError],
    message: str,
):
    bought = await shop.buy(ada)
    before = await rows()

    with pytest.raises(error, match=message):
        await shop.bring_back(bought, quantities, **changes)

    assert await rows() == before


async def test_a_refund_of_a_purchase_is_recorded_once(shop: Shop, ada: Member):
    bought = await shop.buy(ada)
    await shop.bring_back(bought, {1: 1}, external_id="B1")
    before = await rows()

    with pytest.raises(DuplicateRefundError, match="Refund B1 of this purchase is recorded"):
        await shop.bring_back(bought, {1: 1}, external_id="B1")

    assert await rows() == before


async def test_one_line_cannot_be_brought_back_twice(shop: Shop, ada: Member):
    bought = await shop.buy(ada)
    await shop.bring_back(bought, {2: 1})

    with pytest.raises(RefundTooLargeError, match="only 0 are left"):
        await shop.bring_back(bought, {2: 1})


async def test_all_that_is_left_cannot_be_brought_back_twice(shop: Shop, ada: Member):
    bought = await shop.buy(ada)
    await shop.bring_back(bought, None)

    with pytest.raises(InvalidInputError, match="all of it was brought back"):
        await shop.bring_back(bought, None)


async def test_an_undated_retry_is_a_retry(shop: Shop, ada: Member):
    bought = await shop.buy(ada)
    later = shop.later(timedelta(minutes=3))

    first = await shop.bring_back(bought, None, idempotency_key="k", is_dated=False)
    again = await later.bring_back(bought, None, idempotency_key="k", is_dated=False)

    assert again == replace(first, replayed=True)


@pytest.mark.parametrize("ahead", [timedelta(minutes=4), timedelta(hours=1)])
async def test_an_undated_refund_is_not_from_before_its_purchase(
    shop: Shop, ada: Member, ahead: timedelta
):
    bought = await shop.later(ahead).buy(ada, purchased_at=shop.now + ahead)

    refunded = await shop.bring_back(bought, None, is_dated=False)

    assert refunded.clawed_back_points == 108
    [refund] = await Refund.all()
    assert refund.refunded_at == shop.now + ahead


async def test_a_receipt_found_in_the_database_can_be_refunded(shop: Shop, ada: Member):
    await shop.buy(ada, external_id="r-1")
    member_id, purchase_id = await purchases.find(shop.program_id, "till", "r-1")

    command = refunds.RecordRefund("partner:till", "k", member_id, purchase_id, shop.now)
    done = await refunds.record(shop.program_id, command, now=shop.now)

    assert done.clawed_back_points == 108
