"""Tables of what must happen outside: facts, the count of their numbers, and marks on cards."""

from datetime import datetime
from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from loyalty_graph.db.constraints import FillFactor, Index, Personal, PrimaryKey, Unique
from loyalty_graph.db.json_text import JSONText
from loyalty_graph.traces import TRACEPARENT_CHARACTERS


class FactRow(Model):
    """One thing that happened. `sequence` is given once the row is committed.

    `change` is for the audit log alone, where somebody of the staff or a partner did it.
    """

    id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    member_id: UUID | None = fields.UUIDField(null=True)
    kind = fields.CharField(max_length=40)
    at: datetime = fields.DatetimeField()
    payload: dict[str, Any] = JSONText()
    change: dict[str, Any] | None = JSONText(null=True)
    sequence: int | None = fields.BigIntField(null=True)

    class Meta(Model.Meta):
        table = "fact"
        constraints = [
            PrimaryKey("program_id", "id"),
            Unique("program_id", "sequence", name="fact_sequence", where="sequence IS NOT NULL"),
            Personal("payload", "change"),
        ]
        # Only the first costs anything when a fact is written; the others begin with its number.
        indexes = [
            # The step that gives facts their numbers.
            Index("id", name="fact_unnumbered", where="sequence IS NULL"),
            # What goes into the audit log; few facts are changes, so this one costs nothing either.
            Index("id", name="fact_to_audit", where="sequence IS NULL AND change IS NOT NULL"),
            # Live operations of one member.
            Index(
                "program_id",
                "member_id",
                "sequence",
                name="fact_of_member",
                where="sequence IS NOT NULL",
            ),
        ]


class FactCount(Model):
    """The highest number that a programme's facts have been given; it outlives the facts."""

    program_id: UUID = fields.UUIDField(primary_key=True)
    highest: int = fields.BigIntField()

    class Meta(Model.Meta):
        table = "fact_count"


class CardMark(Model):
    """A member whose cards show something old; `trace` is what changed them first (traceparent)."""

    member_id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    marked_at: datetime = fields.DatetimeField()
    trace = fields.CharField(max_length=TRACEPARENT_CHARACTERS, null=True)

    class Meta(Model.Meta):
        table = "card_mark"
        constraints = [PrimaryKey("program_id", "member_id"), FillFactor(70)]
