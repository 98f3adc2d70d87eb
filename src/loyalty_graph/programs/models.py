"""Tables of programmes."""

from datetime import datetime
from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from loyalty_graph.db.constraints import PrimaryKey

SLUG_LENGTH_MAX = 60


class Program(Model):
    """A loyalty programme; `version` is the newest of its versions."""

    id: UUID = fields.UUIDField(primary_key=True)
    slug = fields.CharField(max_length=SLUG_LENGTH_MAX, unique=True)
    version: int = fields.IntField()
    sandbox = fields.BooleanField()
    created_at: datetime = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "program"


class ProgramVersion(Model):
    """The settings of a programme from `in_force_from` until the next version.

    `file` is the whole programme file, for comparing it with the next; each package keeps its own
    part besides.
    """

    program_id: UUID = fields.UUIDField(primary_key=True)
    version: int = fields.IntField()
    settings: dict[str, Any] = fields.JSONField()
    file: dict[str, Any] = fields.JSONField()
    in_force_from: datetime = fields.DatetimeField()
    loaded_at: datetime = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "program_version"
        constraints = [PrimaryKey("program_id", "version")]
