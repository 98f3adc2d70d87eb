"""The codes of refusals as an enum of the schema: every error that callers are told is in it."""

import inspect
from enum import StrEnum
from typing import TYPE_CHECKING

from loyalty_graph import errors
from loyalty_graph.earning import errors as earning_errors
from loyalty_graph.graphql.enums import describe_enum
from loyalty_graph.ledger import errors as ledger_errors
from loyalty_graph.outbox import errors as outbox_errors
from loyalty_graph.programs import errors as program_errors
from loyalty_graph.purchases import errors as purchase_errors
from loyalty_graph.rewards import errors as reward_errors

MODULES = (
    errors,
    outbox_errors,
    program_errors,
    ledger_errors,
    purchase_errors,
    reward_errors,
    earning_errors,
)
"""Where errors stand, in the order of the house."""
TOLD: dict[str, type[errors.LoyaltyError]] = {
    kind.code: kind
    for module in MODULES
    for kind in vars(module).values()
    if isinstance(kind, type)
    and issubclass(kind, errors.LoyaltyError)
    and kind is not errors.LoyaltyError
    and kind.is_told
}

if TYPE_CHECKING:

    class ErrorCode(StrEnum):
        """The code of an error."""
else:
    ErrorCode = StrEnum("ErrorCode", {code: code for code in TOLD})


def meaning(kind: type[errors.LoyaltyError]) -> str:
    """Return what an error means, in the first words of its docstring."""
    return inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0].replace("\n", " ")


describe_enum(
    ErrorCode,
    "What kind of refusal it is. A code never changes its meaning; new ones may be added.",
    {ErrorCode(code): meaning(kind) for code, kind in TOLD.items()},
)
