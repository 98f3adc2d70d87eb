"""What each claw-back policy takes, leaves, forgives; the numbers are worked out by hand."""

import pytest

from loyalty_graph.ledger import pending, rules
from loyalty_graph.ledger.kinds import Book, Kind
from loyalty_graph.ledger.moving import Part, bring_in
from loyalty_graph.ledger.reversing import Origins, claw_back, take_out
from loyalty_graph.ledger.rules import Account
from loyalty_graph.programs.rules import ClawbackPolicy
from tests.ledger.accounts import NEVER, account, cause, day, earn, kinds

CLAMP, OWE = ClawbackPolicy.CLAMP_TO_ZERO, ClawbackPolicy.ALLOW_NEGATIVE
PENDING_FIRST, KEEP = ClawbackPolicy.PENDING_FIRST, ClawbackPolicy.KEEP
BOUGHT = Origins(waited={2}, all={1, 2})


def bought(*, spent: int) -> Account:
    """A purchase gave 60 at once and 30 that wait; another one 25 that wait; some are spent."""
    one = account()
    earn(one, 60)
    for reference, points in (("late", 30), ("another", 25)):
        why = cause(reference=reference)
        pending.earn_pending(one, points, why, activates_at=day(9), expires_at=NEVER)
    if spent:
        rules.redeem(one, spent, cause())
    one.posted.clear()
    return one


@pytest.mark.parametrize(
    ("policy", "spent", "taken", "short", "posted", "left"),
    [
        (CLAMP, 0, 90, 0, [("CANCEL", 30), ("REVERSE", 60)], (0, 25)),
        (CLAMP, 40, 50, 40, [("CANCEL", 30), ("REVERSE", 60), ("REVERSE", 40)], (0, 25)),
        (OWE, 40, 90, 0, [("CANCEL", 30), ("REVERSE", 60)], (-40, 25)),
        (PENDING_FIRST, 0, 90, 0, [("CANCEL", 30), ("CANCEL", 25), ("REVERSE", 35)], (25, 0)),
        (
            PENDING_FIRST,
            40,
            75,
            15,
            [("CANCEL", 30), ("CANCEL", 25), ("REVERSE", 35), ("REVERSE", 15)],
            (0, 0),
        ),
        (KEEP, 0, 0, 90, [("REVERSE", 0)], (60, 55)),
        (KEEP, 40, 0, 90, [("REVERSE", 0)], (20, 55)),
    ],
)
def test_a_policy_takes_what_it_says(
    policy: ClawbackPolicy,
    spent: int,
    taken: int,
    short: int,
    posted: list[tuple[str, int]],
    left: tuple[int, int],
):
    one = bought(spent=spent)

    done = claw_back(one, 90, cause(reference="back"), origins=BOUGHT, policy=policy)

    assert (done.clawed_back, done.shortfall) == (taken, short)
    assert kinds(one) == [(Kind(kind), points) for kind, points in posted]
    assert (one.balance, one.pending) == left
    assert (one.qualifying, one.lifetime) == (25, 115)
    references = [(transfer.kind, transfer.cause.reference) for transfer in one.posted]
    assert len(set(references)) == len(references)


@pytest.mark.parametrize("policy", ClawbackPolicy)
def test_where_nothing_is_due_nothing_happens(policy: ClawbackPolicy):
    one = bought(spent=0)

    done = claw_back(one, 0, cause(), origins=BOUGHT, policy=policy)

    assert (done.clawed_back, done.shortfall, done.transfer, one.posted) == (0, 0, None, [])


def test_what_waits_of_the_purchase_alone_may_be_enough():
    one = bought(spent=60)

    done = claw_back(one, 20, cause(), origins=BOUGHT, policy=CLAMP)

    assert done.transfer is one.posted[0]
    assert (kinds(one), one.pending) == ([(Kind.CANCEL, 20)], 35)


def test_what_was_brought_along_without_points_counts_no_more():
    one = account()
    bring_in(one, Kind.MIGRATE, Book.MIGRATED, [], cause(), qualifying=300)

    done = take_out(
        one, 0, cause(), origin=1, into=Book.MIGRATED, qualifying=300, may_go_negative=False
    )

    assert (done.clawed_back, done.shortfall, done.transfer) == (0, 0, one.posted[-1])
    assert (one.qualifying, one.balance) == (0, 0)


def test_what_was_brought_along_goes_back_where_it_came_from():
    one = account()
    bring_in(one, Kind.MIGRATE, Book.MIGRATED, [Part(50, NEVER)], cause(), qualifying=300)
    rules.redeem(one, 20, cause())

    done = take_out(
        one, 50, cause(), origin=1, into=Book.MIGRATED, qualifying=300, may_go_negative=False
    )

    assert (done.clawed_back, done.shortfall) == (30, 20)
    assert [(one.debit, one.credit, one.points) for one in one.posted[-2:]] == [
        (Book.MEMBER, Book.MIGRATED, 50),
        (Book.FORGIVEN, Book.MEMBER, 20),
    ]
    assert (one.qualifying, one.balance) == (0, 0)
