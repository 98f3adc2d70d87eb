"""How failures are told: refusals as data, requests we cannot serve as errors, our bugs masked."""

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.extensions import FieldExtension, MaskErrors

from loyalty_graph.db import TRY_AGAIN, is_unavailable, outage_log
from loyalty_graph.errors import (
    ForbiddenError,
    LoyaltyError,
    ProgramFileError,
    UnauthenticatedError,
)
from loyalty_graph.graphql.context import Info
from loyalty_graph.graphql.error_codes import ErrorCode

BAD_REQUEST = "BAD_REQUEST"
INTERNAL = "INTERNAL"
UNAVAILABLE = "UNAVAILABLE"
logger = logging.getLogger(__name__)


@strawberry.type(description="A refusal the caller can act on. Nothing was changed.")
class UserError:
    """A LoyaltyError, as data."""

    code: ErrorCode = strawberry.field(description="What kind of refusal it is.")
    message: str = strawberry.field(description="What is wrong and what would do, in a sentence.")
    field: str | None = strawberry.field(description="The field of the input it is about, if one.")


@strawberry.type
class Payload:
    """What every mutation's payload begins with; its other fields are optional."""

    user_errors: list[UserError] = strawberry.field(
        default_factory=list, description="Why it was refused; empty when it was done."
    )


class RefusalsAsData(FieldExtension):
    """Turns what a mutation's use case refuses into a payload that holds only user errors.

    Who may not ask at all still gets a GraphQL error: that is for the developer, not the user.
    """

    def __init__(self, payload: type[Payload]) -> None:
        self.payload = payload

    async def resolve_async(
        self, next_: Callable[..., Awaitable[Any]], source: object, info: Info, **arguments: object
    ) -> object:
        """Await the mutation; a refusal becomes its payload."""
        try:
            return await next_(source, info, **arguments)
        except (UnauthenticatedError, ForbiddenError):
            raise
        except LoyaltyError as error:
            if not error.is_told:
                raise
            info.context.is_refused = True
            # Its message may hold what a person is found by; the log holds only the code.
            logger.info(
                "Request %s: %s was refused: %s",
                info.context.request_id,
                info.field_name,
                error.code,
            )
            return self.payload(user_errors=user_errors(error))


def user_errors(error: LoyaltyError) -> list[UserError]:
    """Return the refusal as data: one, but of a programme file each fault by itself."""
    if isinstance(error, ProgramFileError):
        return [user_error(ProgramFileError(one, field=error.field)) for one in error.faults]
    return [user_error(error)]


def user_error(error: LoyaltyError) -> UserError:
    """Return the refusal as data."""
    return UserError(code=ErrorCode(error.code), message=error.message, field=error.field)


class TellErrors(MaskErrors):
    """Rewrites every GraphQL error before a client sees it, also those of streams."""

    def __init__(self) -> None:
        super().__init__(should_mask_error=lambda _error: True)

    def anonymise_error(self, error: GraphQLError) -> GraphQLError:
        """Return what may be told of an error."""
        return told(error, request_id=self.execution_context.context.request_id)


def told(error: GraphQLError, *, request_id: str) -> GraphQLError:
    """Return an error as a client may see it, with its code and without our insides."""
    cause = root_cause(error)
    message, extensions = error.message, {"code": BAD_REQUEST}
    if is_unavailable(cause):
        message, extensions = TRY_AGAIN, {"code": UNAVAILABLE}
    elif is_ours(error):
        message, extensions = internal_error(request_id)
    elif isinstance(cause, LoyaltyError):
        extensions = {"code": cause.code} | ({"field": cause.field} if cause.field else {})
    return GraphQLError(
        message, error.nodes, error.source, error.positions, error.path, extensions=extensions
    )


def internal_error(request_id: str) -> tuple[str, dict[str, str]]:
    """Return the message and extensions that stand for a bug of ours."""
    message = f"Something went wrong on our side; it is logged as request {request_id}."
    return message, {"code": INTERNAL, "requestId": request_id}


def log_errors(errors: Iterable[GraphQLError], *, request_id: str) -> None:
    """Log what no caller can be blamed for with its traceback, and of the rest the code.

    An outage of the database is told once for all whom it hits.
    """
    outage = None
    for error in errors:
        cause = root_cause(error)
        if cause is not None and is_unavailable(cause):
            outage = cause
        elif is_ours(error):
            logger.error("Request %s failed at %s", request_id, error.path, exc_info=cause or error)
        else:
            code = cause.code if isinstance(cause, LoyaltyError) else BAD_REQUEST
            logger.info("Request %s was refused at %s: %s", request_id, error.path, code)
    if outage is not None:
        outage_log.note(outage)


def is_ours(error: GraphQLError) -> bool:
    """Say whether an error is a bug of ours: unforeseen, or a value our schema cannot write.

    What graphql-core finds wrong with a request it locates in the document itself; what it cannot
    write is raised by a scalar, which knows no place.
    """
    cause = root_cause(error)
    if cause is not None:
        return not (isinstance(cause, LoyaltyError) and cause.is_told)
    raised = error
    while isinstance(raised.original_error, GraphQLError):
        raised = raised.original_error
    return raised is not error and error.path is not None and raised.nodes is None


def root_cause(error: GraphQLError) -> Exception | None:
    """Return the exception behind an error, or `None` when GraphQL itself refused the request."""
    cause = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    return cause
