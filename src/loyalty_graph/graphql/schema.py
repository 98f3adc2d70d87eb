"""The schema: which queries and mutations there are, and how documents are read and errors told."""

from collections.abc import Iterable
from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext, ExecutionResult
from strawberry.types.graphql import OperationType

from loyalty_graph import __version__
from loyalty_graph.graphql.adjusting import AdjustmentMutation
from loyalty_graph.graphql.approvals import ApprovalMutation, ApprovalQuery
from loyalty_graph.graphql.auditing import AuditQuery
from loyalty_graph.graphql.backtests import BacktestQuery
from loyalty_graph.graphql.benefits import BenefitMutation, BenefitQuery
from loyalty_graph.graphql.card_links import CardLinkMutation
from loyalty_graph.graphql.claiming import ClaimMutation
from loyalty_graph.graphql.deliveries import DeliveryQuery
from loyalty_graph.graphql.doing import ActivityMutation
from loyalty_graph.graphql.erasing import PersonMutation
from loyalty_graph.graphql.errors import TellErrors, log_errors
from loyalty_graph.graphql.exchange_rates import ExchangeRateQuery
from loyalty_graph.graphql.flows import FlowQuery
from loyalty_graph.graphql.given import shorten_inputs
from loyalty_graph.graphql.holding import HoldMutation
from loyalty_graph.graphql.hooks import Hooks
from loyalty_graph.graphql.importing import ImportMutation, ImportQuery
from loyalty_graph.graphql.integrity import IntegrityQuery
from loyalty_graph.graphql.leaves import LeavesFirst, mark_plain_fields
from loyalty_graph.graphql.limits import DocumentGate
from loyalty_graph.graphql.live import LiveSubscription
from loyalty_graph.graphql.locking import LockMutation
from loyalty_graph.graphql.members import MemberQuery
from loyalty_graph.graphql.membership import MembershipMutation
from loyalty_graph.graphql.merging import MergeMutation
from loyalty_graph.graphql.nodes import NodeQuery
from loyalty_graph.graphql.offers import OfferMutation
from loyalty_graph.graphql.operations import Operation
from loyalty_graph.graphql.overriding import TierMutation
from loyalty_graph.graphql.passes import PassMutation
from loyalty_graph.graphql.pending import PendingMutation
from loyalty_graph.graphql.permissions import Everybody
from loyalty_graph.graphql.program_versions import ProgramVersionMutation, ProgramVersionQuery
from loyalty_graph.graphql.programs import ProgramQuery
from loyalty_graph.graphql.purchases import PurchaseQuery
from loyalty_graph.graphql.recording import RecordingMutation
from loyalty_graph.graphql.redeeming import RedemptionMutation
from loyalty_graph.graphql.redemptions import RedemptionQuery
from loyalty_graph.graphql.refunding import RefundMutation
from loyalty_graph.graphql.reinstating import ReinstatingMutation
from loyalty_graph.graphql.reversing import ReversingMutation
from loyalty_graph.graphql.rewards import RewardQuery
from loyalty_graph.graphql.rollouts import RolloutMutation, RolloutQuery
from loyalty_graph.graphql.scalars import SCALARS
from loyalty_graph.graphql.segments import SegmentQuery
from loyalty_graph.graphql.simulating import SimulatingQuery
from loyalty_graph.graphql.subscribing import SubscriptionMutation
from loyalty_graph.graphql.subscriptions import SubscriptionQuery
from loyalty_graph.graphql.tiers import TierQuery
from loyalty_graph.graphql.transferring import TransferMutation
from loyalty_graph.graphql.vouchers import VoucherMutation, VoucherQuery


class LoyaltySchema(strawberry.Schema):
    """A schema that logs what is our fault in full, and of a client's mistakes only the code."""

    async def execute(  # noqa: PLR0913, PLR0917 - Strawberry's signature
        self,
        query: str | None,
        variable_values: dict[str, Any] | None = None,
        context_value: Any | None = None,
        root_value: Any | None = None,
        operation_name: str | None = None,
        allowed_operation_types: Iterable[OperationType] | None = None,
        operation_extensions: dict[str, Any] | None = None,
    ) -> ExecutionResult:
        """Run what is answered once; a subscription is refused, since it needs `stream`."""
        allowed = set(OperationType if allowed_operation_types is None else allowed_operation_types)
        return await super().execute(
            query,
            variable_values,
            context_value,
            root_value,
            operation_name,
            allowed - {OperationType.SUBSCRIPTION},
            operation_extensions,
        )

    def create_extensions_runner(
        self, execution_context: ExecutionContext, extensions: list[SchemaExtension]
    ) -> Hooks:
        """Return what runs the hooks of the extensions."""
        return Hooks(execution_context, extensions)

    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        """Log under the request's id."""
        assert execution_context is not None, "every execution has a context"
        log_errors(errors, request_id=execution_context.context.request_id)


def build_schema(
    query: type, mutation: type | None = None, subscription: type | None = None
) -> LoyaltySchema:
    """Return a schema of these root types with our scalars, limits and errors."""
    schema = LoyaltySchema(
        query=query,
        mutation=mutation,
        subscription=subscription,
        extensions=[Operation, TellErrors, DocumentGate],
        execution_context_class=LeavesFirst,
        config=StrawberryConfig(scalar_map=SCALARS),
    )
    mark_plain_fields(schema._schema)
    shorten_inputs(schema)
    return schema


@strawberry.type(description="Everything that can be read.")
class Query(
    ProgramQuery,
    BacktestQuery,
    MemberQuery,
    PurchaseQuery,
    SimulatingQuery,
    ApprovalQuery,
    AuditQuery,
    IntegrityQuery,
    TierQuery,
    SubscriptionQuery,
    RewardQuery,
    RedemptionQuery,
    VoucherQuery,
    BenefitQuery,
    ExchangeRateQuery,
    FlowQuery,
    ImportQuery,
    DeliveryQuery,
    RolloutQuery,
    ProgramVersionQuery,
    SegmentQuery,
    NodeQuery,
):
    """The root of queries; each subject brings its own."""

    @strawberry.field(
        description="The version of the server that answers.", extensions=[Everybody()]
    )
    def version(self) -> str:
        return __version__


@strawberry.type(description="Everything that can be done. One input each; refusals are data.")
class Mutation(
    MembershipMutation,
    PersonMutation,
    LockMutation,
    RecordingMutation,
    ClaimMutation,
    RefundMutation,
    ActivityMutation,
    OfferMutation,
    AdjustmentMutation,
    TransferMutation,
    MergeMutation,
    ImportMutation,
    ApprovalMutation,
    ReversingMutation,
    ReinstatingMutation,
    PassMutation,
    CardLinkMutation,
    RolloutMutation,
    ProgramVersionMutation,
    TierMutation,
    BenefitMutation,
    SubscriptionMutation,
    RedemptionMutation,
    HoldMutation,
    PendingMutation,
    VoucherMutation,
):
    """The root of mutations; each subject brings its own."""


@strawberry.type(
    description=(
        "What can be listened to, over WebSocket (graphql-transport-ws) or server-sent events. "
        "Each event has a number; give it as `after`, and you miss nothing and see nothing twice."
    )
)
class Subscription(LiveSubscription):
    """The root of live operations; each subject brings its own."""


SCHEMA = build_schema(Query, Mutation, Subscription)
