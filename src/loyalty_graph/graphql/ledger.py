"""Points: what a member has, every entry that led there and why, and the proof of it all."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry

from loyalty_graph.graphql.context import Info
from loyalty_graph.graphql.enums import describe_enum
from loyalty_graph.graphql.ids import encode_id
from loyalty_graph.graphql.lots import EntryOfLots, WalletOfLots
from loyalty_graph.graphql.nodes import Node, batched, load, loads
from loyalty_graph.graphql.pending import Activation, activation_of
from loyalty_graph.graphql.reasons import (
    Explanation,
    Locale,
    asked_locale,
    entry_explanations,
)
from loyalty_graph.graphql.scalars import Points
from loyalty_graph.ledger import past, reads
from loyalty_graph.ledger.kinds import Kind
from loyalty_graph.ledger.pending import origin_of

if TYPE_CHECKING:
    from loyalty_graph.graphql.activities import Activity
    from loyalty_graph.graphql.holds import PointsHold
    from loyalty_graph.graphql.purchases import Purchase
    from loyalty_graph.graphql.redemptions import Redemption

EntryKey = tuple[UUID, int]
"""(member id, sequence)"""

EARNED = {Kind.EARN, Kind.EARN_PENDING}

describe_enum(
    Kind,
    "What an entry is for.",
    {
        Kind.EARN: "Points for a purchase or an activity.",
        Kind.EARN_PENDING: "Points that cannot be spent yet; the balance stays.",
        Kind.ACTIVATE: "Points that waited and can be spent now.",
        Kind.CANCEL: "Points that waited, taken back, because goods were brought back.",
        Kind.REDEEM: "Points given for a reward.",
        Kind.UNREDEEM: (
            "Points given back, because a redemption was cancelled; below zero those that had been "
            "forgiven meanwhile."
        ),
        Kind.HOLD: "Points set aside for what is not yet certain.",
        Kind.CAPTURE: "Points that were set aside, and are spent; the balance stays.",
        Kind.RELEASE: (
            "Points that were set aside, given back: they were not needed; below zero "
            "those that had been forgiven meanwhile."
        ),
        Kind.REVERSE: (
            "Points taken back, because goods were brought back; above zero the part that was "
            "spent already, forgiven."
        ),
        Kind.REINSTATE: "Points that had expired, and are valid again.",
        Kind.TRANSFER_OUT: "Points given to another member, or the fee for it.",
        Kind.TRANSFER_IN: "Points received from another member.",
        Kind.MERGE_OUT: "Points that went to the account this one was merged into.",
        Kind.MERGE_IN: "Points of an account that was merged into this one.",
        Kind.MIGRATE: "Points brought along from another system.",
        Kind.EXPIRE: "Points whose date has passed, or whose member was closed.",
        Kind.ADJUST: "Points added or taken by hand, with a reason.",
    },
    name="LedgerEntryKind",
)


@strawberry.type(description="Points that expire together.")
class Expiration:
    """Points and their date."""

    points: Points = strawberry.field(description="How many.")
    expires_at: datetime = strawberry.field(
        description="From this instant on they cannot be spent any more."
    )


@strawberry.type(description="A member's points at this moment, or at the one that was asked for.")
class Wallet(WalletOfLots):
    """What a member has."""

    available: Points = strawberry.field(description="What can be spent now. Show this one.")
    balance: Points = strawberry.field(description="The sum of all entries; below zero it is debt.")
    held: Points = strawberry.field(
        description="Set aside for what is not yet certain; not part of the balance."
    )
    pending: Points = strawberry.field(
        description="Earned, but not to be spent yet; not part of the balance."
    )
    debt: Points = strawberry.field(description="What the next points pay first; usually 0.")
    qualifying: Points = strawberry.field(
        description="What counts for a tier: earned less taken back; spending does not lower it."
    )
    lifetime: Points = strawberry.field(description="Everything earned since joining.")
    never_expiring: Points = strawberry.field(
        description="The part that never expires; with the expirations it adds up to `available`."
    )

    @strawberry.field(description="What expires when, soonest first; points that never do are out.")
    async def expirations(self, info: Info) -> list[Expiration]:
        if self.past is not None:
            return [_expiration(one) for one in self.past.expirations]
        return await batched(info, _expirations, self.member_id)

    @strawberry.field(
        description="What can be spent from when on, soonest first; it adds up to `pending`."
    )
    async def activations(self, info: Info) -> list[Activation]:
        if self.past is not None:
            return [activation_of(one) for one in self.past.activations]
        return await batched(info, _activations, self.member_id)


@strawberry.type(description="One change of a member's points. Entries never change.")
class LedgerEntry(EntryOfLots, Node):
    """A transfer, as the member reads it."""

    sequence: int = strawberry.field(description="Counts the member's entries from 1.")
    kind: Kind = strawberry.field(description="What it is for.")
    points: Points = strawberry.field(description="Above zero added, below zero taken.")
    held: Points = strawberry.field(
        description="What it set aside; below zero it spent or gave back what was set aside."
    )
    pending: Points = strawberry.field(
        description="What waits since then; below zero what waited before, and does no more."
    )
    qualifying: Points = strawberry.field(
        description="What it adds to what counts for a tier, or takes from it."
    )
    balance_after: Points = strawberry.field(description="The balance right after it.")
    at: datetime = strawberry.field(description="When it happened.")
    recorded_at: datetime = strawberry.field(description="When it was written down.")
    text: str = strawberry.field(description="The reason somebody gave; often empty.")
    rule_version: int | None = strawberry.field(
        description="The version of the programme that decided it, if rules did."
    )
    hash: str = strawberry.field(
        description="SHA-256 over this entry and the hash before it, in hexadecimal."
    )

    @strawberry.field(description="Why, for a person to read; null after an erasure.")
    async def explanation(self, info: Info, locale: Locale = None) -> Explanation | None:
        asked = asked_locale(locale)
        return await batched(info, entry_explanations, self.entry, locale=asked)

    @strawberry.field(description="The purchase it came from or was taken back for, if any.")
    async def purchase(
        self, info: Info
    ) -> Annotated["Purchase", strawberry.lazy("loyalty_graph.graphql.purchases")] | None:
        purchase_id = _purchase_id(self.entry)
        if purchase_id is None:
            return None
        found: Purchase | None = await load(info, "Purchase", self.entry.member_id, purchase_id)
        return found

    @strawberry.field(description="The activity it came from, if any.")
    async def activity(
        self, info: Info
    ) -> Annotated["Activity", strawberry.lazy("loyalty_graph.graphql.activities")] | None:
        if not _is_of_activity(self.entry):
            return None
        key = (self.entry.member_id, UUID(origin_of(self.entry.reference)))
        found: Activity | None = await load(info, "Activity", *key)
        return found

    @strawberry.field(description="The redemption it was taken, set aside or given back for.")
    async def redemption(
        self, info: Info
    ) -> Annotated["Redemption", strawberry.lazy("loyalty_graph.graphql.redemptions")] | None:
        redemption_id = _told_id(self.entry, "redemption")
        if redemption_id is None:
            return None
        found: Redemption | None = await load(
            info, "Redemption", self.entry.member_id, redemption_id
        )
        return found

    @strawberry.field(description="The hold it set points aside for, or ended.")
    async def hold(
        self, info: Info
    ) -> Annotated["PointsHold", strawberry.lazy("loyalty_graph.graphql.holds")] | None:
        hold_id = _told_id(self.entry, "hold")
        if hold_id is None:
            return None
        found: PointsHold | None = await load(info, "PointsHold", self.entry.member_id, hold_id)
        return found


def entry_of(entry: reads.Entry) -> LedgerEntry:
    """Return an entry as the API shows it."""
    return LedgerEntry(
        id=encode_id("LedgerEntry", entry.member_id, entry.sequence),
        entry=entry,
        sequence=entry.sequence,
        kind=entry.kind,
        points=Points(entry.points),
        held=Points(entry.held),
        pending=Points(entry.pending),
        qualifying=Points(entry.qualifying),
        balance_after=Points(entry.balance_after),
        at=entry.at,
        recorded_at=entry.recorded_at,
        text=entry.text,
        rule_version=entry.rule_version,
        hash=entry.hash.hex(),
    )


def _purchase_id(entry: reads.Entry) -> UUID | None:
    if entry.kind in EARNED and not _is_of_activity(entry):
        return UUID(origin_of(entry.reference))
    return _told_id(entry, "purchase")


def _is_of_activity(entry: reads.Entry) -> bool:
    return entry.kind in EARNED and "activity" in (entry.explanation or {})


def _told_id(entry: reads.Entry, name: str) -> UUID | None:
    """Return an id that the entry's explanation tells."""
    told = (entry.explanation or {}).get(name)
    return None if told is None else UUID(told)


@loads("LedgerEntry", UUID, int, owner=0)
async def entries_by_key(
    keys: Sequence[EntryKey], *, program_id: UUID, now: datetime
) -> list[LedgerEntry | None]:
    """Return the entries with these keys."""
    del now
    found = await reads.entries(program_id, keys)
    return [entry_of(found[key]) if key in found else None for key in keys]


async def wallets(member_ids: Sequence[UUID], *, program_id: UUID, now: datetime) -> list[Wallet]:
    """Return what these members have; each of them has an account."""
    found = await reads.balances(program_id, member_ids, now=now)
    return [_wallet(member_id, found[member_id]) for member_id in member_ids]


async def wallets_then(
    member_ids: Sequence[UUID], *, program_id: UUID, now: datetime, as_of: datetime
) -> list[Wallet]:
    """Return what these members had at an instant, as was answered then."""
    found = await past.accounts(program_id, member_ids, at=as_of, now=now)
    return [_wallet(one, found[one].wallet, found[one]) for one in member_ids]


def _wallet(member_id: UUID, balance: reads.Balance, was: past.Past | None = None) -> Wallet:
    return Wallet(
        member_id=member_id,
        past=was,
        available=Points(balance.available),
        balance=Points(balance.balance),
        held=Points(balance.held),
        pending=Points(balance.pending),
        debt=Points(max(0, -balance.balance)),
        qualifying=Points(balance.qualifying),
        lifetime=Points(balance.lifetime),
        never_expiring=Points(balance.lasting),
    )


async def _expirations(
    member_ids: Sequence[UUID], *, program_id: UUID, now: datetime
) -> list[list[Expiration]]:
    found = await reads.expirations(program_id, member_ids, now=now)
    return [[_expiration(one) for one in found[member]] for member in member_ids]


def _expiration(one: reads.Expiration) -> Expiration:
    return Expiration(points=Points(one.points), expires_at=one.expires_at)


async def _activations(
    member_ids: Sequence[UUID], *, program_id: UUID, now: datetime
) -> list[list[Activation]]:
    found = await reads.activations(program_id, member_ids, now=now)
    return [[activation_of(one) for one in found[member]] for member in member_ids]
