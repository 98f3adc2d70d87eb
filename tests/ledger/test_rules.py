"""What commands do to an account; the numbers are the golden vectors where there are some."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from loyalty_graph.errors import InsufficientPointsError, MemberNotActiveError
from loyalty_graph.ledger import chain, rules
from loyalty_graph.ledger.kinds import Book, Kind
from loyalty_graph.ledger.rules import Lot, Reversal
from loyalty_graph.ledger.terms import PLAIN
from loyalty_graph.programs.expiry import ExpiryPolicy, ExpirySettings
from tests.ledger.accounts import (
    ADA,
    NEVER,
    PROGRAM,
    account,
    cause,
    day,
    earn,
    kinds,
    left,
    three_lots,
)


def test_points_that_expire_first_are_spent_first():
    one = three_lots()

    spent = rules.redeem(one, 70, cause())

    assert spent.uses == ((1, 20), (2, 50))
    assert (one.balance, left(one)) == (120, {2: 0, 1: 80, 3: 40})
    assert rules.expire(one, now=day(30)) == []


def test_points_without_a_date_are_spent_last_and_older_ones_before_younger():
    one = account()
    earn(one, 10)
    earn(one, 10)
    earn(one, 10, day(5))

    spent = rules.redeem(one, 15, cause())

    assert spent.uses == ((1, 5), (3, 10))


def test_a_transfer_holds_both_legs_the_balance_and_its_place_in_the_chain():
    one = account()

    first = earn(one, 100, day(90))
    second = rules.redeem(one, 30, cause(day(1), "coffee"))

    assert (first.debit, first.credit, first.balance_after) == (Book.ISSUED, Book.MEMBER, 100)
    assert (second.debit, second.credit, second.balance_after) == (Book.MEMBER, Book.REDEEMED, 70)
    assert (first.sequence, second.sequence, one.sequence) == (1, 2, 2)
    details = chain.details_hash(b"s", "", "till", {"why": "coffee"})
    covered = chain.Fields(
        2,
        "REDEEM",
        "MEMBER",
        "REDEEMED",
        30,
        0,
        day(1),
        day(1),
        "coffee",
        1,
        None,
        [(1, 30)],
        details,
    )
    assert one.head == second.hash == chain.link(first.hash, covered)
    assert (second.kind, second.details_hash, second.cause) == (
        Kind.REDEEM,
        details,
        cause(day(1), "coffee"),
    )


def test_the_chain_covers_the_lot_that_a_transfer_opened():
    one = account()

    earned = earn(one, 100, day(90))

    at = day(0)
    details = chain.details_hash(b"s", "", "till", {"why": "r"})
    opened, uses = (100, day(90), None), ()
    covered = chain.Fields(
        1, "EARN", "ISSUED", "MEMBER", 100, 100, at, at, "r", 1, opened, uses, details
    )
    assert earned.hash == chain.link(chain.genesis(PROGRAM, ADA), covered)
    assert (earned.kind, earned.uses) == (Kind.EARN, ())


def test_points_cannot_be_spent_from_the_moment_they_expire():
    one = account()
    earn(one, 10, day(5))

    assert rules.available(one.lots, day(5) - timedelta(microseconds=1)) == 10
    assert rules.available(one.lots, day(5)) == 0
    with pytest.raises(InsufficientPointsError) as refusal:
        rules.redeem(one, 1, cause(day(5)))
    assert (refusal.value.needed, refusal.value.available) == (1, 0)


def test_a_refusal_changes_nothing():
    one = three_lots()
    posted, head, lots = list(one.posted), one.head, left(one)

    with pytest.raises(InsufficientPointsError):
        rules.redeem(one, 191, cause())
    with pytest.raises(InsufficientPointsError):
        rules.adjust(one, -191, cause(), expires_at=NEVER)

    assert (one.posted, one.head, left(one), one.balance) == (posted, head, lots, 190)


@pytest.mark.parametrize("status", ["CLOSED", "SUSPENDED", "ERASED"])
def test_who_is_not_active_neither_earns_nor_spends(status: str):
    one = account(status)
    one.lots = [Lot(1, 10, 10, NEVER)]

    for command in (
        lambda: earn(one, 1),
        lambda: rules.redeem(one, 1, cause()),
        lambda: rules.adjust(one, 1, cause(), expires_at=NEVER),
        lambda: rules.adjust(one, -1, cause(), expires_at=NEVER),
    ):
        with pytest.raises(MemberNotActiveError, match=f"Member {ADA} is {status.lower()}"):
            command()

    assert (one.posted, one.qualifying, one.lifetime, one.lots[0].remaining) == ([], 0, 0, 10)


def test_only_earned_points_qualify_and_spending_never_lowers_them():
    one = account()
    earn(one, 100)
    rules.redeem(one, 60, cause())
    rules.adjust(one, 30, cause(), expires_at=NEVER)
    rules.adjust(one, -10, cause(), expires_at=NEVER)

    assert (one.balance, one.qualifying, one.lifetime) == (60, 100, 100)


def test_every_lot_past_its_date_expires_by_a_transfer_of_its_own():
    one = three_lots()

    expired = rules.expire(one, now=day(90))

    assert [(each.points, each.cause.at, each.uses) for each in expired] == [
        (50, day(30), ((2, 50),)),
        (100, day(90), ((1, 100),)),
    ]
    assert {each.cause.recorded_at for each in expired} == {day(90)}
    assert {each.cause.actor for each in expired} == {"system"}
    assert [each.cause.reference for each in expired] == ["lot:2:4", "lot:1:5"]
    assert expired[0].cause.explanation == {"lot": 2, "points": 50}
    assert (expired[0].debit, expired[0].credit) == (Book.MEMBER, Book.EXPIRED)
    assert one.balance == 40
    assert rules.expire(one, now=day(90)) == []


def test_a_shortfall_is_forgiven_when_the_balance_stops_at_zero():
    one = account()
    earn(one, 100)
    rules.redeem(one, 80, cause())

    done = rules.reverse(one, 100, cause(), origins={1}, may_go_negative=False)

    assert (done.clawed_back, done.shortfall) == (20, 80)
    assert kinds(one)[2:] == [(Kind.REVERSE, 100), (Kind.REVERSE, 80)]
    assert [each.balance_after for each in one.posted[2:]] == [-80, 0]
    assert (one.posted[3].debit, one.posted[3].credit) == (Book.FORGIVEN, Book.MEMBER)
    earn(one, 30)
    assert one.balance == 30


def test_a_shortfall_is_a_debt_when_the_programme_allows_it():
    one = account()
    earn(one, 100)
    rules.redeem(one, 80, cause())

    done = rules.reverse(one, 100, cause(), origins={1}, may_go_negative=True)

    assert (done.clawed_back, done.shortfall, one.balance) == (100, 0, -80)
    paid = earn(one, 30)
    assert (one.balance, paid.uses, left(one)) == (-50, ((4, 30),), {1: 0, 4: 0})
    partly = earn(one, 60)
    assert (one.balance, partly.uses, left(one)[5]) == (10, ((5, 50),), 10)


def test_a_claw_back_takes_the_purchases_own_lot_first():
    one = three_lots()

    done = rules.reverse(one, 40, cause(), origins={3}, may_go_negative=False)

    assert done.transfer is not None
    assert (done.transfer.uses, done.transfer.credit) == (((3, 40),), Book.CLAWED_BACK)
    assert (kinds(one)[3:], one.balance) == ([(Kind.REVERSE, 40)], 150)


def test_a_claw_back_does_not_depend_on_when_the_expiry_ran():
    early, late = three_lots(), three_lots()
    rules.expire(early, now=day(31))

    for one in (early, late):
        rules.reverse(one, 40, cause(day(31)), origins={2}, may_go_negative=False)

    assert left(early) == left(late)
    assert (early.balance, kinds(early)) == (late.balance, kinds(late))


def test_a_claw_back_goes_on_with_lots_that_expire_first_but_not_with_expired_ones():
    one = three_lots()
    rules.redeem(one, 30, cause())

    done = rules.reverse(one, 60, cause(day(31)), origins={3}, may_go_negative=False)

    assert done.transfer is not None
    assert done.transfer.uses == ((1, 20), (3, 40))
    assert kinds(one)[4:] == [(Kind.EXPIRE, 20), (Kind.REVERSE, 60)]
    assert (done.clawed_back, done.shortfall, one.balance) == (60, 0, 80)


def test_a_claw_back_lowers_what_qualifies_by_all_that_is_due():
    one = account()
    earn(one, 100)
    rules.redeem(one, 100, cause())

    rules.reverse(one, 70, cause(), origins={1}, may_go_negative=False)

    assert (one.qualifying, one.lifetime) == (30, 100)


def test_a_claw_back_of_nothing_posts_nothing():
    one = three_lots()

    done = rules.reverse(one, 0, cause(), origins={1}, may_go_negative=False)

    assert (done, len(one.posted)) == (Reversal(0, 0, None), 3)


def test_adjusting_adds_a_lot_or_takes_from_lots():
    one = three_lots()

    added = rules.adjust(one, 5, cause(), expires_at=day(1))
    taken = rules.adjust(one, -10, cause(), expires_at=NEVER)

    assert (added.kind, added.debit, added.credit) == (Kind.ADJUST, Book.ADJUSTED, Book.MEMBER)
    assert (taken.kind, taken.debit, taken.credit) == (Kind.ADJUST, Book.MEMBER, Book.ADJUSTED)
    assert (taken.uses, one.balance) == (((2, 5), (4, 5)), 185)


def test_new_and_changed_lots_are_told_apart():
    one = account()
    one.lots = [Lot(1, 50, 50, day(9)), Lot(2, 50, 50, day(10))]
    one.sequence, one.balance = 2, 100
    earn(one, 5, day(8))

    rules.redeem(one, 10, cause())

    assert [(lot.sequence, lot.is_new, lot.is_changed) for lot in one.lots] == [
        (3, True, True),
        (1, False, True),
        (2, False, False),
    ]


def test_our_own_mistakes_are_asserted():
    one = three_lots()
    one.has_all_lots = False

    with pytest.raises(AssertionError, match="more lots had to be loaded"):
        rules.redeem(one, 191, cause())
    with pytest.raises(AssertionError, match="may need every lot"):
        rules.reverse(one, 1, cause(), origins=(), may_go_negative=False)
    with pytest.raises(AssertionError, match="an adjustment of nothing"):
        rules.adjust(one, 0, cause(), expires_at=NEVER)
    with pytest.raises(AssertionError, match="a transfer moves points"):
        rules.redeem(one, 0, cause())
    with pytest.raises(AssertionError, match="between nothing and all"):
        one.lots[0].move(-1)


def test_points_are_set_aside_then_spent():
    one = three_lots()

    rules.hold(one, 70, cause())
    held = (one.balance, one.held, left(one))
    rules.capture(one, 70, cause())

    assert held == (120, 70, {2: 0, 1: 80, 3: 40})
    assert (one.balance, one.held, left(one)) == (120, 0, {2: 0, 1: 80, 3: 40})
    moved = [(one.debit, one.credit, one.points, one.uses) for one in one.posted[3:]]
    assert moved == [
        (Book.MEMBER, Book.HELD, 70, ((1, 20), (2, 50))),
        (Book.HELD, Book.REDEEMED, 70, ()),
    ]


@pytest.mark.parametrize("setting_aside", [rules.hold, rules.capture])
def test_who_is_not_active_sets_nothing_aside_and_spends_none_of_it(setting_aside: Any):
    one = account("SUSPENDED")

    with pytest.raises(MemberNotActiveError):
        setting_aside(one, 1, cause())

    assert one.posted == []


def test_more_than_there_is_cannot_be_set_aside():
    one = three_lots()

    with pytest.raises(InsufficientPointsError, match="needs 191 points; 190 are available"):
        rules.hold(one, 191, cause())

    assert (one.balance, one.held) == (190, 0)


def test_what_is_left_is_forfeited_at_once_after_what_is_past_its_date():
    one = three_lots()

    transfer = rules.forfeit(one, cause(day(30), "end"))

    assert transfer is not None
    assert (transfer.points, transfer.uses) == (140, ((1, 100), (3, 40)))
    assert (transfer.debit, transfer.credit) == (Book.MEMBER, Book.EXPIRED)
    assert (transfer.cause.reference, transfer.cause.at) == ("end", day(30))
    assert kinds(one)[3:] == [(Kind.EXPIRE, 50), (Kind.EXPIRE, 140)]
    assert (one.balance, one.qualifying, one.lifetime) == (0, 190, 190)


def test_who_has_nothing_or_owes_forfeits_nothing():
    one = account()
    earn(one, 10)
    rules.redeem(one, 10, cause())
    rules.reverse(one, 10, cause(), origins={1}, may_go_negative=True)

    assert rules.forfeit(one, cause()) is None
    assert one.balance == -10


def test_what_is_forfeited_is_known_whole():
    one = three_lots()
    one.has_all_lots = False

    with pytest.raises(AssertionError, match="every lot is emptied"):
        rules.forfeit(one, cause())


def test_by_hand_a_single_point_is_added_or_taken():
    one = three_lots()

    added = rules.adjust(one, 1, cause(), expires_at=day(1))
    taken = rules.adjust(one, -1, cause(), expires_at=NEVER)

    assert (added.debit, added.credit, added.points) == (Book.ADJUSTED, Book.MEMBER, 1)
    assert (taken.debit, taken.credit, taken.uses) == (Book.MEMBER, Book.ADJUSTED, ((4, 1),))


def test_who_may_earn_while_suspended_is_given_points_by_hand_and_none_are_taken():
    one = account("SUSPENDED")
    one.may_earn = True

    rules.adjust(one, 1, cause(), expires_at=NEVER)
    with pytest.raises(MemberNotActiveError):
        rules.adjust(one, -1, cause(), expires_at=NEVER)

    assert (one.balance, kinds(one)) == (1, [(Kind.ADJUST, 1)])


def test_who_may_earn_while_suspended_earns_and_spends_nothing():
    one = account("SUSPENDED")
    one.may_earn = True

    earn(one, 5)
    for spending in (rules.redeem, rules.hold, rules.capture):
        with pytest.raises(MemberNotActiveError):
            spending(one, 1, cause())

    assert (one.balance, kinds(one)) == (5, [(Kind.EARN, 5)])


def test_an_account_dates_a_lot_by_what_its_owner_was_told():
    one = account()
    one.terms = replace(PLAIN, notice_days=14)

    told = one.dated(Lot(1, 10, 10, day(9), told_expires_at=day(12)))
    untold = one.dated(Lot(2, 10, 10, day(9)))

    assert (told.ends_at, untold.ends_at) == (day(12), NEVER)


def test_the_lots_that_were_loaded_may_be_just_enough():
    one = three_lots()
    one.has_all_lots = False

    spent = rules.redeem(one, 190, cause())

    assert (spent.uses, one.balance) == (((1, 100), (2, 50), (3, 40)), 0)


@pytest.mark.parametrize("spend", [rules.redeem, rules.hold])
def test_spending_lets_points_slide_from_when_it_was_done(spend: Any):
    monthly = ExpirySettings(policy=ExpiryPolicy.SLIDING, months=1, resets=("REDEMPTION",))
    one = account()
    one.terms = replace(PLAIN, sliding=monthly)
    earn(one, 10)

    spend(one, 4, replace(cause(day(5)), recorded_at=day(7)))

    assert (one.lapses_at, one.slid_at) == (one.terms.lapses_at(day(5)), day(7))
    assert [lot.ends_at for lot in one.lots] == [one.lapses_at]


def test_each_step_of_a_hold_has_its_kind():
    one = three_lots()
    rules.hold(one, 70, cause())
    rules.capture(one, 70, cause())

    assert kinds(one)[3:] == [(Kind.HOLD, 70), (Kind.CAPTURE, 70)]


def test_what_is_forgiven_stands_beside_the_claw_back_under_a_part_of_its_reference():
    one = account()
    earn(one, 10)
    rules.redeem(one, 10, cause())

    done = rules.reverse(one, 10, cause(day(2), "refund"), origins={1}, may_go_negative=False)

    assert done.transfer is one.posted[2]
    forgiven = replace(cause(day(2), "refund"), reference="refund/forgiven")
    assert [each.cause for each in one.posted[2:]] == [cause(day(2), "refund"), forgiven]
