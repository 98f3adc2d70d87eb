"""The chart of accounts as data: between which books each kind may move points, and by which lots.

The audit refuses an entry that stands in no row, and the documentation is made of the rows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from loyalty_graph.ledger.kinds import Book, Kind


class Lots(StrEnum):
    """What an entry does to lots."""

    OPENS = "opens one; of it, debt is paid first"
    TAKES = "takes from those that end first"
    TAKES_ORIGIN_FIRST = "takes from the lots it came from, then from those that end first"
    TAKES_ALL = "takes from all"
    TAKES_IT = "takes from the one that was opened"
    TAKES_PENDING = "takes from lots that wait, the longest wait first"
    OPENS_PENDING = "opens one that waits"
    FREES = "lets one that waited be spent; of it, debt is paid first"
    GIVES_BACK = "gives back to the lots it came from, those that live longest first"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Leg:
    """A way points may go: out of one book (`debit`), into another (`credit`), and when."""

    debit: Book
    credit: Book
    lots: Lots
    when: str


_REFUND = "goods came back, or an entry was reversed"

CHART: Mapping[Kind, tuple[Leg, ...]] = {
    Kind.EARN: (
        Leg(Book.ISSUED, Book.MEMBER, Lots.OPENS, "a purchase or an activity earned points"),
    ),
    Kind.EARN_PENDING: (
        Leg(Book.ISSUED, Book.PENDING, Lots.OPENS_PENDING, "they cannot be spent before a time"),
    ),
    Kind.ACTIVATE: (Leg(Book.PENDING, Book.MEMBER, Lots.FREES, "that time has come"),),
    Kind.CANCEL: (
        Leg(Book.PENDING, Book.CANCELLED, Lots.TAKES_PENDING, "what they were for came back"),
    ),
    Kind.HOLD: (Leg(Book.MEMBER, Book.HELD, Lots.TAKES, "points are set aside"),),
    Kind.RELEASE: (
        Leg(Book.HELD, Book.MEMBER, Lots.GIVES_BACK, "they are free again"),
        Leg(Book.MEMBER, Book.FORGIVEN, Lots.NONE, "they had been forgiven meanwhile"),
    ),
    Kind.CAPTURE: (Leg(Book.HELD, Book.REDEEMED, Lots.NONE, "what was set aside is spent"),),
    Kind.REDEEM: (Leg(Book.MEMBER, Book.REDEEMED, Lots.TAKES, "points are spent"),),
    Kind.UNREDEEM: (
        Leg(Book.REDEEMED, Book.MEMBER, Lots.GIVES_BACK, "what they were spent on came back"),
        Leg(Book.MEMBER, Book.FORGIVEN, Lots.NONE, "they had been forgiven meanwhile"),
    ),
    Kind.EXPIRE: (
        Leg(Book.MEMBER, Book.EXPIRED, Lots.TAKES_ALL, "their time is over, or the membership"),
        Leg(Book.PENDING, Book.EXPIRED, Lots.TAKES_ALL, "the membership ended while they waited"),
    ),
    Kind.REINSTATE: (
        Leg(Book.EXPIRED, Book.MEMBER, Lots.OPENS, "points that had expired are valid again"),
        Leg(Book.MEMBER, Book.FORGIVEN, Lots.TAKES_IT, "they had been forgiven meanwhile"),
    ),
    Kind.REVERSE: (
        Leg(Book.MEMBER, Book.CLAWED_BACK, Lots.TAKES_ORIGIN_FIRST, _REFUND),
        Leg(Book.FORGIVEN, Book.MEMBER, Lots.NONE, "of that, too little was left; the rest"),
        Leg(Book.MEMBER, Book.ADJUSTED, Lots.TAKES_ORIGIN_FIRST, "an adjustment is reversed"),
        Leg(Book.ADJUSTED, Book.MEMBER, Lots.GIVES_BACK, "one that took points is reversed"),
        Leg(Book.MEMBER, Book.FORGIVEN, Lots.NONE, "they had been forgiven meanwhile"),
        Leg(Book.MEMBER, Book.MIGRATED, Lots.TAKES_ORIGIN_FIRST, "a migration is reversed"),
    ),
    Kind.ADJUST: (
        Leg(Book.ADJUSTED, Book.MEMBER, Lots.OPENS, "points are given by hand"),
        Leg(Book.MEMBER, Book.ADJUSTED, Lots.TAKES, "points are taken by hand"),
    ),
    Kind.TRANSFER_OUT: (
        Leg(Book.MEMBER, Book.CLEARING, Lots.TAKES, "points are sent to another member"),
        Leg(Book.MEMBER, Book.FEES, Lots.TAKES, "what sending them costs"),
    ),
    Kind.TRANSFER_IN: (
        Leg(Book.CLEARING, Book.MEMBER, Lots.OPENS, "they arrive, a lot for each date they had"),
        Leg(Book.CLEARING, Book.MEMBER, Lots.GIVES_BACK, "they could not arrive"),
        Leg(Book.FEES, Book.MEMBER, Lots.GIVES_BACK, "and what that had cost"),
        Leg(Book.MEMBER, Book.FORGIVEN, Lots.NONE, "they had been forgiven meanwhile"),
    ),
    Kind.MERGE_OUT: (
        Leg(Book.MEMBER, Book.CLEARING, Lots.TAKES_ALL, "an account is joined to another"),
        Leg(Book.PENDING, Book.CLEARING, Lots.TAKES_ALL, "so is what waits"),
        Leg(Book.CLEARING, Book.MEMBER, Lots.NONE, "so is what it owed"),
    ),
    Kind.MERGE_IN: (
        Leg(Book.CLEARING, Book.MEMBER, Lots.OPENS, "its points arrive, lot by lot"),
        Leg(Book.CLEARING, Book.PENDING, Lots.OPENS_PENDING, "what waits arrives waiting"),
        Leg(Book.MEMBER, Book.CLEARING, Lots.TAKES, "so does what it owed"),
        Leg(Book.CLEARING, Book.MEMBER, Lots.GIVES_BACK, "members are parted again"),
        Leg(Book.CLEARING, Book.PENDING, Lots.GIVES_BACK, "so is what still waits"),
    ),
    Kind.MIGRATE: (
        Leg(Book.MIGRATED, Book.MEMBER, Lots.OPENS, "points of another system are brought along"),
    ),
}
"""Every kind with its legs, in the order of `Kind`."""

_LEGAL = {(kind, leg.debit, leg.credit) for kind, legs in CHART.items() for leg in legs}

MEANS: Mapping[Book, str] = {
    Book.MEMBER: "what members can spend or owe",
    Book.HELD: "what members have set aside",
    Book.PENDING: "what members have earned and cannot spend yet",
    Book.ISSUED: "what the programme issued; below zero by as much",
    Book.REDEEMED: "what was spent",
    Book.CLAWED_BACK: "what was taken back",
    Book.FORGIVEN: "what should have been taken back and was spent already",
    Book.EXPIRED: "what nobody spent in time",
    Book.CANCELLED: "what was taken back while it waited",
    Book.ADJUSTED: "what was given or taken by hand",
    Book.CLEARING: "what is on its way between two members; usually nothing",
    Book.FEES: "what members paid for giving points",
    Book.MIGRATED: "what came from another system",
}
"""What a book holds."""


def is_legal(kind: str, debit: str, credit: str) -> bool:
    """Return whether points may go this way for this reason."""
    return (kind, debit, credit) in _LEGAL


def rows() -> Iterator[tuple[Kind, Leg]]:
    """Return every leg with its kind."""
    for kind, legs in CHART.items():
        for leg in legs:
            yield kind, leg
