"""Tables of what Google has been given, how fast it may be asked, and what it told us."""

from datetime import datetime
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from loyalty_graph.db.constraints import FillFactor, Index, PrimaryKey
from loyalty_graph.wallet.models import SERIAL_LENGTH

ISSUER_LENGTH_MAX = 40
CLASS_LENGTH_MAX = 120


class GoogleClassRow(Model):
    """A loyalty class that Google has, and the digest of what it was given last."""

    class_id = fields.CharField(max_length=CLASS_LENGTH_MAX, primary_key=True)
    digest = fields.CharField(max_length=64)
    given_at: datetime = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "google_class"


class GoogleObjectRow(Model):
    """What Google was last given of one pass: enough to send only what has changed.

    `given` holds a digest of each field, `balance`, `tier` and `points_expire_at` what decides
    whether a change is worth a notification, `notified` the moments (milliseconds since 1970) of
    the notifications of the last 24 hours.
    """

    serial = fields.CharField(max_length=SERIAL_LENGTH, primary_key=True)
    program_id: UUID = fields.UUIDField()
    given: dict[str, str] = fields.JSONField()
    balance: int = fields.BigIntField()
    tier: str | None = fields.TextField(null=True)
    points_expire_at: datetime | None = fields.DatetimeField(null=True)
    notified: list[int] = fields.JSONField()

    class Meta(Model.Meta):
        table = "google_object"
        constraints = (PrimaryKey("program_id", "serial"), FillFactor(70))


class GoogleBucketRow(Model):
    """How fast an issuer's requests may go, through all workers: when the next one may be sent."""

    issuer_id = fields.CharField(max_length=ISSUER_LENGTH_MAX, primary_key=True)
    free_at: datetime = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "google_bucket"


class GoogleCallbackRow(Model):
    """A callback that was accepted, kept until it would be refused as expired."""

    nonce_sha256 = fields.CharField(max_length=64, primary_key=True)
    serial = fields.CharField(max_length=SERIAL_LENGTH)
    expires_at: datetime = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "google_callback"
        indexes = (
            # Whether a later callback of a pass is known.
            Index("serial", "expires_at", name="google_callback_of_pass"),
            # Takes away those that nobody can send again.
            Index("expires_at", name="google_callback_expiry"),
        )
