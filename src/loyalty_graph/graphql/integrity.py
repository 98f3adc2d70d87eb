"""Whether the ledger adds up, and signed checkpoints of it, for everybody to keep."""

from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry

from loyalty_graph.graphql.connections import After, Connection, First, connection
from loyalty_graph.graphql.context import Info
from loyalty_graph.graphql.permissions import Everybody
from loyalty_graph.graphql.programs import Slug, program_asked_for
from loyalty_graph.graphql.scalars import Count
from loyalty_graph.ledger import audit, heads
from loyalty_graph.ledger.checkpoints import Signed, key_id
from loyalty_graph.paging import PAGE_SIZE_DEFAULT, Cursor, page_of, page_size

CHECKPOINTS = Cursor("ledgerCheckpoints", (int,))


@strawberry.type(
    description=(
        "A signed hash over where all members' chains stood. Whoever keeps it can tell later that "
        "no entry before it was changed, removed or inserted. It names no person."
    )
)
class LedgerCheckpoint:
    """A checkpoint; hashes, keys and signatures are hexadecimal."""

    number: int = strawberry.field(description="Counts the programme's checkpoints from 1.")
    at: datetime = strawberry.field(description="When it was signed.")
    heads: Count = strawberry.field(description="How many members' chains it covers.")
    transfers: Count = strawberry.field(description="How many entries it covers.")
    root: str = strawberry.field(
        description="The root of the Merkle tree (SHA-256, RFC 9162) over the chains' heads."
    )
    previous: str | None = strawberry.field(
        description="The SHA-256 of the checkpoint before; null in the first."
    )
    public_key: str = strawberry.field(description="The Ed25519 key that signed it.")
    key_id: str = strawberry.field(description="The short name of that key.")
    signature: str = strawberry.field(
        description="Over the canonical JSON of the document, without this one field."
    )
    document: str = strawberry.field(
        description="All of it as JSON, as `ledger verify --checkpoint` reads it from a file."
    )


def checkpoint_of(signed: Signed) -> LedgerCheckpoint:
    """Return a checkpoint as the API shows it."""
    one = signed.checkpoint
    return LedgerCheckpoint(
        number=one.number,
        at=one.at,
        heads=Count(one.heads),
        transfers=Count(one.transfers),
        root=one.root.hex(),
        previous=None if one.previous is None else one.previous.hex(),
        public_key=one.public_key.hex(),
        key_id=key_id(one.public_key),
        signature=signed.signature.hex(),
        document=signed.document.decode(),
    )


@strawberry.type(
    description="The last audit: every sum, lot, use, sequence and hash was worked out again."
)
class LedgerIntegrity:
    """The outcome of the last stored audit."""

    program_id: strawberry.Private[UUID]
    ok: bool = strawberry.field(description="Nothing differed.")
    audited_at: datetime = strawberry.field(description="When the audit was made.")
    accounts: Count = strawberry.field(description="How many accounts were audited.")
    transfers: Count = strawberry.field(description="How many transfers were audited.")
    checkpoints: Count = strawberry.field(description="How many signed checkpoints were proven.")
    differences: Count = strawberry.field(
        description="How many things were not as they must be; `ledger verify` names them."
    )

    @strawberry.field(
        description="The newest signed checkpoint: where all chains stood; null before the first."
    )
    async def checkpoint(self) -> LedgerCheckpoint | None:
        newest = await heads.newest_checkpoints(self.program_id)
        return checkpoint_of(newest[0]) if newest else None


@strawberry.type
class IntegrityQuery:
    """Queries about what is proven."""

    @strawberry.field(
        description=(
            "Whether the ledger adds up: the outcome of the last audit, null when there was none. "
            "Everybody may ask, also without a token."
        ),
        extensions=[Everybody()],
    )
    async def ledger_integrity(self, info: Info, slug: Slug = None) -> LedgerIntegrity | None:
        program_id = await program_asked_for(info.context, slug)
        last = await audit.latest(program_id)
        if last is None:
            return None
        return LedgerIntegrity(
            program_id=program_id,
            ok=last.differences == 0,
            audited_at=last.at,
            accounts=Count(last.accounts),
            transfers=Count(last.transfers),
            checkpoints=Count(last.checkpoints),
            differences=Count(last.differences),
        )

    @strawberry.field(
        description=(
            "The signed checkpoints of the ledger, newest first. Everybody may ask, also without "
            "a token: keep one, and you can prove later what it covers."
        ),
        extensions=[Everybody()],
    )
    async def ledger_checkpoints(
        self,
        info: Info,
        slug: Slug = None,
        first: First = PAGE_SIZE_DEFAULT,
        after: After = None,
    ) -> Connection[LedgerCheckpoint]:
        program_id = await program_asked_for(info.context, slug)
        size = page_size(first)
        before: Any = None if after is None else CHECKPOINTS.decode(after)[0]
        rows = await heads.newest_checkpoints(program_id, limit=size + 1, before=before)
        return connection(
            page_of(rows, size=size, after=after),
            cursor=CHECKPOINTS,
            key=lambda one: (one.checkpoint.number,),
            node=checkpoint_of,
            count=lambda: heads.checkpoint_count(program_id),
        )
