"""Two accounts that become one, and part again: every point passes CLEARING."""

from contextlib import suppress
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty_graph.errors import InsufficientPointsError
from loyalty_graph.ledger import pending, rules
from loyalty_graph.ledger.joining import Leaving, Moved, arrive, leave, part
from loyalty_graph.ledger.kinds import Book, Kind
from loyalty_graph.ledger.moving import Part
from loyalty_graph.ledger.rules import Account, Transfer
from tests.ledger.accounts import NEVER, account, cause, day, earn, kinds, left, three_lots


def other() -> Account:
    one = account()
    one.member_id = UUID(int=3)
    return one


def cleared(*accounts: Account) -> int:
    """Return what these accounts have put into CLEARING and not taken out."""
    moves = [one for account_ in accounts for one in account_.posted]
    into = sum(one.points for one in moves if one.credit is Book.CLEARING)
    return into - sum(one.points for one in moves if one.debit is Book.CLEARING)


def legs(posted: list[Transfer]) -> list[tuple[str, str, str, int, int]]:
    return [
        (one.cause.reference, one.debit, one.credit, one.points, one.qualifying) for one in posted
    ]


def with_pending() -> Account:
    """10 until day 90, and 30 from day 5 on."""
    one = account()
    earn(one, 10, day(90))
    pending.earn_pending(one, 30, cause(), activates_at=day(5), expires_at=day(90))
    return one


def test_everything_leaves_lot_by_lot_and_arrives_with_its_dates():
    ada, bob = three_lots(), other()

    gone = leave(ada, cause(reference="m"))
    arrive(bob, gone, cause(reference="m"))

    assert gone.parts == {2: Part(50, day(30)), 1: Part(100, day(90)), 3: Part(40, NEVER)}
    assert legs(ada.posted[3:]) == [("m", "MEMBER", "CLEARING", 190, -190)]
    assert legs(bob.posted) == [
        ("m/2", "CLEARING", "MEMBER", 50, 190),
        ("m/1", "CLEARING", "MEMBER", 100, 0),
        ("m/3", "CLEARING", "MEMBER", 40, 0),
    ]
    assert (ada.balance, ada.qualifying, left(ada)) == (0, 0, {1: 0, 2: 0, 3: 0})
    assert (bob.balance, bob.qualifying, bob.lifetime) == (190, 190, 190)
    assert [lot.expires_at for lot in bob.lots] == [day(30), day(90), NEVER]
    assert cleared(ada, bob) == 0


def test_pending_points_stay_pending():
    ada, bob = with_pending(), other()

    arrive(bob, leave(ada, cause(reference="m")), cause(reference="m"))

    assert legs(ada.posted[2:]) == [
        ("m", "MEMBER", "CLEARING", 10, -40),
        ("m/pending", "PENDING", "CLEARING", 30, 0),
    ]
    assert (ada.pending, ada.waiting) == (0, [])
    assert (bob.balance, bob.pending, bob.qualifying) == (10, 30, 40)
    [waiting] = bob.waiting
    assert (waiting.remaining, waiting.activates_at) == (30, day(5))
    pending.activate_due(bob, now=day(5))
    assert (bob.balance, bob.pending) == (40, 0)


def test_points_that_await_an_event_still_do():
    ada, bob = account(), other()
    pending.earn_pending(
        ada, 30, cause(), activates_at=day(5), expires_at=day(90), awaits="DELIVERY"
    )

    arrive(bob, leave(ada, cause()), cause())

    assert [(lot.remaining, lot.awaits) for lot in bob.waiting] == [(30, "DELIVERY")]


def test_points_past_their_date_expire_before_they_could_move():
    ada, bob = three_lots(), other()

    arrive(bob, leave(ada, cause(at=day(31))), cause(at=day(31)))

    assert kinds(ada)[3:] == [(Kind.EXPIRE, 50), (Kind.MERGE_OUT, 140)]
    assert bob.balance == 140


def in_debt(points: int) -> Account:
    one = account()
    earn(one, points)
    rules.redeem(one, points, cause())
    rules.reverse(one, points, cause(), origins={1}, may_go_negative=True)
    return one


def test_debt_moves_too_and_takes_what_is_there():
    ada, bob = in_debt(60), other()
    earn(bob, 100, day(90))

    gone = leave(ada, cause(reference="m"))
    arrive(bob, gone, cause(reference="m"))

    assert gone == Leaving({}, 60, 0)
    assert legs(ada.posted[3:]) == [("m/debt", "CLEARING", "MEMBER", 60, 0)]
    assert legs(bob.posted[1:]) == [("m/debt", "MEMBER", "CLEARING", 60, 0)]
    assert (ada.balance, ada.debt, bob.balance, left(bob)) == (0, 0, 40, {1: 40})
    assert cleared(ada, bob) == 0


def test_debt_that_is_larger_than_what_is_there_stays_debt():
    ada, bob = in_debt(60), other()
    earn(bob, 50)

    arrive(bob, leave(ada, cause()), cause())

    assert (bob.balance, bob.debt, left(bob)) == (-10, 10, {1: 0})


def test_points_that_arrive_pay_the_debt_that_is_there():
    ada, bob = three_lots(), in_debt(60)
    bob.member_id = UUID(int=3)

    arrive(bob, leave(ada, cause()), cause())

    assert (bob.balance, bob.debt) == (130, 0)


def test_what_counts_for_a_tier_moves_without_points_too():
    ada, bob = account(), other()
    earn(ada, 70)
    rules.redeem(ada, 70, cause())

    arrive(bob, leave(ada, cause(reference="m")), cause(reference="m"))

    assert legs(ada.posted[2:]) == [("m", "MEMBER", "CLEARING", 0, -70)]
    assert (ada.qualifying, bob.qualifying, bob.balance) == (0, 70, 0)


def test_who_has_nothing_leaves_no_trace():
    ada, bob = account(), other()

    arrive(bob, leave(ada, cause()), cause())

    assert (ada.posted, bob.posted) == ([], [])


def joined(ada: Account, bob: Account) -> list[Moved]:
    """Join Ada's account to Bob's; return which lots arrived as which."""
    waiting = {lot.sequence for lot in ada.waiting}
    gone = leave(ada, cause(reference="m"))
    before = bob.sequence
    arrive(bob, gone, cause(reference="m"))
    return [Moved(before + number, lot, lot in waiting) for number, lot in enumerate(gone.parts, 1)]


def test_what_is_left_goes_back_to_the_lots_it_came_from():
    ada, bob = three_lots(), other()
    earn(bob, 5, day(10))
    lots = joined(ada, bob)
    rules.redeem(bob, 75, cause())

    part(bob, ada, lots, cause(reference="u"), qualifying=190)

    assert legs(bob.posted[-1:]) == [("u", "MEMBER", "CLEARING", 120, -190)]
    assert legs(ada.posted[-1:]) == [("u", "CLEARING", "MEMBER", 120, 190)]
    assert sorted(ada.posted[-1].uses) == [(1, -80), (3, -40)]
    assert (ada.balance, ada.qualifying, left(ada)) == (120, 190, {1: 80, 2: 0, 3: 40})
    assert (bob.balance, bob.qualifying) == (0, 5)
    assert cleared(ada, bob) == 0


def test_pending_points_go_back_and_still_wait():
    ada, bob = with_pending(), other()
    lots = joined(ada, bob)

    part(bob, ada, lots, cause(reference="u"), qualifying=40)

    assert (ada.balance, ada.pending, bob.balance, bob.pending) == (10, 30, 0, 0)
    assert [(lot.sequence, lot.is_pending) for lot in ada.waiting] == [(2, True)]
    assert cleared(ada, bob) == 0
    pending.activate_due(ada, now=day(5))
    assert (ada.balance, ada.pending) == (40, 0)


def test_points_whose_time_came_meanwhile_can_be_spent_once_they_are_back():
    ada, bob = with_pending(), other()
    lots = joined(ada, bob)
    pending.activate_due(bob, now=day(6))

    part(bob, ada, lots, cause(at=day(6)), qualifying=40)

    assert (ada.balance, ada.pending, bob.balance, bob.pending) == (40, 0, 0, 0)
    assert kinds(ada)[-3:] == [(Kind.MERGE_IN, 10), (Kind.MERGE_IN, 30), (Kind.ACTIVATE, 30)]
    assert cleared(ada, bob) == 0


def test_points_past_their_date_do_not_go_back():
    ada, bob = three_lots(), other()
    lots = joined(ada, bob)

    part(bob, ada, lots, cause(at=day(31)), qualifying=0)

    assert (ada.balance, bob.balance) == (140, 0)
    assert (Kind.EXPIRE, 50) in kinds(bob)


def test_debt_that_was_paid_stays_paid():
    ada, bob = in_debt(60), other()
    earn(bob, 100)
    lots = joined(ada, bob)

    part(bob, ada, lots, cause(reference="u"), qualifying=0)

    assert (ada.balance, bob.balance) == (0, 40)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["earn", "wait", "spend", "reverse"]),
        st.integers(1, 60),
        st.integers(1, 40),
    ),
    max_size=8,
)


def live(one: Account, steps: list[tuple[str, int, int]], today: int) -> None:
    """Do things to an account on a day; what it refuses does not happen."""
    now = day(today)
    for step, points, days in steps:
        why = cause(at=now, reference=f"{one.sequence}")
        if step == "earn":
            rules.earn(one, points, why, expires_at=day(today + days))
        elif step == "wait":
            later = day(today + days)
            pending.earn_pending(one, points, why, activates_at=later, expires_at=day(90))
        elif step == "spend":
            with suppress(InsufficientPointsError):
                rules.redeem(one, points, why)
        else:
            rules.reverse(one, min(points, one.qualifying), why, origins=(), may_go_negative=True)


def held(*accounts: Account) -> int:
    return sum(one.balance + one.pending for one in accounts)


def gone(*accounts: Account) -> int:
    """Return what has left these accounts for a book of the programme."""
    ours = {Book.MEMBER, Book.PENDING, Book.CLEARING}
    moves = [one for account_ in accounts for one in account_.posted]
    out = sum(one.points for one in moves if one.debit in ours and one.credit not in ours)
    return out - sum(one.points for one in moves if one.credit in ours and one.debit not in ours)


@settings(max_examples=200, deadline=None)
@given(of_ada=STEPS, of_bob=STEPS, together=STEPS, later=st.integers(0, 50))
def test_joining_and_parting_make_and_lose_no_point(
    of_ada: list[tuple[str, int, int]],
    of_bob: list[tuple[str, int, int]],
    together: list[tuple[str, int, int]],
    later: int,
):
    ada, bob = account(), other()
    live(ada, of_ada, 0)
    live(bob, of_bob, 0)
    qualifying = ada.qualifying

    lots = joined(ada, bob)
    assert (ada.balance, ada.pending, ada.qualifying) == (0, 0, 0)
    pending.activate_due(bob, now=day(later))
    live(bob, together, later)
    back = min(qualifying, bob.qualifying)
    part(bob, ada, lots, cause(at=day(later), reference="u"), qualifying=back)

    assert cleared(ada, bob) == 0
    assert held(ada, bob) == -gone(ada, bob)
    assert ada.qualifying == back
    for one in (ada, bob):
        assert sum(lot.remaining for lot in one.lots) == max(one.balance, 0)
        assert sum(lot.remaining for lot in one.waiting) == one.pending
        assert all(0 <= lot.remaining <= lot.points for lot in (*one.lots, *one.waiting))
        assert one.sequence == len(one.posted)
