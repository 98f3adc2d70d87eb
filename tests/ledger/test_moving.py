"""Points that come into an account whole, with the dates they had."""

from loyalty_graph.ledger import rules
from loyalty_graph.ledger.kinds import Book, Kind
from loyalty_graph.ledger.moving import Part, bring_in
from tests.ledger.accounts import account, cause, day, earn, kinds, left

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
