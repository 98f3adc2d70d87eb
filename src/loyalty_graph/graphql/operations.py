"""What belongs to an operation and not to its connection: its context, and how it is counted."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from time import perf_counter

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
)
from prometheus_client import Counter, Histogram
from strawberry.extensions import SchemaExtension
from strawberry.types import ExecutionContext

from loyalty_graph import metrics, traces
from loyalty_graph.errors import ForbiddenError, UnauthenticatedError
from loyalty_graph.graphql.context import UNREAD, Asked, Context
from loyalty_graph.graphql.errors import BAD_REQUEST, INTERNAL, UNAVAILABLE

DONE, REFUSED, FORBIDDEN, BAD, AWAY, FAILED, LEFT = (
    "done",
    "refused",
    "forbidden",
    "bad_request",
    "unavailable",
    "failed",
    "left",
)
# The first one that an answer's errors have says how the operation ended.
RESULTS = {
    UNAVAILABLE: AWAY,
    INTERNAL: FAILED,
    UnauthenticatedError.code: FORBIDDEN,
    ForbiddenError.code: FORBIDDEN,
    BAD_REQUEST: BAD,
}


class Operation(SchemaExtension):
    """Gives every operation its own context, and counts it by its root fields and its result."""

    def on_operation(self) -> Iterator[None]:
        """Replace the context of the connection by that of the operation; count it at its end."""
        execution, began = self.execution_context, perf_counter()
        execution.context = execution.context.for_operation()
        try:
            yield
        finally:
            _count(execution.context, _result(execution), perf_counter() - began)


def asked_by(document: DocumentNode) -> dict[str, Asked]:
    """Return what each operation of a valid document asks for, by its name."""
    fragments = {
        one.name.value: one.selection_set
        for one in document.definitions
        if isinstance(one, FragmentDefinitionNode)
    }
    return {
        one.name.value if one.name else "": Asked(
            tuple(sorted(set(_fields(one.selection_set, fragments)))),
            one.operation is OperationType.SUBSCRIPTION,
        )
        for one in document.definitions
        if isinstance(one, OperationDefinitionNode)
    }


def _fields(
    selections: SelectionSetNode, fragments: Mapping[str, SelectionSetNode]
) -> Iterator[str]:
    for one in selections.selections:
        if isinstance(one, FieldNode):
            yield one.name.value
        elif isinstance(one, InlineFragmentNode):
            yield from _fields(one.selection_set, fragments)
        elif isinstance(one, FragmentSpreadNode):
            yield from _fields(fragments[one.name.value], fragments)


def _result(execution: ExecutionContext) -> str:
    errors: Sequence[GraphQLError] | None = execution.pre_execution_errors
    if execution.result is not None:
        errors = execution.result.errors
    elif not errors:
        # Strawberry raises what is no operation, or one of the wrong kind, before it is validated.
        return BAD if execution.context.asked is UNREAD else LEFT
    if not errors:
        return REFUSED if execution.context.is_refused else DONE
    codes = {(error.extensions or {}).get("code") for error in errors}
    return next((result for code, result in RESULTS.items() if code in codes), REFUSED)


def _count(context: Context, result: str, seconds: float) -> None:
    fields, is_stream = context.asked
    for field in fields:
        _counter(field, result).inc()
        if not is_stream:
            _times(field).observe(seconds)
    told = {"graphql.operation": " ".join(fields), "graphql.result": result}
    if not traces.describe(**told):
        traces.ended("graphql", seconds, **told)


@cache
def _counter(field: str, result: str) -> Counter:
    return metrics.requests.labels(field, result)


@cache
def _times(field: str) -> Histogram:
    return metrics.request_seconds.labels(field)
