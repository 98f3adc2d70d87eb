"""Tables of subscriptions."""

from datetime import datetime
from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from loyalty_graph.db.constraints import Check, FillFactor, Index, Personal, PrimaryKey, Unique


class SubscriptionPlans(Model):
    """The plans of one version of a programme; a version without plans has no row."""

    program_id: UUID = fields.UUIDField(primary_key=True)
    version: int = fields.IntField()
    settings: list[dict[str, Any]] = fields.JSONField()

    class Meta(Model.Meta):
        table = "subscription_plans"
        constraints = [PrimaryKey("program_id", "version")]


class MemberSubscription(Model):
    """A member's subscription as it stood when it was last written; see `course.State`.

    `next_step_at` is when time does something to it, or a fee is to be collected. `card` is what
    `provider` collects from; both are None when somebody else collects and tells us.
    """

    id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    member_id: UUID = fields.UUIDField()
    plan_code = fields.CharField(max_length=30)
    plan_version: int = fields.IntField()
    status = fields.CharField(max_length=12)
    started_at: datetime = fields.DatetimeField()
    anchor_at: datetime = fields.DatetimeField()
    period_start: datetime = fields.DatetimeField()
    period_end: datetime = fields.DatetimeField()
    periods: int = fields.IntField()
    opened: int = fields.IntField()
    is_trial = fields.BooleanField()
    paid_minor: int = fields.BigIntField()
    credit_minor: int = fields.BigIntField()
    failed_attempts: int = fields.IntField()
    paused_at: datetime | None = fields.DatetimeField(null=True)
    cancelled_at: datetime | None = fields.DatetimeField(null=True)
    ends_at: datetime | None = fields.DatetimeField(null=True)
    ended_at: datetime | None = fields.DatetimeField(null=True)
    next_step_at: datetime | None = fields.DatetimeField(null=True)
    provider = fields.CharField(max_length=20, null=True)
    card = fields.CharField(max_length=100, null=True)

    class Meta(Model.Meta):
        table = "member_subscription"
        constraints = [
            PrimaryKey("program_id", "member_id", "id"),
            Unique(
                "program_id",
                "member_id",
                name="member_subscription_one",
                where="status <> 'EXPIRED'",
            ),
            Check("credit_minor >= 0", name="member_subscription_credit_not_negative"),
            FillFactor(70),
            Personal("card"),
        ]
        indexes = [
            # The job that renews, ends and reminds.
            Index(
                "program_id",
                "next_step_at",
                "id",
                name="member_subscription_due",
                where="next_step_at IS NOT NULL",
            )
        ]


class SubscriptionPast(Model):
    """How a subscription stood from `recorded_at` on; see `course.State`."""

    id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    member_id: UUID = fields.UUIDField()
    recorded_at: datetime = fields.DatetimeField()
    plan_code = fields.CharField(max_length=30)
    plan_version: int = fields.IntField()
    status = fields.CharField(max_length=12)
    started_at: datetime = fields.DatetimeField()
    anchor_at: datetime = fields.DatetimeField()
    period_start: datetime = fields.DatetimeField()
    period_end: datetime = fields.DatetimeField()
    periods: int = fields.IntField()
    opened: int = fields.IntField()
    is_trial = fields.BooleanField()
    paid_minor: int = fields.BigIntField()
    credit_minor: int = fields.BigIntField()
    failed_attempts: int = fields.IntField()
    paused_at: datetime | None = fields.DatetimeField(null=True)
    cancelled_at: datetime | None = fields.DatetimeField(null=True)
    ends_at: datetime | None = fields.DatetimeField(null=True)
    ended_at: datetime | None = fields.DatetimeField(null=True)

    class Meta(Model.Meta):
        table = "member_subscription_past"
        constraints = [PrimaryKey("program_id", "member_id", "id", "recorded_at")]


class SubscriptionPeriod(Model):
    """A time in which a member had a plan; a pause or the end of the subscription shortens it."""

    subscription_id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    member_id: UUID = fields.UUIDField()
    number: int = fields.IntField()
    starts_at: datetime = fields.DatetimeField()
    ends_at: datetime = fields.DatetimeField()
    plan_code = fields.CharField(max_length=30)
    plan_version: int = fields.IntField()

    class Meta(Model.Meta):
        table = "subscription_period"
        constraints = [PrimaryKey("program_id", "member_id", "subscription_id", "number")]


class SubscriptionPayment(Model):
    """A payment, or an attempt that failed, as its provider told it; one row for each id."""

    external_id = fields.CharField(max_length=100, primary_key=True)
    program_id: UUID = fields.UUIDField()
    provider = fields.CharField(max_length=20)
    member_id: UUID = fields.UUIDField()
    subscription_id: UUID = fields.UUIDField()
    outcome = fields.CharField(max_length=10)
    amount_minor: int = fields.BigIntField()
    paid_at: datetime = fields.DatetimeField()
    recorded_at: datetime = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "subscription_payment"
        constraints = [
            PrimaryKey("program_id", "provider", "external_id"),
            Check("amount_minor > 0", name="subscription_payment_amount_positive"),
        ]
        # The payments of a subscription.
        indexes = [Index("program_id", "subscription_id", name="subscription_payment_of")]


class SubscriptionSaving(Model):
    """What a benefit of a subscription saved its member, once for each `reference`."""

    reference = fields.CharField(max_length=100, primary_key=True)
    program_id: UUID = fields.UUIDField()
    member_id: UUID = fields.UUIDField()
    subscription_id: UUID = fields.UUIDField()
    benefit = fields.CharField(max_length=30)
    saved_minor: int = fields.BigIntField()
    at: datetime = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "subscription_saving"
        constraints = [
            PrimaryKey("program_id", "member_id", "reference"),
            Check("saved_minor > 0", name="subscription_saving_positive"),
        ]
        # What a subscription has saved.
        indexes = [Index("program_id", "subscription_id", name="subscription_saving_of")]
