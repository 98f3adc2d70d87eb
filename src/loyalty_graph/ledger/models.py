"""Tables of the ledger. Transfers and lot uses are only inserted; the rest follows from them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from loyalty_graph.db.constraints import (
    AppendOnly,
    Check,
    FillFactor,
    Index,
    Personal,
    PrimaryKey,
    Unique,
)
from loyalty_graph.db.json_text import JSONText


class AccountRow(Model):
    """What a member's transfers add up to. A projection: `ledger rebuild` derives it again.

    `balance_points` below zero is debt; `held_points` are set aside, `pending_points` cannot be
    spent yet, and neither is part of it. `head` is the hash of the newest transfer. `may_earn` is
    True for who goes on earning though suspended.

    spent yet, and neither is part of it. `head` is the hash of the newest transfer. `lapses_at` is
    when all points end together where they slide: what the newest of the account's lapses says.
    """

    member_id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    status = fields.CharField(max_length=12)
    balance_points: int = fields.BigIntField()
    held_points: int = fields.BigIntField()
    pending_points: int = fields.BigIntField()
    qualifying_points: int = fields.BigIntField()
    lifetime_points: int = fields.BigIntField()
    sequence: int = fields.IntField()
    head: bytes = fields.BinaryField()
    may_earn = fields.BooleanField(db_default=False)

    lapses_at: datetime | None = fields.DatetimeField(null=True)

    class Meta(Model.Meta):
        table = "account"
        constraints = [
            PrimaryKey("program_id", "member_id"),
            Check("qualifying_points >= 0", name="account_qualifying_not_negative"),
            Check("held_points >= 0", name="account_held_not_negative"),
            Check("pending_points >= 0", name="account_pending_not_negative"),
            FillFactor(70),
        ]
        indexes = [
            # The jobs that expire points and tell of it before; only where points slide.
            Index("program_id", "lapses_at", name="account_due", where="lapses_at IS NOT NULL")
        ]


class TransferRow(Model):
    """Points moved from one account to another: one row is both legs.

    `qualifying_points` is what it adds to what counts for a tier, or takes from it.
    `text`, `actor`, `explanation` and `salt` may be erased; `details_hash` keeps the chain whole.
    """

    member_id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    sequence: int = fields.IntField()
    kind = fields.CharField(max_length=12)
    debit = fields.CharField(max_length=12)
    credit = fields.CharField(max_length=12)
    points: int = fields.BigIntField()
    qualifying_points: int = fields.BigIntField()
    balance_after: int = fields.BigIntField()
    at: datetime = fields.DatetimeField()
    recorded_at: datetime = fields.DatetimeField()
    reference = fields.CharField(max_length=80)
    rule_version: int | None = fields.IntField(null=True)
    text: str = fields.TextField()
    actor = fields.CharField(max_length=80)
    explanation: dict[str, Any] | None = JSONText(null=True)
    salt: bytes = fields.BinaryField()
    details_hash: bytes = fields.BinaryField()
    hash: bytes = fields.BinaryField()

    class Meta(Model.Meta):
        table = "transfer"
        constraints = [
            PrimaryKey("program_id", "member_id", "sequence"),
            # The member comes last: references ascend, so the index grows at its end.
            Unique("program_id", "kind", "reference", "member_id", name="transfer_once"),
            Check(
                "points > 0 OR (points = 0 AND qualifying_points <> 0)",
                name="transfer_moves_something",
            ),
            Check("debit <> credit", name="transfer_two_accounts"),
            AppendOnly(),
            Personal("text", "actor", "explanation", "salt"),
        ]


class LotRow(Model):
    """Points that came in together and expire together; `sequence` is that of their transfer.

    `remaining_points` is a projection: `points` less the lot's uses. So is `is_pending`: what is
    left cannot be spent before the transfer that activates it, due at `activates_at`; and
    `told_expires_at`, the end that the owner was told of last. `awaits` names the event that may
    activate them before.
    """

    member_id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    sequence: int = fields.IntField()
    points: int = fields.BigIntField()
    remaining_points: int = fields.BigIntField()
    expires_at: datetime = fields.DatetimeField()
    activates_at: datetime | None = fields.DatetimeField(null=True)
    is_pending = fields.BooleanField()
    told_expires_at: datetime | None = fields.DatetimeField(null=True)
    awaits = fields.CharField(max_length=30, null=True)

    class Meta(Model.Meta):
        table = "lot"
        constraints = [
            PrimaryKey("program_id", "member_id", "sequence"),
            Check(
                "remaining_points >= 0 AND remaining_points <= points",
                name="lot_remaining_in_range",
            ),
            FillFactor(80),
        ]
        indexes = [
            # What can be spent, soonest to end first, and what is left by the day it ends.
            Index(
                "program_id",
                "member_id",
                "expires_at",
                "sequence",
                name="lot_open",
                where="remaining_points > 0",
            ),
            # The jobs that expire points and tell of it before.
            Index("program_id", "expires_at", name="lot_due", where="remaining_points > 0"),
            # The job that activates points; only lots that ever waited are in it.
            Index(
                "program_id",
                "is_pending",
                "activates_at",
                name="lot_waiting",
                where="activates_at IS NOT NULL",
            ),
        ]


class LotUseRow(Model):
    """Points a transfer took from a lot (above zero) or gave back to it (below zero)."""

    member_id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    sequence: int = fields.IntField()
    lot_sequence: int = fields.IntField()
    points: int = fields.BigIntField()

    class Meta(Model.Meta):
        table = "lot_use"
        constraints = [
            PrimaryKey("program_id", "member_id", "sequence", "lot_sequence"),
            Check("points <> 0", name="lot_use_moves_points"),
            AppendOnly(),
        ]


class HoldRow(Model):
    """Points set aside for a while; why, is the text of the transfer `entry_sequence`."""

    id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    member_id: UUID = fields.UUIDField()
    state = fields.CharField(max_length=8)
    points: int = fields.BigIntField()
    captured_points: int = fields.BigIntField()
    entry_sequence: int = fields.IntField()
    created_at: datetime = fields.DatetimeField()
    ends_at: datetime = fields.DatetimeField()
    ended_at: datetime | None = fields.DatetimeField(null=True)

    class Meta(Model.Meta):
        table = "points_hold"
        constraints = [
            PrimaryKey("program_id", "member_id", "id"),
            Check(
                "captured_points >= 0 AND captured_points <= points AND points > 0",
                name="points_hold_captured_in_range",
            ),
            FillFactor(80),
        ]
        # The job that releases holds whose time is over.
        indexes = [Index("program_id", "ends_at", name="points_hold_open", where="state = 'HELD'")]


class BalanceImportRow(Model):
    """Balances of another system on their way into the ledger: how far the import has come.

    `done` of its `rows` are behind it. `content` is kept while it is under way where no file can
    be read again. `faults` are the first of the rows that were `refused` meanwhile.
    """

    id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    source = fields.CharField(max_length=30)
    form = fields.CharField(max_length=8)
    digest: bytes = fields.BinaryField()
    caller = fields.CharField(max_length=80)
    content: str | None = fields.TextField(null=True)
    rows: int = fields.IntField()
    done: int = fields.IntField()
    known: int = fields.IntField()
    joined: int = fields.IntField()
    points: int = fields.BigIntField()
    refused: int = fields.IntField()
    faults: list[dict[str, Any]] = fields.JSONField()
    begun_at: datetime = fields.DatetimeField()
    ended_at: datetime | None = fields.DatetimeField(null=True)

    class Meta(Model.Meta):
        table = "balance_import"
        constraints = [PrimaryKey("program_id", "id")]


class LapseRow(Model):
    """From `recorded_at` on a member's points end together at `lapses_at`, or each by its date."""

    member_id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    id: UUID = fields.UUIDField()
    recorded_at: datetime = fields.DatetimeField()
    lapses_at: datetime | None = fields.DatetimeField(null=True)

    class Meta(Model.Meta):
        table = "lapse"
        constraints = [PrimaryKey("program_id", "member_id", "id"), AppendOnly()]


class ExpiryNoticeRow(Model):
    """The owner of a lot was told that these points of it end at `expires_at`."""

    member_id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    lot_sequence: int = fields.IntField()
    points: int = fields.BigIntField()
    expires_at: datetime = fields.DatetimeField()
    told_at: datetime = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "expiry_notice"
        constraints = [
            PrimaryKey("program_id", "member_id", "lot_sequence", "expires_at"),
            Check("points > 0", name="expiry_notice_of_points"),
            Check("told_at < expires_at", name="expiry_notice_ahead"),
            AppendOnly(),
        ]


class AuditRow(Model):
    """The outcome of one audit of a programme's ledger."""

    id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    at: datetime = fields.DatetimeField()
    accounts: int = fields.BigIntField()
    transfers: int = fields.BigIntField()
    checkpoints: int = fields.BigIntField()
    differences: int = fields.BigIntField()
    findings: list[dict[str, Any]] = fields.JSONField()

    class Meta(Model.Meta):
        table = "ledger_audit"
        constraints = [PrimaryKey("program_id", "id")]


class PointsTransferRow(Model):
    """Points on their way from one member to another, or arrived, or returned.

    Which lots they came from, and why, is told by the sender's entries; `parts` are the points
    that arrive with each date, as pairs in JSON.
    """

    id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    member_id: UUID = fields.UUIDField()
    recipient_id: UUID = fields.UUIDField()
    state = fields.CharField(max_length=8)
    points: int = fields.BigIntField()
    fee_points: int = fields.BigIntField()
    parts: list[list[Any]] = fields.JSONField()
    sent_at: datetime = fields.DatetimeField()
    settled_at: datetime | None = fields.DatetimeField(null=True)

    class Meta(Model.Meta):
        table = "points_transfer"
        constraints = [
            PrimaryKey("program_id", "member_id", "id"),
            Check("points > 0 AND fee_points >= 0", name="points_transfer_moves_points"),
            FillFactor(90),
        ]
        indexes = [
            # What a member gave in a day and in a year, for its limits.
            Index("program_id", "member_id", "sent_at", name="points_transfer_sent"),
            # The job that delivers what a crash has left on its way.
            Index("program_id", "sent_at", name="points_transfer_open", where="state = 'SENT'"),
        ]


class CheckpointRow(Model):
    """A signed hash over the heads of all chains of a programme; see `checkpoints.Checkpoint`."""

    program_id: UUID = fields.UUIDField(primary_key=True)
    number: int = fields.IntField()
    at: datetime = fields.DatetimeField()
    heads: int = fields.BigIntField()
    transfers: int = fields.BigIntField()
    root: bytes = fields.BinaryField()
    previous: bytes | None = fields.BinaryField(null=True)
    public_key: bytes = fields.BinaryField()
    signature: bytes = fields.BinaryField()

    class Meta(Model.Meta):
        table = "checkpoint"
        constraints = [PrimaryKey("program_id", "number"), AppendOnly()]


class CheckpointHeadRow(Model):
    """Where a member's chain stood at a checkpoint; written only if it had grown since the last."""

    member_id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    number: int = fields.IntField()
    sequence: int = fields.IntField()
    hash: bytes = fields.BinaryField()

    class Meta(Model.Meta):
        table = "checkpoint_head"
        constraints = [PrimaryKey("program_id", "member_id", "number"), AppendOnly()]
        # What a checkpoint covers, when it is checked.
        indexes = [Index("program_id", "number", name="checkpoint_head_number")]


class ApprovalRow(Model):
    """An adjustment that waits for a second person, or waited."""

    id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    member_id: UUID = fields.UUIDField()
    state = fields.CharField(max_length=8)
    points: int = fields.BigIntField()
    reason: str = fields.TextField()
    asked_by = fields.CharField(max_length=80)
    asked_at: datetime = fields.DatetimeField()
    ends_at: datetime = fields.DatetimeField()
    decided_by = fields.CharField(max_length=80, null=True)
    decided_at: datetime | None = fields.DatetimeField(null=True)
    note: str = fields.TextField()
    entry_sequence: int | None = fields.IntField(null=True)

    class Meta(Model.Meta):
        table = "approval"
        constraints = [
            PrimaryKey("program_id", "member_id", "id"),
            Check("points <> 0", name="approval_moves_points"),
            Personal("reason", "note"),
        ]
        # The approvals of a programme, newest first.
        indexes = [Index("program_id", "id", name="approval_newest")]
