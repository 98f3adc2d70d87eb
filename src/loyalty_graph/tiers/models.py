"""Tables of tiers."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from loyalty_graph.db.constraints import AppendOnly, FillFactor, Index, Personal, PrimaryKey


class TierRules(Model):
    """The tiers of one version of a programme; a version without tiers has no row."""

    program_id: UUID = fields.UUIDField(primary_key=True)
    version: int = fields.IntField()
    settings: dict[str, Any] = fields.JSONField()

    class Meta(Model.Meta):
        table = "tier_rules"
        constraints = [PrimaryKey("program_id", "version")]


class TierStanding(Model):
    """Where a member stands, as of the last purchase or review; one row for each member.

    `amounts` holds what counts as `measure` says, by calendar year or by day; a row that is
    missing, or of another measure, is worked out from the member's purchases. `review_at` is when
    time alone next changes something, `sequence` that of the newest change.
    """

    member_id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    earned = fields.CharField(max_length=30, null=True)
    ends_on: date | None = fields.DateField(null=True)
    since: datetime | None = fields.DatetimeField(null=True)
    override = fields.CharField(max_length=30, null=True)
    override_until: datetime | None = fields.DatetimeField(null=True)
    measure = fields.CharField(max_length=40)
    amounts: dict[str, int] = fields.JSONField()
    sequence: int = fields.IntField()
    review_at: datetime | None = fields.DatetimeField(null=True)

    class Meta(Model.Meta):
        table = "tier_standing"
        constraints = [PrimaryKey("program_id", "member_id"), FillFactor(70)]
        indexes = [
            # The job that reviews tiers.
            Index("program_id", "review_at", name="tier_review_due", where="review_at IS NOT NULL")
        ]


class TierStandingPast(Model):
    """Where a member stood from `recorded_at` on, amounts apart: one row whenever that changed.

    What counted is worked out from the purchases that had been recorded by then.
    """

    member_id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    recorded_at: datetime = fields.DatetimeField()
    earned = fields.CharField(max_length=30, null=True)
    ends_on: date | None = fields.DateField(null=True)
    since: datetime | None = fields.DatetimeField(null=True)
    override = fields.CharField(max_length=30, null=True)
    override_until: datetime | None = fields.DatetimeField(null=True)

    class Meta(Model.Meta):
        table = "tier_standing_past"
        constraints = [PrimaryKey("program_id", "member_id", "recorded_at")]


class TierChange(Model):
    """A member's tier changed `at` this instant; `tier_before` and `tier_after` may be none."""

    member_id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    sequence: int = fields.IntField()
    kind = fields.CharField(max_length=16)
    tier_before = fields.CharField(max_length=30, null=True)
    tier_after = fields.CharField(max_length=30, null=True)
    at: datetime = fields.DatetimeField()
    recorded_at: datetime = fields.DatetimeField()
    rule_version: int = fields.IntField()
    actor = fields.CharField(max_length=80)
    reason: str = fields.TextField()

    class Meta(Model.Meta):
        table = "tier_change"
        constraints = [
            PrimaryKey("program_id", "member_id", "sequence"),
            AppendOnly(),
            Personal("reason"),
        ]
