"""Models of a small shop as they were at three steps of its life; each call makes new classes."""

from uuid import UUID

from tortoise import Model, fields
from tortoise.fields.db_defaults import Now

from loyalty_graph.db.constraints import (
    AppendOnly,
    Check,
    FillFactor,
    Index,
    Personal,
    PrimaryKey,
    Unique,
)

Models = tuple[type[Model], ...]


def first_step() -> Models:
    class Member(Model):
        id: UUID = fields.UUIDField(primary_key=True)
        program_id: UUID = fields.UUIDField()
        email: str = fields.CharField(max_length=200)
        nickname: str | None = fields.CharField(max_length=40, null=True)
        level: int = fields.IntField()

        class Meta(Model.Meta):
            table = "member"
            constraints = (Unique("program_id", "email"),)

    class Entry(Model):
        id: UUID = fields.UUIDField(primary_key=True)
        program_id: UUID = fields.UUIDField()
        member = fields.ForeignKeyField("models.Member", "entries")
        sequence: int = fields.BigIntField()
        points: int = fields.BigIntField()
        note: str | None = fields.TextField(null=True)

        class Meta(Model.Meta):
            table = "entry"
            constraints = (
                PrimaryKey("program_id", "member", "sequence"),
                Check("points > 0", name="entry_points_positive"),
                AppendOnly(),
            )

    class Visit(Model):
        id: int = fields.BigIntField(primary_key=True)
        shop: str = fields.CharField(max_length=40)

        class Meta(Model.Meta):
            table = "visit"

    return Member, Entry, Visit


def second_step() -> Models:
    """New columns, indexes and constraints on tables with rows; a table more."""

    class Member(Model):
        id: UUID = fields.UUIDField(primary_key=True)
        program_id: UUID = fields.UUIDField()
        email: str = fields.CharField(max_length=200)
        nickname: str | None = fields.CharField(max_length=40, null=True)
        level: int = fields.IntField()
        status: str = fields.CharField(max_length=10, db_default="ACTIVE", db_index=True)
        is_staff: bool = fields.BooleanField(db_default=False)
        ratio = fields.DecimalField(max_digits=6, decimal_places=2, null=True)

        class Meta(Model.Meta):
            table = "member"
            constraints = (
                Unique("program_id", "email", name="member_email_kept", where="status <> 'ERASED'"),
                Check("level >= 0", name="member_level_not_negative"),
                FillFactor(80),
            )
            indexes = (Index("program_id", "level", where="level > 0", include=("nickname",)),)

    class Entry(Model):
        id: UUID = fields.UUIDField(primary_key=True)
        program_id: UUID = fields.UUIDField()
        member = fields.ForeignKeyField("models.Member", "entries", on_delete=fields.RESTRICT)
        sequence: int = fields.BigIntField()
        points: int = fields.BigIntField()
        note: str = fields.TextField(db_default="it's empty")

        class Meta(Model.Meta):
            table = "entry"
            constraints = (
                PrimaryKey("program_id", "member", "sequence"),
                Check("points > 0", name="entry_points_positive"),
                AppendOnly(),
                Personal("note"),
            )
            indexes = (Index("id"),)

    class Visit(Model):
        id: int = fields.BigIntField(primary_key=True)
        shop: str = fields.CharField(max_length=40)
        at = fields.DatetimeField(db_default=Now())

        class Meta(Model.Meta):
            table = "visit"
            constraints = (AppendOnly(),)

    class Offer(Model):
        id: UUID = fields.UUIDField(primary_key=True)
        code: str = fields.CharField(max_length=20, unique=True)
        member = fields.ForeignKeyField("models.Member", "offers", db_constraint=False)
        parent = fields.ForeignKeyField("models.Offer", "parts", null=True)

        class Meta(Model.Meta):
            table = "offer"
            unique_together = (("member", "parent"),)
            constraints = (FillFactor(90),)

    return Member, Entry, Visit, Offer


def third_step() -> Models:
    """Constraints, types and keys change; columns, triggers and a table go."""

    class Member(Model):
        id: UUID = fields.UUIDField(primary_key=True)
        program_id: UUID = fields.UUIDField()
        email: str | None = fields.CharField(max_length=300, null=True)
        level: int = fields.BigIntField()
        status: str = fields.CharField(max_length=10, db_default="NEW")
        is_staff: bool = fields.BooleanField()

        class Meta(Model.Meta):
            table = "member"
            constraints = (
                Unique("program_id", "email", name="member_email_kept", where="status = 'ACTIVE'"),
                Check("level >= -5", name="member_level_not_negative"),
            )

    class Entry(Model):
        id: UUID = fields.UUIDField(primary_key=True)
        program_id: UUID = fields.UUIDField()
        member = fields.ForeignKeyField("models.Member", "entries", db_constraint=False)
        sequence: int = fields.BigIntField()
        points: int = fields.BigIntField()
        note: str = fields.CharField(max_length=300, db_default="it's empty")

        class Meta(Model.Meta):
            table = "entry"
            constraints = (
                PrimaryKey("member", "sequence"),
                Check("points > 0", name="entry_points_positive"),
                AppendOnly(),
                FillFactor(95),
            )

    class Visit(Model):
        id: int = fields.BigIntField(primary_key=True)
        shop: str = fields.CharField(max_length=40, db_index=True)
        at = fields.DatetimeField(db_default=Now())

        class Meta(Model.Meta):
            table = "visit"

    return Member, Entry, Visit
