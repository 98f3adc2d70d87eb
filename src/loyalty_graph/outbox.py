"""What must happen outside the transaction that made it true: facts, and marks on cards.

Both are rows of the same transaction and carry no number yet: a number taken inside a transaction
becomes visible out of order, and then readers miss rows. A later step numbers committed rows.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from loyalty_graph.db.constraints import FillFactor, Index, PrimaryKey
from loyalty_graph.db.sets import Insert, Upsert


class FactRow(Model):
    """One thing that happened. `sequence` is given once the row is committed."""

    id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    member_id: UUID | None = fields.UUIDField(null=True)
    kind = fields.CharField(max_length=40)
    at: datetime = fields.DatetimeField()
    payload: dict[str, Any] = fields.JSONField()
    sequence: int | None = fields.BigIntField(null=True)

    class Meta(Model.Meta):
        table = "fact"
        constraints = [PrimaryKey("program_id", "id")]
        indexes = [Index("program_id", name="fact_unnumbered", where="sequence IS NULL")]


class CardMark(Model):
    """A member whose cards show something old."""

    member_id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    marked_at: datetime = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "card_mark"
        constraints = [PrimaryKey("program_id", "member_id"), FillFactor(70)]


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact to be stored: past tense, dotted (`purchase.recorded`); the payload holds JSON."""

    id: UUID
    kind: str
    member_id: UUID | None
    at: datetime
    payload: dict[str, Any]


def facts(rows: Iterable[Fact]) -> Insert:
    """Return the write that stores these facts."""
    return Insert(
        FactRow,
        ("id", "kind", "member_id", "at", "payload"),
        [(row.id, row.kind, row.member_id, row.at, row.payload) for row in rows],
    )


def mark_cards(member_ids: Iterable[UUID], *, now: datetime) -> Upsert:
    """Return the write that says: the cards of these members show something old."""
    return Upsert(
        CardMark,
        ("member_id",),
        ("member_id", "marked_at"),
        [(member_id, now) for member_id in sorted(set(member_ids))],
        merge=(("marked_at", "excluded.marked_at"),),
    )
