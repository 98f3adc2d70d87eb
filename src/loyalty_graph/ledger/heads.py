"""Where all chains stand: what a checkpoint covers, read and stored."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from tortoise.models import Model

from loyalty_graph.db import assert_in_transaction
from loyalty_graph.db.sets import Insert, store
from loyalty_graph.db.statements import select
from loyalty_graph.ledger.checkpoints import Checkpoint, Head, Signed
from loyalty_graph.ledger.merkle import Tree, leaf_hash
from loyalty_graph.ledger.models import AccountRow, CheckpointHeadRow, CheckpointRow

HEADS_AT_ONCE = 10_000
FIRST = UUID(int=0)

_CHECKPOINT = ("number", "at", "heads", "transfers", "root", "previous", "public_key", "signature")
_HEAD = ("member_id", "sequence", "hash")
_GROWN = """
where program_id = $1 and member_id > $2 and not exists (
  select 1 from checkpoint_head h
  where h.program_id = account.program_id and h.member_id = account.member_id
  and h.sequence = account.sequence
) order by member_id limit $3
"""
_COVERED = """
where program_id = $1 and member_id > $2 and number = (
  select max(h.number) from checkpoint_head h
  where h.program_id = checkpoint_head.program_id and h.member_id = checkpoint_head.member_id
  and h.number <= $4
) order by member_id limit $3
"""
_OF_NUMBER = "where program_id = $1 and number = $4 and member_id > $2 order by member_id limit $3"


@dataclass(slots=True)
class Heads:
    """The heads that a checkpoint covers, in the order of the members' ids, and their tree."""

    places: dict[UUID, int] = field(default_factory=dict)
    sequences: dict[UUID, int] = field(default_factory=dict)
    tree: Tree = field(default_factory=Tree)
    _leaves: dict[UUID, bytes] = field(default_factory=dict)

    def put(self, heads: Sequence[Head]) -> None:
        """Take in heads that are new, or have moved on."""
        fresh = sorted({one.member_id for one in heads} - self.places.keys())
        for one in heads:
            self.sequences[one.member_id] = one.sequence
            self._leaves[one.member_id] = leaf_hash(one.content)
        in_order = not (fresh and self.places) or fresh[0] > next(reversed(self.places))
        if in_order:
            self.places |= {member: len(self.places) + n for n, member in enumerate(fresh)}
            self.tree.put(
                {self.places[one.member_id]: self._leaves[one.member_id] for one in heads}
            )
        else:
            # Rare: ids ascend with time, so those who are new come last.
            self.places = {one: place for place, one in enumerate(sorted(self._leaves))}
            self.tree = Tree(self._leaves[one] for one in self.places)

    @property
    def transfers(self) -> int:
        """Return how many entries these heads cover."""
        return sum(self.sequences.values())


async def grown(program_id: UUID) -> list[Head]:
    """Return the present heads that no checkpoint covers yet."""
    return [
        one
        async for one in _heads(AccountRow, ("member_id", "sequence", "head"), _GROWN, program_id)
    ]


async def covered(program_id: UUID, number: int) -> Heads:
    """Return all heads that a checkpoint covers."""
    heads = Heads()
    heads.put([one async for one in _heads(CheckpointHeadRow, _HEAD, _COVERED, program_id, number)])
    return heads


async def added(program_id: UUID, number: int) -> list[Head]:
    """Return the heads that were new or had moved on at a checkpoint."""
    return [one async for one in _heads(CheckpointHeadRow, _HEAD, _OF_NUMBER, program_id, number)]


async def _heads(
    model: type[Model], columns: tuple[str, ...], ending: str, program_id: UUID, *number: int
) -> AsyncIterator[Head]:
    after = FIRST
    while rows := await select(model, columns, ending, program_id, after, HEADS_AT_ONCE, *number):
        for row in rows:
            yield Head(*row)
        after = rows[-1][0]


async def checkpoints(program_id: UUID) -> list[Signed]:
    """Return all checkpoints of a programme, oldest first."""
    rows = await CheckpointRow.filter(program_id=program_id).order_by("number")
    return [_signed(row) for row in rows]


async def newest_checkpoints(
    program_id: UUID, *, limit: int = 1, before: int | None = None
) -> list[Signed]:
    """Return a programme's newest checkpoints, those before a number if given, newest first."""
    rows = CheckpointRow.filter(program_id=program_id)
    if before is not None:
        rows = rows.filter(number__lt=before)
    return [_signed(row) for row in await rows.order_by("-number").limit(limit)]


async def checkpoint_count(program_id: UUID) -> int:
    """Return how many checkpoints a programme has."""
    return await CheckpointRow.filter(program_id=program_id).count()


async def keep(signed: Signed, heads: Sequence[Head]) -> None:
    """Store a checkpoint with the heads that are new in it, in the caller's transaction.

    Raises:
        IntegrityError: Another one with this number was stored meanwhile.
    """
    assert_in_transaction()
    one = signed.checkpoint
    row = (
        one.number,
        one.at,
        one.heads,
        one.transfers,
        one.root,
        one.previous,
        one.public_key,
        signed.signature,
    )
    await store(one.program_id, [Insert(CheckpointRow, _CHECKPOINT, [row])])
    for first in range(0, len(heads), HEADS_AT_ONCE):
        rows = [
            (head.member_id, one.number, head.sequence, head.hash)
            for head in heads[first : first + HEADS_AT_ONCE]
        ]
        columns = ("member_id", "number", "sequence", "hash")
        await store(one.program_id, [Insert(CheckpointHeadRow, columns, rows)])


def _signed(row: CheckpointRow) -> Signed:
    return Signed(
        Checkpoint(
            program_id=row.program_id,
            number=row.number,
            at=row.at,
            heads=row.heads,
            transfers=row.transfers,
            root=row.root,
            previous=row.previous,
            public_key=row.public_key,
        ),
        row.signature,
    )
