"""Points that live as long as their member is active."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from loyalty_graph.errors import InsufficientPointsError
from loyalty_graph.ledger import past, reads
from loyalty_graph.ledger.models import AccountRow, LapseRow, TransferRow
from loyalty_graph.members.models import Member
from loyalty_graph.outbox import CardMark, FactRow
from loyalty_graph.purchases.rules import ActivityKind, Line
from loyalty_graph.usecases import adjustments, expiry, merging, notices
from tests.shop import DAY, NOON, Shop, by_id, open_shop, program

MUG = (Line("MUG", 1, 1000),)
"""Earns 50 points."""

CARD = (Line("GIFT_CARD", 1, 1000),)
"""Earns nothing."""

HOUR = timedelta(hours=1)
GONE = datetime(2026, 9, 2, 22, tzinfo=UTC)
"""When the points of a member lapse who was active on 2 March for the last time."""


def sliding(**changes: Any) -> dict[str, Any]:
    policy = {"policy": "SLIDING", "months": 6, "resets": ["PURCHASE"], **changes}
    return program(expiry_months=None, expiry=policy)


@pytest.fixture
async def shop(database: object) -> Shop:
    return await open_shop(sliding())


async def wallet(
    shop: Shop, member: Member, at: datetime
) -> tuple[int, list[tuple[int, datetime]]]:
    """Return what can be spent, and when it ends."""
    balances = await reads.balances(shop.program_id, [member.id], now=at)
    ends = await reads.expirations(shop.program_id, [member.id], now=at)
    return balances[member.id].available, [(one.points, one.expires_at) for one in ends[member.id]]


async def lapses(member: Member) -> datetime | None:
    return (await AccountRow.get(member_id=member.id)).lapses_at


async def gift(shop: Shop, member: Member, at: datetime) -> None:
    command = adjustments.AdjustPoints("partner:till", f"gift-{at}", by_id(member), 7, "Gift")
    await adjustments.adjust(shop.program_id, command, now=at)


async def test_points_of_who_is_not_active_any_more_end_together(shop: Shop, ada: Member):
    await shop.buy(ada, MUG)
    await gift(shop, ada, NOON + 20 * DAY)

    before = await wallet(shop, ada, GONE - HOUR)
    after = await wallet(shop, ada, GONE)
    early = await expiry.run(shop.program_id, now=GONE - HOUR)
    expired = await expiry.run(shop.program_id, now=GONE)

    assert before == (57, [(57, GONE)])
    assert after == (0, [])
    assert (early, expired, await shop.balance(ada)) == (0, 57, 0)
    assert {row.at for row in await TransferRow.filter(kind="EXPIRE")} == {GONE}
    assert await expiry.run(shop.program_id, now=GONE + DAY) == 0


async def test_a_purchase_lets_all_points_live_on_also_one_that_earns_nothing(
    shop: Shop, ada: Member
):
    await shop.buy(ada, MUG)
    await CardMark.all().delete()

    await shop.later(30 * DAY).buy(ada, CARD)

    later = datetime(2026, 10, 1, 22, tzinfo=UTC)
    assert await wallet(shop, ada, GONE) == (50, [(50, later)])
    assert await expiry.run(shop.program_id, now=GONE) == 0
    assert await CardMark.all().count() == 1
    assert await expiry.run(shop.program_id, now=later) == 50


@pytest.mark.parametrize(
    ("case", "resets", "done", "lives_on"),
    [
        ("a redemption that counts", ["REDEMPTION"], "redeem", True),
        ("a redemption that does not", ["PURCHASE"], "redeem", False),
        ("a check-in", ["ACTIVITY:CHECK_IN"], "check in", True),
        ("another activity", ["ACTIVITY:REVIEW"], "check in", False),
        ("any activity", ["ACTIVITY"], "check in", True),
        ("a purchase that does not", ["REDEMPTION"], "buy", False),
        ("a gift by hand", ["PURCHASE", "REDEMPTION", "ACTIVITY"], "gift", False),
    ],
)
async def test_the_programme_says_what_counts_as_being_active(
    database: object, case: str, resets: list[str], done: str, *, lives_on: bool
):
    shop = await open_shop(sliding(resets=resets))
    ada = await shop.enrol()
    await shop.buy(ada, MUG)
    later = shop.later(30 * DAY)

    match done:
        case "redeem":
            await later.redeem(ada, 5)
        case "check in":
            await later.do(ada, ActivityKind.CHECK_IN, store="S1")
        case "buy":
            await later.buy(ada, MUG)
        case _:
            await gift(shop, ada, later.now)

    assert await lapses(ada) == (GONE + 29 * DAY if lives_on else GONE)


async def test_what_has_lapsed_stays_lapsed_whether_or_not_the_job_has_run(shop: Shop, ada: Member):
    await shop.buy(ada, MUG)

    with pytest.raises(InsufficientPointsError):
        await shop.at(GONE).redeem(ada, 1)
    await shop.at(GONE).buy(ada, MUG)

    assert await shop.balance(ada) == 50
    kinds = await TransferRow.all().order_by("sequence").values_list("kind", flat=True)
    assert list(kinds) == ["EARN", "EXPIRE", "EARN"]
    assert await wallet(shop, ada, GONE) == (50, [(50, datetime(2027, 3, 3, 23, tzinfo=UTC))])


async def test_a_gift_after_a_lapse_lives_on_its_own(shop: Shop, ada: Member):
    await shop.buy(ada, MUG)

    await gift(shop, ada, GONE + DAY)

    assert await wallet(shop, ada, GONE + DAY) == (7, [(7, datetime(2027, 3, 4, 23, tzinfo=UTC))])


async def test_a_late_receipt_moves_nothing_back(shop: Shop, ada: Member):
    await shop.later(10 * DAY).buy(ada, MUG)
    until = await lapses(ada)

    await shop.later(11 * DAY).buy(ada, MUG, purchased_at=NOON)

    assert await lapses(ada) == until == GONE + 10 * DAY
    assert await LapseRow.all().count() == 1


async def test_who_is_active_after_a_notice_is_told_anew(database: object):
    shop = await open_shop(sliding(notice_days=14))
    ada = await shop.enrol()
    await shop.buy(ada, MUG)

    told = await notices.run(shop.program_id, now=GONE - 15 * DAY)
    await shop.at(GONE - 10 * DAY).buy(ada, CARD)
    until = await lapses(ada)
    assert until is not None
    untold = await expiry.run(shop.program_id, now=until + DAY)
    again = await notices.run(shop.program_id, now=until - 15 * DAY)
    twice = await notices.run(shop.program_id, now=until - 14 * DAY)

    assert (told, untold, again, twice) == (50, 0, 50, 0)
    facts = await FactRow.filter(kind="points.expiring").order_by("id")
    assert [one.payload["expiresAt"] for one in facts] == [GONE.isoformat(), until.isoformat()]
    assert await wallet(shop, ada, until - HOUR) == (50, [(50, until)])
    assert await expiry.run(shop.program_id, now=until) == 50


async def test_a_programme_that_slides_no_more_forgets_when_points_were_to_lapse(
    shop: Shop, ada: Member
):
    await shop.buy(ada, MUG)
    plain = await open_shop(program(expiry_months=None), now=NOON + DAY)
    assert await wallet(plain, ada, GONE) == (50, [])
    await plain.later(300 * DAY).buy(ada, MUG)
    assert await lapses(ada) is None

    again = await open_shop(sliding(), now=NOON + 400 * DAY)

    assert (await wallet(again, ada, NOON + 401 * DAY))[0] == 100


async def test_what_was_answered_while_points_slid_is_answered_later(shop: Shop, ada: Member):
    moments = [NOON + HOUR, NOON + 31 * DAY, GONE + DAY, GONE + 40 * DAY]
    await shop.buy(ada, MUG)
    then = [await wallet(shop, ada, moments[0])]
    await shop.later(30 * DAY).buy(ada, MUG)
    then += [await wallet(shop, ada, at) for at in moments[1:]]
    await expiry.run(shop.program_id, now=moments[-1])
    await shop.at(moments[-1] + DAY).buy(ada, MUG)

    later = []
    for at in moments:
        found = await past.accounts(shop.program_id, [ada.id], at=at, now=moments[-1] + DAY)
        was = found[ada.id]
        told = [(one.points, one.expires_at) for one in was.expirations]
        later.append((was.wallet.available, told))

    assert [points for points, _ in then] == [50, 100, 100, 0]
    assert later == then


async def test_points_of_members_who_are_one_live_on_as_of_whoever_was_active_last(
    shop: Shop, ada: Member
):
    bea = await shop.enrol()
    await shop.buy(ada, MUG)
    await shop.later(30 * DAY).buy(bea, MUG)
    command = merging.MergeMembers("staff:1", "k", by_id(bea), by_id(ada), "one person")

    await merging.merge(shop.program_id, command, now=NOON + 40 * DAY)

    later = datetime(2026, 10, 1, 22, tzinfo=UTC)
    assert await wallet(shop, ada, NOON + 40 * DAY) == (100, [(100, later)])
    assert await expiry.run(shop.program_id, now=GONE) == 0
