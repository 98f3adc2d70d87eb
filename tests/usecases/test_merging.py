"""Members who are one person: what becomes of points, tiers, goods that come back, and cards."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from loyalty_graph.errors import (
    IdempotencyMismatchError,
    InvalidInputError,
    LoyaltyError,
    MemberExistsError,
    MemberNotActiveError,
    NotFoundError,
)
from loyalty_graph.ledger import service as ledger
from loyalty_graph.ledger.errors import (
    MergeBlockedError,
    MergeWithSelfError,
    NotMergedError,
    UnmergeTooLateError,
)
from loyalty_graph.ledger.kinds import Book
from loyalty_graph.ledger.models import AccountRow, LotRow, LotUseRow, TransferRow
from loyalty_graph.members import merges
from loyalty_graph.members import service as directory
from loyalty_graph.members.models import Member, MemberMerge, MemberReference
from loyalty_graph.members.rules import Reference, ReferenceKind
from loyalty_graph.outbox import CardMark, FactRow
from loyalty_graph.purchases.models import Refund
from loyalty_graph.purchases.rules import Line
from loyalty_graph.rewards.rules import Step
from loyalty_graph.tiers.models import TierStanding
from loyalty_graph.usecases import (
    activations,
    erasing,
    expiry,
    locking,
    membership,
    merging,
    proof,
    reversals,
    transfers,
)
from loyalty_graph.usecases.pending_points import Earning
from loyalty_graph.wallet.models import PassRow
from tests.shop import COFFEE, DAY, NOTE, Shop, by_id, giving, open_shop, program
from tests.tiers.shop import Watch, tea, with_tiers
from tests.usecases.subscribing import open_club
from tests.wallet.holding import issue

TABLES = (
    *(AccountRow, CardMark, FactRow, LotRow, LotUseRow, Member, MemberMerge, MemberReference),
    *(TierStanding, TransferRow),
)
NOBODY = Reference(ReferenceKind.EXTERNAL_ID, "nobody")
FIFTY = (Line("TEA", 1, 5000),)
THIRTY = (Line("TEA", 1, 3000),)
TEN = (Line("TEA", 1, 1000),)


async def rows() -> list[object]:
    return [sorted(map(str, await table.all().values_list())) for table in TABLES]


async def people(shop: Shop) -> tuple[Member, Member]:
    """Ada, who lives on as Bea."""
    ada = await shop.enrol(external_id="ada", email="ada@example.com", phone="+4915112345678")
    return ada, await shop.enrol(external_id="bea", email="bea@example.com")


async def merge(shop: Shop, ada: Member, bea: Member, **changes: Any) -> merging.Merged:
    key = f"merge {ada.id} {shop.now}"
    command = merging.MergeMembers("staff:1", key, by_id(ada), by_id(bea), "one person")
    return await merging.merge(shop.program_id, replace(command, **changes), now=shop.now)


async def unmerge(shop: Shop, ada: Member, **changes: Any) -> merging.Merged:
    key = f"unmerge {ada.id} {shop.now}"
    command = merging.UnmergeMembers("staff:1", key, ada.id, "two people after all")
    return await merging.unmerge(shop.program_id, replace(command, **changes), now=shop.now)


async def erase(shop: Shop, member: Member) -> None:
    command = erasing.EraseMember("staff:1", f"erase {member.id}", by_id(member), b"secret")
    await erasing.erase(shop.program_id, command, now=shop.now)


async def account(member: Member) -> AccountRow:
    return await AccountRow.get(member_id=member.id)


async def status(member: Member) -> str:
    row = await Member.get(id=member.id)
    assert row.status == (await account(member)).status
    return row.status


async def lots(member: Member) -> list[tuple[int, str, bool]]:
    """Return what is left in a member's lots, with its day, and whether it waits."""
    found = await LotRow.filter(member_id=member.id, remaining_points__gt=0)
    return sorted(
        (one.remaining_points, f"{one.expires_at:%Y-%m-%d}", bool(one.is_pending)) for one in found
    )


async def newest(member: Member) -> TransferRow:
    row = await TransferRow.filter(member_id=member.id).order_by("-sequence").first()
    assert row is not None
    return row


async def found_by(shop: Shop, kind: ReferenceKind, value: str) -> object:
    return (await directory.find(shop.program_id, directory.reference(kind, value))).id


async def check(shop: Shop) -> None:
    """Prove the ledger, that its projections follow from it, and that CLEARING is empty."""
    assert (await proof.verify(shop.program_id, now=shop.now)).findings == []
    assert await proof.rebuild(shop.program_id, now=shop.now) == 0
    net = await ledger.net_of_books(shop.program_id)
    assert (sum(net.values()), net[Book.CLEARING]) == (0, 0)


async def test_points_move_with_their_dates_and_both_histories_stay(shop: Shop):
    ada, bea = await people(shop)
    await shop.buy(ada, FIFTY)
    await shop.later(-40 * DAY).buy(ada, THIRTY)
    await shop.buy(bea, TEN)

    done = await merge(shop, ada, bea)

    assert done == merging.Merged(bea.id, ada.id, 90, 2)
    assert await lots(ada) == []
    assert await lots(bea) == [
        (10, "2026-09-02", False),
        (30, "2026-07-21", False),
        (50, "2026-09-02", False),
    ]
    of_ada, of_bea = await account(ada), await account(bea)
    assert (of_ada.balance_points, of_ada.qualifying_points) == (0, 0)
    assert (of_bea.balance_points, of_bea.qualifying_points) == (90, 90)
    assert [one.kind for one in await TransferRow.filter(member_id=ada.id)] == [
        *("EARN", "EARN", "MERGE_OUT"),
    ]
    assert await status(ada) == "MERGED"
    assert await merges.survivor_of(shop.program_id, ada.id) == bea.id
    await check(shop)


async def test_the_entries_say_why_and_both_members_are_told(shop: Shop):
    ada, bea = await people(shop)
    await shop.buy(ada, FIFTY)
    await CardMark.all().delete()

    await merge(shop, ada, bea)

    out, came = await newest(ada), await newest(bea)
    assert (out.text, out.actor, out.explanation) == (
        *("one person", "staff:1"),
        {"into": str(bea.id)},
    )
    assert (came.text, came.explanation) == ("one person", {"from": str(ada.id)})
    facts = {one.kind: (one.member_id, one.payload) for one in await FactRow.all()}
    assert facts["member.merged"] == (ada.id, {"into": str(bea.id), "balance": 0})
    assert facts["points.joined"] == (bea.id, {"entries": [1], "points": 50, "balance": 50})
    assert {one.member_id for one in await CardMark.all()} == {ada.id, bea.id}


async def test_whatever_found_the_one_finds_the_other(shop: Shop):
    ada, bea = await people(shop)

    await merge(shop, ada, bea)

    for kind, value in (
        (ReferenceKind.NUMBER, ada.number),
        (ReferenceKind.EMAIL, "ada@example.com"),
        (ReferenceKind.PHONE, "+4915112345678"),
        (ReferenceKind.EXTERNAL_ID, "ada"),
        (ReferenceKind.EXTERNAL_ID, "bea"),
    ):
        assert await found_by(shop, kind, value) == bea.id
    assert await found_by(shop, ReferenceKind.ID, str(ada.id)) == ada.id
    bought = await shop.buy(bea, TEN, member=directory.reference(ReferenceKind.NUMBER, ada.number))
    assert bought.member_id == bea.id


async def test_an_old_address_can_become_the_survivors(shop: Shop):
    ada, bea = await people(shop)
    await merge(shop, ada, bea)

    await membership.update(shop.program_id, by_id(bea), {"email": "ada@example.com"}, now=shop.now)

    assert await found_by(shop, ReferenceKind.EMAIL, "ada@example.com") == bea.id
    with pytest.raises(MemberExistsError):
        await shop.enrol(email="ada@example.com")


async def test_who_lives_on_as_another_neither_earns_nor_spends(shop: Shop):
    ada, bea = await people(shop)
    await shop.buy(ada, FIFTY)
    await merge(shop, ada, bea)
    before = await rows()

    for doing in (
        lambda: shop.buy(ada, TEN),
        lambda: shop.redeem(ada, 10),
        lambda: reversals.reverse(
            shop.program_id,
            reversals.ReverseEntry("staff:1", "r", ada.id, 1, "oops"),
            now=shop.now,
        ),
    ):
        with pytest.raises(MemberNotActiveError):
            await doing()

    assert await rows() == before


async def test_cards_are_void(shop: Shop):
    ada, bea = await people(shop)
    mine, hers = await issue(shop, ada), await issue(shop, bea)

    await merge(shop, ada, bea)

    assert (await PassRow.get(serial=mine)).voided_at == shop.now
    assert (await PassRow.get(serial=hers)).voided_at is None


async def test_pending_points_stay_pending_and_come_due(database: object):
    bonus = {"code": "LATER", "name": "Later", "points": 40, "pending": {"days": 3}}
    data = program()
    shop = await open_shop({**data, "earning": {**data["earning"], "rules": [bonus]}})
    ada, bea = await people(shop)
    await shop.buy(ada, TEN)

    await merge(shop, ada, bea)

    assert await lots(bea) == [(10, "2026-09-02", False), (40, "2026-09-02", True)]
    assert ((await account(bea)).pending_points, (await account(ada)).pending_points) == (40, 0)
    await check(shop)
    assert await activations.run(shop.program_id, now=shop.later(3 * DAY).now) == 40
    assert await shop.balance(bea) == 50
    await check(shop.later(3 * DAY))


async def test_what_awaits_an_event_is_activated_with_the_survivor(database: object):
    data = program()
    wait = {"event": "DELIVERY", "latest_days": 60}
    shop = await open_shop({**data, "earning": {**data["earning"], "pending": wait}})
    ada, bea = await people(shop)
    bought, other = await shop.buy(ada, TEN), await shop.buy(ada, FIFTY)
    await merge(shop, ada, bea)
    of_ada = Earning(ada.id, bought.purchase_id)

    with pytest.raises(LoyaltyError) as refused:
        await shop.cancel_pending(of_ada)
    done = await shop.activate_pending(of_ada, event="DELIVERY")
    with pytest.raises(LoyaltyError) as again:
        await shop.activate_pending(of_ada)

    assert (refused.value.code, again.value.code) == ("MEMBER_NOT_ACTIVE", "PENDING_ACTIVATED")
    assert (done.member_id, done.points, done.balance_points) == (bea.id, 10, 10)
    assert ((await account(bea)).balance_points, (await account(bea)).pending_points) == (10, 50)
    with pytest.raises(LoyaltyError) as arrived:
        await shop.cancel_pending(Earning(bea.id, 2))
    assert arrived.value.code == "NOT_PENDING"
    await check(shop)
    await shop.bring_back(other, None)
    with pytest.raises(LoyaltyError) as gone:
        await shop.activate_pending(Earning(ada.id, other.purchase_id))
    assert gone.value.code == "PENDING_CANCELLED"
    await check(shop)


async def test_what_the_survivor_waits_for_himself_goes_on_waiting(database: object):
    data = program()
    wait = {"event": "DELIVERY", "latest_days": 60}
    shop = await open_shop({**data, "earning": {**data["earning"], "pending": wait}})
    ada, bea = await people(shop)
    bought, _ = await shop.buy(ada, TEN), await shop.buy(bea, FIFTY)
    await merge(shop, ada, bea)

    done = await shop.activate_pending(Earning(ada.id, bought.purchase_id))

    assert (done.points, done.balance_points) == (10, 10)
    assert (await account(bea)).pending_points == 50
    await check(shop)


async def expiries(member: Member) -> list[tuple[int, str, str]]:
    """Return the points of a member that expired, with their day and when that was found."""
    found = await TransferRow.filter(member_id=member.id, kind="EXPIRE").order_by("sequence")
    return [(one.points, f"{one.at:%m-%d}", f"{one.recorded_at:%m-%d}") for one in found]


async def test_what_had_lapsed_is_not_left_behind_where_nothing_else_moves(database: object):
    shop = await open_shop(program(clawback="KEEP"))
    ada, bea = await people(shop)
    bought = await shop.buy(ada, FIFTY)
    await shop.bring_back(bought, None)
    later = shop.later(190 * DAY)

    done = await merge(later, ada, bea)

    assert done == merging.Merged(bea.id, ada.id, 0, None)
    assert (await later.balance(ada), await lots(ada)) == (0, [])
    assert await expiries(ada) == [(50, "09-02", "09-08")]
    assert await expiry.run(shop.program_id, now=later.now) == 0
    assert (await ledger.net_of_books(shop.program_id))[Book.EXPIRED] == 50
    await check(later)


async def test_what_had_lapsed_of_the_survivor_expires_though_nothing_goes_back(database: object):
    shop = await open_shop(program(clawback="KEEP"))
    ada, bea = await people(shop)
    bought = await shop.later(-165 * DAY).buy(bea, FIFTY)
    await shop.bring_back(bought, None)
    await merge(shop, ada, bea)
    later = shop.later(29 * DAY)

    await unmerge(later, ada)

    assert (await later.balance(bea), await lots(bea)) == (0, [])
    assert await expiries(bea) == [(50, "03-18", "03-31")]
    parted = await FactRow.get(kind="points.parted")
    assert (parted.member_id, parted.payload) == (bea.id, {"balance": 0})
    assert await expiry.run(shop.program_id, now=later.now) == 0
    await check(later)


async def test_debt_moves_too(database: object):
    shop = await open_shop(program(clawback="ALLOW_NEGATIVE"))
    ada, bea = await people(shop)
    bought = await shop.buy(ada, FIFTY)
    await shop.redeem(ada, 50)
    await shop.bring_back(bought, None)
    await shop.buy(bea, THIRTY)

    await merge(shop, ada, bea)

    assert (await shop.balance(ada), await shop.balance(bea)) == (0, -20)
    await check(shop)


@pytest.mark.parametrize("may_earn", [False, True])
async def test_a_merge_is_no_way_round_a_lock(shop: Shop, *, may_earn: bool):
    ada, bea = await people(shop)
    await shop.buy(ada, FIFTY)
    command = locking.SetLock("staff:1", "lock", by_id(ada), "a lost phone", may_earn)
    await locking.set_lock(shop.program_id, command, now=shop.now)
    before = await rows()

    for sides, field in (((ada, bea), "from"), ((bea, ada), "into")):
        with pytest.raises(MemberNotActiveError, match="is suspended") as refused:
            await merge(shop, *sides)
        assert refused.value.field == field
        assert await rows() == before

    unlocked = replace(command, idempotency_key="unlock", may_earn=None)
    await locking.set_lock(shop.program_id, unlocked, now=shop.now)
    await merge(shop, ada, bea)
    assert (await status(ada), await shop.balance(bea)) == ("MERGED", 50)


async def test_goods_that_come_back_are_paid_by_the_survivor_from_their_own_lots(shop: Shop):
    ada, bea = await people(shop)
    await shop.later(-40 * DAY).buy(ada, THIRTY)
    bought = await shop.buy(ada, FIFTY)
    await shop.buy(bea, TEN)
    await merge(shop, ada, bea)

    done = await shop.bring_back(bought, None)

    assert (done.clawed_back_points, done.shortfall_points, done.balance_points) == (50, 0, 40)
    assert done.entry_sequence is None
    assert await lots(bea) == [(10, "2026-09-02", False), (30, "2026-07-21", False)]
    reversed_ = await newest(bea)
    assert (reversed_.kind, reversed_.points, reversed_.qualifying_points) == ("REVERSE", 50, -50)
    assert (await account(bea)).qualifying_points == 40
    assert (await Refund.get()).member_id == ada.id
    fact = await FactRow.get(kind="points.reversed")
    assert (fact.member_id, fact.payload) == (bea.id, {"points": 50, "balance": 40})
    await check(shop)


async def test_what_the_survivor_spent_is_taken_from_what_else_is_there(shop: Shop):
    ada, bea = await people(shop)
    bought = await shop.buy(ada, FIFTY)
    await merge(shop, ada, bea)
    await shop.redeem(bea, 45)
    await shop.later(DAY).buy(bea, THIRTY)

    done = await shop.later(DAY).bring_back(bought, None)

    assert (done.clawed_back_points, done.shortfall_points, done.balance_points) == (35, 15, 0)
    await check(shop.later(DAY))


async def test_pending_points_of_goods_that_come_back_are_cancelled_first(database: object):
    bonus = {"code": "LATER", "name": "Later", "points": 40, "pending": {"days": 3}}
    data = program()
    shop = await open_shop({**data, "earning": {**data["earning"], "rules": [bonus]}})
    ada, bea = await people(shop)
    bought = await shop.buy(ada, TEN)
    await shop.buy(bea, THIRTY)
    await merge(shop, ada, bea)

    done = await shop.bring_back(bought, None)

    kinds = [one.kind for one in await TransferRow.filter(member_id=bea.id).order_by("sequence")]
    assert kinds[-2:] == ["CANCEL", "REVERSE"]
    assert done.clawed_back_points == 50
    assert [(points, waits) for points, _, waits in await lots(bea)] == [(30, False), (40, True)]
    await check(shop)


async def test_points_that_had_paid_for_goods_come_back_to_the_survivor(database: object):
    payment = {"points": 1, "worth_minor": 1, "basket_percent_max": 50}
    shop = await open_shop(program(payment=payment))
    ada, bea = await people(shop)
    await shop.buy(ada, FIFTY)
    bought = await shop.buy(ada, (Line("TEA", 1, 100),), pay_points=40)
    await merge(shop, ada, bea)

    done = await shop.bring_back(bought, None)

    assert (done.returned_points, await shop.balance(ada)) == (40, 0)
    assert await shop.balance(bea) == 50
    await check(shop)


async def test_goods_of_who_was_erased_since_are_the_survivors_to_bring_back(database: object):
    payment = {"points": 1, "worth_minor": 1, "basket_percent_max": 50}
    shop = await open_shop(program(payment=payment))
    ada, bea = await people(shop)
    earned = await shop.buy(ada, FIFTY)
    paid = await shop.buy(ada, (Line("TEA", 1, 100),), pay_points=40)
    await shop.buy(bea, THIRTY)
    await merge(shop, ada, bea)
    await erase(shop, ada)

    back = await shop.bring_back(paid, None)
    done = await shop.bring_back(earned, None)

    assert (back.returned_points, done.clawed_back_points, done.shortfall_points) == (40, 50, 0)
    assert (await shop.balance(ada), await shop.balance(bea)) == (0, 30)
    assert (await status(ada), await status(bea)) == ("ERASED", "ACTIVE")
    await check(shop)


async def test_who_was_erased_stays_so(shop: Shop):
    ada, bea = await people(shop)
    await shop.buy(ada, FIFTY)
    await merge(shop, ada, bea)
    await erase(shop, ada)
    before = await rows()

    with pytest.raises(MemberNotActiveError, match="is erased"):
        await unmerge(shop, ada)

    assert await rows() == before


async def test_a_redemption_that_is_refunded_gives_its_points_to_the_survivor(database: object):
    shop = await open_shop(giving({**COFFEE, "code": "TEA", "refundable": True}))
    ada, bea = await people(shop)
    await shop.buy(ada, FIFTY)
    wanted = await shop.want(ada, "TEA")
    await shop.take(Step.USE, wanted)
    await merge(shop, ada, bea)

    await shop.take(Step.REFUND, wanted)

    assert (await shop.balance(ada), await shop.balance(bea)) == (0, 50)
    assert await lots(bea) == [(10, "2026-09-02", False), (40, "2026-09-02", False)]
    assert (await FactRow.filter(kind="points.joined", member_id=bea.id).count()) == 2
    await check(shop)
    await unmerge(shop, ada)
    assert (await shop.balance(ada), await shop.balance(bea)) == (50, 0)
    await check(shop)


async def test_what_either_bought_counts_for_the_tier_of_the_one(database: object):
    shop = await open_shop(with_tiers())
    ada, bea = await people(shop)
    of_bea = Watch(shop, bea)
    await shop.buy(ada, tea(6_000))
    await shop.buy(bea, tea(5_000))
    before = await of_bea.tier()

    await merge(shop, ada, bea)

    assert (before, await of_bea.tier()) == ("BASE", "SILVER")
    assert (await of_bea.row()).amounts == {"2026": 11_000}
    assert (await of_bea.history())[-1] == ("UPGRADED", "BASE", "SILVER")


async def test_goods_that_come_back_count_for_the_one_no_more(database: object):
    shop = await open_shop(with_tiers())
    ada, bea = await people(shop)
    bought = await shop.buy(ada, tea(6_000))
    await shop.buy(ada, tea(1_000))
    await shop.buy(bea, tea(5_000))
    await merge(shop, ada, bea)

    await shop.bring_back(bought, None)
    assert (await Watch(shop, bea).row()).amounts == {"2026": 6_000}

    await unmerge(shop, ada)
    assert (await Watch(shop, bea).row()).amounts == {"2026": 5_000}
    assert (await Watch(shop, ada).row()).amounts == {"2026": 1_000}
    counted = [(await account(one)).qualifying_points for one in (ada, bea)]
    assert counted == [10, 50]
    await check(shop)


async def test_the_higher_tier_stays(database: object):
    shop = await open_shop(with_tiers())
    ada, bea = await people(shop)
    await shop.buy(ada, tea(30_000))

    await merge(shop, ada, bea)

    assert await Watch(shop, bea).tier() == "GOLD"


async def test_tiers_that_count_something_else_count_what_either_bought(database: object):
    shop = await open_shop(with_tiers())
    ada, bea = await people(shop)
    cleo = await shop.enrol()
    await shop.buy(ada, tea(6_000))
    await shop.buy(bea, tea(5_000))
    await shop.buy(cleo, tea(1_000))
    await merge(shop, ada, bea)
    await merge(shop, bea, cleo)

    await open_shop(with_tiers(basis="QUALIFYING_POINTS"), now=shop.now + DAY)
    await shop.later(DAY).buy(cleo, tea(100))

    assert (await Watch(shop, cleo).row()).amounts == {"2026": 121}


async def held(shop: Shop, ada: Member) -> str:
    await shop.want(ada, hold_minutes=30)
    return "a hold and a redemption that is not used"


async def coded(shop: Shop, ada: Member) -> str:
    await shop.want(ada)
    return "a redemption that is not used"


async def with_money(shop: Shop, ada: Member) -> str:
    await shop.want(ada, "NOTE")
    return "a redemption that is not used and a voucher with money on it"


@pytest.mark.parametrize("open_", [held, coded, with_money])
async def test_what_is_open_has_to_end_first(
    database: object, open_: Callable[[Shop, Member], Awaitable[str]]
):
    shop = await open_shop(giving(NOTE))
    ada, bea = await people(shop)
    await shop.buy(ada, FIFTY)
    told = await open_(shop, ada)
    before = await rows()

    with pytest.raises(MergeBlockedError, match=told) as refused:
        await merge(shop, ada, bea)

    assert refused.value.field == "from"
    assert await rows() == before


async def test_a_subscription_has_to_end_first(database: object):
    club = await open_club()
    shop = club.shop
    ada, bea = await people(shop)
    await club.subscribe(ada, "TRY")
    before = await rows()

    with pytest.raises(MergeBlockedError, match="a subscription"):
        await merge(shop, ada, bea)
    assert await rows() == before

    # Nobody paid, and its time is over, whether or not a job has seen that.
    await merge(shop.later(60 * DAY), ada, bea)
    assert await status(ada) == "MERGED"


async def test_a_transfer_under_way_has_to_end_first(
    database: object, monkeypatch: pytest.MonkeyPatch
):
    shop = await open_shop(program(transfers={}))
    ada, bea = await people(shop)
    cleo = await shop.enrol()
    await shop.buy(ada, FIFTY)

    async def stop(*_: object, **__: object) -> None:
        """Do nothing."""

    with monkeypatch.context() as patch:
        patch.setattr(transfers, "deliver", stop)
        given = transfers.TransferPoints("till", "k", by_id(ada), by_id(cleo), 20)
        await transfers.transfer(shop.program_id, given, now=shop.now)

    with pytest.raises(MergeBlockedError, match="a transfer under way"):
        await merge(shop, ada, bea)
    # Its recipient may be merged: it comes back.
    await merge(shop, cleo, bea)
    await transfers.deliver_all(shop.program_id, now=shop.now)
    assert await shop.balance(ada) == 50
    await check(shop)


async def test_a_retry_merges_once(shop: Shop):
    ada, bea = await people(shop)
    await shop.buy(ada, FIFTY)

    first = await merge(shop, ada, bea)
    before = await rows()
    again = await merge(shop, ada, bea)

    assert again == replace(first, replayed=True)
    with pytest.raises(IdempotencyMismatchError):
        await merge(shop, ada, bea, reason="another one")
    assert await rows() == before


@pytest.mark.parametrize(
    ("case", "changes", "refused"),
    [
        ("no reason", {"reason": " "}, InvalidInputError("needs a reason", field="reason")),
        ("a long one", {"reason": "x" * 501}, InvalidInputError("At most 500", field="reason")),
        ("nobody", {"merged": NOBODY}, NotFoundError("member", "nobody", field="from")),
        ("into nobody", {"into": NOBODY}, NotFoundError("member", "nobody", field="into")),
        (
            "into herself",
            {"into": Reference(ReferenceKind.EXTERNAL_ID, "ada")},
            MergeWithSelfError(),
        ),
    ],
)
async def test_what_is_refused_changes_nothing(
    shop: Shop, case: str, changes: dict[str, Any], refused: LoyaltyError
):
    ada, bea = await people(shop)
    await shop.buy(ada, FIFTY)
    before = await rows()

    with pytest.raises(type(refused), match=refused.message) as told:
        await merge(shop, ada, bea, **changes)

    assert told.value.field == refused.field
    assert await rows() == before


async def test_who_left_can_neither_live_on_nor_be_lived_on_as(shop: Shop):
    ada, bea = await people(shop)
    cleo = await shop.enrol()
    await shop.close(ada)
    await merge(shop, cleo, bea)
    before = await rows()

    for one, other in ((ada, bea), (bea, ada), (cleo, bea), (bea, cleo)):
        with pytest.raises(MemberNotActiveError):
            await merge(shop, one, other, idempotency_key=f"{one.id} {other.id}")

    assert await rows() == before


async def test_two_who_are_merged_into_each_other_at_once_become_one(shop: Shop):
    ada, bea = await people(shop)
    await shop.buy(ada, FIFTY)
    await shop.buy(bea, TEN)

    done = await asyncio.gather(
        merge(shop, ada, bea), merge(shop, bea, ada), return_exceptions=True
    )

    assert sorted(type(one).__name__ for one in done) == ["MemberNotActiveError", "Merged"]
    assert sorted([await shop.balance(ada), await shop.balance(bea)]) == [0, 60]
    await check(shop)


async def test_goods_come_back_while_members_are_parted(shop: Shop):
    ada, bea = await people(shop)
    bought = [await shop.buy(ada, TEN) for _ in range(4)]
    await merge(shop, ada, bea)

    await asyncio.gather(
        *(shop.bring_back(one, None) for one in bought),
        *(shop.buy(bea, TEN) for _ in range(4)),
        unmerge(shop, ada),
    )

    assert await status(ada) == "ACTIVE"
    assert await shop.balance(ada) + await shop.balance(bea) == 40
    counted = [(await account(one)).qualifying_points for one in (ada, bea)]
    assert sum(counted) == 40
    await check(shop)


async def test_of_several_merges_the_last_survivor_pays(shop: Shop):
    ada, bea = await people(shop)
    cleo = await shop.enrol()
    bought = await shop.buy(ada, FIFTY)
    await merge(shop, ada, bea)
    await merge(shop, bea, cleo)

    done = await shop.bring_back(bought, None)

    assert (done.clawed_back_points, await shop.balance(cleo)) == (50, 0)
    assert await found_by(shop, ReferenceKind.NUMBER, ada.number) == cleo.id
    with pytest.raises(MergeBlockedError, match="is merged"):
        await unmerge(shop, ada)
    await unmerge(shop, bea)
    await unmerge(shop, ada)
    assert await status(ada) == await status(bea) == "ACTIVE"
    await check(shop)


async def test_who_is_parted_gets_what_is_left_of_his_lots(shop: Shop):
    ada, bea = await people(shop)
    await shop.later(-40 * DAY).buy(ada, THIRTY)
    await shop.buy(ada, FIFTY)
    await shop.buy(bea, TEN)
    await merge(shop, ada, bea)
    later = shop.later(DAY)
    await later.redeem(bea, 45)

    done = await unmerge(later, ada)

    assert done == merging.Merged(ada.id, bea.id, 45, 4)
    assert await lots(ada) == [(45, "2026-09-02", False)]
    assert await lots(bea) == []
    counted = [
        (one.qualifying_points, one.lifetime_points)
        for one in (await account(ada), await account(bea))
    ]
    assert counted == [(80, 80), (10, 10)]
    assert (await newest(ada)).explanation == {"unmerged": str(ada.id)}
    facts = {one.kind: (one.member_id, one.payload) for one in await FactRow.all()}
    assert facts["member.unmerged"] == (ada.id, {"from": str(bea.id), "balance": 45})
    assert facts["points.parted"] == (bea.id, {"balance": 0})
    await check(later)


async def test_who_is_parted_is_found_by_what_is_his(shop: Shop):
    ada, bea = await people(shop)
    await merge(shop, ada, bea)
    await membership.update(shop.program_id, by_id(bea), {"email": "ada@example.com"}, now=shop.now)

    await unmerge(shop, ada)

    assert await found_by(shop, ReferenceKind.NUMBER, ada.number) == ada.id
    assert await found_by(shop, ReferenceKind.PHONE, "+4915112345678") == ada.id
    assert await found_by(shop, ReferenceKind.EXTERNAL_ID, "ada") == ada.id
    assert await found_by(shop, ReferenceKind.EMAIL, "ada@example.com") == bea.id
    assert await found_by(shop, ReferenceKind.NUMBER, bea.number) == bea.id
    assert await status(ada) == "ACTIVE"
    assert await merges.survivor_of(shop.program_id, ada.id) == ada.id


async def test_goods_of_who_was_parted_are_his_to_bring_back(shop: Shop):
    ada, bea = await people(shop)
    bought = await shop.buy(ada, FIFTY)
    await shop.buy(bea, TEN)
    await merge(shop, ada, bea)
    await unmerge(shop, ada)

    done = await shop.bring_back(bought, None)

    assert (done.clawed_back_points, await shop.balance(ada), await shop.balance(bea)) == (
        *(50, 0),
        10,
    )
    assert (await account(ada)).qualifying_points == 0
    await check(shop)


async def test_who_was_parted_can_be_merged_again(shop: Shop):
    ada, bea = await people(shop)
    await shop.buy(ada, FIFTY)
    for days in range(3):
        await merge(shop.later(days * DAY), ada, bea)
        await unmerge(shop.later(days * DAY), ada)

    await merge(shop.later(9 * DAY), ada, bea)

    assert (await shop.balance(ada), await shop.balance(bea)) == (0, 50)
    await check(shop.later(9 * DAY))


async def test_a_retry_parts_once(shop: Shop):
    ada, bea = await people(shop)
    await shop.buy(ada, FIFTY)
    await merge(shop, ada, bea)

    first = await unmerge(shop, ada)
    before = await rows()
    again = await unmerge(shop, ada)

    assert again == replace(first, replayed=True)
    with pytest.raises(IdempotencyMismatchError):
        await unmerge(shop, ada, reason="another one")
    assert await rows() == before


async def test_after_thirty_days_a_merge_is_for_good(shop: Shop):
    ada, bea = await people(shop)
    await merge(shop, ada, bea)
    before = await rows()

    with pytest.raises(UnmergeTooLateError):
        await unmerge(shop.later(30 * DAY + timedelta(seconds=1)), ada)
    assert await rows() == before

    await unmerge(shop.later(30 * DAY), ada)
    assert await status(ada) == "ACTIVE"


@pytest.mark.parametrize(
    ("case", "changes", "refused"),
    [
        ("no reason", {"reason": ""}, InvalidInputError("needs a reason", field="reason")),
        ("never merged", {}, NotMergedError("")),
    ],
)
async def test_a_parting_that_is_refused_changes_nothing(
    shop: Shop, case: str, changes: dict[str, Any], refused: LoyaltyError
):
    ada, _ = await people(shop)
    before = await rows()

    with pytest.raises(type(refused)) as told:
        await unmerge(shop, ada, **changes)

    assert told.value.field == refused.field
    assert await rows() == before
