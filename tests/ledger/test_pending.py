from datetime import timedelta
from uuid import UUID

import pytest

from loyalty_graph.errors import InsufficientPointsError, MemberNotActiveError
from loyalty_graph.ledger import pending, rules
from loyalty_graph.ledger.kinds import Book, Kind
from loyalty_graph.ledger.rules import Account, Transfer
from tests.ledger.accounts import NEVER, account, cause, day, earn, kinds, left

PURCHASE = UUID(int=7)


def wait(one: Account, points: int, until: int, *, expires: int | None = None) -> Transfer:
    """Earn points that wait until a day."""
    expires_at = NEVER if expires is None else day(expires)
    why = cause(reference=f"r{one.sequence}")
    return pending.earn_pending(one, points, why, activates_at=day(until), expires_at=expires_at)


def waiting(one: Account) -> dict[int, int]:
    return {lot.sequence: lot.remaining for lot in one.waiting}


def in_order(one: Account) -> bool:
    """Return whether lots and counters agree."""
    spendable = sum(lot.remaining for lot in one.lots)
    return (one.pending, spendable) == (sum(waiting(one).values()), max(0, one.balance))


def test_points_that_wait_count_for_tiers_and_cannot_be_spent():
    one = account()

    transfer = wait(one, 40, until=14, expires=90)

    assert (transfer.kind, transfer.debit, transfer.credit) == (
        Kind.EARN_PENDING,
        Book.ISSUED,
        Book.PENDING,
    )
    assert (one.balance, one.pending, one.qualifying, one.lifetime) == (0, 40, 40, 40)
    assert (transfer.balance_after, waiting(one), one.lots) == (0, {1: 40}, [])
    assert transfer.cause.explanation == {"why": "r0", "activates_at": "2026-01-15T00:00:00+00:00"}
    with pytest.raises(InsufficientPointsError):
        rules.redeem(one, 1, cause(day(13)))
    assert kinds(one) == [(Kind.EARN_PENDING, 40)]


def test_who_may_not_earn_gets_no_pending_points():
    one = account("SUSPENDED")

    with pytest.raises(MemberNotActiveError):
        wait(one, 40, until=14)

    assert (one.posted, one.pending, one.qualifying, one.lifetime) == ([], 0, 0, 0)


def test_points_are_activated_at_their_time_and_not_before():
    one = account()
    wait(one, 40, until=14, expires=90)

    early = pending.activate_due(one, now=day(14) - timedelta(microseconds=1))
    [transfer] = pending.activate_due(one, now=day(20))
    again = pending.activate_due(one, now=day(20))

    assert (early, again) == ([], [])
    assert (transfer.kind, transfer.debit, transfer.credit) == (
        Kind.ACTIVATE,
        Book.PENDING,
        Book.MEMBER,
    )
    assert (transfer.points, transfer.balance_after, transfer.uses) == (40, 40, ())
    assert (transfer.cause.at, transfer.cause.recorded_at) == (day(14), day(20))
    assert transfer.cause.reference == "lot:1"
    assert (one.balance, one.pending, one.qualifying) == (40, 0, 40)
    assert (left(one), one.waiting) == ({1: 40}, [])
    assert rules.available(one.lots, day(89)) == 40
    assert rules.available(one.lots, day(90)) == 0


def test_activated_points_are_spent_by_their_expiry():
    one = account()
    earn(one, 10, day(60))
    wait(one, 20, until=5, expires=30)
    wait(one, 30, until=3, expires=80)
    pending.activate_due(one, now=day(5))

    rules.redeem(one, 35, cause(day(6)))

    assert [lot.sequence for lot in one.lots] == [2, 1, 3]
    assert left(one) == {2: 0, 1: 0, 3: 25}


def test_what_was_to_wait_until_a_moment_that_has_passed_does_not_wait():
    one = account()

    wait(one, 40, until=0)

    assert kinds(one) == [(Kind.EARN_PENDING, 40), (Kind.ACTIVATE, 40)]
    assert (one.balance, one.pending, left(one)) == (40, 0, {1: 40})


def test_points_that_would_expire_while_they_wait_expire_as_they_become_active():
    one = account()
    wait(one, 40, until=30, expires=20)

    pending.activate_due(one, now=day(20))
    rules.expire(one, now=day(20))

    assert kinds(one)[1:] == [(Kind.ACTIVATE, 40), (Kind.EXPIRE, 40)]
    assert (one.balance, one.pending) == (0, 0)


def test_activated_points_pay_debt_those_that_were_due_first_at_first():
    one = account()
    one.balance = -50
    wait(one, 30, until=9, expires=20)
    wait(one, 40, until=7, expires=90)

    first, second = pending.activate_due(one, now=day(9))

    assert (first.uses, second.uses) == (((2, 40),), ((1, 10),))
    assert (left(one), one.balance) == ({1: 20, 2: 0}, 20)


def test_goods_that_come_back_cancel_what_waits_longest_of_their_purchase():
    one = account()
    wait(one, 40, until=14)
    wait(one, 30, until=30)
    wait(one, 20, until=60)

    transfer = pending.cancel(one, {1, 2}, 45, cause(reference="back"))

    assert transfer is not None
    assert (transfer.kind, transfer.debit, transfer.credit) == (
        Kind.CANCEL,
        Book.PENDING,
        Book.CANCELLED,
    )
    assert (transfer.points, transfer.uses) == (45, ((1, 15), (2, 30)))
    assert waiting(one) == {1: 25, 3: 20}
    assert [lot.sequence for lot in one.lots if not lot.is_pending] == [2]
    assert (one.balance, one.pending, one.qualifying, one.lifetime) == (0, 45, 45, 90)
    assert in_order(one)


def test_no_more_is_cancelled_than_waits():
    one = account()
    wait(one, 40, until=14)

    transfer = pending.cancel(one, {1}, 100, cause(reference="back"))
    again = pending.cancel(one, {1}, 60, cause(reference="again"))

    assert transfer is not None
    assert (transfer.points, again) == (40, None)
    assert (one.pending, one.qualifying, one.waiting) == (0, 0, [])


def test_lots_stay_sorted_when_one_of_them_waits_no_more():
    one = account()
    earn(one, 10)
    wait(one, 40, until=14, expires=90)

    pending.cancel(one, {2}, 40, cause(reference="back"))

    assert [(lot.sequence, lot.remaining) for lot in one.lots] == [(2, 0), (1, 10)]


def test_what_is_left_after_a_part_was_cancelled_is_activated():
    one = account()
    wait(one, 40, until=14)
    pending.cancel(one, {1}, 15, cause(reference="back"))

    [transfer] = pending.activate_due(one, now=day(14))

    assert (transfer.points, one.balance, left(one)) == (25, 25, {1: 25})


def test_a_claw_back_takes_an_activated_lot_of_the_purchase_first():
    one = account()
    earn(one, 50, day(10))
    wait(one, 40, until=5)
    pending.activate_due(one, now=day(5))

    rules.reverse(one, 45, cause(), origins={2}, may_go_negative=False)

    assert left(one) == {1: 45, 2: 0}


def test_the_end_of_a_membership_forfeits_what_waits():
    one = account()
    wait(one, 40, until=14)
    wait(one, 30, until=30)

    transfer = pending.forfeit(one, cause(reference="closing"))

    assert transfer is not None
    assert (transfer.kind, transfer.debit, transfer.credit) == (
        Kind.EXPIRE,
        Book.PENDING,
        Book.EXPIRED,
    )
    assert (transfer.points, transfer.cause.reference) == (70, "closing/pending")
    assert (one.balance, one.pending, one.qualifying, one.waiting) == (0, 0, 70, [])
    assert pending.forfeit(one, cause(reference="again")) is None


def test_each_part_of_a_purchase_has_a_reference_that_names_it():
    part = pending.reference(PURCHASE, "30")

    assert part == f"{PURCHASE}/30"
    assert pending.origin_of(part) == pending.origin_of(str(PURCHASE)) == str(PURCHASE)
