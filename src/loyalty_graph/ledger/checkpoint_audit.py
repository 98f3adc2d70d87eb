"""Proving checkpoints: what was signed is worked out again from the heads that are stored."""

from collections.abc import Collection, Iterator
from uuid import UUID

from loyalty_graph.ledger import heads
from loyalty_graph.ledger.audit import Audit, Finding
from loyalty_graph.ledger.checkpoints import Checkpoint, Signed, key_id
from loyalty_graph.ledger.errors import CheckpointOfOthersError
from loyalty_graph.ledger.heads import Heads


async def audit(
    program_id: UUID, *, keys: Collection[bytes], published: Signed | None = None
) -> Audit:
    """Audit a programme's checkpoints, and one that was published.

    That the chains lead through the heads is the business of `audit.audit`.

    Args:
        program_id: Whose checkpoints.
        keys: The public keys that may have signed; none at all, and any may.
        published: A checkpoint somebody has kept, which must still hold.

    Raises:
        CheckpointOfOthersError: It is another programme's.
    """
    if published is not None and published.checkpoint.program_id != program_id:
        raise CheckpointOfOthersError(published.checkpoint.program_id)
    result = Audit()
    every, before = Heads(), None
    stored = await heads.checkpoints(program_id)
    for expected, signed in enumerate(stored, 1):
        number = signed.checkpoint.number
        if number != expected:
            result.findings.append(_finding(expected, "it is missing"))
            break
        every.put(await heads.added(program_id, number))
        problems = [*_signature_problems(signed, keys), *_content_problems(signed, every, before)]
        result.checkpoints += 1
        result.findings += [_finding(number, problem) for problem in problems]
        before = signed.checkpoint.digest
    if published is not None:
        result.findings += _published_problems(published, stored, keys)
    return result


def _finding(number: int, problem: str) -> Finding:
    return Finding(None, None, problem, checkpoint=number)


def _signature_problems(signed: Signed, keys: Collection[bytes]) -> Iterator[str]:
    if not signed.is_genuine:
        yield "its signature does not fit it"
    if keys and signed.checkpoint.public_key not in keys:
        yield f"key {key_id(signed.checkpoint.public_key)}, which signed it, is none of ours"


def _content_problems(signed: Signed, every: Heads, before: bytes | None) -> Iterator[str]:
    one = signed.checkpoint
    if one.previous != before:
        yield "it is not linked to the checkpoint before it"
    if (one.heads, one.transfers) != (len(every.places), every.transfers):
        yield (
            f"it covers {one.heads} accounts and {one.transfers} transfers,"
            f" stored are {len(every.places)} and {every.transfers}"
        )
    if one.root != every.tree.root:
        yield "the heads it covers are not those that are stored"


def _published_problems(
    published: Signed, stored: list[Signed], keys: Collection[bytes]
) -> Iterator[Finding]:
    one = published.checkpoint
    for problem in _signature_problems(published, keys):
        yield _finding(one.number, f"as published: {problem}")
    if not any(_is_same(one, other.checkpoint) for other in stored):
        yield _finding(one.number, "the one that was published is not among those stored")


def _is_same(one: Checkpoint, other: Checkpoint) -> bool:
    return one.number == other.number and one.digest == other.digest
