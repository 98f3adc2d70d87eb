"""Reads and writes as values."""

from uuid import UUID

from loyalty_graph.db.sets import Insert, Update, together
from loyalty_graph.ledger.models import AccountRow, LotRow


def test_writes_that_are_alike_become_one():
    one, other = UUID(int=1), UUID(int=2)
    writes = [
        Insert(AccountRow, ("member_id",), [(one,)]),
        Update(AccountRow, ("member_id",), ("status",), [(one, "ACTIVE")]),
        Insert(LotRow, ("member_id",), [(one,)]),
        Insert(AccountRow, ("member_id",), [(other,)]),
        Insert(AccountRow, ("member_id", "status"), [(other, "ACTIVE")]),
    ]

    assert together(writes) == [
        Insert(AccountRow, ("member_id",), [(one,), (other,)]),
        Update(AccountRow, ("member_id",), ("status",), [(one, "ACTIVE")]),
        Insert(LotRow, ("member_id",), [(one,)]),
        Insert(AccountRow, ("member_id", "status"), [(other, "ACTIVE")]),
    ]
