"""Members: who they are, what they have, and what they did."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import date, datetime
from typing import Annotated, NamedTuple
from uuid import UUID

import strawberry

from loyalty_graph.errors import NotFoundError
from loyalty_graph.graphql.activities import ActiveMember
from loyalty_graph.graphql.benefits import EntitledMember
from loyalty_graph.graphql.card_links import CardLink, link_of, working_links
from loyalty_graph.graphql.connections import After, Connection, First, connection
from loyalty_graph.graphql.context import Info
from loyalty_graph.graphql.enums import describe_enum
from loyalty_graph.graphql.holds import HoldingMember
from loyalty_graph.graphql.ids import encode_id
from loyalty_graph.graphql.inputs import MemberRef
from loyalty_graph.graphql.ledger import LedgerEntry, Wallet, entry_of, wallets, wallets_then
from loyalty_graph.graphql.locking import LockableMember
from loyalty_graph.graphql.member_lists import MemberList
from loyalty_graph.graphql.moments import AsOf, moment
from loyalty_graph.graphql.money import Money, money_of
from loyalty_graph.graphql.nodes import Node, batched, load, loads
from loyalty_graph.graphql.offers import OfferedMember
from loyalty_graph.graphql.passes import Pass, pass_of
from loyalty_graph.graphql.permissions import NeedsMember, NeedsScope
from loyalty_graph.graphql.redemptions import RedeemingMember
from loyalty_graph.graphql.rewards import RewardedMember
from loyalty_graph.graphql.subscriptions import SubscribedMember
from loyalty_graph.graphql.tiers import TieredMember
from loyalty_graph.graphql.vouchers import VoucherMember
from loyalty_graph.identity.rules import Scope
from loyalty_graph.ledger import reads as ledger
from loyalty_graph.members import merges, reads
from loyalty_graph.members import service as members
from loyalty_graph.members.rules import ConsentPurpose, MemberStatus
from loyalty_graph.paging import PAGE_SIZE_DEFAULT, Cursor, page_of, page_size
from loyalty_graph.programs import service as programs
from loyalty_graph.purchases import reads as purchases
from loyalty_graph.wallet import reads as cards

PURPOSES: list[str] = list(ConsentPurpose)
MEMBERS = Cursor("members", (UUID,))
ENTRIES = MemberList(
    Cursor("entries", (int,)),
    key=lambda entry: entry.sequence,
    newest=ledger.newest_entries,
    counts=ledger.entry_counts,
)

describe_enum(
    MemberStatus,
    "Where a member stands.",
    {
        MemberStatus.PROSPECT: "Known, but has not joined.",
        MemberStatus.ACTIVE: "Earns and spends.",
        MemberStatus.SUSPENDED: "Keeps the points, but cannot use them for now.",
        MemberStatus.CLOSED: "Has left.",
        MemberStatus.MERGED: "Lives on as another member.",
        MemberStatus.ERASED: "Asked to be forgotten; only the numbers remain.",
    },
)
describe_enum(
    ConsentPurpose,
    "What a member is asked to allow.",
    {
        ConsentPurpose.TERMS: "The terms of the programme.",
        ConsentPurpose.MARKETING_EMAIL: "News by e-mail.",
        ConsentPurpose.MARKETING_SMS: "News by text message.",
        ConsentPurpose.MARKETING_PUSH: "News by push message.",
        ConsentPurpose.PROFILING: "Offers chosen by what was bought.",
        ConsentPurpose.LOCATION: "Use of the place the phone is at.",
    },
)


@strawberry.type(description="What a member allowed or refused.")
class Consent:
    """The newest answer for one purpose."""

    purpose: ConsentPurpose = strawberry.field(description="What was asked.")
    granted: bool = strawberry.field(description="Allowed or refused.")
    at: datetime = strawberry.field(description="When.")
    source: str = strawberry.field(description="Where, such as till or app.")


@strawberry.type(description="Somebody who takes part in the programme.")
class Member(
    TieredMember,
    EntitledMember,
    SubscribedMember,
    RewardedMember,
    RedeemingMember,
    HoldingMember,
    VoucherMember,
    ActiveMember,
    OfferedMember,
    LockableMember,
    Node,
):
    """A member."""

    key: strawberry.Private[UUID]
    as_of: strawberry.Private[datetime | None]
    number: str = strawberry.field(description="Twelve digits, the last checks the others.")
    status: MemberStatus = strawberry.field(description="Where the member stands.")
    external_id: str | None = strawberry.field(description="The member's id in your own system.")
    email: str | None = strawberry.field(description="The e-mail address, in its one spelling.")
    phone: str | None = strawberry.field(description="The phone number as E.164.")
    first_name: str | None = strawberry.field(description="The first name.")
    last_name: str | None = strawberry.field(description="The last name.")
    birthday: date | None = strawberry.field(description="The day of birth.")
    locale: str = strawberry.field(description="The language to use, such as en or de-AT.")
    enrolled_at: datetime = strawberry.field(description="When the member joined.")

    @strawberry.field(
        description="Who this member lives on as; null unless the status is MERGED.",
        extensions=[NeedsScope(Scope.MEMBERS_READ)],
    )
    async def merged_into(
        self, info: Info
    ) -> Annotated["Member", strawberry.lazy("loyalty_graph.graphql.members")] | None:
        merge = await batched(info, _merges, self.key)
        if merge is None:
            return None
        found: Member | None = await load(info, "Member", merge.into_id)
        return found

    @strawberry.field(description="What was allowed or refused: the newest answer per purpose.")
    async def consents(self, info: Info) -> list[Consent]:
        return await batched(info, _consents, self.key)

    @strawberry.field(description="The points, now or at an instant that has passed.")
    async def wallet(self, info: Info, as_of: AsOf = None) -> Wallet:
        then = moment(info, as_of) or self.as_of
        if then is not None:
            return await batched(info, wallets_then, self.key, as_of=then)
        return await batched(info, wallets, self.key)

    @strawberry.field(description="Every change of the points, newest first.")
    async def entries(
        self, info: Info, first: First = PAGE_SIZE_DEFAULT, after: After = None
    ) -> Connection[LedgerEntry]:
        return await ENTRIES.page(info, self.key, first=first, after=after, node=entry_of)

    @strawberry.field(description="How many purchases, whether or not goods came back.")
    async def purchase_count(self, info: Info) -> int:
        return (await batched(info, _summaries, self.key)).purchases

    @strawberry.field(description="What was spent so far, refunds taken off, without tax.")
    async def spend(self, info: Info) -> Money:
        return (await batched(info, _summaries, self.key)).spend

    @strawberry.field(description="When the latest purchase was made; null before the first.")
    async def last_purchase_at(self, info: Info) -> datetime | None:
        return (await batched(info, _summaries, self.key)).last_at

    @strawberry.field(
        description=(
            "The cards that were issued, one for each wallet at most: the one that is not void, "
            "or else the newest."
        )
    )
    async def passes(self, info: Info) -> list[Pass]:
        return [pass_of(row) for row in await batched(info, _passes, self.key)]

    @strawberry.field(description="The links to the card page that work, newest first.")
    async def card_links(self, info: Info) -> list[CardLink]:
        return [link_of(link) for link in await batched(info, working_links, self.key)]

    @strawberry.field(
        description="The newest link to the card page; null when there is none that can be shown."
    )
    async def card_url(self, info: Info) -> str | None:
        links = await batched(info, working_links, self.key)
        return next(filter(None, map(info.context.desk.card_url, links)), None)


def member_of(row: reads.Member, *, as_of: datetime | None = None) -> Member:
    """Return a member as the API shows one, perhaps with what he had at an instant."""
    return Member(
        id=encode_id("Member", row.id),
        key=row.id,
        as_of=as_of,
        number=row.number,
        status=MemberStatus(row.status),
        external_id=row.external_id,
        email=row.email,
        phone=row.phone,
        first_name=row.first_name,
        last_name=row.last_name,
        birthday=row.birthday,
        locale=row.locale,
        enrolled_at=row.enrolled_at,
    )


@loads("Member", UUID, owner=0)
async def members_by_key(
    keys: Sequence[tuple[UUID]], *, program_id: UUID, now: datetime
) -> list[Member | None]:
    """Return the members with these ids."""
    del now
    found = await reads.members(program_id, [member_id for (member_id,) in keys])
    return [member_of(found[key]) if key in found else None for (key,) in keys]


async def _merges(
    member_ids: Sequence[UUID], *, program_id: UUID, now: datetime
) -> list[merges.Merge | None]:
    del now
    found = await merges.in_force(program_id, member_ids)
    return [found.get(member_id) for member_id in member_ids]


async def _consents(
    member_ids: Sequence[UUID], *, program_id: UUID, now: datetime
) -> list[list[Consent]]:
    del now
    found = await reads.consents(program_id, member_ids)
    return [
        [
            Consent(
                purpose=ConsentPurpose(one.purpose),
                granted=one.granted,
                at=one.at,
                source=one.source,
            )
            for one in sorted(found[member_id], key=lambda one: PURPOSES.index(one.purpose))
        ]
        for member_id in member_ids
    ]


async def _passes(
    member_ids: Sequence[UUID], *, program_id: UUID, now: datetime
) -> list[list[cards.Card]]:
    del now
    found = await cards.passes(program_id, member_ids)
    return [found[member_id] for member_id in member_ids]


class _Summary(NamedTuple):
    purchases: int
    spend: Money
    last_at: datetime | None


async def _summaries(
    member_ids: Sequence[UUID], *, program_id: UUID, now: datetime
) -> list[_Summary]:
    version = await programs.in_force(program_id, now, now=now)
    currency = version.settings.currency
    found = await purchases.summaries(program_id, member_ids)
    nothing = _Summary(0, money_of(0, currency), None)
    return [
        _Summary(one.purchase_count, money_of(one.spend_minor, currency), one.last_purchase_at)
        if (one := found.get(member_id))
        else nothing
        for member_id in member_ids
    ]


def _had_joined(row: reads.Member, then: datetime | None) -> bool:
    return then is None or row.enrolled_at <= then


def last_seen(after: str | None) -> UUID | None:
    """Return the member whom a cursor of a list of members names, or None without one.

    Raises:
        InvalidInputError: It is no such cursor.
    """
    if after is None:
        return None
    [member_id] = MEMBERS.decode(after)
    assert isinstance(member_id, UUID), "the list is sorted by ids"
    return member_id


@strawberry.type
class MemberQuery:
    """Queries about members."""

    @strawberry.field(description="The member who asks.", extensions=[NeedsMember()])
    async def me(self, info: Info) -> Member | None:
        member_id = info.context.viewer.member_id
        assert member_id is not None, "only members may ask"
        found: Member | None = await load(info, "Member", member_id)
        return found

    @strawberry.field(
        description=(
            "The member, by whatever you know; null when there is none. As of an instant the "
            "wallet, the tier and the subscription are what was answered then, and null is who had "
            "not joined; everything else is as it is now."
        ),
        extensions=[NeedsScope(Scope.MEMBERS_READ, member="own")],
    )
    async def member(
        self,
        info: Info,
        ref: Annotated[MemberRef, strawberry.argument(description="What you know of the member.")],
        as_of: AsOf = None,
    ) -> Member | None:
        wanted, then = ref.reference(field="ref"), moment(info, as_of)
        with suppress(NotFoundError):
            row = await members.find(info.context.program_id, wanted)
            return member_of(row, as_of=then) if _had_joined(row, then) else None
        return None

    @strawberry.field(
        description="All members, in the order they joined.",
        extensions=[NeedsScope(Scope.MEMBERS_READ)],
    )
    async def members(
        self, info: Info, first: First = PAGE_SIZE_DEFAULT, after: After = None
    ) -> Connection[Member] | None:
        size, program_id = page_size(first), info.context.program_id
        rows = await reads.page(program_id, first=size + 1, after=last_seen(after))
        return connection(
            page_of(rows, size=size, after=after),
            cursor=MEMBERS,
            key=lambda row: (row.id,),
            node=member_of,
            count=lambda: reads.count(program_id),
        )
