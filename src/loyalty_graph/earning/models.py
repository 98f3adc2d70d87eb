"""Tables of earning."""

from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from loyalty_graph.db.constraints import PrimaryKey


class EarningRules(Model):
    """The earning rules of one version of a programme."""

    program_id: UUID = fields.UUIDField(primary_key=True)
    version: int = fields.IntField()
    settings: dict[str, Any] = fields.JSONField()

    class Meta(Model.Meta):
        table = "earning_rules"
        constraints = [PrimaryKey("program_id", "version")]
