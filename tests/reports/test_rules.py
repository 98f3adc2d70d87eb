"""Every pair of books has its columns, and all columns add up to what members have."""

from itertools import permutations

import pytest

from loyalty_graph.ledger.kinds import Book
from loyalty_graph.reports.rules import FROM, OWN, TO, Column, Flow, books_of, effects, total

PAIRS = list(permutations(Book, 2))


@pytest.mark.parametrize(("debit", "credit"), PAIRS)
def test_every_pair_of_books_has_its_columns(debit: Book, credit: Book):
    gained = 7 * ((credit in OWN) - (debit in OWN))

    found = effects(debit, credit, 7)

    assert sum(found.values()) == gained
    assert (found.keys() == set()) == ({debit, credit} <= OWN)


def test_a_book_without_a_column_is_refused():
    assert FROM.keys() == TO.keys() == set(Book) - OWN


@pytest.mark.parametrize(
    ("debit", "credit", "column", "points"),
    [
        (Book.ISSUED, Book.MEMBER, Column.ISSUED, 7),
        (Book.ISSUED, Book.PENDING, Column.ISSUED, 7),
        (Book.PENDING, Book.CANCELLED, Column.REVERSED, -7),
        (Book.MEMBER, Book.CLAWED_BACK, Column.REVERSED, -7),
        (Book.FORGIVEN, Book.MEMBER, Column.FORGIVEN, 7),
        (Book.MEMBER, Book.FORGIVEN, Column.FORGIVEN, -7),
        (Book.MEMBER, Book.REDEEMED, Column.REDEEMED, -7),
        (Book.HELD, Book.REDEEMED, Column.REDEEMED, -7),
        (Book.REDEEMED, Book.MEMBER, Column.RETURNED, 7),
        (Book.MEMBER, Book.EXPIRED, Column.EXPIRED, -7),
        (Book.PENDING, Book.EXPIRED, Column.EXPIRED, -7),
        (Book.EXPIRED, Book.MEMBER, Column.REINSTATED, 7),
        (Book.ADJUSTED, Book.MEMBER, Column.ADJUSTED, 7),
        (Book.MEMBER, Book.ADJUSTED, Column.ADJUSTED, -7),
        (Book.MIGRATED, Book.MEMBER, Column.MIGRATED, 7),
        (Book.MEMBER, Book.CLEARING, Column.TRANSFERRED, -7),
        (Book.CLEARING, Book.MEMBER, Column.TRANSFERRED, 7),
        (Book.MEMBER, Book.FEES, Column.FEES, -7),
    ],
)
def test_accountants_find_points_where_they_look_for_them(
    debit: Book, credit: Book, column: Column, points: int
):
    from_, to = books_of(column)

    assert effects(debit, credit, 7) == {column: points}
    assert debit in from_ or credit in to


def test_every_column_is_of_some_book():
    assert {*FROM.values(), *TO.values()} == set(Column)


def test_flows_add_up():
    one = Flow(0, effects(Book.ISSUED, Book.MEMBER, 100))
    other = Flow(100, effects(Book.MEMBER, Book.REDEEMED, 30))

    whole = total([one, other], opening=5)

    assert (one.closing, other.closing) == (100, 70)
    assert whole.columns == {Column.ISSUED: 100, Column.REDEEMED: -30}
    assert (whole.opening, whole.change, whole.closing) == (5, 70, 75)
