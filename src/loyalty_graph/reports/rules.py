"""The columns of the points flow: which books put points into members' hands, or take them out.

A transfer adds to the column of the book it comes from and takes from that of the book it goes to;
between books that are the members' own it does neither. So every pair of books has its columns, and
whatever kinds of entries there are, all columns add up to what members have more, or less.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from loyalty_graph.ledger.kinds import Book

OWN = frozenset({Book.MEMBER, Book.HELD, Book.PENDING})
"""What members have: points to spend, less debt; set aside; and those that wait."""


class Column(StrEnum):
    """Why members have more points, or fewer."""

    ISSUED = "ISSUED"
    REVERSED = "REVERSED"
    FORGIVEN = "FORGIVEN"
    REDEEMED = "REDEEMED"
    RETURNED = "RETURNED"
    EXPIRED = "EXPIRED"
    REINSTATED = "REINSTATED"
    ADJUSTED = "ADJUSTED"
    MIGRATED = "MIGRATED"
    TRANSFERRED = "TRANSFERRED"
    FEES = "FEES"


FROM: Mapping[Book, Column] = {
    Book.ISSUED: Column.ISSUED,
    Book.CLAWED_BACK: Column.REVERSED,
    Book.CANCELLED: Column.REVERSED,
    Book.FORGIVEN: Column.FORGIVEN,
    Book.REDEEMED: Column.RETURNED,
    Book.EXPIRED: Column.REINSTATED,
    Book.ADJUSTED: Column.ADJUSTED,
    Book.MIGRATED: Column.MIGRATED,
    Book.CLEARING: Column.TRANSFERRED,
    Book.FEES: Column.FEES,
}
"""The column of what comes from a book that is not the members'."""
TO: Mapping[Book, Column] = {
    **FROM,
    Book.REDEEMED: Column.REDEEMED,
    Book.EXPIRED: Column.EXPIRED,
}
"""The column of what goes to such a book."""


def effects(debit: Book, credit: Book, points: int) -> Counter[Column]:
    """Return what a transfer of points between two books adds to each column."""
    found: Counter[Column] = Counter()
    if debit not in OWN:
        found[FROM[debit]] += points
    if credit not in OWN:
        found[TO[credit]] -= points
    return found


def books_of(column: Column) -> tuple[list[Book], list[Book]]:
    """Return the books from which, and to which, points move in a column."""
    return (
        [book for book, one in FROM.items() if one is column],
        [book for book, one in TO.items() if one is column],
    )


@dataclass(slots=True)
class Flow:
    """What members had (`opening`), how that came to be more or less, and what they have then.

    `columns` are signed by what they do; without those that add nothing.
    """

    opening: int = 0
    columns: Counter[Column] = field(default_factory=Counter)

    @property
    def change(self) -> int:
        """Return what members have more; below zero: less."""
        return sum(self.columns.values())

    @property
    def closing(self) -> int:
        """Return what members have then."""
        return self.opening + self.change


def total(flows: Iterable[Flow], *, opening: int) -> Flow:
    """Return what flows add up to."""
    columns: Counter[Column] = Counter()
    for one in flows:
        columns.update(one.columns)
    return Flow(opening, columns)
