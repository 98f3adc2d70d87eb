"""The chart of accounts: what a transfer is for, and between which books it moves points."""

from enum import StrEnum

PART = "/"
"""What parts a reference from the name of one of several transfers that it causes."""


class Kind(StrEnum):
    """What a transfer is for."""

    EARN = "EARN"
    EARN_PENDING = "EARN_PENDING"
    ACTIVATE = "ACTIVATE"
    CANCEL = "CANCEL"
    HOLD = "HOLD"
    RELEASE = "RELEASE"
    CAPTURE = "CAPTURE"
    REDEEM = "REDEEM"
    UNREDEEM = "UNREDEEM"
    EXPIRE = "EXPIRE"
    REINSTATE = "REINSTATE"
    REVERSE = "REVERSE"
    ADJUST = "ADJUST"
    TRANSFER_OUT = "TRANSFER_OUT"
    TRANSFER_IN = "TRANSFER_IN"
    MERGE_OUT = "MERGE_OUT"
    MERGE_IN = "MERGE_IN"
    MIGRATE = "MIGRATE"


class Forgiveness(StrEnum):
    """What the second entry of a claw-back, or of giving points back, is for.

    A claw-back that finds too little is forgiven the rest by another REVERSE; when the points that
    were missing come back, another UNREDEEM or RELEASE takes what was forgiven.
    """

    FORGIVEN = "FORGIVEN"
    RECLAIMED = "RECLAIMED"


class Book(StrEnum):
    """Where points come from and go to. The programme's side is only ever added up.

    `HELD` is the member's too: points set aside for a redemption that is not yet certain. So is
    `PENDING`: points that were earned, but cannot be spent before their time has come. `CLEARING`
    holds what one member has sent and another has not received yet; `FEES` is what that cost.
    """

    MEMBER = "MEMBER"
    HELD = "HELD"
    PENDING = "PENDING"
    ISSUED = "ISSUED"
    REDEEMED = "REDEEMED"
    CLAWED_BACK = "CLAWED_BACK"
    FORGIVEN = "FORGIVEN"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    ADJUSTED = "ADJUSTED"
    CLEARING = "CLEARING"
    FEES = "FEES"
    MIGRATED = "MIGRATED"


def earned(kind: Kind, qualifying: int) -> int:
    """Return what an entry adds to everything that was ever earned: a claw-back takes nothing."""
    return 0 if kind in {Kind.REVERSE, Kind.CANCEL} else qualifying


def meaning(kind: Kind, debit: Book, credit: Book) -> Kind | Forgiveness:
    """Return what an entry between two books is for."""
    if debit is Book.FORGIVEN:
        return Forgiveness.FORGIVEN
    return Forgiveness.RECLAIMED if credit is Book.FORGIVEN else kind
