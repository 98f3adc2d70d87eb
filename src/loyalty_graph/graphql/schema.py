"""The schema: which queries and mutations there are, and how documents are read and errors told."""

import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from loyalty_graph import __version__
from loyalty_graph.graphql.context import OperationContext
from loyalty_graph.graphql.errors import TellErrors, log_unexpected
from loyalty_graph.graphql.limits import DocumentGate
from loyalty_graph.graphql.scalars import SCALARS


class LoyaltySchema(strawberry.Schema):
    """A schema that logs only what is our fault; a client's mistakes are told to the client."""

    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        """Log what no caller can be blamed for, under the request's id."""
        assert execution_context is not None, "every execution has a context"
        log_unexpected(errors, request_id=execution_context.context.request_id)


def build_schema(query: type, mutation: type | None = None) -> LoyaltySchema:
    """Return a schema of these root types with our scalars, limits and errors."""
    return LoyaltySchema(
        query=query,
        mutation=mutation,
        extensions=[OperationContext, TellErrors, DocumentGate],
        config=StrawberryConfig(scalar_map=SCALARS),
    )


@strawberry.type(description="Everything that can be read.")
class Query:
    """The root of queries."""

    @strawberry.field(description="The version of the server that answers.")
    def version(self) -> str:
        return __version__


SCHEMA = build_schema(Query)
