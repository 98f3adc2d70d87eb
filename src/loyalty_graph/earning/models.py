"""Tables of earning."""

from datetime import datetime
from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from loyalty_graph.db.constraints import Check, FillFactor, PrimaryKey


class EarningRules(Model):
    """The earning rules of one version of a programme."""

    program_id: UUID = fields.UUIDField(primary_key=True)
    version: int = fields.IntField()
    settings: dict[str, Any] = fields.JSONField()

    class Meta(Model.Meta):
        table = "earning_rules"
        constraints = [PrimaryKey("program_id", "version")]


class EarningCounter(Model):
    """What a rule or offer gave one member in a period: points, and how often it counted.

    `period` names the period, such as `2026-03-02` or `EVER`; in that of `CARRY` the points are
    minor units. Whoever changes it has the member's account locked.
    """

    member_id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    rule = fields.CharField(max_length=30)
    period = fields.CharField(max_length=20)
    points: int = fields.BigIntField()
    times: int = fields.IntField()

    class Meta(Model.Meta):
        table = "earning_counter"
        # A purchase looks for the periods that are open, of whatever rules.
        constraints = [PrimaryKey("program_id", "member_id", "period", "rule"), FillFactor(70)]


class OfferActivation(Model):
    """A member's offer that was activated before buying: how often it was used, and still may be.

    Whoever changes it has the member's account locked.
    """

    offer = fields.CharField(max_length=30, primary_key=True)
    program_id: UUID = fields.UUIDField()
    member_id: UUID = fields.UUIDField()
    activated_at: datetime = fields.DatetimeField()
    used: int = fields.IntField()
    uses_left: int = fields.IntField()

    class Meta(Model.Meta):
        table = "offer_activation"
        constraints = [
            PrimaryKey("program_id", "member_id", "offer"),
            Check("used >= 0 AND uses_left >= 0", name="offer_activation_uses_not_negative"),
            FillFactor(80),
        ]


class EarningBudget(Model):
    """What a rule or offer gave all members together in a period; how much it may, it says itself.

    A rule without a budget has no row: nobody waits for another's purchase.
    """

    rule = fields.CharField(max_length=30, primary_key=True)
    program_id: UUID = fields.UUIDField()
    period = fields.CharField(max_length=20)
    used_points: int = fields.BigIntField()

    class Meta(Model.Meta):
        table = "earning_budget"
        constraints = [
            PrimaryKey("program_id", "rule", "period"),
            Check("used_points >= 0", name="earning_budget_used_not_negative"),
            FillFactor(50),
        ]
