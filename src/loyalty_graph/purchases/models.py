"""Tables of purchases and activities, written in sets, without database foreign keys."""

from datetime import datetime
from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from loyalty_graph.db.constraints import Check, FillFactor, Personal, PrimaryKey, Unique


class Purchase(Model):
    """A receipt. Amounts are net of discounts, without tax, in minor units of `currency`.

    `pinned` holds what a refund must know again of the moment of the purchase, such as the
    multipliers that held for the member. Of the total, `paid_minor` was paid with `paid_points`.
    What was paid with money is `spend_minor` in the programme's currency; `exchange` says how it
    was converted, if it was. `state` is a `PurchaseState`.
    """

    id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    member_id: UUID = fields.UUIDField()
    source = fields.CharField(max_length=40)
    external_id = fields.CharField(max_length=100)
    store = fields.CharField(max_length=60, null=True)
    channel = fields.CharField(max_length=12)
    purchased_at: datetime = fields.DatetimeField()
    recorded_at: datetime = fields.DatetimeField()
    currency = fields.CharField(max_length=3)
    total_minor: int = fields.BigIntField()
    tax_minor: int = fields.BigIntField()
    paid_minor: int = fields.BigIntField()
    paid_points: int = fields.BigIntField()
    points: int = fields.BigIntField()
    entry_sequence: int | None = fields.IntField(null=True)
    rule_version: int = fields.IntField()
    payment = fields.CharField(max_length=20, null=True)
    pinned: dict[str, Any] | None = fields.JSONField(null=True)
    spend_minor: int = fields.BigIntField()
    exchange: dict[str, str] | None = fields.JSONField(null=True)
    state = fields.CharField(max_length=20)

    class Meta(Model.Meta):
        table = "purchase"
        constraints = [PrimaryKey("program_id", "member_id", "id")]


class PurchaseReference(Model):
    """The directory: what finds a purchase. One receipt of a source counts for one member."""

    external_id = fields.CharField(max_length=100, primary_key=True)
    program_id: UUID = fields.UUIDField()
    source = fields.CharField(max_length=40)
    member_id: UUID = fields.UUIDField()
    purchase_id: UUID = fields.UUIDField()

    class Meta(Model.Meta):
        table = "purchase_reference"
        constraints = [PrimaryKey("program_id", "source", "external_id")]


class UnclaimedReceipt(Model):
    """A receipt without a member, to be claimed with a code until `expires_at`.

    Meanwhile the directory names nobody as its member. `purchase_id` is there once it was claimed;
    one with `voided_at` cannot be claimed any more, and keeps its name.
    """

    id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    code_hash: bytes = fields.BinaryField()
    source = fields.CharField(max_length=40)
    external_id = fields.CharField(max_length=100)
    receipt: dict[str, Any] = fields.JSONField()
    purchased_at: datetime = fields.DatetimeField()
    recorded_at: datetime = fields.DatetimeField()
    expires_at: datetime = fields.DatetimeField()
    purchase_id: UUID | None = fields.UUIDField(null=True)
    voided_at: datetime | None = fields.DatetimeField(null=True)

    class Meta(Model.Meta):
        table = "unclaimed_receipt"
        constraints = [
            PrimaryKey("program_id", "id"),
            Unique("program_id", "code_hash", name="unclaimed_receipt_code"),
        ]


class PurchaseLine(Model):
    """One line of a receipt; `number` counts from 1.

    `discount_minor`, what was paid with points, and what was taken off the price afterwards
    (`reduced_minor`) are for the whole line.
    """

    purchase_id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    member_id: UUID = fields.UUIDField()
    number: int = fields.SmallIntField()
    product_type = fields.CharField(max_length=40)
    sku = fields.CharField(max_length=60, null=True)
    quantity: int = fields.IntField()
    unit_minor: int = fields.BigIntField()
    discount_minor: int = fields.BigIntField()
    tax_minor: int = fields.BigIntField()
    points: int = fields.BigIntField()
    refunded_quantity: int = fields.IntField()
    paid_minor: int = fields.BigIntField()
    paid_points: int = fields.BigIntField()
    labels: list[str] | None = fields.JSONField(null=True)
    reduced_minor: int = fields.BigIntField()

    class Meta(Model.Meta):
        table = "purchase_line"
        constraints = [
            PrimaryKey("program_id", "member_id", "purchase_id", "number"),
            Check("quantity > 0", name="purchase_line_quantity_positive"),
            Check(
                "refunded_quantity >= 0 AND refunded_quantity <= quantity",
                name="purchase_line_refunded_in_range",
            ),
            Check("reduced_minor >= 0", name="purchase_line_reduced_not_negative"),
            FillFactor(90),
        ]


class Refund(Model):
    """Goods brought back; `due_points` = `clawed_back_points` + `shortfall_points`.

    Of the amount, `returned_minor` had been paid with `returned_points`, which came back; the rest
    is `spend_minor` in the programme's currency. A void undid the purchase as a whole.
    """

    id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    member_id: UUID = fields.UUIDField()
    purchase_id: UUID = fields.UUIDField()
    external_id = fields.CharField(max_length=100, null=True)
    refunded_at: datetime = fields.DatetimeField()
    recorded_at: datetime = fields.DatetimeField()
    amount_minor: int = fields.BigIntField()
    due_points: int = fields.BigIntField()
    clawed_back_points: int = fields.BigIntField()
    shortfall_points: int = fields.BigIntField()
    returned_minor: int = fields.BigIntField()
    returned_points: int = fields.BigIntField()
    spend_minor: int = fields.BigIntField()
    entry_sequence: int | None = fields.IntField(null=True)
    is_void = fields.BooleanField()

    class Meta(Model.Meta):
        table = "refund"
        constraints = [
            PrimaryKey("program_id", "member_id", "purchase_id", "id"),
            Unique(
                "program_id",
                "member_id",
                "purchase_id",
                "external_id",
                name="refund_once",
                where="external_id IS NOT NULL",
            ),
            Check(
                "due_points = clawed_back_points + shortfall_points", name="refund_points_add_up"
            ),
        ]


class RefundLine(Model):
    """What came back of a purchase's line: so many units, or none where it became cheaper.

    `amount_minor` is what that had cost, in minor units of the purchase's currency.
    """

    refund_id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    member_id: UUID = fields.UUIDField()
    number: int = fields.SmallIntField()
    quantity: int = fields.IntField()
    amount_minor: int = fields.BigIntField()

    class Meta(Model.Meta):
        table = "refund_line"
        constraints = [
            PrimaryKey("program_id", "member_id", "refund_id", "number"),
            Check(
                "quantity >= 0 AND amount_minor >= 0 AND quantity + amount_minor > 0",
                name="refund_line_something",
            ),
        ]


class MemberSummary(Model):
    """What a member bought so far, refunds taken off; kept up to date by each purchase.

    Purchases that were voided are left out. Who has none has no row.
    """

    member_id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    purchase_count: int = fields.IntField()
    spend_minor: int = fields.BigIntField()
    last_purchase_at: datetime = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "member_summary"
        constraints = [PrimaryKey("program_id", "member_id"), FillFactor(70)]


class Activity(Model):
    """Something a member did beside buying, whether or not it earned points.

    `verdicts` say rule by rule what it gave, or why nothing. `occasion` tells one of a kind that
    happens by itself from the next, such as the year of a birthday: each happens once.
    """

    id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    member_id: UUID = fields.UUIDField()
    kind = fields.CharField(max_length=20)
    name = fields.CharField(max_length=40, null=True)
    network = fields.CharField(max_length=40, null=True)
    proof = fields.CharField(max_length=100, null=True)
    store = fields.CharField(max_length=60, null=True)
    occasion = fields.CharField(max_length=12, null=True)
    occurred_at: datetime = fields.DatetimeField()
    recorded_at: datetime = fields.DatetimeField()
    points: int = fields.BigIntField()
    entry_sequence: int | None = fields.IntField(null=True)
    rule_version: int = fields.IntField()
    verdicts: list[dict[str, Any]] = fields.JSONField()

    class Meta(Model.Meta):
        table = "activity"
        constraints = [
            PrimaryKey("program_id", "member_id", "id"),
            Unique(
                "program_id",
                "member_id",
                "kind",
                "occasion",
                name="activity_occasion_once",
                where="occasion IS NOT NULL",
            ),
            Personal("proof"),
        ]


class ActivityCount(Model):
    """When an activity last counted for a member under a rule.

    `network` is empty for all networks together, which has a row of its own.
    """

    rule = fields.CharField(max_length=40, primary_key=True)
    program_id: UUID = fields.UUIDField()
    member_id: UUID = fields.UUIDField()
    network = fields.CharField(max_length=40)
    counted_at: datetime = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "activity_count"
        constraints = [
            PrimaryKey("program_id", "member_id", "rule", "network"),
            FillFactor(80),
        ]


class ActivityProof(Model):
    """The directory of proofs: one counts once under a rule, whoever brings it."""

    proof = fields.CharField(max_length=100, primary_key=True)
    program_id: UUID = fields.UUIDField()
    rule = fields.CharField(max_length=40)
    member_id: UUID = fields.UUIDField()
    activity_id: UUID = fields.UUIDField()

    class Meta(Model.Meta):
        table = "activity_proof"
        constraints = [PrimaryKey("program_id", "rule", "proof"), Personal("proof", rows=True)]
