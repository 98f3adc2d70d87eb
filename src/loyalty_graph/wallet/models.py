"""Tables of wallet passes."""

from datetime import datetime
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from loyalty_graph.db.constraints import PrimaryKey, Unique

SERIAL_LENGTH = 32


class PassRow(Model):
    """A member's card on one platform. The serial is opaque and never changes."""

    serial = fields.CharField(max_length=SERIAL_LENGTH, primary_key=True)
    program_id: UUID = fields.UUIDField()
    member_id: UUID = fields.UUIDField()
    platform = fields.CharField(max_length=8)
    template = fields.CharField(max_length=40)
    issued_at: datetime = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "pass"
        constraints = (
            PrimaryKey("program_id", "member_id", "platform"),
            Unique("program_id", "serial", name="pass_serial"),
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
