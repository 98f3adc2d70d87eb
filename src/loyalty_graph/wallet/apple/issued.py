"""Passes for Apple Wallet as they are kept, and the signed files that are made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from loyalty_graph.db.sets import Lookup, fetch
from loyalty_graph.db.statements import select
from loyalty_graph.errors import NotFoundError
from loyalty_graph.outbox import CardMark
from loyalty_graph.wallet.models import PassRow
from loyalty_graph.wallet.service import Platform


class IssuedPass(NamedTuple):
    """What is kept of a pass that its files rest on, as one statement reads it."""

    program_id: UUID
    member_id: UUID
    platform: str
    serial: str
    token_generation: int
    update_tag: int
    changed_at: datetime
    last_modified: datetime
    delivered_tag: int | None
    handed_out_tag: int | None
    holds_until: datetime | None
    voided_at: datetime | None


class Present(NamedTuple):
    """A pass, and whether its card has changed since it was last numbered."""

    issued: IssuedPass
    changed: bool


@dataclass(frozen=True, slots=True)
class PassFile:
    """A signed pass file in two parts: `body` is shared by many, `tail` is this card's own.

    `holds_until` is when the card shows something else although nothing happens; None for never.
    """

    body: bytes
    tail: bytes
    holds_until: datetime | None

    @property
    def size(self) -> int:
        """Return the bytes of the whole file."""
        return len(self.body) + len(self.tail)

    @property
    def data(self) -> bytes:
        """Return the whole file, copied together."""
        return self.body + self.tail


async def find(serials: Sequence[str]) -> list[IssuedPass | None]:
    """Return the passes with these serials that are for Apple Wallet, of whichever programmes."""
    rows = await select(PassRow, IssuedPass._fields, "where serial = any($1)", list(set(serials)))
    found = {row[3]: IssuedPass(*row) for row in rows if row[2] == Platform.APPLE}
    return [found.get(serial) for serial in serials]


async def present(program_id: UUID, serials: Mapping[UUID, str]) -> dict[UUID, Present]:
    """Return these passes (member id -> serial).

    Raises:
        NotFoundError: There is no such pass.
    """
    passes, marks = await fetch(
        program_id,
        Lookup(PassRow, ("serial",), [(one,) for one in serials.values()], IssuedPass._fields),
        Lookup(CardMark, ("member_id",), [(one,) for one in serials], ("member_id",)),
    )
    found: dict[UUID, Present] = {}
    for (member_id, serial), rows, marked in zip(serials.items(), passes, marks, strict=True):
        if not rows or rows[0][1] != member_id or rows[0][2] != Platform.APPLE:
            raise NotFoundError("pass", serial)
        found[member_id] = Present(IssuedPass(*rows[0]), bool(marked))
    return found
