"""Tables of programmes."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from loyalty_graph.db.constraints import PrimaryKey
from loyalty_graph.programs.exchange import RATE_LENGTH_MAX

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
    part besides. `source` is the text it was read from, comments included; None where there was
    none. `actor` applied it, `change_count` is how much differs from the version before (None for
    the first).
    """

    program_id: UUID = fields.UUIDField(primary_key=True)
    version: int = fields.IntField()
    settings: dict[str, Any] = fields.JSONField()
    file: dict[str, Any] = fields.JSONField()
    in_force_from: datetime = fields.DatetimeField()
    loaded_at: datetime = fields.DatetimeField()
    source: str | None = fields.TextField(null=True)
    actor = fields.CharField(max_length=80)
    note: str = fields.TextField()
    change_count: int | None = fields.IntField(null=True)

    class Meta(Model.Meta):
        table = "program_version"
        constraints = [PrimaryKey("program_id", "version")]


class ImportedRate(Model):
    """An exchange rate of a day: units of the programme's currency for one of `currency`.

    `rate` is decimal text, as it was given.
    """

    currency = fields.CharField(max_length=3, primary_key=True)
    program_id: UUID = fields.UUIDField()
    day: date = fields.DateField()
    rate = fields.CharField(max_length=RATE_LENGTH_MAX)
    imported_at: datetime = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "exchange_rate"
        constraints = [PrimaryKey("program_id", "currency", "day")]
