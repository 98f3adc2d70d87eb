"""Vouchers: money that members got for points, using it and giving it back."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, TypeVar
from uuid import UUID

import strawberry

from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.enums import describe_enum
from loyalty_graph.graphql.errors import Payload, RefusalsAsData
from loyalty_graph.graphql.ids import decode_id, encode_id
from loyalty_graph.graphql.inputs import (
    KEY,
    USED_WITH,
    Input,
    MemberRef,
    OwnedRef,
    ReceiptRef,
    bounded,
)
from loyalty_graph.graphql.money import Money, minor_of, money_of
from loyalty_graph.graphql.nodes import Node, batched, load, loads
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.graphql.purchases import currency_of
from loyalty_graph.identity.rules import Scope
from loyalty_graph.members import service as members
from loyalty_graph.programs import service as programs
from loyalty_graph.purchases.rules import EXTERNAL_ID_LENGTH_MAX, STORE_LENGTH_MAX
from loyalty_graph.rewards import reads
from loyalty_graph.rewards.voucher_rules import Use, VoucherState
from loyalty_graph.rewards.voucher_rules import Voucher as Stored
from loyalty_graph.usecases import vouchers

if TYPE_CHECKING:
    from loyalty_graph.graphql.members import Member

Told = TypeVar("Told", bound="VoucherPayload")
VOUCHERS_MAX = 100
REFERENCE = "Your own reference, such as a receipt; at most 100 characters."

describe_enum(
    VoucherState,
    "Where a voucher stands.",
    {
        VoucherState.ACTIVE: "All its money is there.",
        VoucherState.PARTIALLY_USED: "Some of its money is there.",
        VoucherState.USED: "Its money is used.",
        VoucherState.VOID: "The redemption that made it was undone.",
        VoucherState.EXPIRED: "Its date has passed.",
    },
    name="VoucherStatus",
)


@strawberry.type(description="Money that was taken from a voucher, or given back to it.")
class VoucherUse:
    """A use or a return."""

    number: int = strawberry.field(description="Counts them from 1; refundVoucher names it.")
    amount: Money = strawberry.field(description="Above zero used, below zero given back.")
    of_number: int | None = strawberry.field(
        description="Which use was given back; null for a use."
    )
    at: datetime = strawberry.field(description="When.")
    store: str | None = strawberry.field(description="In which store.")
    reference: str = strawberry.field(description="The caller's own reference; often empty.")


@strawberry.type(description="Money that a member got for points; it can be used in parts.")
class Voucher(Node):
    """A voucher, as it stands at this moment."""

    key: strawberry.Private[reads.Key]
    currency: strawberry.Private[str]
    status: VoucherState = strawberry.field(description="Where it stands.")
    face_value: Money = strawberry.field(description="What was on it at first.")
    remaining: Money = strawberry.field(
        description="What is left on it; it can be used while it is ACTIVE or PARTIALLY_USED."
    )
    issued_at: datetime = strawberry.field(description="When it was issued.")
    expires_at: datetime | None = strawberry.field(
        description="From this instant on it cannot be used; null for never."
    )

    @strawberry.field(
        description="What the member shows at the till. Whoever knows it can use it.",
        extensions=[NeedsScope(Scope.REWARDS_REDEEM, member="own")],
    )
    def code(self, info: Info) -> str | None:
        return info.context.codes.text(info.context.program_id, self.key[1])

    @strawberry.field(description="What was used and given back, in order.")
    async def uses(self, info: Info) -> list[VoucherUse]:
        return await batched(info, _uses, self)

    @strawberry.field(
        description="Whose it is.", extensions=[NeedsScope(Scope.MEMBERS_READ, member="own")]
    )
    async def member(
        self, info: Info
    ) -> Annotated["Member", strawberry.lazy("loyalty_graph.graphql.members")] | None:
        found: Member | None = await load(info, "Member", self.key[0])
        return found


def _voucher(stored: Stored, currency: str, *, now: datetime) -> Voucher:
    return Voucher(
        id=encode_id("Voucher", stored.member_id, stored.id),
        key=(stored.member_id, stored.id),
        currency=currency,
        status=stored.state_at(now),
        face_value=money_of(stored.face_minor, currency),
        remaining=money_of(stored.remaining_minor, currency),
        issued_at=stored.issued_at,
        expires_at=stored.expires_at,
    )


@loads("Voucher", UUID, UUID, owner=0)
async def vouchers_by_key(
    keys: Sequence[reads.Key], *, program_id: UUID, now: datetime
) -> list[Voucher | None]:
    """Return the vouchers with these (member id, voucher id) keys."""
    version = await programs.in_force(program_id, now, now=now)
    found = await reads.vouchers(program_id, keys)
    currency = version.settings.currency
    return [_voucher(found[key], currency, now=now) if key in found else None for key in keys]


async def _uses(
    shown: Sequence[Voucher], *, program_id: UUID, now: datetime
) -> list[list[VoucherUse]]:
    del now
    found = await reads.uses(program_id, [one.key for one in shown])
    return [[_use(use, one.currency) for use in found[one.key]] for one in shown]


def _use(use: Use, currency: str) -> VoucherUse:
    return VoucherUse(
        number=use.number,
        amount=money_of(use.amount_minor, currency),
        of_number=use.of_number,
        at=use.at,
        store=use.store,
        reference=use.reference,
    )


async def _vouchers(
    member_ids: Sequence[UUID], *, program_id: UUID, now: datetime
) -> list[list[Voucher]]:
    version = await programs.in_force(program_id, now, now=now)
    found = await reads.vouchers_of(program_id, member_ids, limit=VOUCHERS_MAX)
    currency = version.settings.currency
    return [[_voucher(one, currency, now=now) for one in found[member]] for member in member_ids]


@strawberry.type
class VoucherMember:
    """What a member has to pay with."""

    key: strawberry.Private[UUID]

    @strawberry.field(description="The newest 100 vouchers, newest first.")
    async def vouchers(self, info: Info) -> list[Voucher]:
        return await batched(info, _vouchers, self.key)


@strawberry.type
class VoucherQuery:
    """Queries about vouchers."""

    @strawberry.field(
        description="A member's newest 100 vouchers, newest first.",
        extensions=[NeedsScope(Scope.MEMBERS_READ, member="own")],
    )
    async def vouchers(
        self,
        info: Info,
        member: Annotated[
            MemberRef, strawberry.argument(description="What you know of the member.")
        ],
    ) -> list[Voucher]:
        wanted = member.reference(field="member")
        found = await members.find(info.context.program_id, wanted)
        return await batched(info, _vouchers, found.id)


@strawberry.input(one_of=True, description="What you know of a voucher; give exactly one.")
class VoucherRef(OwnedRef):
    """One of the ways to name a voucher."""

    id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The voucher's id in this API."
    )
    code: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The code, in any spelling: case, spaces and hyphens do not matter.",
    )

    async def key(self, context: Context, *, field: str) -> reads.Key:
        """Return the (member id, voucher id).

        Raises:
            InvalidInputError: it is no id of a voucher, or no code.
            NotFoundError: nothing in this programme has the code.
        """
        if isinstance(self.code, str):
            return await reads.find(context.program_id, self.code, codes=context.codes)
        given = decode_id(self.id or "", expected="Voucher", field=f"{field}.id")
        return given.pair(field=f"{field}.id")


@strawberry.input(description="Money to take from a voucher.")
class UseVoucherInput:
    """The input of useVoucher."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    voucher: VoucherRef = strawberry.field(description="Which one, usually by its code.")
    amount: Decimal = strawberry.field(
        description='How much, in the programme\'s currency, such as "12.50".'
    )
    store: str | None = strawberry.field(
        default=None, description="Where it is used; needed when it is for one store."
    )
    reference: str | None = strawberry.field(default=None, description=REFERENCE)
    receipt: ReceiptRef | None = strawberry.field(default=None, description=USED_WITH)

    async def command(self, context: Context) -> vouchers.UseVoucher:
        """Return the use case's command.

        Raises:
            InvalidInputError: a reference, amount or text cannot be used.
            NotFoundError: nothing has this code.
            WrongStoreError: the token is for another store.
        """
        key = await self.voucher.key(context, field="voucher")
        return vouchers.UseVoucher(
            context.caller,
            context.idempotency_key(self.idempotency_key),
            *key,
            amount_minor=minor_of(self.amount, await currency_of(context), field="amount"),
            store=context.viewer.acting_store(bounded(self.store, STORE_LENGTH_MAX, field="store")),
            reference=bounded(self.reference, EXTERNAL_ID_LENGTH_MAX, field="reference") or "",
            receipt=None if self.receipt is None else self.receipt.names,
        )


@strawberry.input(description="Money of one use to give back to its voucher.")
class RefundVoucherInput:
    """The input of refundVoucher."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    voucher: VoucherRef = strawberry.field(description="Which one.")
    use: int = strawberry.field(description="The number of the use.")
    amount: Decimal | None = strawberry.field(
        default=None, description="How much; all that is left of the use, if not given."
    )
    store: str | None = strawberry.field(default=None, description="In which store.")
    reference: str | None = strawberry.field(default=None, description=REFERENCE)

    async def command(self, context: Context) -> vouchers.RefundVoucher:
        """Return the use case's command.

        Raises:
            InvalidInputError: a reference, amount or text cannot be used.
            NotFoundError: nothing has this code.
            WrongStoreError: the token is for another store.
        """
        key = await self.voucher.key(context, field="voucher")
        amount_minor = None
        if self.amount is not None:
            amount_minor = minor_of(self.amount, await currency_of(context), field="amount")
        return vouchers.RefundVoucher(
            context.caller,
            context.idempotency_key(self.idempotency_key),
            *key,
            use=self.use,
            amount_minor=amount_minor,
            store=context.viewer.acting_store(bounded(self.store, STORE_LENGTH_MAX, field="store")),
            reference=bounded(self.reference, EXTERNAL_ID_LENGTH_MAX, field="reference") or "",
        )


@strawberry.type
class VoucherPayload(Payload):
    """What the payloads of mutations about a voucher have in common."""

    key: strawberry.Private[reads.Key | None] = None
    number: int | None = strawberry.field(
        default=None, description="The number of the use or of the return."
    )
    amount: Money | None = strawberry.field(default=None, description="How much was moved.")
    remaining: Money | None = strawberry.field(
        default=None, description="What was left right after it; a retry gets the same answer."
    )
    replayed: bool = strawberry.field(
        default=False, description="This was a retry: nothing happened again."
    )

    @strawberry.field(description="The voucher, as of now.")
    async def voucher(self, info: Info) -> Voucher | None:
        if self.key is None:
            return None
        found: Voucher | None = await load(info, "Voucher", *self.key)
        return found


@strawberry.type(description="What useVoucher did.")
class UseVoucherPayload(VoucherPayload):
    """The answer of useVoucher."""


@strawberry.type(description="What refundVoucher did.")
class RefundVoucherPayload(VoucherPayload):
    """The answer of refundVoucher."""


def _told(payload: type[Told], done: vouchers.VoucherMoved, currency: str) -> Told:
    return payload(
        key=(done.member_id, done.voucher_id),
        number=done.number,
        amount=money_of(done.amount_minor, currency),
        remaining=money_of(done.remaining_minor, currency),
        replayed=done.replayed,
    )


@strawberry.type
class VoucherMutation:
    """Mutations of vouchers."""

    @strawberry.mutation(
        description="Takes money from a voucher; the rest stays on it.",
        extensions=[NeedsScope(Scope.REWARDS_REDEEM), RefusalsAsData(UseVoucherPayload)],
    )
    async def use_voucher(
        self, info: Info, given: Input[UseVoucherInput]
    ) -> UseVoucherPayload | None:
        context = info.context
        command = await given.command(context)
        done = await vouchers.use(context.program_id, command, now=context.now)
        return _told(UseVoucherPayload, done, await currency_of(context))

    @strawberry.mutation(
        description="Gives money of one use back to its voucher, such as for goods that came back.",
        extensions=[NeedsScope(Scope.REWARDS_REDEEM), RefusalsAsData(RefundVoucherPayload)],
    )
    async def refund_voucher(
        self, info: Info, given: Input[RefundVoucherInput]
    ) -> RefundVoucherPayload | None:
        context = info.context
        command = await given.command(context)
        done = await vouchers.refund(context.program_id, command, now=context.now)
        return _told(RefundVoucherPayload, done, await currency_of(context))
