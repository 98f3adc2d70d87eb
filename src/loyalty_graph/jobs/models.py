"""Tables of jobs: what is in them is still to do, or dead; a job that is done is removed."""

from datetime import datetime
from uuid import UUID

from tortoise import fields
from tortoise.models import Model

from loyalty_graph.db.constraints import Index, PrimaryKey, Unique


class JobRow(Model):
    """One run of something, due at a time; `lease` names the worker's claim while it runs.

    `attempts` counts the claims so far. A dead job was tried often enough; it stays to be seen.
    """

    id: UUID = fields.UUIDField(primary_key=True)
    program_id: UUID = fields.UUIDField()
    kind = fields.CharField(max_length=60)
    key = fields.CharField(max_length=120)
    due_at: datetime = fields.DatetimeField()
    attempts: int = fields.IntField()
    lease: UUID | None = fields.UUIDField(null=True)
    leased_until: datetime | None = fields.DatetimeField(null=True)
    dead_at: datetime | None = fields.DatetimeField(null=True)
    error = fields.CharField(max_length=100)

    class Meta(Model.Meta):
        table = "job"
        constraints = [
            PrimaryKey("program_id", "id"),
            Unique("program_id", "kind", "key", name="job_once"),
        ]
        # Read by whoever claims jobs.
        indexes = [Index("kind", "due_at", name="job_due", where="dead_at IS NULL")]


class ScheduleRow(Model):
    """When a kind of job is due next in a programme."""

    kind = fields.CharField(max_length=60, primary_key=True)
    program_id: UUID = fields.UUIDField()
    next_at: datetime = fields.DatetimeField()

    class Meta(Model.Meta):
        table = "schedule"
        constraints = [PrimaryKey("program_id", "kind")]
