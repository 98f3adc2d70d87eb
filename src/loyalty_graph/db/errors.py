"""What can be wrong with a database at a start, between versions that share it, and with copies.

DatabaseError
├── DatabaseAwayError         DATABASE_AWAY             it may be reached a moment later
├── OlderProcessesError       OLDER_PROCESSES           a step has to wait until they end
├── ContractionWaitsError     CONTRACTION_WAITS         a step that needs the operator is due
└── BackupError               BACKUP                    it cannot be made, read or restored
"""

from loyalty_graph.errors import DatabaseError


class DatabaseAwayError(DatabaseError):
    """The database cannot be reached now, or is starting or stopping: nobody's mistake."""

    code = "DATABASE_AWAY"


class OlderProcessesError(DatabaseError):
    """A step would take from processes of an older version what they still need."""

    code = "OLDER_PROCESSES"

    def __init__(self, step: str, processes: list[str]) -> None:
        super().__init__(
            f"{step} waits until these have ended: {', '.join(processes[:10])}. With --wait,"
            " one that was killed counts as ended after a minute of silence."
        )


class ContractionWaitsError(DatabaseError):
    """Steps that this version needs come after one that a start does not take."""

    code = "CONTRACTION_WAITS"

    def __init__(self, step: str) -> None:
        super().__init__(
            f"The database has not taken {step}, which older versions could not run beside. End"
            " their processes, then run `loyalty-graph migrate --contract`."
        )


class BackupError(DatabaseError):
    """A backup cannot be made, read or restored; the message says why, and nothing was changed."""

    code = "BACKUP"
