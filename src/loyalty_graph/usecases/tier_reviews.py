"""Reviewing members whose tier time alone has changed: a period was over, an override ended."""

from datetime import datetime
from uuid import UUID

from loyalty_graph.db import transaction
from loyalty_graph.db.sets import fetch
from loyalty_graph.ledger import service as ledger
from loyalty_graph.programs import service as programs
from loyalty_graph.tiers import service as tiers
from loyalty_graph.tiers.standing import Scheme, advance
from loyalty_graph.usecases.tiering import TierChanges

MEMBERS_AT_ONCE = 200


async def run(program_id: UUID, *, now: datetime) -> int:
    """Review everybody whose review is due; return how many were. Run twice it does no more."""
    reviewed = 0
    while some := await review_due(program_id, now=now):
        reviewed += some
    return reviewed


async def review_due(program_id: UUID, *, now: datetime, limit: int = MEMBERS_AT_ONCE) -> int:
    """Review members whose review is due, at most `limit` of them; return how many were.

    What a review decides does not depend on when it runs; run twice it does no more. A programme
    without tiers has nobody to review.
    """
    version = await programs.in_force(program_id, now, now=now)
    scheme = await tiers.scheme(version)
    return 0 if scheme is None else await _review(version, scheme, now=now, limit=limit)


@transaction
async def _review(version: programs.Version, scheme: Scheme, *, now: datetime, limit: int) -> int:
    program_id = version.program_id
    due = sorted(await tiers.members_with_due_reviews(program_id, now=now, limit=limit))
    # A purchase may have reviewed some of them while this waited for their accounts.
    await ledger.load_accounts(program_id, due)
    [rows] = await fetch(program_id, tiers.standings(due))
    found = dict(zip(due, rows, strict=True))
    standings = await tiers.known(program_id, scheme, found, now=now)
    changes = TierChanges(version, scheme, now)
    for member_id, standing in standings.items():
        changes.add(member_id, advance(scheme, standing, now))
    await changes.store()
    return len(due)
