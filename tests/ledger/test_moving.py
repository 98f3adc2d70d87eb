"""Points that come into an account whole, with the dates they had."""

import pytest

from loyalty_graph.errors import InsufficientPointsError, MemberNotActiveError
from loyalty_graph.ledger import rules
from loyalty_graph.ledger.kinds import Book, Kind
from loyalty_graph.ledger.moving import Part, bring_in, send
from tests.ledger.accounts import account, cause, day, earn, kinds, left, three_lots

PARTS = [Part(50, day(30)), Part(20, day(90))]


def test_every_part_keeps_its_date_in_a_lot_of_its_own():
    one = account()

    posted = bring_in(one, Kind.MIGRATE, Book.MIGRATED, PARTS, cause(reference="old"))

    assert [transfer.cause.reference for transfer in posted] == ["old", "old/2"]
    assert [(lot.points, lot.expires_at) for lot in one.lots] == [(50, day(30)), (20, day(90))]
    assert (one.balance, one.qualifying, one.lifetime) == (70, 0, 0)


def test_what_counts_for_a_tier_is_carried_once():
    one = account()

    posted = bring_in(one, Kind.MIGRATE, Book.MIGRATED, PARTS, cause(), qualifying=300)

    assert [transfer.qualifying for transfer in posted] == [300, 0]
    assert (one.balance, one.qualifying, one.lifetime) == (70, 300, 300)


def test_what_counts_for_a_tier_comes_in_without_points_too():
    one = account()

    bring_in(one, Kind.MIGRATE, Book.MIGRATED, [], cause(), qualifying=300)

    assert kinds(one) == [(Kind.MIGRATE, 0)]
    assert (one.balance, one.qualifying, one.lots) == (0, 300, [])


def test_nothing_comes_in_without_a_trace():
    one = account()

    assert bring_in(one, Kind.MIGRATE, Book.MIGRATED, [], cause()) == []
    assert one.posted == []


def test_debt_is_paid_first():
    one = account()
    earn(one, 60)
    rules.redeem(one, 60, cause())
    rules.reverse(one, 60, cause(), origins={1}, may_go_negative=True)

    bring_in(one, Kind.MIGRATE, Book.MIGRATED, PARTS, cause())

    assert (one.balance, left(one)) == (10, {1: 0, 4: 0, 5: 10})


def test_points_leave_with_the_dates_they_had_and_the_fee_comes_after():
    one = three_lots()

    parts = send(one, 70, cause(reference="t"), fee=90)

    assert parts == [Part(50, day(30)), Part(20, day(90))]
    out, fee = one.posted[3:]
    assert (out.debit, out.credit, out.points, out.uses) == (
        *(Book.MEMBER, Book.CLEARING),
        *(70, ((1, 20), (2, 50))),
    )
    assert (fee.debit, fee.credit, fee.points, fee.uses) == (
        *(Book.MEMBER, Book.FEES),
        *(90, ((1, 80), (3, 10))),
    )
    assert (fee.kind, fee.cause.reference) == (Kind.TRANSFER_OUT, "t/fee")
    assert (one.balance, left(one)) == (30, {1: 0, 2: 0, 3: 30})


def test_lots_of_one_date_are_one_part():
    one = account()
    earn(one, 10, day(30))
    earn(one, 10, day(30))

    assert send(one, 15, cause(), fee=0) == [Part(15, day(30))]
    assert kinds(one)[2:] == [(Kind.TRANSFER_OUT, 15)]


@pytest.mark.parametrize(("points", "fee"), [(191, 0), (190, 1)])
def test_points_and_fee_must_both_be_there(points: int, fee: int):
    one = three_lots()

    with pytest.raises(InsufficientPointsError, match="needs 191 points; 190 are available"):
        send(one, points, cause(), fee=fee)

    assert (len(one.posted), one.balance, left(one)) == (3, 190, {1: 100, 2: 50, 3: 40})


def test_who_is_not_active_gives_nothing():
    one = account("SUSPENDED")

    with pytest.raises(MemberNotActiveError):
        send(one, 1, cause(), fee=0)

    assert one.posted == []
