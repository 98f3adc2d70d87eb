"""Expired points that are given back; the first case is the golden vector of domain rule D7."""

from dataclasses import replace
from datetime import datetime

from loyalty_graph.ledger import reinstating, returning, rules
from loyalty_graph.ledger.kinds import Kind
from loyalty_graph.ledger.reinstating import Expired
from loyalty_graph.ledger.rules import Account
from loyalty_graph.ledger.terms import PLAIN
from tests.ledger.accounts import account, cause, day, earn, kinds, left, three_lots

LENIENT = replace(PLAIN, reinstate_days=10)


def ends(one: Account) -> dict[int, datetime]:
    return {lot.sequence: lot.ends_at for lot in one.lots}


def test_points_given_back_to_a_lot_past_its_date_live_on_where_the_policy_says_so():
    one = three_lots()
    one.terms = LENIENT
    spent = rules.redeem(one, 70, cause())

    returning.unredeem(one, spent.uses[::-1], cause(day(31)), forgiven=0)

    assert kinds(one)[4:] == [(Kind.UNREDEEM, 70), (Kind.EXPIRE, 50), (Kind.REINSTATE, 50)]
    assert (one.balance, left(one)) == (190, {2: 0, 7: 50, 1: 100, 3: 40})
    assert ends(one)[7] == day(42)
    came = one.posted[-1]
    assert came.cause.reference == "entry:6"
    assert came.cause.explanation == {
        "by": "return",
        "expired": 6,
        "until": day(42).isoformat(),
    }


def test_only_what_came_back_is_reinstated():
    one = account()
    one.terms = LENIENT
    earn(one, 100, day(30))
    spent = rules.redeem(one, 40, cause())

    returning.unredeem(one, spent.uses, cause(day(31)), forgiven=0)

    assert kinds(one)[2:] == [(Kind.UNREDEEM, 40), (Kind.EXPIRE, 100), (Kind.REINSTATE, 40)]
    assert one.balance == 40


def test_nothing_is_reinstated_when_no_lot_has_ended():
    one = three_lots()
    one.terms = LENIENT
    spent = rules.redeem(one, 70, cause())

    returning.unredeem(one, spent.uses[::-1], cause(day(29)), forgiven=0)

    assert kinds(one)[4:] == [(Kind.UNREDEEM, 70)]


def test_reinstated_points_pay_debt_first():
    one = account()
    earn(one, 50, day(30))
    rules.expire(one, now=day(31))
    rules.reverse(one, 20, cause(day(32)), origins={1}, may_go_negative=True)

    reinstating.reinstate(one, Expired(2, 50), cause(day(33)), until=day(60))

    assert (one.balance, left(one)) == (30, {1: 0, 4: 30})


def test_reinstated_points_give_up_what_was_forgiven_because_they_had_expired():
    one = account()
    earn(one, 50, day(30))
    rules.expire(one, now=day(31))
    rules.reverse(one, 20, cause(day(32)), origins={1}, may_go_negative=False)

    came = reinstating.reinstate(one, Expired(2, 50), cause(day(33)), until=day(60), forgiven=20)

    assert [(one.kind, one.points, one.uses) for one in came] == [
        (Kind.REINSTATE, 50, ()),
        (Kind.REINSTATE, 20, ((5, 20),)),
    ]
    assert (one.balance, left(one)) == (30, {1: 0, 5: 30})
