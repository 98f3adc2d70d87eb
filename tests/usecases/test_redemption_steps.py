import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from loyalty_graph.errors import (
    InvalidInputError,
    LoyaltyError,
    MemberNotActiveError,
    NotFoundError,
    WrongStoreError,
)
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger.models import LotRow, TransferRow
from loyalty_graph.members.models import Member
from loyalty_graph.members.rules import MemberStatus
from loyalty_graph.outbox import FactRow
from loyalty_graph.purchases.rules import Line
from loyalty_graph.rewards import reads
from loyalty_graph.rewards.errors import (
    NotRefundableError,
    RedemptionStateError,
    VoucherUsedError,
)
from loyalty_graph.rewards.models import RedemptionRow, RewardStock, VoucherRow
from loyalty_graph.rewards.rules import TRANSITIONS, RedemptionState, Step
from loyalty_graph.usecases import members, proof, redemption_deadlines
from loyalty_graph.usecases.redemptions import PointsMoved
from tests.shop import CODES, COFFEE, DAY, NOON, NOTE, Shop, by_id, giving, open_shop

MINUTE = timedelta(minutes=1)
TEA: dict[str, Any] = {**COFFEE, "code": "TEA", "stock": 5, "code_days": 10}
TABLES = (TransferRow, LotRow, RedemptionRow, RewardStock, VoucherRow, FactRow)
ASKED = (Step.CONFIRM, Step.USE, Step.CANCEL, Step.REFUND)


async def everything() -> list[list[str]]:
    return [sorted(str(dict(row)) for row in await table.all()) for table in TABLES]


async def opened(*rewards: dict[str, Any]) -> tuple[Shop, Member]:
    shop = await open_shop(giving(TEA, *rewards))
    member = await shop.enrol()
    await shop.buy(member, (Line("TEA", 1, 6000),), purchased_at=NOON - 60 * DAY)
    await shop.buy(member, (Line("TEA", 1, 4000),))
    return shop, member


async def remaining(member: Member) -> list[int]:
    lots = await LotRow.filter(member_id=member.id).order_by("sequence")
    return [lot.remaining_points for lot in lots]


async def taken(shop: Shop) -> int:
    return (await reads.taken(shop.program_id, ["TEA"]))["TEA"]


async def reached(shop: Shop, ada: Member, state: str) -> tuple[Shop, PointsMoved]:
    """Return the shop at a moment when a redemption is in this state, and the redemption."""
    held = state in {"HELD", "RELEASED"}
    one = await shop.want(ada, "TEA", hold_minutes=5 if held else None)
    if state in {"USED", "REFUNDED"}:
        await shop.take(Step.USE, one)
    if state == "REFUNDED":
        await shop.take(Step.REFUND, one)
    if state == "CANCELLED":
        await shop.take(Step.CANCEL, one)
    time = {"RELEASED": 5 * MINUTE, "EXPIRED": 11 * DAY}.get(state, MINUTE)
    return shop.later(time), one


async def test_confirming_spends_what_was_set_aside_and_issues_the_code(database: object):
    shop, ada = await opened()
    held = await shop.want(ada, "TEA", hold_minutes=5)

    issued = await shop.later(MINUTE).take(Step.CONFIRM, held)

    assert (issued.points, issued.balance_points, issued.entry_sequence) == (40, 60, 4)
    assert await shop.held(ada) == 0
    stored = await shop.redemption(held)
    assert (stored.state, stored.issued_at) == (RedemptionState.ISSUED, NOON + MINUTE)
    assert stored.expires_at is not None
    text = CODES.text(shop.program_id, held.redemption_id)
    assert await reads.find(shop.program_id, text, codes=CODES) == (ada.id, held.redemption_id)
    assert await taken(shop) == 1


async def test_a_code_is_used_once(database: object):
    shop, ada = await opened()
    issued = await shop.want(ada, "TEA")

    used = await shop.later(MINUTE).take(Step.USE, issued, store="south")
    with pytest.raises(RedemptionStateError, match="was used already") as refused:
        await shop.later(MINUTE).take(Step.USE, issued, store="south")

    assert refused.value.code == "REDEMPTION_USED"
    assert (used.entry_sequence, used.balance_points) == (None, 60)
    stored = await shop.redemption(issued)
    assert (stored.state, stored.used_at, stored.used_store) == (
        RedemptionState.USED,
        NOON + MINUTE,
        "south",
    )


async def test_fifty_tills_at_once_use_a_code_once(database: object):
    shop, ada = await opened()
    issued = await shop.want(ada, "TEA")

    answers = await asyncio.gather(
        *(shop.take(Step.USE, issued) for _ in range(50)), return_exceptions=True
    )

    assert sum(isinstance(one, PointsMoved) for one in answers) == 1
    assert sum(isinstance(one, RedemptionStateError) for one in answers) == 49
    assert await FactRow.filter(kind="redemption.used").count() == 1


async def test_a_code_for_a_store_is_used_there_only(database: object):
    shop, ada = await opened()
    issued = await shop.want(ada, "TEA", store="south")
    before = await everything()

    with pytest.raises(WrongStoreError, match="store south only"):
        await shop.take(Step.USE, issued, store="north")
    with pytest.raises(WrongStoreError):
        await shop.take(Step.USE, issued)

    assert await everything() == before
    await shop.take(Step.USE, issued, store="south")


@pytest.mark.parametrize("hold", [None, 5])
async def test_cancelling_restores_the_lots_and_the_stock(database: object, hold: int | None):
    shop, ada = await opened()
    wanted = await shop.want(ada, "TEA", hold_minutes=hold)
    spent = await remaining(ada)

    cancelled = await shop.take(Step.CANCEL, wanted, reason="changed her mind")

    assert (spent, await remaining(ada)) == ([20, 40], [60, 40])
    assert (cancelled.balance_points, await shop.held(ada), await taken(shop)) == (100, 0, 0)
    stored = await shop.redemption(wanted)
    assert (stored.state, stored.ended_at) == (RedemptionState.CANCELLED, NOON)
    row = await TransferRow.filter(member_id=ada.id).order_by("-sequence").first()
    assert row is not None
    assert (row.kind, row.text) == ("RELEASE" if hold else "UNREDEEM", "changed her mind")


@pytest.mark.parametrize(("restock", "gone"), [(True, 0), (False, 1)])
async def test_refunding_restores_the_lots_and_if_it_can_be_given_out_again_the_stock(
    database: object, *, restock: bool, gone: int
):
    shop, ada = await opened()
    issued = await shop.want(ada, "TEA")
    await shop.take(Step.USE, issued)

    back = await shop.take(Step.REFUND, issued, restock=restock)

    assert (back.balance_points, await remaining(ada)) == (100, [60, 40])
    assert await taken(shop) == gone
    stored = await shop.redemption(issued)
    assert (stored.state, stored.restocked) == (RedemptionState.REFUNDED, restock)


async def test_a_reward_that_is_not_taken_back_stays_used(database: object):
    shop, ada = await opened({**COFFEE, "code": "CAKE", "refundable": False})
    issued = await shop.want(ada, "CAKE")
    await shop.take(Step.USE, issued)
    before = await everything()

    with pytest.raises(NotRefundableError, match="CAKE cannot be brought back"):
        await shop.take(Step.REFUND, issued)

    assert await everything() == before


@pytest.mark.parametrize("state", RedemptionState)
@pytest.mark.parametrize("step", ASKED)
async def test_a_step_that_the_state_forbids_changes_nothing(
    database: object, state: RedemptionState, step: Step
):
    shop, ada = await opened()
    shop, one = await reached(shop, ada, state)
    if (state, step) in TRANSITIONS:
        await shop.take(step, one)
        assert (await shop.redemption(one)).state is TRANSITIONS[state, step]
        return
    before = await everything()

    with pytest.raises(RedemptionStateError) as refused:
        await shop.take(step, one)

    assert refused.value.code == f"REDEMPTION_{state}"
    assert await everything() == before


async def test_points_come_back_once_whatever_is_tried(database: object):
    shop, ada = await opened()
    issued = await shop.want(ada, "TEA")
    await shop.take(Step.CANCEL, issued, idempotency_key="k")

    again = await shop.take(Step.CANCEL, issued, idempotency_key="k")
    await redemption_deadlines.expire_due(shop.program_id, now=NOON + 20 * DAY)
    with pytest.raises(NotFoundError):
        await shop.give_back(issued)

    assert again.replayed
    assert await shop.balance(ada) == 100
    assert (await proof.verify(shop.program_id, now=NOON)).findings == []


async def test_fifty_cancellations_at_once_give_back_once(database: object):
    shop, ada = await opened()
    issued = await shop.want(ada, "TEA")

    answers = await asyncio.gather(
        *(shop.take(Step.CANCEL, issued, idempotency_key="k") for _ in range(50))
    )

    assert len({replace(one, replayed=False) for one in answers}) == 1
    assert (await shop.balance(ada), await taken(shop)) == (100, 0)


async def test_who_is_suspended_confirms_nothing_but_may_cancel(database: object):
    shop, ada = await opened()
    held = await shop.want(ada, "TEA", hold_minutes=5)
    await members.set_status(shop.program_id, by_id(ada), MemberStatus.SUSPENDED, now=NOON)

    with pytest.raises(MemberNotActiveError):
        await shop.take(Step.CONFIRM, held)
    await shop.take(Step.CANCEL, held)

    assert (await shop.balance(ada), await shop.held(ada)) == (100, 0)


async def test_undoing_a_note_makes_it_void(database: object):
    shop, ada = await opened(NOTE)
    held = await shop.want(ada, "NOTE", hold_minutes=5)
    await shop.take(Step.CONFIRM, held)

    await shop.take(Step.CANCEL, held)

    assert (await shop.voucher(held)).state == "VOID"
    assert await shop.balance(ada) == 100


async def test_a_note_in_use_cannot_be_undone_until_its_money_is_back(database: object):
    shop, ada = await opened(NOTE)
    note = await shop.want(ada, "NOTE")
    used = await shop.use_money(note, 500)
    before = await everything()

    with pytest.raises(VoucherUsedError, match="give it back first"):
        await shop.take(Step.REFUND, note)

    assert await everything() == before
    await shop.put_money_back(note, used.number)
    await shop.take(Step.REFUND, note)
    assert ((await shop.voucher(note)).state, await shop.balance(ada)) == ("VOID", 100)


async def test_a_note_is_used_by_its_money_only(database: object):
    shop, ada = await opened(NOTE)
    note = await shop.want(ada, "NOTE")

    with pytest.raises(InvalidInputError, match="use some of its money"):
        await shop.take(Step.USE, note)

    assert (await shop.redemption(note)).state is RedemptionState.ISSUED


@pytest.mark.parametrize(
    ("case", "changes", "error"),
    [
        ("another redemption", {"redemption_id": new_id(NOON)}, NotFoundError),
        ("another member", {"member_id": new_id(NOON)}, NotFoundError),
        ("a long reason", {"reason": "r" * 501}, InvalidInputError),
        ("no store", {"store": ""}, InvalidInputError),
    ],
)
async def test_what_is_wrong_with_a_step_is_refused(
    database: object, case: str, changes: dict[str, Any], error: type[LoyaltyError]
):
    shop, ada = await opened()
    issued = await shop.want(ada, "TEA")
    before = await everything()

    with pytest.raises(error):
        await shop.take(Step.CANCEL, issued, **changes)

    assert await everything() == before


async def test_a_redemption_belongs_to_its_programme(database: object):
    shop, ada = await opened()
    data = giving(TEA)
    other = await open_shop({**data, "program": {**data["program"], "slug": "tea-club"}})
    issued = await shop.want(ada, "TEA")
    text = CODES.text(shop.program_id, issued.redemption_id)

    with pytest.raises(NotFoundError):
        await reads.find(other.program_id, text, codes=CODES)
    with pytest.raises(NotFoundError):
        await other.take(Step.USE, issued)

    assert (await shop.redemption(issued)).state is RedemptionState.ISSUED


async def test_points_given_back_after_a_claw_back_are_taken_after_all(database: object):
    shop, _ = await opened()
    bob = await shop.enrol()
    bought = await shop.buy(bob, (Line("TEA", 1, 4000),))
    held = await shop.want(bob, "TEA", hold_minutes=5)
    await shop.bring_back(bought, None)

    await shop.take(Step.CANCEL, held)

    assert (await shop.balance(bob), await shop.held(bob)) == (0, 0)
    assert (await proof.verify(shop.program_id, now=NOON)).findings == []
