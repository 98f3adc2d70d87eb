"""What the nightly suite counts, and how it puts rows together."""

from uuid import UUID

from bench.nightly import peaks
from bench.nightly_fill import together
from loyalty_graph.db.sets import Insert, Update
from loyalty_graph.ledger.models import AccountRow, LotRow


def test_each_half_has_its_peak():
    assert peaks([1, 5, 2, 3, 4]) == (5, 4)


def test_writes_that_are_alike_become_one():
    one, other = UUID(int=1), UUID(int=2)
    writes = [
        Insert(AccountRow, ("member_id",), [(one,)]),
        Update(AccountRow, ("member_id",), ("status",), [(one, "ACTIVE")]),
        Insert(LotRow, ("member_id",), [(one,)]),
        Insert(AccountRow, ("member_id",), [(other,)]),
    ]

    assert list(together(writes)) == [
        Insert(AccountRow, ("member_id",), [(one,), (other,)]),
        Update(AccountRow, ("member_id",), ("status",), [(one, "ACTIVE")]),
        Insert(LotRow, ("member_id",), [(one,)]),
    ]
