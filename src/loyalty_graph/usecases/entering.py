"""Entering what was earned: what can be spent at once, and what waits, part by part."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from loyalty_graph.earning.outcomes import Earned
from loyalty_graph.earning.pending import Pending
from loyalty_graph.ledger import pending as waiting
from loyalty_graph.ledger import rules as ledger
from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.usecases.purchase_points import activates_at


def enter(
    account: ledger.Account,
    parts: Iterable[tuple[Pending | None, Earned]],
    cause: Callable[[Earned], ledger.Cause],
    settings: ProgramSettings,
) -> list[ledger.Transfer]:
    """Credit each part by an entry of its own; those that wait are named after what for.

    Raises:
        MemberNotActiveError: The member may not earn now.
    """
    return [_enter(account, wait, part, cause(part), settings) for wait, part in parts]


def _enter(
    account: ledger.Account,
    wait: Pending | None,
    part: Earned,
    cause: ledger.Cause,
    settings: ProgramSettings,
) -> ledger.Transfer:
    expires_at = settings.expires_at(cause.at)
    if wait is None:
        return ledger.earn(account, part.points, cause, expires_at=expires_at)
    return waiting.earn_pending(
        account,
        part.points,
        replace(cause, reference=waiting.reference(cause.reference, wait.name)),
        activates_at=activates_at(settings, cause.at, wait),
        expires_at=expires_at,
        awaits=wait.event,
    )
