"""When an account lapses, and what moves that moment."""

from dataclasses import replace
from datetime import datetime

import pytest

from loyalty_graph.ledger import sliding
from loyalty_graph.ledger.rules import Account
from loyalty_graph.ledger.terms import PLAIN
from loyalty_graph.programs.expiry import ExpiryPolicy, ExpirySettings
from tests.ledger.accounts import account, day, earn

MONTHLY = ExpirySettings(policy=ExpiryPolicy.SLIDING, months=1, resets=("PURCHASE",))
SLIDING = replace(PLAIN, sliding=MONTHLY)


def lapsing(at: datetime | None, *, slides: bool = True) -> Account:
    one = account()
    one.terms, one.lapses_at = SLIDING if slides else PLAIN, at
    return one


@pytest.mark.parametrize(
    ("case", "mine", "other", "joined"),
    [
        ("the other was active last", day(3), day(9), day(9)),
        ("the survivor was", day(9), day(3), day(9)),
        ("both at once", day(3), day(3), day(3)),
        ("only the other had points", None, day(3), day(3)),
        ("only the survivor had", day(3), None, day(3)),
        ("neither", None, None, None),
    ],
)
def test_members_who_are_one_lapse_as_who_was_active_last(
    case: str, mine: datetime | None, other: datetime | None, joined: datetime | None
):
    one = lapsing(mine)

    sliding.join(one, lapsing(other), now=day(1))

    assert one.lapses_at == joined
    assert (one.slid_at is not None) is (joined != mine)


def test_nothing_lapses_where_points_do_not_slide():
    one = lapsing(day(3), slides=False)
    earn(one, 10)

    sliding.join(one, lapsing(day(9)), now=day(1))

    assert not sliding.has_lapsed(one, now=day(5))
    assert (one.lapses_at, [lot.ends_at.year for lot in one.lots]) == (day(3), [9999])


def test_an_account_has_lapsed_from_its_moment_on():
    one = lapsing(day(3))

    assert [sliding.has_lapsed(one, now=day(at)) for at in (2, 3, 4)] == [False, True, True]
    assert not sliding.has_lapsed(lapsing(None), now=day(4))
