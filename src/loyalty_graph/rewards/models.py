"""Tables of rewards."""

from datetime import datetime
from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from loyalty_graph.db.constraints import AppendOnly, Check, FillFactor, Index, PrimaryKey, Unique


class RewardRules(Model):
    """The rewards of one version of a programme."""

    program_id: UUID = fields.UUIDField(primary_key=True)
    version: int = fields.IntField()
    settings: list[dict[str, Any]] = fields.JSONField()

    class Meta(Model.Meta):
        table = "reward_rules"
        constraints = [PrimaryKey("program_id", "version")]


class RewardStock(Model):
    """How many of a reward are held, issued or gone; how many there may be, the version says.

    A reward without a limit has no row: nobody waits for another's redemption of it.
    """

    reward = fields.CharField(max_length=30, primary_key=True)
    program_id: UUID = fields.UUIDField()
    taken: int = fields.BigIntField()

    class Meta(Model.Meta):
        table = "reward_stock"
        constraints = [
            PrimaryKey("program_id", "reward"),
            Check("taken >= 0", name="reward_stock_taken_not_negative"),
            FillFactor(50),
        ]


class RedemptionRow(Model):
    """Points a member gave, or set aside, for a reward of a version of the programme.

    `entry_sequence` is the transfer that took the points; `code_hash` is there once it is issued.
    It was used with the receipt `receipt_id` of the system `receipt_source`, if these are known.
    """

    id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    member_id: UUID = fields.UUIDField()
    reward = fields.CharField(max_length=30)
    version: int = fields.IntField()
    state = fields.CharField(max_length=10)
    points: int = fields.BigIntField()
    entry_sequence: int = fields.IntField()
    store = fields.CharField(max_length=60, null=True)
    held_until: datetime | None = fields.DatetimeField(null=True)
    created_at: datetime = fields.DatetimeField()
    issued_at: datetime | None = fields.DatetimeField(null=True)
    expires_at: datetime | None = fields.DatetimeField(null=True)
    used_at: datetime | None = fields.DatetimeField(null=True)
    used_store = fields.CharField(max_length=60, null=True)
    ended_at: datetime | None = fields.DatetimeField(null=True)
    restocked = fields.BooleanField()
    code_hash: bytes | None = fields.BinaryField(null=True)
    receipt_source = fields.CharField(max_length=40, null=True)
    receipt_id = fields.CharField(max_length=100, null=True)

    class Meta(Model.Meta):
        table = "redemption"
        constraints = [
            PrimaryKey("program_id", "member_id", "id"),
            Unique(
                "program_id", "code_hash", name="redemption_code", where="code_hash IS NOT NULL"
            ),
            Check("points > 0", name="redemption_points_positive"),
            FillFactor(80),
        ]
        indexes = [
            # Counts what is gone of a reward when its stock is counted anew.
            Index("program_id", "reward", name="redemption_stock", where="NOT restocked"),
            # The job that releases holds whose time is over.
            Index("program_id", "held_until", name="redemption_held", where="state = 'HELD'"),
            # The job that ends codes whose time is over.
            Index("program_id", "expires_at", name="redemption_issued", where="state = 'ISSUED'"),
        ]


class VoucherRow(Model):
    """Money on a voucher, in minor units of the programme's currency; its id is its redemption's.

    `remaining_minor` is a projection: the face value less the uses.
    """

    id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    member_id: UUID = fields.UUIDField()
    state = fields.CharField(max_length=16)
    face_minor: int = fields.BigIntField()
    remaining_minor: int = fields.BigIntField()
    issued_at: datetime = fields.DatetimeField()
    expires_at: datetime | None = fields.DatetimeField(null=True)

    class Meta(Model.Meta):
        table = "voucher"
        constraints = [
            PrimaryKey("program_id", "member_id", "id"),
            Check(
                "remaining_minor >= 0 AND remaining_minor <= face_minor",
                name="voucher_remaining_in_range",
            ),
            FillFactor(80),
        ]
        indexes = [
            # The job that ends vouchers, and the report of what is outstanding.
            Index(
                "program_id",
                "expires_at",
                name="voucher_open",
                where="state IN ('ACTIVE', 'PARTIALLY_USED')",
            )
        ]


class VoucherUseRow(Model):
    """Money taken from a voucher (above zero), or given back (below zero) of the use `of_number`.

    `number` counts the rows of a voucher from 1; `reference` is the caller's own. What it paid for
    is the receipt `receipt_id` of the system `receipt_source`, if these are known.
    """

    voucher_id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    member_id: UUID = fields.UUIDField()
    number: int = fields.IntField()
    amount_minor: int = fields.BigIntField()
    of_number: int | None = fields.IntField(null=True)
    at: datetime = fields.DatetimeField()
    store = fields.CharField(max_length=60, null=True)
    reference = fields.CharField(max_length=100)
    receipt_source = fields.CharField(max_length=40, null=True)
    receipt_id = fields.CharField(max_length=100, null=True)

    class Meta(Model.Meta):
        table = "voucher_use"
        constraints = [
            PrimaryKey("program_id", "member_id", "voucher_id", "number"),
            Check("amount_minor <> 0", name="voucher_use_moves_money"),
            AppendOnly(),
        ]
