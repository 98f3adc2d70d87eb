"""What a restored database needs before anybody runs on it: phones and listeners know more than it.

They have seen tags and numbers that it never gave, and balances that it does not have. So none of
those numbers is given again, and all cards are brought to what is true now, at a pace.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from loyalty_graph import outbox
from loyalty_graph.db import transaction
from loyalty_graph.db.migrating.processes import forget_processes
from loyalty_graph.db.sets import store
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger.audit import Audit
from loyalty_graph.outbox import numbering
from loyalty_graph.programs import service as programs
from loyalty_graph.usecases import proof
from loyalty_graph.usecases.proof import Signatures
from loyalty_graph.wallet import rollouts, tags
from loyalty_graph.wallet.google import given
from loyalty_graph.wallet.rollouts import RolloutState

SKIPPED = 10_000_000_000
"""More tags and numbers than can have been given since the backup: 3,000 a second for a month."""
FACT = "database.restored"


@dataclass(frozen=True, slots=True)
class Prepared:
    """To how many members' cards are brought anew; `paused` names programmes that hold that up."""

    card_holders: int
    paused: list[str]


@transaction
async def prepare(*, made_at: datetime, now: datetime) -> Prepared:
    """Make the open database, restored from a backup of `made_at`, one that can be run on."""
    slugs = await programs.slugs()
    await forget_processes()
    await numbering.skip_ahead(list(slugs), SKIPPED)
    await tags.skip_ahead(SKIPPED)
    await given.doubt_everything()
    holders, paused = 0, []
    for program_id, slug in slugs.items():
        await _tell(program_id, made_at=made_at, now=now)
        if await rollouts.card_holders(program_id):
            begun = await rollouts.start(program_id, "restored from a backup", now=now)
            holders += begun.total
            paused += [slug] if begun.state is RolloutState.PAUSED else []
    return Prepared(holders, paused)


async def _tell(program_id: UUID, *, made_at: datetime, now: datetime) -> None:
    after = {"made_at": made_at.isoformat()}
    told = outbox.change("cli", about="database", after=after)
    fact = outbox.Fact(new_id(now), FACT, None, now, after, told)
    await store(program_id, [outbox.facts([fact])])


async def audit_everything(*, signatures: Signatures, now: datetime) -> dict[str, Audit]:
    """Work out the books of every programme of the open database again; return them by slug."""
    return {
        slug: await proof.verify(program_id, now=now, signatures=signatures)
        for program_id, slug in (await programs.slugs()).items()
    }
