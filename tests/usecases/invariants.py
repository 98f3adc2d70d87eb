"""The invariants that hold in the tables after any history."""

from collections import Counter
from typing import Any

from loyalty_graph.ledger.kinds import Book, Kind, meaning
from loyalty_graph.ledger.models import AccountRow, LotRow, LotUseRow, TransferRow
from loyalty_graph.purchases.models import MemberSummary, Purchase, PurchaseLine, Refund
from loyalty_graph.rewards.models import RedemptionRow, RewardStock
from tests.usecases.naive_shop import Holder


def check_member(holder: Holder, mine: dict[Any, list[Any]]) -> None:
    [account] = mine[AccountRow]
    lots = sorted(mine[LotRow], key=lambda lot: lot.sequence)
    transfers = sorted(mine[TransferRow], key=lambda row: row.sequence)
    told = [(one.points, one.remaining_points, one.expires_at, one.is_pending) for one in lots]
    expected = [(one.points, one.left, one.expires, bool(one.waits_until)) for one in holder.lots]
    assert told == expected
    counters = (account.balance_points, account.qualifying_points, account.lifetime_points)
    assert counters == (holder.balance, holder.qualifying, holder.lifetime)
    assert (account.held_points, account.pending_points) == (holder.held, holder.pending)
    assert [row.spend_minor for row in mine[MemberSummary]] in ([holder.spend], [])

    balance = held = pending = 0
    for expected, row in enumerate(transfers, 1):
        balance += row.points * ((row.credit == "MEMBER") - (row.debit == "MEMBER"))
        held += row.points * ((row.credit == "HELD") - (row.debit == "HELD"))
        pending += row.points * ((row.credit == "PENDING") - (row.debit == "PENDING"))
        assert min(held, pending) >= 0  # I3
        assert (row.sequence, row.balance_after) == (expected, balance)  # I2
        assert row.kind != "EXPIRE" or row.at <= row.recorded_at  # I9
    open_ = sum(row.points for row in mine[RedemptionRow] if row.state == "HELD")
    assert account.held_points == held == open_  # I1
    waiting = sum(lot.remaining_points for lot in lots if lot.is_pending)
    assert account.pending_points == pending == waiting  # I1
    in_lots = sum(lot.remaining_points for lot in lots) - waiting
    assert account.balance_points == balance == in_lots - holder.debt  # I1
    assert in_lots == 0 or holder.debt == 0  # I3
    for lot in lots:
        used = sum(use.points for use in mine[LotUseRow] if use.lot_sequence == lot.sequence)
        assert 0 <= lot.remaining_points == lot.points - used <= lot.points  # I4


def check_purchases(tables: dict[Any, list[Any]]) -> None:
    """I5: no more is taken back than was earned; all of it when everything came back."""
    for bought in tables[Purchase]:
        back = [row for row in tables[Refund] if row.purchase_id == bought.id]
        left = [
            line.quantity - line.refunded_quantity
            for line in tables[PurchaseLine]
            if line.purchase_id == bought.id
        ]
        due = sum(row.clawed_back_points + row.shortfall_points for row in back)
        assert 0 <= due <= bought.points
        returned = sum(row.returned_points for row in back)
        assert 0 <= returned <= bought.paid_points
        if not any(left):
            assert due == bought.points
            assert returned == bought.paid_points
            assert sum(row.returned_minor for row in back) == bought.paid_minor
            assert sum(row.amount_minor for row in back) == bought.total_minor


def kind_of(row: TransferRow) -> str:
    """Return an entry's kind, or which forgiveness it is."""
    return meaning(Kind(row.kind), Book(row.debit), Book(row.credit))


def check_redemptions(tables: dict[Any, list[Any]]) -> None:
    """I6: what is given back was taken before, as much and once; what pays has its refunds."""
    moved = {
        kind: {row.reference: row.points for row in tables[TransferRow] if kind_of(row) == kind}
        for kind in ("REDEEM", "UNREDEEM", "HOLD", "CAPTURE", "RELEASE")
    }
    refunds = {str(row.id): row.returned_points for row in tables[Refund] if row.returned_points}
    spent = moved["REDEEM"] | moved["CAPTURE"] | refunds
    assert moved["UNREDEEM"].items() <= spent.items()
    assert not moved["CAPTURE"].keys() & moved["RELEASE"].keys()
    assert (moved["CAPTURE"] | moved["RELEASE"]).items() <= moved["HOLD"].items()
    for kind, of_kind in moved.items():
        assert len(of_kind) == sum(kind_of(row) == kind for row in tables[TransferRow])


def check_rewards(tables: dict[Any, list[Any]]) -> None:
    """I7: what is gone of a reward is what was given out and did not come back."""
    for stock in tables[RewardStock]:
        out = [one for one in tables[RedemptionRow] if one.reward == stock.reward]
        assert 0 <= stock.taken == sum(not one.restocked for one in out) <= 3


def check_totals(tables: dict[Any, list[Any]]) -> None:
    """I11: what was issued is held, spent, expired or taken back; debt is owed to the issue."""
    total: Counter[str] = Counter()
    for row in tables[TransferRow]:
        total[f"{kind_of(row)} {'in' if row.credit == 'MEMBER' else 'out'}"] += row.points
    held = sum(lot.remaining_points for lot in tables[LotRow])
    debt = sum(max(0, -account.balance_points) for account in tables[AccountRow])
    forgiven = total["FORGIVEN in"] - total["RECLAIMED out"]
    taken_back = total["REVERSE out"] - forgiven
    redeemed = total["REDEEM out"] + total["CAPTURE out"] - total["UNREDEEM in"]
    set_aside = sum(account.held_points for account in tables[AccountRow])
    assert set_aside == total["HOLD out"] - total["CAPTURE out"] - total["RELEASE in"]
    taken_back += total["CANCEL out"]
    gone = redeemed + total["EXPIRE out"] + taken_back + total["ADJUST out"]
    earned = total["EARN in"] + total["EARN_PENDING out"]
    assert earned + total["ADJUST in"] == held + set_aside + gone - debt
    at_first = total["REVERSE out"] + total["CANCEL out"] - total["FORGIVEN in"]
    assert at_first == sum(row.clawed_back_points for row in tables[Refund])
    assert earned == sum(row.points for row in tables[Purchase])
