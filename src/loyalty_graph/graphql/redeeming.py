"""What is done with redemptions: redeem a reward, confirm it, use its code, undo it."""

from typing import TypeVar

import strawberry

from loyalty_graph.graphql.context import Context, Info
from loyalty_graph.graphql.entry_payload import EntryPayload
from loyalty_graph.graphql.errors import RefusalsAsData
from loyalty_graph.graphql.inputs import (
    KEY,
    REASON,
    REASON_CHARACTERS_MAX,
    USED_WITH,
    Input,
    MemberRef,
    ReceiptRef,
    bounded,
)
from loyalty_graph.graphql.nodes import load
from loyalty_graph.graphql.permissions import NeedsScope
from loyalty_graph.graphql.redemptions import Redemption, RedemptionRef
from loyalty_graph.graphql.scalars import Points
from loyalty_graph.identity.rules import Scope
from loyalty_graph.purchases.rules import STORE_LENGTH_MAX
from loyalty_graph.rewards.rules import Step
from loyalty_graph.usecases import redemption_steps, rewards
from loyalty_graph.usecases.redemptions import PointsMoved

Told = TypeVar("Told", bound="RedemptionPayload")


@strawberry.type
class RedemptionPayload(EntryPayload):
    """What the payloads of mutations about a redemption have in common."""

    @strawberry.field(description="The redemption, as of now.")
    async def redemption(self, info: Info) -> Redemption | None:
        if self.key is None:
            return None
        found: Redemption | None = await load(info, "Redemption", *self.key)
        return found


@strawberry.type(description="What redeemReward did.")
class RedeemRewardPayload(RedemptionPayload):
    """The answer of redeemReward."""


@strawberry.type(description="What confirmRedemption did.")
class ConfirmRedemptionPayload(RedemptionPayload):
    """The answer of confirmRedemption."""


@strawberry.type(description="What useRedemption did.")
class UseRedemptionPayload(RedemptionPayload):
    """The answer of useRedemption."""


@strawberry.type(description="What cancelRedemption did.")
class CancelRedemptionPayload(RedemptionPayload):
    """The answer of cancelRedemption."""


@strawberry.type(description="What refundRedemption did.")
class RefundRedemptionPayload(RedemptionPayload):
    """The answer of refundRedemption."""


@strawberry.input(description="A reward that a member wants.")
class RedeemRewardInput:
    """The input of redeemReward."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    member: MemberRef = strawberry.field(description="Who wants it.")
    reward: str = strawberry.field(description="Which one, by its code.")
    hold_minutes: int | None = strawberry.field(
        default=None,
        description=(
            "Only set the points aside for so long, while a basket is open; then confirm or cancel."
        ),
    )
    expected_cost: Points | None = strawberry.field(
        default=None, description="What the member was told it costs; refused at another price."
    )
    store: str | None = strawberry.field(
        default=None, description="The only store the code can be used in; any, if not given."
    )

    def command(self, context: Context) -> rewards.RedeemReward:
        """Return the use case's command.

        Raises:
            InvalidInputError: the member's reference is malformed, or the store too long.
        """
        return rewards.RedeemReward(
            caller=context.caller,
            idempotency_key=context.idempotency_key(self.idempotency_key),
            member=self.member.reference(field="member"),
            reward=self.reward,
            hold_minutes=self.hold_minutes,
            expected_cost=self.expected_cost,
            store=bounded(self.store, STORE_LENGTH_MAX, field="store"),
        )


@strawberry.input(description="A redemption whose basket was paid.")
class ConfirmRedemptionInput:
    """The input of confirmRedemption."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    redemption: RedemptionRef = strawberry.field(description="Which one.")


@strawberry.input(description="A code that a member shows.")
class UseRedemptionInput:
    """The input of useRedemption."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    redemption: RedemptionRef = strawberry.field(description="Which one, usually by its code.")
    store: str | None = strawberry.field(
        default=None, description="Where it is used; needed when it is for one store."
    )
    receipt: ReceiptRef | None = strawberry.field(default=None, description=USED_WITH)


@strawberry.input(description="A redemption to call off.")
class CancelRedemptionInput:
    """The input of cancelRedemption."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    redemption: RedemptionRef = strawberry.field(description="Which one.")
    reason: str | None = strawberry.field(default=None, description=REASON)


@strawberry.input(description="A reward that was brought back.")
class RefundRedemptionInput:
    """The input of refundRedemption."""

    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    redemption: RedemptionRef = strawberry.field(description="Which one.")
    reason: str | None = strawberry.field(default=None, description=REASON)
    restock: bool = strawberry.field(
        default=True, description="It can be given out again; say false when it cannot."
    )


async def _take(
    context: Context,
    step: Step,
    given: ConfirmRedemptionInput
    | UseRedemptionInput
    | CancelRedemptionInput
    | RefundRedemptionInput,
) -> PointsMoved:
    """Take a step of the redemption that is named."""
    member_id, redemption_id = await given.redemption.key(context, field="redemption")
    reason = bounded(getattr(given, "reason", None), REASON_CHARACTERS_MAX, field="reason")
    store = bounded(getattr(given, "store", None), STORE_LENGTH_MAX, field="store")
    receipt = getattr(given, "receipt", None)
    command = redemption_steps.TakeStep(
        caller=context.caller,
        idempotency_key=context.idempotency_key(given.idempotency_key),
        step=step,
        member_id=member_id,
        redemption_id=redemption_id,
        store=context.viewer.acting_store(store),
        reason=reason or "",
        restock=getattr(given, "restock", True),
        receipt=None if receipt is None else receipt.names,
    )
    return await redemption_steps.take(
        context.program_id, command, codes=context.codes, now=context.now
    )


def _told(payload: type[Told], done: PointsMoved) -> Told:
    return payload(
        key=(done.member_id, done.redemption_id),
        entry_sequence=done.entry_sequence,
        balance=Points(done.balance_points),
        replayed=done.replayed,
    )


@strawberry.type
class RedemptionMutation:
    """Mutations of redemptions."""

    @strawberry.mutation(
        description="Spends points for a reward and issues its code, or sets them aside first.",
        extensions=[
            NeedsScope(Scope.REWARDS_REDEEM, member="own"),
            RefusalsAsData(RedeemRewardPayload),
        ],
    )
    async def redeem_reward(
        self, info: Info, given: Input[RedeemRewardInput]
    ) -> RedeemRewardPayload | None:
        context, command = info.context, given.command(info.context)
        done = await rewards.redeem_one(
            context.program_id, command, codes=context.codes, now=context.now
        )
        return _told(RedeemRewardPayload, done)

    @strawberry.mutation(
        description="Spends the points that were set aside, and issues the code.",
        extensions=[
            NeedsScope(Scope.REWARDS_REDEEM, member="own"),
            RefusalsAsData(ConfirmRedemptionPayload),
        ],
    )
    async def confirm_redemption(
        self, info: Info, given: Input[ConfirmRedemptionInput]
    ) -> ConfirmRedemptionPayload | None:
        done = await _take(info.context, Step.CONFIRM, given)
        return _told(ConfirmRedemptionPayload, done)

    @strawberry.mutation(
        description="Uses a code: the member gets the reward. For a voucher see useVoucher.",
        extensions=[NeedsScope(Scope.REWARDS_REDEEM), RefusalsAsData(UseRedemptionPayload)],
    )
    async def use_redemption(
        self, info: Info, given: Input[UseRedemptionInput]
    ) -> UseRedemptionPayload | None:
        done = await _take(info.context, Step.USE, given)
        return _told(UseRedemptionPayload, done)

    @strawberry.mutation(
        description="Calls a redemption off, held or issued; its points go back where they were.",
        extensions=[
            NeedsScope(Scope.REWARDS_REDEEM, member="own"),
            RefusalsAsData(CancelRedemptionPayload),
        ],
    )
    async def cancel_redemption(
        self, info: Info, given: Input[CancelRedemptionInput]
    ) -> CancelRedemptionPayload | None:
        done = await _take(info.context, Step.CANCEL, given)
        return _told(CancelRedemptionPayload, done)

    @strawberry.mutation(
        description="Takes a used reward back; its points go back where they were.",
        extensions=[NeedsScope(Scope.REWARDS_REDEEM), RefusalsAsData(RefundRedemptionPayload)],
    )
    async def refund_redemption(
        self, info: Info, given: Input[RefundRedemptionInput]
    ) -> RefundRedemptionPayload | None:
        done = await _take(info.context, Step.REFUND, given)
        return _told(RefundRedemptionPayload, done)
