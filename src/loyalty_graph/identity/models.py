"""Tables of partners and their API tokens."""

from datetime import datetime
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

NAME_CHARACTERS_MAX = 100


class Partner(Model):
    """A till, a shop or a coalition brand that talks to a programme."""

    id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    name = fields.CharField(max_length=NAME_CHARACTERS_MAX)
    created_at: datetime = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "partner"
        unique_together = (("program_id", "name"),)


class ApiToken(Model):
    """A partner's token: its hash and what may be shown of it, never the token itself."""

    id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    partner: fields.ForeignKeyRelation[Partner] = fields.ForeignKeyField(
        "models.Partner", related_name="tokens", on_delete=fields.RESTRICT
    )
    partner_id: UUID
    name = fields.CharField(max_length=NAME_CHARACTERS_MAX)
    prefix = fields.CharField(max_length=8)
    last_four = fields.CharField(max_length=4)
    # Found by this alone, before it is known which programme is asked, so it is unique by itself.
    token_sha256 = fields.CharField(max_length=64, unique=True)
    scopes: list[str] = fields.JSONField()
    created_at: datetime = fields.DatetimeField()
    last_used_at: datetime | None = fields.DatetimeField(null=True)
    expires_at: datetime | None = fields.DatetimeField(null=True)
    revoked_at: datetime | None = fields.DatetimeField(null=True)

    class Meta(Model.Meta):
        table = "api_token"
