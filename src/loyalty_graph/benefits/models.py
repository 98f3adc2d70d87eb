"""Tables of benefits."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from loyalty_graph.db.constraints import AppendOnly, Check, PrimaryKey


class BenefitRules(Model):
    """The benefits of one version of a programme; a version without benefits has no row."""

    program_id: UUID = fields.UUIDField(primary_key=True)
    version: int = fields.IntField()
    settings: list[dict[str, Any]] = fields.JSONField()

    class Meta(Model.Meta):
        table = "benefit_rules"
        constraints = [PrimaryKey("program_id", "version")]


class BenefitUse(Model):
    """A member used a benefit; `number` counts the uses of the period that begins on `period`."""

    member_id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    benefit = fields.CharField(max_length=30)
    period: date = fields.DateField()
    number: int = fields.IntField()
    used_at: datetime = fields.DatetimeField()
    source = fields.CharField(max_length=12)
    code = fields.CharField(max_length=30)
    actor = fields.CharField(max_length=80)

    class Meta(Model.Meta):
        table = "benefit_use"
        constraints = [
            # Two who take the last use at once would write the same number.
            PrimaryKey("program_id", "member_id", "benefit", "period", "number"),
            Check("number > 0", name="benefit_use_number_positive"),
            AppendOnly(),
        ]
