"""Telling members what of their points will expire, where points end only after such a notice."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from uuid import UUID

from loyalty_graph import outbox
from loyalty_graph.db import transaction
from loyalty_graph.db.sets import store
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger import due, notices, pending, reads
from loyalty_graph.ledger import service as ledger
from loyalty_graph.ledger.notices import Notice
from loyalty_graph.ledger.terms import Terms
from loyalty_graph.usecases import activations

MEMBERS_AT_ONCE = 200
MEMBERS_LISTED = 10_000
"""Whoever looks for the next ones passes over all lots told of before: not for each transaction."""
AHEAD = timedelta(days=1)
"""Owners are told so much earlier than they must be, so that a late job moves no date."""


async def run(program_id: UUID, *, now: datetime) -> int:
    """Tell the owners of points that will end soon; return the points. Run twice it does no more.

    Points whose owner is told too late, because they were given with a near date or nobody could be
    told in time, end so many days after the notice, at the end of that day.
    """
    announced = 0
    while points := await _tell_listed(program_id, now=now):
        announced += points
    return announced


async def _tell_listed(program_id: UUID, *, now: datetime) -> int:
    terms = await reads.terms_in_force(program_id, now=now)
    if terms.notice_days is None:
        return 0
    until = now + timedelta(days=terms.notice_days) + AHEAD
    members = await due.members_to_tell(program_id, terms=terms, until=until, limit=MEMBERS_LISTED)
    firsts = range(0, len(members), MEMBERS_AT_ONCE)
    pages = [members[first : first + MEMBERS_AT_ONCE] for first in firsts]
    return sum([await _tell(program_id, page, terms, until, now=now) for page in pages])


@transaction
async def _tell(
    program_id: UUID, members: Sequence[UUID], terms: Terms, until: datetime, *, now: datetime
) -> int:
    """Tell those of these members who, once their accounts are locked, were still not told."""
    found = await ledger.load_accounts(program_id, members, whole=members, terms=terms)
    for account in found.values():
        pending.activate_due(account, now=now)
    told = [one for account in found.values() for one in notices.tell(account, until, now=now)]
    accounts = [account for account in found.values() if account.posted]
    await store(
        program_id,
        [
            *ledger.writes(accounts),
            *notices.writes(told),
            outbox.facts([*activations.facts(accounts, now=now), *_facts(told, now)]),
            outbox.mark_cards({one.member_id for one in told}, now=now),
        ],
    )
    return sum(one.points for one in told)


def _facts(told: Sequence[Notice], now: datetime) -> Iterator[outbox.Fact]:
    """Yield a fact for each date that a member is told of."""
    for (member_id, expires_at), group in groupby(
        told, lambda one: (one.member_id, one.expires_at)
    ):
        payload = {
            "points": sum(one.points for one in group),
            "expiresAt": expires_at.isoformat(),
        }
        yield outbox.Fact(new_id(now), "points.expiring", member_id, now, payload)
