"""Tables of partners, staff and their API tokens."""

from datetime import datetime
from typing import Any
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from loyalty_graph.db.constraints import AppendOnly, Check, FillFactor, Index, Personal, PrimaryKey

NAME_CHARACTERS_MAX = 100
STORE_CHARACTERS_MAX = 60


class Partner(Model):
    """A till, a shop or a coalition brand that talks to a programme."""

    id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    name = fields.CharField(max_length=NAME_CHARACTERS_MAX)
    # What its calls may issue in a day; anything, when null.
    daily_points: int | None = fields.BigIntField(null=True)
    created_at: datetime = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "partner"
        unique_together = (("program_id", "name"),)
        constraints = [Check("daily_points >= 0", name="partner_daily_points_not_negative")]


class PartnerIssuance(Model):
    """What the calls of a partner with a daily cap issued on a local day of the programme."""

    partner_id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    day = fields.CharField(max_length=10)
    issued_points: int = fields.BigIntField()

    class Meta(Model.Meta):
        table = "partner_issuance"
        constraints = [
            PrimaryKey("program_id", "partner_id", "day"),
            Check("issued_points >= 0", name="partner_issuance_not_negative"),
            FillFactor(50),
        ]


class Staff(Model):
    """Somebody who runs a programme; what they may do, their role says."""

    id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    name = fields.CharField(max_length=NAME_CHARACTERS_MAX)
    role = fields.CharField(max_length=20)
    created_at: datetime = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "staff"
        unique_together = (("program_id", "name"),)


class ApiToken(Model):
    """A token of a partner or a staff user: its hash and what may be shown of it, no more."""

    id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    partner: fields.ForeignKeyNullableRelation[Partner] = fields.ForeignKeyField(
        "models.Partner", related_name="tokens", on_delete=fields.RESTRICT, null=True
    )
    partner_id: UUID | None
    staff: fields.ForeignKeyNullableRelation[Staff] = fields.ForeignKeyField(
        "models.Staff", related_name="tokens", on_delete=fields.RESTRICT, null=True
    )
    staff_id: UUID | None
    name = fields.CharField(max_length=NAME_CHARACTERS_MAX)
    prefix = fields.CharField(max_length=8)
    last_four = fields.CharField(max_length=4)
    # Found by this alone, before it is known which programme is asked, so it is unique by itself.
    token_sha256 = fields.CharField(max_length=64, unique=True)
    scopes: list[str] = fields.JSONField()
    # The only store it may act for; any, when null.
    store = fields.CharField(max_length=STORE_CHARACTERS_MAX, null=True)
    # Its partner's, kept here too: a request reads no other row before it is served.
    daily_points: int | None = fields.BigIntField(null=True)
    created_at: datetime = fields.DatetimeField()
    last_used_at: datetime | None = fields.DatetimeField(null=True)
    expires_at: datetime | None = fields.DatetimeField(null=True)
    revoked_at: datetime | None = fields.DatetimeField(null=True)

    class Meta(Model.Meta):
        table = "api_token"
        constraints = [
            Check("(partner_id IS NULL) <> (staff_id IS NULL)", name="api_token_has_one_owner")
        ]


class AuditEntry(Model):
    """What somebody of the staff, a partner or an operator changed; kept when facts are pruned.

    `id` is that of the fact that told of it. `about` names what is no member.
    """

    id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    member_id: UUID | None = fields.UUIDField(null=True)
    kind = fields.CharField(max_length=40)
    actor = fields.CharField(max_length=80)
    about = fields.CharField(max_length=120)
    at: datetime = fields.DatetimeField()
    before: dict[str, Any] | None = fields.JSONField(null=True)
    after: dict[str, Any] | None = fields.JSONField(null=True)
    reason: str = fields.TextField()

    class Meta(Model.Meta):
        table = "audit_entry"
        constraints = [
            PrimaryKey("program_id", "id"),
            AppendOnly(),
            Personal("before", "after", "reason"),
        ]
        indexes = [
            # The audit log of one member.
            Index("program_id", "member_id", "id", name="audit_entry_of_member"),
            # The audit log of what one actor did.
            Index("program_id", "actor", "id", name="audit_entry_by"),
        ]
