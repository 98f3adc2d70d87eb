"""Tables of members."""

from datetime import date, datetime
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from loyalty_graph.db.constraints import AppendOnly, Index, Personal, PrimaryKey


class Member(Model):
    """Somebody who takes part in a programme."""

    id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    number = fields.CharField(max_length=12)
    status = fields.CharField(max_length=12)
    external_id = fields.CharField(max_length=100, null=True)
    email = fields.CharField(max_length=254, null=True)
    phone = fields.CharField(max_length=20, null=True)
    first_name = fields.CharField(max_length=100, null=True)
    last_name = fields.CharField(max_length=100, null=True)
    birthday: date | None = fields.DateField(null=True)
    locale = fields.CharField(max_length=20)
    enrolled_at: datetime = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "member"
        constraints = [
            PrimaryKey("program_id", "id"),
            Personal(
                "external_id", "email", "phone", "first_name", "last_name", "birthday", of="id"
            ),
        ]
        indexes = [
            # The job that sees birthdays.
            Index("program_id", "birthday", name="member_birthday", where="birthday IS NOT NULL"),
            # The job that sees anniversaries.
            Index("program_id", "enrolled_at", name="member_enrolled"),
        ]


class MemberReference(Model):
    """The directory: what finds a member. One value finds one member of a programme."""

    value = fields.CharField(max_length=254, primary_key=True)
    program_id: UUID = fields.UUIDField()
    kind = fields.CharField(max_length=12)
    member_id: UUID = fields.UUIDField()

    class Meta(Model.Meta):
        table = "member_reference"
        constraints = [PrimaryKey("program_id", "kind", "value"), Personal("value", rows=True)]


class Consent(Model):
    """What a member allowed or refused, and when; the newest of a purpose counts."""

    id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    member_id: UUID = fields.UUIDField()
    purpose = fields.CharField(max_length=20)
    granted = fields.BooleanField()
    at: datetime = fields.DatetimeField()
    source = fields.CharField(max_length=40)

    class Meta(Model.Meta):
        table = "consent"
        constraints = [PrimaryKey("program_id", "member_id", "id"), AppendOnly()]


class MemberMerge(Model):
    """Two members who became one: `member_id` lives on as `into_id`, until `unmerged_at` if ever.

    `qualifying_points` is what of theirs counts for a tier with the survivor, as far as goods of
    theirs did not come back since.
    """

    id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    member_id: UUID = fields.UUIDField()
    into_id: UUID = fields.UUIDField()
    qualifying_points: int = fields.BigIntField()
    merged_at: datetime = fields.DatetimeField()
    unmerged_at: datetime | None = fields.DatetimeField(null=True)

    class Meta(Model.Meta):
        table = "member_merge"
        constraints = [PrimaryKey("program_id", "member_id", "id")]
        # Whose points a survivor holds.
        indexes = [Index("program_id", "into_id", name="member_merged")]


class MemberLock(Model):
    """Why a member is suspended; a lock that was lifted has no row."""

    member_id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    reason: str = fields.TextField()
    may_earn = fields.BooleanField()
    locked_at: datetime = fields.DatetimeField()
    actor = fields.CharField(max_length=80)

    class Meta(Model.Meta):
        table = "member_lock"
        constraints = [PrimaryKey("program_id", "member_id"), Personal("reason")]
