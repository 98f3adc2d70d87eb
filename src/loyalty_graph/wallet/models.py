"""Tables of wallet passes."""

from datetime import datetime
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from loyalty_graph.db.constraints import FillFactor, Index, PrimaryKey, Unique
from loyalty_graph.traces import TRACEPARENT_CHARACTERS

SERIAL_LENGTH = 32
PASSES = "pass"
"""Whose tags are counted."""


class PassRow(Model):
    """A member's card on one platform, the only one that is not void. The serial never changes.

    `update_tag` names the state of the card that its copies should show; it grows with each change,
    through all programmes together, and becomes visible after all lower ones. `changed_at` is when
    that change happened, `last_modified` (whole seconds) differs for any two tags of a pass.
    `delivered_tag` is the newest state that was handed out; while that is lower than `update_tag`,
    `stale_since` is when the oldest change happened that it lacks. `holds_until` is when the card
    shows something else although nothing happens, such as points that expire soon.
    `handed_out_tag` is what the first copy showed that was handed out: no copy anywhere shows
    anything older.
    """

    serial = fields.CharField(max_length=SERIAL_LENGTH, primary_key=True)
    program_id: UUID = fields.UUIDField()
    member_id: UUID = fields.UUIDField()
    platform = fields.CharField(max_length=8)
    token_generation: int = fields.IntField(default=0)
    issued_at: datetime = fields.DatetimeField()
    update_tag: int = fields.BigIntField(default=0)
    changed_at: datetime = fields.DatetimeField()
    last_modified: datetime = fields.DatetimeField()
    delivered_tag: int | None = fields.BigIntField(null=True)
    delivered_at: datetime | None = fields.DatetimeField(null=True)
    stale_since: datetime = fields.DatetimeField()
    holds_until: datetime | None = fields.DatetimeField(null=True)
    handed_out_at: datetime | None = fields.DatetimeField(null=True)
    handed_out_tag: int | None = fields.BigIntField(null=True)
    installed_at: datetime | None = fields.DatetimeField(null=True)
    removed_at: datetime | None = fields.DatetimeField(null=True)
    expires_at: datetime | None = fields.DatetimeField(null=True)
    voided_at: datetime | None = fields.DatetimeField(null=True)

    class Meta(Model.Meta):
        table = "pass"
        constraints = (
            PrimaryKey("program_id", "member_id", "platform", "serial"),
            # Those that are void stay: their copies must be told so when they ask.
            Unique(
                "program_id",
                "member_id",
                "platform",
                name="pass_held",
                where="voided_at IS NULL",
            ),
            # Phones name a pass by this alone, before it is known which programme is asked.
            Unique("serial", name="pass_serial"),
            FillFactor(80),
        )
        indexes = (
            # Read by the job that marks cards whose time is over.
            Index("holds_until", name="pass_holds_until", where="holds_until IS NOT NULL"),
        )


class UpdateTagRow(Model):
    """The highest update tag given so far; one row, `PASSES`, for the whole database.

    Not a sequence: sequences become visible out of order and do not roll back.
    """

    name = fields.CharField(max_length=8, primary_key=True)
    highest: int = fields.BigIntField()

    class Meta(Model.Meta):
        table = "update_tag"


class CardPushRow(Model):
    """What is to be told to one device, or to Google about one pass; one row however much changed.

    `channel` is what shares a connection and a limit: a pass type (the APNs topic), or an issuer.
    `target` is the device's id, or the serial. `due_at` is null while there is nothing to tell;
    under a claim it is when others may try. `pushed_tag` is what was told last, or is being told
    under the claim. `changed_at` is the oldest change not told of yet, and `trace` what caused it
    (traceparent).
    """

    target = fields.CharField(max_length=255, primary_key=True)
    platform = fields.CharField(max_length=8)
    channel = fields.CharField(max_length=200)
    wanted_tag: int = fields.BigIntField()
    pushed_tag: int = fields.BigIntField(default=0)
    changed_at: datetime | None = fields.DatetimeField(null=True)
    due_at: datetime | None = fields.DatetimeField(null=True)
    quiet_until: datetime | None = fields.DatetimeField(null=True)
    attempts: int = fields.IntField(default=0)
    claim: UUID | None = fields.UUIDField(null=True)
    trace = fields.CharField(max_length=TRACEPARENT_CHARACTERS, null=True)

    class Meta(Model.Meta):
        table = "card_push"
        constraints = (PrimaryKey("platform", "channel", "target"), FillFactor(70))
        indexes = (
            # Read by whoever claims; small, since most rows wait for nothing.
            Index(
                "platform", "channel", "due_at", name="card_push_due", where="due_at IS NOT NULL"
            ),
        )


class CardLinkRow(Model):
    """A link that shows a member's card to whoever holds it: its hash, never the link itself."""

    id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    member_id: UUID = fields.UUIDField()
    token_sha256 = fields.CharField(max_length=64)
    created_at: datetime = fields.DatetimeField()
    revoked_at: datetime | None = fields.DatetimeField(null=True)

    class Meta(Model.Meta):
        table = "card_link"
        constraints = (
            PrimaryKey("program_id", "member_id", "id"),
            # Found by this alone, before it is known which programme is asked.
            Unique("token_sha256", name="card_link_token"),
        )


class RolloutRow(Model):
    """A change that all cards of a programme show, on its way to them.

    `cursor` is the last member whose cards were marked.
    """

    id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    reason = fields.CharField(max_length=100)
    state = fields.CharField(max_length=10)
    total: int = fields.IntField()
    marked: int = fields.IntField()
    cursor: UUID | None = fields.UUIDField(null=True)
    begun_at: datetime = fields.DatetimeField()
    ended_at: datetime | None = fields.DatetimeField(null=True)

    class Meta(Model.Meta):
        table = "card_rollout"
        constraints = (
            PrimaryKey("program_id", "id"),
            Unique("program_id", name="card_rollout_open", where="ended_at IS NULL"),
        )


class CardTemplateRow(Model):
    """By which template, and which state of it, a programme's cards are made."""

    program_id: UUID = fields.UUIDField(primary_key=True)
    name = fields.CharField(max_length=40)
    digest = fields.CharField(max_length=64)

    class Meta(Model.Meta):
        table = "card_template"
