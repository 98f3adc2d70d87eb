"""Tables of Apple's web service: devices, and the passes they hold."""

from datetime import datetime
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from loyalty_graph.db.constraints import Index, PrimaryKey
from loyalty_graph.wallet.models import SERIAL_LENGTH

DEVICE_CHARACTERS_MAX = 255
PASS_TYPE_CHARACTERS_MAX = 200


class DeviceRow(Model):
    """A device that holds passes of one type: where pushes reach it, and what it says it has.

    The push token is the newest it told, whichever pass it told it with. Apple gives it no length.
    `listed_tag` is what the device gave as the newest state it has.
    """

    device = fields.CharField(max_length=DEVICE_CHARACTERS_MAX, primary_key=True)
    pass_type = fields.CharField(max_length=PASS_TYPE_CHARACTERS_MAX)
    push_token: str = fields.TextField()
    token_told_at: datetime = fields.DatetimeField()
    listed_tag: int | None = fields.BigIntField(null=True)

    class Meta(Model.Meta):
        table = "apple_device"
        constraints = (PrimaryKey("pass_type", "device"),)


class RegistrationRow(Model):
    """A pass that a device holds and wants to be told about."""

    serial = fields.CharField(max_length=SERIAL_LENGTH, primary_key=True)
    program_id: UUID = fields.UUIDField()
    member_id: UUID = fields.UUIDField()
    pass_type = fields.CharField(max_length=PASS_TYPE_CHARACTERS_MAX)
    device = fields.CharField(max_length=DEVICE_CHARACTERS_MAX)
    registered_at: datetime = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "apple_registration"
        constraints = (PrimaryKey("program_id", "member_id", "serial", "device"),)
        indexes = (
            # A device lists its passes, of all programmes.
            Index("pass_type", "device", name="apple_registration_of_device"),
        )


class DeviceLogRow(Model):
    """One line that a phone sent about what went wrong; the newest are kept."""

    id: UUID = fields.UUIDField(primary_key=True)
    logged_at: datetime = fields.DatetimeField()
    message: str = fields.TextField()

    class Meta(Model.Meta):
        table = "apple_log"
