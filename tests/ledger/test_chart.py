"""The chart of accounts is whole: every kind and every book stands in it."""

from loyalty_graph.ledger import chart
from loyalty_graph.ledger.kinds import Book, Kind


def test_the_kinds_are_those_that_were_promised():
    promised = """EARN EARN_PENDING ACTIVATE CANCEL HOLD RELEASE CAPTURE REDEEM UNREDEEM EXPIRE
        REINSTATE REVERSE ADJUST TRANSFER_OUT TRANSFER_IN MERGE_OUT MERGE_IN MIGRATE"""

    assert [str(kind) for kind in Kind] == promised.split()


def test_every_kind_has_its_legs_in_order():
    assert list(chart.CHART) == list(Kind)


def test_every_book_is_explained_and_used():
    used = {book for _, leg in chart.rows() for book in (leg.debit, leg.credit)}

    assert set(chart.MEANS) == set(Book) == used


def test_points_go_only_ways_that_the_chart_knows():
    assert chart.is_legal("EARN", "ISSUED", "MEMBER")
    assert not chart.is_legal("EARN", "MEMBER", "ISSUED")
    assert not chart.is_legal("GIFT", "ISSUED", "MEMBER")
