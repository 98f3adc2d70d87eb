"""What an outsider needs to work out a member's history, balance and place under a checkpoint."""

from typing import Any
from uuid import UUID

from loyalty_graph.errors import NotFoundError
from loyalty_graph.ledger import chain, heads
from loyalty_graph.ledger.books import StoredTransfer, read, with_fields
from loyalty_graph.ledger.checkpoints import Head, Signed
from loyalty_graph.ledger.errors import LedgerDiffersError, NoCheckpointError
from loyalty_graph.ledger.merkle import leaf_hash, root_by_path

FORMAT = "loyalty-graph proof 1"


async def prove(program_id: UUID, member_id: UUID, *, number: int | None = None) -> dict[str, Any]:
    """Return the proof as JSON values: the entries that a checkpoint covers, and the path.

    Without a number it is the newest one.

    `examples/check_proof.py` says what follows from what. Of an erased person nothing is in it but
    numbers and ids.

    Raises:
        NotFoundError: There is no checkpoint of this number.
        NoCheckpointError: The member joined after it, or there is none at all.
        LedgerDiffersError: What is stored is not what was signed.
    """
    signed = await _checkpoint(program_id, number)
    every = await heads.covered(program_id, signed.checkpoint.number)
    if member_id not in every.places:
        raise NoCheckpointError
    place, length = every.places[member_id], every.sequences[member_id]
    path = every.tree.path(place)
    [books] = await read(program_id, [member_id])
    covered = [one for one in with_fields(books) if one[0].sequence <= length]
    head = books.genesis
    for _, fields in covered:
        head = chain.link(head, fields)
    leaf = leaf_hash(Head(member_id, len(covered), head).content)
    if root_by_path(leaf, place, len(every.places), path) != signed.checkpoint.root:
        raise LedgerDiffersError
    return {
        "format": FORMAT,
        "program": str(program_id),
        "member": str(member_id),
        "balance": sum(transfer.signed for transfer, _ in covered),
        "entries": [
            {"covered": chain.covered(fields), "details": _details(transfer)}
            for transfer, fields in covered
        ],
        "place": place,
        "path": [one.hex() for one in path],
        "checkpoint": signed.as_json(),
    }


async def _checkpoint(program_id: UUID, number: int | None) -> Signed:
    before = None if number is None else number + 1
    found = await heads.newest_checkpoints(program_id, before=before)
    if number is not None and [one.checkpoint.number for one in found] != [number]:
        raise NotFoundError("checkpoint", number)
    if not found:
        raise NoCheckpointError
    return found[0]


def _details(transfer: StoredTransfer) -> dict[str, Any] | None:
    """Return what the details' hash was made of; None when it was erased."""
    if transfer.is_erased:
        return None
    said = chain.details(transfer.text, transfer.actor, transfer.explanation)
    return {"salt": transfer.salt.hex(), "said": said}
