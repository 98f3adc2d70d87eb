"""Everything that is kept of one member, for the member to take along (GDPR, article 20)."""

from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from loyalty_graph import outbox
from loyalty_graph.db import personal, transaction
from loyalty_graph.db.sets import store
from loyalty_graph.identifiers import new_id
from loyalty_graph.members import service as members
from loyalty_graph.members.rules import Reference

WITHHELD = {
    "account": {"head"},
    "card_link": {"token_sha256"},
    "redemption": {"code_hash"},
    "transfer": {"salt"},
}
"""What would open something to whoever finds the export, or means nothing outside."""


@transaction
async def export(
    program_id: UUID, wanted: Reference, *, now: datetime, by: str = "cli"
) -> tuple[UUID, str]:
    """Return a member's id, and all that is kept of the member as JSON text.

    Each table has its name there, and each row its columns; a fact says that it was exported.

    Raises:
        NotFoundError: No such member.
    """
    member = await members.find(program_id, wanted)
    found = await personal.rows_of(program_id, member.id)
    tables = {table: [_shown(table, row) for row in rows] for table, rows in found.items() if rows}
    told = {"exported_at": now, "member": str(member.id), "tables": tables}
    fact = outbox.Fact(new_id(now), "member.exported", member.id, now, {}, outbox.change(by))
    await store(program_id, [outbox.facts([fact])])
    return member.id, orjson.dumps(told, default=_plain).decode()


def _shown(table: str, row: dict[str, Any]) -> dict[str, Any]:
    left_out = {"program_id", *WITHHELD.get(table, ())}
    return {name: value for name, value in row.items() if name not in left_out}


def _plain(value: object) -> str:
    """Return bytes as hexadecimal digits, and ids of the database's own kind as text."""
    return value.hex() if isinstance(value, bytes) else str(value)
