"""Signing what the ledger holds, once a day, so that nobody can change it later unseen."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from tortoise.exceptions import IntegrityError

from loyalty_graph.db import transaction
from loyalty_graph.ledger import checkpoint_keys, heads
from loyalty_graph.ledger.checkpoints import Checkpoint, Head, Signed, sign


async def run(program_id: UUID, *, now: datetime, keys: Path) -> Signed | None:
    """Make the day's checkpoint, by UTC; None when there is one already."""
    newest = await heads.newest_checkpoints(program_id)
    if newest and newest[0].checkpoint.at.astimezone(UTC).date() >= now.astimezone(UTC).date():
        return None
    return await make(program_id, now=now, keys=keys)


async def make(program_id: UUID, *, now: datetime, keys: Path) -> Signed:
    """Sign the heads of all chains as they are, linked to the checkpoint before.

    Heads are read without holding anybody up. If another process makes a checkpoint at the same
    moment, that one is returned.

    Args:
        program_id: Whose ledger.
        now: The moment.
        keys: The folder of the keys; one is made where there is none.

    Raises:
        SettingsError: No key can be read or made.
    """
    key = checkpoint_keys.signing_key(keys)
    before = await heads.newest_checkpoints(program_id)
    number = before[0].checkpoint.number if before else 0
    fresh = await heads.grown(program_id)
    every = await heads.covered(program_id, number)
    every.put(fresh)
    checkpoint = Checkpoint(
        program_id=program_id,
        number=number + 1,
        at=now,
        heads=len(every.places),
        transfers=every.transfers,
        root=every.tree.root,
        previous=before[0].checkpoint.digest if before else None,
        public_key=checkpoint_keys.public_part(key),
    )
    try:
        return await _keep(sign(checkpoint, key), fresh)
    except IntegrityError:
        [other] = await heads.newest_checkpoints(program_id)
        return other


@transaction
async def _keep(signed: Signed, fresh: Sequence[Head]) -> Signed:
    await heads.keep(signed, fresh)
    return signed
