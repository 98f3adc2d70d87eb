"""The invariants that hold in the tables after any history, whatever kinds of entries it has."""

from collections import Counter, defaultdict
from typing import Any

from loyalty_graph.ledger.kinds import PART, Book, Kind, meaning
from loyalty_graph.ledger.models import AccountRow, HoldRow, LotRow, LotUseRow, TransferRow
from loyalty_graph.ledger.pending import cancellation
from loyalty_graph.purchases.models import MemberSummary, Purchase, PurchaseLine, Refund
from loyalty_graph.rewards.models import RedemptionRow, RewardStock
from tests.usecases.naive_shop import Holder

Tables = dict[Any, list[Any]]


def check_holder(holder: Holder, mine: Tables) -> None:
    """Hold a member's lots and counters against the model of a shop."""
    [account] = mine[AccountRow]
    lots = sorted(mine[LotRow], key=lambda lot: lot.sequence)
    told = [(one.points, one.remaining_points, one.expires_at, one.is_pending) for one in lots]
    expected = [(one.points, one.left, one.expires, bool(one.waits_until)) for one in holder.lots]
    assert told == expected
    counters = (account.balance_points, account.qualifying_points, account.lifetime_points)
    assert counters == (holder.balance, holder.qualifying, holder.lifetime)
    assert (account.held_points, account.pending_points) == (holder.held, holder.pending)
    assert [row.spend_minor for row in mine[MemberSummary]] in ([holder.spend], [])


def check_account(mine: Tables) -> None:
    """I1 to I4 and I9: a member's counters, entries and lots say the same."""
    [account] = mine[AccountRow]
    balance = held = pending = 0
    for expected, row in enumerate(sorted(mine[TransferRow], key=lambda one: one.sequence), 1):
        balance += _adds(row, "MEMBER")
        held += _adds(row, "HELD")
        pending += _adds(row, "PENDING")
        assert min(held, pending) >= 0  # I3
        assert (row.sequence, row.balance_after) == (expected, balance)  # I2
        assert row.kind != "EXPIRE" or row.at <= row.recorded_at  # I9
    open_ = [row for row in (*mine[RedemptionRow], *mine.get(HoldRow, ())) if row.state == "HELD"]
    assert account.held_points == held == sum(row.points for row in open_)  # I1
    waiting = sum(lot.remaining_points for lot in mine[LotRow] if lot.is_pending)
    assert account.pending_points == pending == waiting  # I1
    in_lots = sum(lot.remaining_points for lot in mine[LotRow]) - waiting
    assert account.balance_points == balance  # I1
    assert in_lots == max(balance, 0)  # I1, I3: who owes points has none
    used: Counter[int] = Counter()
    for use in mine[LotUseRow]:
        used[use.lot_sequence] += use.points
    for lot in mine[LotRow]:
        assert 0 <= lot.remaining_points == lot.points - used[lot.sequence] <= lot.points  # I4


def _adds(row: TransferRow, book: str) -> int:
    return int(row.points * ((row.credit == book) - (row.debit == book)))


def check_purchases(tables: Tables) -> None:
    """I5: no more is taken back than was earned; all of it when everything came back."""
    cancelled = Counter[str]()
    for row in tables[TransferRow]:
        if row.kind == "CANCEL" and row.reference.startswith(cancellation("")):
            earned_by = row.reference.removeprefix(cancellation(""))
            cancelled[earned_by.split(PART)[0].split(":")[0]] -= row.qualifying_points
    for bought in tables[Purchase]:
        back = [row for row in tables[Refund] if row.purchase_id == bought.id]
        left = [
            line.quantity - line.refunded_quantity
            for line in tables[PurchaseLine]
            if line.purchase_id == bought.id
        ]
        due = sum(row.clawed_back_points + row.shortfall_points for row in back)
        due += cancelled[str(bought.id)]
        assert 0 <= due <= bought.points
        returned = sum(row.returned_points for row in back)
        assert 0 <= returned <= bought.paid_points
        if not any(left):
            assert due == bought.points
            assert returned == bought.paid_points
            assert sum(row.returned_minor for row in back) == bought.paid_minor
            assert sum(row.amount_minor for row in back) == bought.total_minor


def check_refunds(tables: Tables) -> None:
    """I5: what a refund says it took is what its entries took, and forgave."""
    took: Counter[str] = Counter()
    for row in tables[TransferRow]:
        if kind_of(row) in {"REVERSE", "CANCEL"}:
            took[row.reference.split(PART)[0]] += row.points
        elif kind_of(row) == "FORGIVEN":
            took[row.reference.split(PART)[0]] -= row.points
    for refund in tables[Refund]:
        assert took[str(refund.id)] == refund.clawed_back_points


def kind_of(row: TransferRow) -> str:
    """Return an entry's kind, or which forgiveness it is."""
    return meaning(Kind(row.kind), Book(row.debit), Book(row.credit))


def check_redemptions(tables: Tables) -> None:
    """I6: what is given back was taken before, as much and once; what pays has its refunds.

    Points that were set aside are all spent or released, in one go.
    """
    moved: dict[str, dict[str, int]] = defaultdict(dict)
    for row in tables[TransferRow]:
        moved[kind_of(row)][row.reference] = row.points
    for kind in ("REDEEM", "UNREDEEM", "HOLD", "CAPTURE", "RELEASE"):
        assert len(moved[kind]) == sum(kind_of(row) == kind for row in tables[TransferRow])
    refunds = {str(row.id): row.returned_points for row in tables[Refund] if row.returned_points}
    spent = moved["REDEEM"] | moved["CAPTURE"] | refunds
    assert moved["UNREDEEM"].items() <= spent.items()
    ended = Counter(moved["CAPTURE"]) + Counter(moved["RELEASE"])
    assert ended.items() <= moved["HOLD"].items()
    captured = {str(row.id): row.captured_points for row in tables.get(HoldRow, [])}
    assert {one: n for one, n in captured.items() if n} == {
        one: n for one, n in moved["CAPTURE"].items() if one in captured
    }


def check_rewards(tables: Tables) -> None:
    """I7: what is gone of a reward is what was given out and did not come back."""
    for stock in tables[RewardStock]:
        out = [one for one in tables[RedemptionRow] if one.reward == stock.reward]
        assert 0 <= stock.taken == sum(not one.restocked for one in out) <= 3


def check_totals(tables: Tables) -> None:
    """I11: what came in is held, spent, expired, taken back or on its way; debt is owed to it."""
    net: Counter[str] = Counter()
    for row in tables[TransferRow]:
        net[row.credit] += row.points
        net[row.debit] -= row.points
    accounts = tables[AccountRow]
    debt = sum(max(0, -one.balance_points) for one in accounts)
    can_be_spent = sum(lot.remaining_points for lot in tables[LotRow] if not lot.is_pending)
    assert net["MEMBER"] == can_be_spent - debt
    assert net["HELD"] == sum(one.held_points for one in accounts)
    assert net["PENDING"] == sum(one.pending_points for one in accounts)
    taken_back = net["CLAWED_BACK"] + net["CANCELLED"] + net["FORGIVEN"]
    gone = net["REDEEMED"] + net["EXPIRED"] + taken_back + net["FEES"] + net["CLEARING"]
    outstanding = net["MEMBER"] + net["HELD"] + net["PENDING"]
    assert -(net["ISSUED"] + net["ADJUSTED"] + net["MIGRATED"]) == outstanding + gone
    assert -net["ISSUED"] == sum(row.points for row in tables[Purchase])
    assert min(net["REDEEMED"], net["EXPIRED"], net["FEES"], net["CLEARING"]) >= 0
    assert net["FORGIVEN"] <= 0
