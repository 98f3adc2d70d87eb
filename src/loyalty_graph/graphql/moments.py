"""The instant that something is asked about, where that may be another one than now."""

from datetime import datetime
from typing import Annotated

import strawberry

from loyalty_graph.errors import InvalidInputError
from loyalty_graph.graphql.context import Info
from loyalty_graph.programs.rules import check_moment

AS_OF = "asOf"
AsOf = Annotated[
    datetime | None,
    strawberry.argument(
        name=AS_OF,
        description=(
            "An instant that has passed: what was answered then, by what was recorded until then; "
            "now, if not given."
        ),
    ),
]


def moment(info: Info, as_of: datetime | None) -> datetime | None:
    """Return the instant that is asked about, or None for now.

    Raises:
        InvalidInputError: it has no offset, lies ahead, or is before 1970.
    """
    if as_of is None:
        return None
    check_moment(as_of, now=info.context.now, field=AS_OF)
    if as_of > info.context.now:
        raise InvalidInputError("What will be cannot be told: it lies ahead.", field=AS_OF)
    return as_of
