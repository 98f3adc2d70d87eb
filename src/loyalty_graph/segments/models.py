"""Tables of segments."""

from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from loyalty_graph.db.constraints import PrimaryKey


class Segments(Model):
    """The segments of one version of a programme; a version without segments has no row."""

    program_id: UUID = fields.UUIDField(primary_key=True)
    version: int = fields.IntField()
    settings: list[dict[str, Any]] = fields.JSONField()

    class Meta(Model.Meta):
        table = "segments"
        constraints = [PrimaryKey("program_id", "version")]
