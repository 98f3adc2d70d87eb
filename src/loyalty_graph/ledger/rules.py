"""What a command does to a member's account: pure functions from state and command to transfers.

Each function either raises a refusal before it changes anything, or appends to `account.posted`.
Working accounts belong to one batch and are changed in place while it is decided.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty_graph.errors import InsufficientPointsError, MemberNotActiveError
from loyalty_graph.ledger import chain, sliding
from loyalty_graph.ledger.kinds import PART, Book, Kind, earned
from loyalty_graph.ledger.terms import PLAIN, Terms

ACTIVE = "ACTIVE"


@dataclass(frozen=True, slots=True)
class Cause:
    """Why points move.

    `reference` names what caused it, once for each kind; `explanation` holds JSON without floats;
    `salt` protects the erasable parts and is random where they say something about a person.
    """

    reference: str
    at: datetime
    recorded_at: datetime
    actor: str
    explanation: dict[str, Any]
    text: str = ""
    rule_version: int | None = None
    salt: bytes = b""


@dataclass(slots=True)
class Lot:
    """Points that came in together; `remaining` of them are left.

    While they are pending they cannot be spent; `activates_at` is None if they never were, `awaits`
    the event that may activate them before, if there is one. Nor can they from `ends_at` on: their
    date, or what the account's terms make of it.
    """

    sequence: int
    points: int
    remaining: int
    expires_at: datetime
    activates_at: datetime | None = None
    is_pending: bool = False
    told_expires_at: datetime | None = None
    awaits: str | None = None
    is_new: bool = False
    is_changed: bool = False
    ends_at: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.ends_at = self.expires_at

    def move(self, points: int) -> None:
        """Take points from the lot, or give them back with a number below zero."""
        self.remaining -= points
        self.is_changed = True
        assert 0 <= self.remaining <= self.points, "a lot holds between nothing and all its points"


@dataclass(frozen=True, slots=True)
class Transfer:
    """One decided transfer, ready to be stored.

    `qualifying` is what it adds to what counts for a tier, or takes from it.
    """

    sequence: int
    kind: Kind
    debit: Book
    credit: Book
    points: int
    qualifying: int
    balance_after: int
    cause: Cause
    uses: tuple[tuple[int, int], ...]
    details_hash: bytes
    hash: bytes


@dataclass(slots=True)
class Account:
    """A member's account while a batch is decided; `lots` are sorted, soonest to expire first.

    `waiting` are those that are still pending, in any order. `has_all_lots` is False when only the
    first open lots were loaded; whoever needs more points than those hold loads all of them first.
    `may_earn` is True when it goes on earning though it is suspended.
    """

    member_id: UUID
    status: str
    balance: int
    held: int
    pending: int
    qualifying: int
    lifetime: int
    sequence: int
    head: bytes
    may_earn: bool = False
    lapses_at: datetime | None = None
    lots: list[Lot] = field(default_factory=list)
    waiting: list[Lot] = field(default_factory=list)
    has_all_lots: bool = True
    posted: list[Transfer] = field(default_factory=list)
    terms: Terms = PLAIN
    slid_at: datetime | None = None

    @property
    def debt(self) -> int:
        """Return the points the member owes; while there are any, no lot holds points."""
        return max(0, -self.balance)

    def dated(self, lot: Lot) -> Lot:
        """Return a lot that ends by the account's terms."""
        date = self.terms.date_of(lot.expires_at, self.lapses_at)
        lot.ends_at = self.terms.ends_at(date, lot.told_expires_at)
        return lot

    def count(self, kind: Kind, debit: Book, credit: Book, points: int, qualifying: int) -> None:
        """Count one more transfer and what it moves."""
        self.sequence += 1
        self.balance += points * ((credit is Book.MEMBER) - (debit is Book.MEMBER))
        self.held += points * ((credit is Book.HELD) - (debit is Book.HELD))
        self.pending += points * ((credit is Book.PENDING) - (debit is Book.PENDING))
        self.qualifying += qualifying
        self.lifetime += earned(kind, qualifying)
        assert self.held >= 0, "only what was set aside can be captured or released"


def available(lots: Iterable[Lot], at: datetime) -> int:
    """Return the points that can be spent at that time: those in lots that have not ended."""
    return sum(lot.remaining for lot in lots if lot.ends_at > at)


def earn(account: Account, points: int, cause: Cause, *, expires_at: datetime) -> Transfer:
    """Credit points for a purchase; debt is paid first, the rest can be spent until `expires_at`.

    Raises:
        MemberNotActiveError: The member may not earn now.
    """
    check_active(account, earning=True)
    return credit(
        account, Kind.EARN, Book.ISSUED, points, cause, expires_at=expires_at, qualifying=points
    )


def redeem(account: Account, points: int, cause: Cause) -> Transfer:
    """Debit points for a reward, from the lots that expire first.

    Raises:
        MemberNotActiveError: The member may not spend now.
        InsufficientPointsError: Fewer points can be spent at `cause.at`.
    """
    check_active(account)
    uses = spend(account, points, cause.at)
    sliding.slide(account, sliding.REDEMPTION, cause.at, now=cause.recorded_at)
    return post(account, Kind.REDEEM, Book.MEMBER, Book.REDEEMED, points, cause, uses)


def hold(account: Account, points: int, cause: Cause) -> Transfer:
    """Set points aside for a redemption that is not yet certain, from the lots that expire first.

    Raises:
        MemberNotActiveError: The member may not spend now.
        InsufficientPointsError: Fewer points can be spent at `cause.at`.
    """
    check_active(account)
    uses = spend(account, points, cause.at)
    sliding.slide(account, sliding.REDEMPTION, cause.at, now=cause.recorded_at)
    return post(account, Kind.HOLD, Book.MEMBER, Book.HELD, points, cause, uses)


def capture(account: Account, points: int, cause: Cause) -> Transfer:
    """Spend points that were set aside.

    Raises:
        MemberNotActiveError: The member may not spend now.
    """
    check_active(account)
    return post(account, Kind.CAPTURE, Book.HELD, Book.REDEEMED, points, cause, ())


@dataclass(frozen=True, slots=True)
class Reversal:
    """What a claw-back did: the points it took (debt included) and those it could not take."""

    clawed_back: int
    shortfall: int
    transfer: Transfer | None


def reverse(  # noqa: PLR0913 - what an entry did, to be undone
    account: Account,
    due: int,
    cause: Cause,
    *,
    origins: Collection[int],
    may_go_negative: bool,
    into: Book = Book.CLAWED_BACK,
    qualifying: int | None = None,
) -> Reversal:
    """Take back points that a purchase had earned, or what had come from the book `into`.

    Lots past their date expire first, so that it does not matter when the expiry runs. Then the
    purchase's own lots (`origins`, their sequences) give, then those that expire first. What is
    missing becomes debt; unless the member `may_go_negative`, it is forgiven at once by a second
    transfer, so that the books show what the programme lost. What counts for a tier falls by what
    is due, if not by `qualifying`. The account must hold all its open lots.
    """
    assert account.has_all_lots, "a claw-back may need every lot"
    if not due:
        return Reversal(0, 0, None)
    expire(account, now=cause.recorded_at)
    uses = take(sorted(account.lots, key=lambda lot: lot.sequence not in origins), due)
    missing = due - sum(points for _, points in uses)
    counted = due if qualifying is None else qualifying
    transfer = post(account, Kind.REVERSE, Book.MEMBER, into, due, cause, uses, qualifying=-counted)
    if not missing or may_go_negative:
        return Reversal(due, 0, transfer)
    because = replace(cause, reference=f"{cause.reference}{PART}forgiven")
    post(account, Kind.REVERSE, Book.FORGIVEN, Book.MEMBER, missing, because, ())
    return Reversal(due - missing, missing, transfer)


def expire(account: Account, *, now: datetime) -> list[Transfer]:
    """Empty every lot that has ended, each by a transfer of its own dated to the lot's end."""
    due = [lot for lot in account.lots if lot.remaining and lot.ends_at <= now]
    return [_expire_lot(account, lot, now) for lot in due]


def forfeit(account: Account, cause: Cause) -> Transfer | None:
    """Take every point that is left when a membership ends; None when nothing is left.

    Lots past their date expire first, by transfers of their own. It may follow no other forfeit
    under the same reference. The account must hold all its open lots.
    """
    assert account.has_all_lots, "every lot is emptied"
    expire(account, now=cause.recorded_at)
    points = sum(lot.remaining for lot in account.lots)
    if not points:
        return None
    uses = take(account.lots, points)
    return post(account, Kind.EXPIRE, Book.MEMBER, Book.EXPIRED, points, cause, uses)


def adjust(account: Account, points: int, cause: Cause, *, expires_at: datetime) -> Transfer:
    """Add points by hand, or take them with a number below zero.

    Raises:
        MemberNotActiveError: The member's account is closed.
        InsufficientPointsError: More is taken than can be spent at `cause.at`.
    """
    check_active(account, earning=points > 0)
    assert points != 0, "an adjustment of nothing is refused at the door"
    if points > 0:
        return credit(account, Kind.ADJUST, Book.ADJUSTED, points, cause, expires_at=expires_at)
    uses = spend(account, -points, cause.at)
    return post(account, Kind.ADJUST, Book.MEMBER, Book.ADJUSTED, -points, cause, uses)


def check_active(account: Account, *, earning: bool = False) -> None:
    """Refuse a member who may not spend, or, when `earning`, one who may not earn.

    Raises:
        MemberNotActiveError: The account is not active.
    """
    if account.status != ACTIVE and not (earning and account.may_earn):
        raise MemberNotActiveError(account.member_id, account.status)


def spend(account: Account, points: int, at: datetime) -> list[tuple[int, int]]:
    """Take points from the lots that expire first, and return what each gave.

    Raises:
        InsufficientPointsError: Fewer points can be spent at `at`; no lot has changed.
    """
    spendable = [lot for lot in account.lots if lot.remaining and lot.ends_at > at]
    can_be_spent = sum(lot.remaining for lot in spendable)
    assert account.has_all_lots or can_be_spent >= points, "more lots had to be loaded"
    if can_be_spent < points:
        raise InsufficientPointsError(needed=points, available=can_be_spent)
    return take(spendable, points)


def take(lots: Iterable[Lot], points: int) -> list[tuple[int, int]]:
    """Take points from lots, one after the other, as far as they go; return what each gave."""
    uses: list[tuple[int, int]] = []
    for lot in lots:
        step = min(lot.remaining, points)
        if step:
            lot.move(step)
            uses.append((lot.sequence, step))
            points -= step
    return uses


def credit(  # noqa: PLR0913 - the columns of one transfer
    account: Account,
    kind: Kind,
    source: Book,
    points: int,
    cause: Cause,
    *,
    expires_at: datetime,
    qualifying: int = 0,
) -> Transfer:
    """Add points to the balance in a lot of their own; debt is paid first."""
    paid = min(account.debt, points)
    sliding.begin(account, cause.at, now=cause.recorded_at)
    lot = account.dated(Lot(account.sequence + 1, points, points - paid, expires_at, is_new=True))
    uses = [(lot.sequence, paid)] if paid else []
    opened = (points, expires_at, None)
    into = Book.MEMBER
    transfer = post(
        account, kind, source, into, points, cause, uses, opened=opened, qualifying=qualifying
    )
    account.lots.append(lot)
    account.lots.sort(key=soonest_first)
    return transfer


def soonest_first(lot: Lot) -> tuple[datetime, int]:
    """Return what lots are sorted by."""
    return lot.expires_at, lot.sequence


def _expire_lot(account: Account, lot: Lot, now: datetime) -> Transfer:
    points = lot.remaining
    lot.move(points)
    cause = Cause(
        reference=f"lot:{lot.sequence}:{account.sequence + 1}",
        at=lot.ends_at,
        recorded_at=now,
        actor="system",
        explanation={"lot": lot.sequence, "points": points},
    )
    return post(
        account, Kind.EXPIRE, Book.MEMBER, Book.EXPIRED, points, cause, [(lot.sequence, points)]
    )


def post(  # noqa: PLR0913, PLR0917 - the columns of one transfer
    account: Account,
    kind: Kind,
    debit: Book,
    credit: Book,
    points: int,
    cause: Cause,
    uses: Iterable[tuple[int, int]],
    *,
    opened: chain.Opened | None = None,
    qualifying: int = 0,
) -> Transfer:
    """Append a transfer, linked to the one before; without points it counts for tiers only."""
    assert points > 0 or (qualifying and not points), "a transfer moves points"
    account.count(kind, debit, credit, points, qualifying)
    sorted_uses = tuple(sorted(uses))
    details = chain.details_hash(cause.salt, cause.text, cause.actor, cause.explanation)
    covered = chain.Fields(
        sequence=account.sequence,
        kind=kind,
        debit=debit,
        credit=credit,
        points=points,
        qualifying=qualifying,
        at=cause.at,
        recorded_at=cause.recorded_at,
        reference=cause.reference,
        rule_version=cause.rule_version,
        opened=opened,
        uses=sorted_uses,
        details_hash=details,
    )
    account.head = chain.link(account.head, covered)
    transfer = Transfer(
        account.sequence,
        kind,
        debit,
        credit,
        points,
        qualifying,
        account.balance,
        cause,
        sorted_uses,
        details,
        account.head,
    )
    account.posted.append(transfer)
    return transfer
