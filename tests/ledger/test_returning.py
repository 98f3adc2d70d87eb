"""How points come back to the lots they came from."""

import pytest

from loyalty_graph.ledger import returning, rules
from loyalty_graph.ledger.kinds import Book, Kind
from loyalty_graph.ledger.terms import Terms
from tests.ledger.accounts import account, cause, day, earn, kinds, left, three_lots


def test_returned_points_go_back_to_their_lots():
    one = three_lots()
    spent = rules.redeem(one, 70, cause())

    [returned] = returning.unredeem(one, spent.uses, cause(reference="back"), forgiven=0)

    assert (returned.points, returned.uses) == (70, ((1, -20), (2, -50)))
    assert (returned.debit, returned.credit) == (Book.REDEEMED, Book.MEMBER)
    assert (one.balance, left(one)) == (190, {1: 100, 2: 50, 3: 40})


def test_returned_points_past_their_date_expire_again():
    one = three_lots()
    spent = rules.redeem(one, 70, cause())

    posted = returning.unredeem(one, [(2, 50), (1, 20)], cause(day(30)), forgiven=0)

    assert [each.kind for each in posted] == [Kind.UNREDEEM, Kind.EXPIRE]
    assert spent.points == posted[0].points == 70
    assert (one.balance, left(one)) == (140, {1: 100, 2: 0, 3: 40})


def test_only_what_came_back_too_late_is_reinstated():
    one = account()
    one.terms = Terms(None, "Europe/Berlin", reinstate_days=10)
    earn(one, 100, day(90))
    spent = rules.redeem(one, 40, cause())
    earn(one, 50, day(30))

    posted = returning.unredeem(one, spent.uses, cause(day(31)), forgiven=0)

    assert [(each.kind, each.points) for each in posted] == [(Kind.UNREDEEM, 40), (Kind.EXPIRE, 50)]
    assert (one.balance, left(one)) == (100, {1: 100, 3: 0})


def test_what_pays_a_debt_is_missing_in_the_lots_that_expire_first():
    one = three_lots()
    rules.redeem(one, 190, cause())
    rules.reverse(one, 60, cause(), origins=(), may_go_negative=True)
    assert (one.balance, one.debt) == (-60, 60)

    [returned] = returning.unredeem(one, [(2, 50), (1, 100), (3, 40)], cause(), forgiven=0)

    assert returned.uses == ((1, -90), (3, -40))
    assert (one.balance, left(one)) == (130, {1: 90, 2: 0, 3: 40})


def test_a_debt_can_swallow_all_that_is_returned():
    one = account()
    earn(one, 100)
    rules.redeem(one, 80, cause())
    rules.reverse(one, 100, cause(), origins={1}, may_go_negative=True)

    [returned] = returning.unredeem(one, [(1, 80)], cause(), forgiven=0)

    assert (returned.uses, one.balance, left(one)) == ((), 0, {1: 0})


@pytest.mark.parametrize(
    ("case", "history", "sequence", "expected"),
    [
        ("nothing", [], 0, 0),
        ("before it", [(3, 80)], 5, 0),
        ("after it", [(3, 80)], 2, 80),
        ("reclaimed", [(3, 80), (6, -80)], 2, 0),
        ("partly", [(3, 80), (6, -30)], 2, 50),
        (
            "the last first",
            [(3, 80), (5, 50), (7, -60)],
            2,
            70,
        ),
        (
            "of the last nothing is left",
            [(3, 80), (5, 50), (7, -60)],
            4,
            0,
        ),
    ],
)
def test_what_was_forgiven_after_an_entry(
    case: str, history: list[returning.Forgiven], sequence: int, expected: int
):
    assert returning.forgiven_after(history, sequence) == expected


def test_returned_points_give_up_what_was_forgiven():
    one = account()
    earn(one, 100)
    spent = rules.redeem(one, 80, cause())
    rules.reverse(one, 100, cause(), origins={1}, may_go_negative=False)

    returning.unredeem(one, spent.uses, cause(), forgiven=80)

    assert kinds(one)[-2:] == [(Kind.UNREDEEM, 80), (Kind.UNREDEEM, 80)]
    assert (one.balance, left(one)) == (0, {1: 0})


def test_points_set_aside_come_back_to_their_lots():
    one = three_lots()
    held = rules.hold(one, 70, cause())

    returning.release(one, [(2, 50), (1, 20)], cause(), forgiven=0)

    assert held.uses == ((1, 20), (2, 50))
    assert (one.balance, one.held, left(one)) == (190, 0, {2: 50, 1: 100, 3: 40})


def test_points_set_aside_that_expired_meanwhile_expire_when_they_come_back():
    one = three_lots()
    rules.hold(one, 70, cause())

    returning.release(one, [(2, 50), (1, 20)], cause(day(31)), forgiven=0)

    assert (one.balance, one.held) == (140, 0)
    assert kinds(one)[3:] == [(Kind.HOLD, 70), (Kind.RELEASE, 70), (Kind.EXPIRE, 50)]


def test_points_set_aside_are_out_of_reach_of_a_claw_back_until_they_come_back():
    one = account()
    bought = earn(one, 100)
    held = rules.hold(one, 80, cause())

    done = rules.reverse(one, 100, cause(), origins={bought.sequence}, may_go_negative=False)
    returning.release(one, held.uses, cause(), forgiven=done.shortfall)

    assert (done.clawed_back, done.shortfall) == (20, 80)
    assert (one.balance, one.held, left(one)) == (0, 0, {1: 0})
    assert kinds(one)[-2:] == [(Kind.RELEASE, 80), (Kind.RELEASE, 80)]


@pytest.mark.parametrize(
    ("case", "returned", "points", "part"),
    [
        ("the first part", 0, 30, [(5, 10), (9, 20)]),
        ("a part within a lot", 0, 5, [(9, 5)]),
        ("what follows", 5, 20, [(5, 5), (9, 15)]),
        ("the rest", 30, 10, [(7, 7), (5, 3)]),
        ("nothing", 40, 0, []),
        ("all", 0, 40, [(7, 7), (5, 13), (9, 20)]),
    ],
)
def test_parts_come_back_from_the_lots_that_live_longest(
    case: str, returned: int, points: int, part: list[tuple[int, int]]
):
    taken = [(7, 7), (5, 13), (9, 20)]

    assert returning.part_of(taken, points, returned=returned) == part
