from dataclasses import replace

import pytest

from loyalty_graph.errors import (
    IdempotencyMismatchError,
    InsufficientPointsError,
    InvalidInputError,
    LoyaltyError,
    MemberNotActiveError,
    NotFoundError,
)
from loyalty_graph.ledger.models import AccountRow, LotRow, LotUseRow, TransferRow
from loyalty_graph.members.models import Member
from loyalty_graph.members.rules import Reference, ReferenceKind
from loyalty_graph.outbox import CardMark, FactRow
from loyalty_graph.usecases.adjustments import POINTS_MAX, AdjustPoints, PointsAdjusted, adjust
from tests.shop import DAY, Shop, by_id

TABLES = (AccountRow, CardMark, FactRow, LotRow, LotUseRow, TransferRow)


async def rows() -> list[object]:
    return [sorted(map(str, await table.all().values_list())) for table in TABLES]


async def change(shop: Shop, ada: Member, amount: int, /, **changes: object) -> PointsAdjusted:
    command = AdjustPoints("staff:1", f"key {amount}", by_id(ada), amount, "a spilled coffee")
    return await adjust(shop.program_id, replace(command, **changes), now=shop.now)


async def test_points_given_by_hand_expire_like_earned_ones(shop: Shop, ada: Member):
    given = await change(shop, ada, 50)

    assert given == PointsAdjusted(ada.id, 50, 50, 1)
    entry = await TransferRow.get(member_id=ada.id)
    assert (entry.kind, entry.debit, entry.credit) == ("ADJUST", "ADJUSTED", "MEMBER")
    assert (entry.text, entry.actor, entry.explanation) == (
        "a spilled coffee",
        "staff:1",
        {"by": "hand"},
    )
    lot = await LotRow.get(member_id=ada.id)
    assert lot.expires_at.isoformat() == "2026-09-02T22:00:00+00:00"


async def test_points_given_by_hand_do_not_count_for_tiers(shop: Shop, ada: Member):
    await change(shop, ada, 50)

    account = await AccountRow.get(member_id=ada.id)
    assert (account.qualifying_points, account.lifetime_points) == (0, 0)


async def test_points_are_taken_from_those_that_can_be_spent(shop: Shop, ada: Member):
    await change(shop, ada, 50)

    taken = await change(shop, ada, -20)

    assert (taken.points, taken.balance_points, taken.entry_sequence) == (-20, 30, 2)
    assert {one.payload["points"] for one in await FactRow.filter(kind="points.adjusted")} == {
        50,
        -20,
    }


async def test_points_can_be_taken_from_more_lots_than_are_loaded_at_first(
    shop: Shop, ada: Member, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("loyalty_graph.ledger.service.LOTS_AT_ONCE", 2)
    for points in (1, 2, 3, 4):
        await change(shop, ada, points)

    taken = await change(shop, ada, -9)

    assert taken.balance_points == 1


@pytest.mark.parametrize(
    ("case", "changes", "error", "message"),
    [
        ("nothing", {"points": 0}, InvalidInputError, "points are 0; use 1 to"),
        ("too many", {"points": POINTS_MAX + 1}, InvalidInputError, "use 1 to 1000000000000"),
        ("too many taken", {"points": -POINTS_MAX - 1}, InvalidInputError, "below zero"),
        ("no reason", {"reason": " "}, InvalidInputError, "needs a reason"),
        ("long reason", {"reason": "r" * 501}, InvalidInputError, "At most 500"),
        ("more than there is", {"points": -51}, InsufficientPointsError, "51 points; 50 are"),
        ("another input", {"idempotency_key": "key 50"}, IdempotencyMismatchError, "key 50"),
        (
            "nobody",
            {"member": Reference(ReferenceKind.EMAIL, "x@example.com")},
            NotFoundError,
            "no member x@example.com",
        ),
    ],
)
async def test_a_refused_adjustment_changes_nothing(
    shop: Shop,
    ada: Member,
    case: str,
    changes: dict[str, object],
    error: type[LoyaltyError],
    message: str,
):
    await change(shop, ada, 50)
    before = await rows()

    with pytest.raises(error, match=message):
        await change(shop, ada, 7, **changes)

    assert await rows() == before


async def test_a_retry_changes_nothing(shop: Shop, ada: Member):
    first = await change(shop, ada, 50)
    before = await rows()

    again = await change(shop.later(DAY), ada, 50)

    assert again == replace(first, replayed=True)
    assert await rows() == before


async def test_a_closed_account_is_left_alone(shop: Shop, ada: Member):
    await change(shop, ada, 50)
    await AccountRow.filter(member_id=ada.id).update(status="CLOSED")
    before = await rows()

    with pytest.raises(MemberNotActiveError, match="is closed"):
        await change(shop, ada, -1)
    with pytest.raises(MemberNotActiveError, match="is closed"):
        await shop.redeem(ada, 1)
    with pytest.raises(MemberNotActiveError, match="is closed"):
        await shop.buy(ada)

    assert await rows() == before
