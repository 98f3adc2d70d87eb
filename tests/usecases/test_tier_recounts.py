"""Counted anew from what is recorded, a member's tier is what it was without that."""

from datetime import timedelta
from typing import Any

import pytest

from loyalty_graph.ledger.models import TransferRow
from loyalty_graph.members.models import Member
from loyalty_graph.purchases.rules import ActivityKind
from loyalty_graph.tiers import reads
from loyalty_graph.tiers.models import TierStanding
from loyalty_graph.usecases import balances, merging, reversals
from loyalty_graph.usecases.balance_rows import BalanceFormat
from loyalty_graph.usecases.pending_points import Earning
from tests.shop import DAY, NOON, PROGRAM, Shop, by_id, open_shop
from tests.tiers.shop import Watch, tea, with_tiers

BY_POINTS: dict[str, Any] = {
    **with_tiers(
        basis="QUALIFYING_POINTS",
        window="ROLLING_12_MONTHS",
        levels=[
            {"code": "BASE", "name": "Base", "entry": 0},
            {"code": "SILVER", "name": "Silver", "entry": 80},
        ],
    ),
    "earning": {
        **PROGRAM["earning"],
        "rules": [
            {"code": "REVIEWS", "name": "Tell others", "on": "REVIEW", "points": 15},
            {
                "code": "VISITS",
                "name": "Drop in",
                "on": "CHECK_IN",
                "points": 7,
                "pending": {"days": 30},
            },
        ],
    },
}


async def reverse(shop: Shop, ada: Watch, sequence: int) -> None:
    member_id = ada.member.id
    command = reversals.ReverseEntry(
        "staff:1", f"undo {member_id} {sequence}", member_id, sequence, "wrong"
    )
    await reversals.reverse(shop.program_id, command, now=shop.now)


async def bring(shop: Shop, text: str) -> None:
    file = balances.file_of(text, source="old", form=BalanceFormat.CSV)
    await balances.import_file(shop.program_id, file, caller="cli", now=NOON)


async def test_points_brought_along_and_what_was_taken_back_by_hand_count_anew_as_before(
    database: object,
):
    shop = await open_shop(BY_POINTS)
    await bring(shop, "key,external_id,points,qualifying\na,1,5,60\nb,1,0,40\n")
    ada = Watch(shop, await Member.get(external_id="1"))
    visits = []
    for days in range(1, 4):
        there = shop.later(days * DAY)
        await there.do(ada.member, ActivityKind.REVIEW, proof=f"review-{days}")
        visits.append(await there.do(ada.member, ActivityKind.CHECK_IN, store="mitte"))
    await shop.buy(ada.member, tea(2_000))
    later = shop.later(10 * DAY)
    entries = await TransferRow.filter(member_id=ada.member.id).order_by("sequence")
    brought, reviews, waiting = (
        [one.sequence for one in entries if one.kind == kind]
        for kind in ("MIGRATE", "EARN", "EARN_PENDING")
    )
    whole = later.now - timedelta(hours=1)

    for sequence in (brought[1], reviews[0], waiting[0]):
        await reverse(later, ada, sequence)
    await later.cancel_pending(Earning(ada.member.id, waiting[1]), 3)
    kept = (await ada.row()).amounts
    before, after = [
        (await reads.statuses_then(shop.program_id, [ada.member.id], at=at, now=later.now))[
            ada.member.id
        ].value
        for at in (whole, later.now)
    ]
    await TierStanding.all().delete()

    today = NOON.toordinal()
    assert {day: points for day, points in kept.items() if points} == {
        str(today): 60 + 20,
        str(today + 2): 15 + 4,
        str(today + 3): 15 + 7,
    }
    assert (before, after) == (100 + 20 + 3 * 22, 121)
    assert (await ada.status(later.now)).value == 121


@pytest.mark.parametrize(("points_left", "tier"), [(30, "SILVER"), (29, "BASE")])
@pytest.mark.parametrize("is_recounted", [False, True], ids=["kept", "recounted"])
async def test_goods_that_come_back_after_it_leave_the_right_tier(
    database: object, points_left: int, tier: str, *, is_recounted: bool
):
    shop = await open_shop(BY_POINTS)
    await bring(shop, "key,external_id,points,qualifying\na,1,0,50\n")
    ada = Watch(shop, await Member.get(external_id="1"))
    await shop.do(ada.member, ActivityKind.REVIEW, proof="review")
    bought = await shop.buy(ada.member, (*tea(points_left * 100), *tea(4_000)))
    await reverse(shop, ada, 2)
    if is_recounted:
        await TierStanding.all().delete()

    await shop.bring_back(bought, {2: 1})

    seen = [await ada.status(shop.later(days * DAY).now) for days in (0, 364, 365)]
    assert [one.value for one in seen[:2]] == [50 + points_left] * 2
    assert [one.tier for one in seen] == ["SILVER", "SILVER", tier]


async def test_what_was_brought_and_taken_back_counts_for_who_lives_on(database: object):
    shop = await open_shop(BY_POINTS)
    await bring(shop, "key,external_id,points,qualifying\na,1,0,30\nb,2,0,10\n")
    ada, bea = [Watch(shop, await Member.get(external_id=one)) for one in "12"]
    await shop.do(ada.member, ActivityKind.REVIEW, proof="of ada")
    await shop.do(bea.member, ActivityKind.REVIEW, proof="of bea")
    bought = await shop.buy(ada.member, tea(5_000))
    there = shop.later(DAY)
    await reverse(there, ada, 2)
    merged = merging.MergeMembers(
        "staff:1", "merge", by_id(ada.member), by_id(bea.member), "one person"
    )
    await merging.merge(shop.program_id, merged, now=there.now)
    await reverse(there, bea, 2)
    await there.bring_back(bought, None)
    kept = await bea.row()
    before, after = [
        (await reads.statuses_then(shop.program_id, [bea.member.id], at=at, now=there.now))[
            bea.member.id
        ]
        for at in (NOON, there.now)
    ]
    await TierStanding.all().delete()

    seen = await bea.status(there.now)

    assert kept.amounts == {str(NOON.toordinal()): 30 + 10}
    assert (before.value, before.tier) == (10 + 15, "BASE")
    assert (after.value, after.tier) == (seen.value, "SILVER") == (40, "SILVER")
