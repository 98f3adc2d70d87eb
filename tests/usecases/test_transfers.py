"""Points that members give each other, also when the one who does it dies half-way."""

import asyncio
import signal
import sys
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from loyalty_graph.db import connection
from loyalty_graph.errors import (
    IdempotencyMismatchError,
    InsufficientPointsError,
    InvalidInputError,
    LoyaltyError,
    MemberNotActiveError,
    NotFoundError,
)
from loyalty_graph.ledger import service as ledger
from loyalty_graph.ledger import transfers as ledger_transfers
from loyalty_graph.ledger.errors import (
    RecipientNotActiveError,
    TransferLimitError,
    TransfersOffError,
    TransferToSelfError,
)
from loyalty_graph.ledger.kinds import Book, Kind
from loyalty_graph.ledger.models import (
    AccountRow,
    LotRow,
    LotUseRow,
    PointsTransferRow,
    TransferRow,
)
from loyalty_graph.members.models import Member
from loyalty_graph.members.rules import MemberStatus, Reference, ReferenceKind
from loyalty_graph.outbox import CardMark, FactRow
from loyalty_graph.purchases.rules import Line
from loyalty_graph.usecases import adjustments, members, proof, transfers
from tests.shop import DAY, NOON, Shop, by_id, open_shop, program

TABLES = (AccountRow, CardMark, FactRow, LotRow, LotUseRow, PointsTransferRow, TransferRow)
NOBODY = Reference(ReferenceKind.EXTERNAL_ID, "nobody")
NO_ID = Reference(ReferenceKind.ID, "0" * 32)
TEA = (Line("TEA", 1, 5000),)
"""Earns 50."""
COFFEE = (Line("COFFEE", 1, 2500),)
"""Earns 50."""


async def rows() -> list[object]:
    return [sorted(map(str, await table.all().values_list())) for table in TABLES]


async def opened(**terms: Any) -> Shop:
    return await open_shop(program(transfers=terms))


async def pair(shop: Shop, points: int = 100) -> tuple[Member, Member]:
    """Ada, who got so many points by hand, and Bob, who has none."""
    ada, bob = await shop.enrol(external_id="ada"), await shop.enrol(external_id="bob")
    if points:
        given = adjustments.AdjustPoints("staff:1", "first", by_id(ada), points, "welcome")
        await adjustments.adjust(shop.program_id, given, now=shop.now)
    return ada, bob


async def give(
    shop: Shop, giver: Member, to: Member, points: int, /, **changes: Any
) -> transfers.PointsSent:
    key = f"gift {giver.id} {points} {shop.now}"
    command = transfers.TransferPoints("partner:till", key, by_id(giver), by_id(to), points)
    return await transfers.transfer(shop.program_id, replace(command, **changes), now=shop.now)


async def sent_only(monkeypatch: pytest.MonkeyPatch, shop: Shop, *given: Any) -> Any:
    """Give points, and get no further than the first transaction."""

    async def stop(*_: object, **__: object) -> None:
        """Do nothing."""

    with monkeypatch.context() as patch:
        patch.setattr(transfers, "deliver", stop)
        return await give(shop, *given)


async def state(sent: transfers.PointsSent) -> str:
    return (await PointsTransferRow.get(id=sent.transfer_id)).state


async def lots(member: Member) -> list[tuple[int, str]]:
    """Return what is left in a member's lots, with its day."""
    found = await LotRow.filter(member_id=member.id, remaining_points__gt=0)
    return sorted((one.remaining_points, f"{one.expires_at:%Y-%m-%d}") for one in found)


async def entries(member: Member) -> list[tuple[str, str, str, int]]:
    found = await TransferRow.filter(member_id=member.id).order_by("sequence")
    return [(one.kind, one.debit, one.credit, one.points) for one in found]


async def under_way() -> int:
    return sum(one.points for one in await PointsTransferRow.filter(state="SENT"))


async def check(shop: Shop) -> None:
    """Prove the ledger, and that CLEARING holds what is under way."""
    assert (await proof.verify(shop.program_id, now=shop.now)).findings == []
    net = await ledger.net_of_books(shop.program_id)
    assert sum(net.values()) == 0
    assert net[Book.CLEARING] == await under_way()


async def test_points_arrive_with_the_dates_they_had(database: object):
    shop = await opened()
    ada, bob = await pair(shop, 0)
    await shop.buy(ada, TEA)
    await shop.later(-40 * DAY).buy(ada, COFFEE)

    sent = await give(shop, ada, bob, 70)

    assert (sent.balance_points, sent.entry_sequence, sent.replayed) == (30, 3, False)
    assert await lots(ada) == [(30, "2026-09-02")]
    assert await lots(bob) == [(20, "2026-09-02"), (50, "2026-07-21")]
    assert await entries(bob) == [
        ("TRANSFER_IN", "CLEARING", "MEMBER", 50),
        ("TRANSFER_IN", "CLEARING", "MEMBER", 20),
    ]
    assert await state(sent) == "RECEIVED"
    await check(shop)


async def test_what_is_given_counts_for_nobodys_tier(database: object):
    shop = await opened()
    ada, bob = await pair(shop, 0)
    await shop.buy(ada, TEA)

    await give(shop, ada, bob, 50)

    counters = [
        (one.qualifying_points, one.lifetime_points)
        for one in (await AccountRow.get(member_id=ada.id), await AccountRow.get(member_id=bob.id))
    ]
    assert counters == [(50, 50), (0, 0)]


async def test_where_dates_are_not_kept_points_live_as_if_earned_anew(database: object):
    shop = await opened(keeps_dates=False)
    ada, bob = await pair(shop)

    await give(shop.later(31 * DAY), ada, bob, 70)

    assert (await lots(ada), await lots(bob)) == ([(30, "2026-09-02")], [(70, "2026-10-02")])


async def test_the_fee_is_paid_by_who_gives(database: object):
    shop = await opened(fee_points=2, fee_percent=5)
    ada, bob = await pair(shop)

    sent = await give(shop, ada, bob, 70)

    assert (sent.balance_points, await shop.balance(bob)) == (24, 70)
    assert (await entries(ada))[1:] == [
        ("TRANSFER_OUT", "MEMBER", "CLEARING", 70),
        ("TRANSFER_OUT", "MEMBER", "FEES", 6),
    ]
    assert (await ledger.net_of_books(shop.program_id))[Book.FEES] == 6
    await check(shop)


async def test_both_are_told_and_both_cards_show_it(database: object):
    shop = await opened(fee_points=1)
    ada, bob = await pair(shop)
    await CardMark.all().delete()

    sent = await give(shop, ada, bob, 70, reason="for the match")

    facts = {one.kind: one for one in await FactRow.filter(kind__startswith="points.")}
    told = {"transfer": str(sent.transfer_id), "points": 70}
    assert facts["points.sent"].member_id == ada.id
    assert facts["points.sent"].payload == {**told, "entry": 2, "fee": 1, "balance": 29}
    assert facts["points.received"].member_id == bob.id
    assert facts["points.received"].payload == {**told, "entry": 1, "balance": 70}
    assert {one.member_id for one in await CardMark.all()} == {ada.id, bob.id}
    received = await TransferRow.get(member_id=bob.id)
    assert (received.text, received.actor) == ("for the match", "partner:till")
    assert received.explanation == {"transfer": str(sent.transfer_id)}


async def test_debt_of_the_recipient_is_paid_first(database: object):
    shop = await open_shop(program(transfers={}, clawback="ALLOW_NEGATIVE"))
    ada, bob = await pair(shop)
    bought = await shop.buy(bob, TEA)
    await shop.redeem(bob, 50)
    await shop.bring_back(bought, None)

    await give(shop, ada, bob, 70)

    assert (await shop.balance(bob), await lots(bob)) == (20, [(20, "2026-09-02")])
    await check(shop)


async def test_pending_points_that_are_due_pay_the_recipients_debt_first(database: object):
    bonus = {"code": "LATER", "name": "Later", "points": 60, "pending": {"days": 3}}
    data = program(transfers={}, clawback="ALLOW_NEGATIVE")
    shop = await open_shop({**data, "earning": {**data["earning"], "rules": [bonus]}})
    ada, bob = await pair(shop)
    bought = await shop.buy(bob, TEA)
    await shop.redeem(bob, 50)
    await shop.later(DAY).buy(bob, (Line("TEA", 1, 100),))
    await shop.later(DAY).bring_back(bought, {1: 1})

    await give(shop.later(5 * DAY), ada, bob, 10)

    kinds = [kind for kind, *_ in await entries(bob)]
    assert kinds[-2:] == [Kind.ACTIVATE, Kind.TRANSFER_IN]
    assert await shop.balance(bob) == 1 - 50 + 60 + 10
    await check(shop.later(5 * DAY))


async def test_a_retry_gives_once(database: object):
    shop = await opened()
    ada, bob = await pair(shop)

    first = await give(shop, ada, bob, 70)
    before = await rows()
    again = await give(shop, ada, bob, 70)

    assert again == replace(first, replayed=True)
    assert await rows() == before


async def test_a_key_is_for_one_transfer(database: object):
    shop = await opened()
    ada, bob = await pair(shop)
    await give(shop, ada, bob, 20, idempotency_key="k")
    before = await rows()

    for changes in ({"points": 21}, {"recipient": by_id(ada)}, {"reason": "x"}):
        with pytest.raises(IdempotencyMismatchError):
            await give(shop, ada, bob, 20, **{"idempotency_key": "k", **changes})

    assert await rows() == before


@pytest.mark.parametrize(
    ("case", "points", "changes", "refused"),
    [
        ("no points", 0, {}, InvalidInputError("The points are 0", field="points")),
        ("fewer than none", -5, {}, InvalidInputError("The points are -5", field="points")),
        ("beyond all", 10**12 + 1, {}, InvalidInputError("use 1 to", field="points")),
        (
            *("a long reason", 20, {"reason": "x" * 501}),
            InvalidInputError("At most 500", field="reason"),
        ),
        (
            "an unknown giver",
            20,
            {"member": NOBODY},
            NotFoundError("member", "nobody", field="member"),
        ),
        (
            "an unknown recipient",
            20,
            {"recipient": NOBODY},
            NotFoundError("member", "nobody", field="to"),
        ),
        (
            "an id of nobody",
            20,
            {"recipient": NO_ID},
            NotFoundError("member", "0" * 32, field="to"),
        ),
        ("too little", 9, {}, TransferLimitError("A transfer gives at least 10", asked=9)),
        ("too much", 81, {}, TransferLimitError("A transfer gives at most 80", asked=81)),
        ("no points for the fee", 80, {}, InsufficientPointsError(needed=90, available=85)),
    ],
)
async def test_what_is_refused_changes_nothing(
    database: object, case: str, points: int, changes: dict[str, Any], refused: LoyaltyError
):
    shop = await opened(min_points=10, max_points=80, fee_points=10)
    ada, bob = await pair(shop, 85)
    before = await rows()

    with pytest.raises(type(refused), match=refused.message) as told:
        await give(shop, ada, bob, points, **changes)

    assert told.value.field == refused.field
    assert await rows() == before


async def test_nobody_gives_to_himself(database: object):
    shop = await opened()
    ada, _ = await pair(shop)
    before = await rows()

    with pytest.raises(TransferToSelfError) as refused:
        await give(shop, ada, ada, 20)

    assert refused.value.field == "to"
    assert await rows() == before


async def test_a_programme_without_transfers_refuses_them(shop: Shop):
    ada, bob = await pair(shop)
    before = await rows()

    with pytest.raises(TransfersOffError):
        await give(shop, ada, bob, 20)

    assert await rows() == before


async def test_who_is_not_active_neither_gives_nor_receives(database: object):
    shop = await opened()
    ada, bob = await pair(shop)
    cleo = await shop.enrol(external_id="cleo")
    for one in (bob, cleo):
        await members.set_status(shop.program_id, by_id(one), MemberStatus.SUSPENDED, now=shop.now)
    before = await rows()

    with pytest.raises(RecipientNotActiveError):
        await give(shop, ada, bob, 20)
    with pytest.raises(MemberNotActiveError):
        await give(shop, bob, ada, 20)

    assert await rows() == before


async def test_points_past_their_date_are_not_given(database: object):
    shop = await opened()
    ada, bob = await pair(shop)
    later = shop.later(200 * DAY)
    before = await rows()

    with pytest.raises(InsufficientPointsError, match="0 are available"):
        await give(later, ada, bob, 20)

    assert await rows() == before


async def test_a_day_and_a_year_have_their_limits(database: object):
    shop = await opened(max_points_per_day=50, max_points_per_year=90)
    ada, bob = await pair(shop, 200)
    await give(shop, ada, bob, 30)
    before = await rows()

    with pytest.raises(TransferLimitError, match="at most 50 in a day, of which 30 are given"):
        await give(shop, ada, bob, 21)
    assert await rows() == before

    await give(shop, ada, bob, 20)
    # In Berlin it is the next day from 23:00 UTC on.
    await give(replace(shop, now=NOON.replace(hour=23)), ada, bob, 40)
    with pytest.raises(TransferLimitError, match="at most 90 in a year, of which 90 are given"):
        await give(shop.later(30 * DAY), ada, bob, 1)
    assert await shop.balance(bob) == 90


async def test_what_came_back_is_not_counted_as_given(
    database: object, monkeypatch: pytest.MonkeyPatch
):
    shop = await opened(max_points_per_day=50)
    ada, bob = await pair(shop)
    await sent_only(monkeypatch, shop, ada, bob, 50)
    await shop.close(bob)
    await transfers.deliver_all(shop.program_id, now=shop.now)
    cleo = await shop.enrol()

    await give(shop, ada, cleo, 49)

    assert await shop.balance(cleo) == 49


async def test_more_lots_are_given_than_are_loaded_at_first(
    database: object, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("loyalty_graph.ledger.service.LOTS_AT_ONCE", 2)
    shop = await opened()
    ada, bob = await pair(shop, 0)
    for days in range(5):
        await shop.later(days * DAY).buy(ada, (Line("TEA", 1, 1000),))

    await give(shop.later(5 * DAY), ada, bob, 45)

    assert await lots(ada) == [(5, "2026-09-06")]
    assert [points for points, _ in await lots(bob)] == [5, 10, 10, 10, 10]
    await check(shop.later(5 * DAY))


async def test_a_process_killed_between_the_entries_loses_nothing(
    database: object, database_url: str
):
    shop = await opened(fee_points=1)
    ada, bob = await pair(shop)
    killed = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.usecases.giver_process"),
        *(database_url, str(shop.program_id), str(ada.id), str(bob.id)),
    )
    assert await killed.wait() == -signal.SIGKILL
    assert (await shop.balance(ada), await shop.balance(bob)) == (29, 0)
    assert await under_way() == 70
    await check(shop)

    settled = await transfers.deliver_all(shop.program_id, now=shop.now)
    again = await transfers.deliver_all(shop.program_id, now=shop.now)

    assert (settled, again) == (1, 0)
    assert (await shop.balance(ada), await shop.balance(bob)) == (29, 70)
    assert await under_way() == 0
    await check(shop)


async def test_a_retry_finishes_what_a_crash_left(
    database: object, monkeypatch: pytest.MonkeyPatch
):
    shop = await opened()
    ada, bob = await pair(shop)
    first = await sent_only(monkeypatch, shop, ada, bob, 70)
    assert await state(first) == "SENT"

    again = await give(shop, ada, bob, 70)

    assert (again, await state(first)) == (replace(first, replayed=True), "RECEIVED")
    assert await shop.balance(bob) == 70
    await check(shop)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("DELETE FROM points_transfer", "{0} 0 points are known, 70 were sent"),
        ("UPDATE points_transfer SET points = 69", "{0} 69 points are known, 70 were sent"),
        (
            "UPDATE points_transfer SET state = 'RECEIVED'",
            "{0} CLEARING holds 70 points, 0 are under way",
        ),
    ],
    ids=["lost", "changed", "said to have arrived"],
)
async def test_points_under_way_that_nobody_will_bring_are_found(
    database: object, monkeypatch: pytest.MonkeyPatch, change: str, problem: str
):
    shop = await opened(fee_points=1)
    ada, bob = await pair(shop)
    sent = await sent_only(monkeypatch, shop, ada, bob, 70)
    await check(shop)

    await connection().execute_script(change)

    found = (await proof.verify(shop.program_id, now=shop.now)).findings
    told = problem.format(f"of transfer {sent.transfer_id}")
    assert [(one.member_id, one.sequence, one.problem) for one in found] == [(ada.id, None, told)]


async def test_points_that_are_to_be_brought_again_or_were_never_sent_are_found(database: object):
    shop = await opened()
    ada, bob = await pair(shop)
    sent = await give(shop, ada, bob, 70)
    await check(shop)

    await connection().execute_script("UPDATE points_transfer SET state = 'SENT'")
    again = (await proof.verify(shop.program_id, now=shop.now)).findings
    invented = await PointsTransferRow.get(id=sent.transfer_id)
    invented.id = UUID(int=7)
    invented.state = "RETURNED"
    await PointsTransferRow.bulk_create([invented])
    both = (await proof.verify(shop.program_id, now=shop.now)).findings

    told = f"of transfer {sent.transfer_id} CLEARING holds 0 points, 70 are under way"
    assert [(one.member_id, one.problem) for one in again] == [(ada.id, told)]
    assert {one.problem for one in both} == {
        told,
        f"of transfer {UUID(int=7)} 70 points are known, 0 were sent",
    }


async def test_many_who_settle_one_transfer_settle_it_once(
    database: object, monkeypatch: pytest.MonkeyPatch
):
    shop = await opened()
    ada, bob = await pair(shop)
    sent = await sent_only(monkeypatch, shop, ada, bob, 70)
    found = await ledger_transfers.transfers(shop.program_id, [(ada.id, sent.transfer_id)])

    await asyncio.gather(
        *(transfers._bring(shop.program_id, one, now=shop.now) for one in [*found.values()] * 4),
        *(transfers.deliver_all(shop.program_id, now=shop.now) for _ in range(4)),
    )

    assert (await shop.balance(ada), await shop.balance(bob)) == (30, 70)
    await check(shop)


async def test_what_cannot_arrive_goes_back_to_its_lots_with_the_fee(
    database: object, monkeypatch: pytest.MonkeyPatch
):
    shop = await opened(fee_points=5)
    ada, bob = await pair(shop)
    sent = await sent_only(monkeypatch, shop, ada, bob, 70)
    await shop.close(bob)

    await transfers.deliver_all(shop.program_id, now=shop.later(DAY).now)

    assert (await state(sent), await shop.balance(ada)) == ("RETURNED", 100)
    assert await lots(ada) == [(100, "2026-09-02")]
    assert (await entries(ada))[3:] == [
        ("TRANSFER_IN", "CLEARING", "MEMBER", 70),
        ("TRANSFER_IN", "FEES", "MEMBER", 5),
    ]
    fact = await FactRow.get(kind="points.returned")
    assert (fact.member_id, fact.payload["points"], fact.payload["balance"]) == (ada.id, 70, 100)
    assert await entries(bob) == []
    await transfers._return(shop.program_id, (ada.id, sent.transfer_id), now=shop.now)
    assert await shop.balance(ada) == 100
    await check(shop)


async def test_what_comes_back_after_its_date_expires(
    database: object, monkeypatch: pytest.MonkeyPatch
):
    shop = await opened()
    ada, bob = await pair(shop)
    await sent_only(monkeypatch, shop, ada, bob, 70)
    await shop.close(bob)

    await transfers.deliver_all(shop.program_id, now=shop.later(200 * DAY).now)

    assert [kind for kind, *_ in (await entries(ada))[2:]] == ["TRANSFER_IN", "EXPIRE"]
    assert await shop.balance(ada) == 0
    await check(shop)


async def test_what_comes_back_to_a_membership_that_ended_is_forfeited(
    database: object, monkeypatch: pytest.MonkeyPatch
):
    shop = await opened()
    ada, bob = await pair(shop)
    await sent_only(monkeypatch, shop, ada, bob, 70)
    await shop.close(ada)
    await shop.close(bob)

    await transfers.deliver_all(shop.program_id, now=shop.now)

    assert (await entries(ada))[-2:] == [
        ("TRANSFER_IN", "CLEARING", "MEMBER", 70),
        ("EXPIRE", "MEMBER", "EXPIRED", 70),
    ]
    assert await shop.balance(ada) == 0
    await check(shop)


async def test_points_under_way_are_no_way_round_a_claw_back(
    database: object, monkeypatch: pytest.MonkeyPatch
):
    shop = await opened(fee_points=20)
    ada, bob = await pair(shop, 0)
    bought = await shop.buy(ada, TEA)
    await sent_only(monkeypatch, shop, ada, bob, 30)
    await shop.bring_back(bought, None)
    await shop.close(bob)

    await transfers.deliver_all(shop.program_id, now=shop.now)

    assert (await entries(ada))[-4:] == [
        ("TRANSFER_IN", "CLEARING", "MEMBER", 30),
        ("TRANSFER_IN", "MEMBER", "FORGIVEN", 30),
        ("TRANSFER_IN", "FEES", "MEMBER", 20),
        ("TRANSFER_IN", "MEMBER", "FORGIVEN", 20),
    ]
    assert await shop.balance(ada) == 0
    await check(shop)
