"""What can be wrong between versions that share a database.

DatabaseError
├── OlderProcessesError       OLDER_PROCESSES           a step has to wait until they end
└── ContractionWaitsError     CONTRACTION_WAITS         a step that needs the operator is due
"""

from loyalty_graph.errors import DatabaseError


class OlderProcessesError(DatabaseError):
    """A step would take from processes of an older version what they still need."""

    code = "OLDER_PROCESSES"

    def __init__(self, step: str, processes: list[str]) -> None:
        super().__init__(
            f"{step} waits until these have ended: {', '.join(processes[:10])}. One that was"
            " killed counts as ended a minute later."
        )


class ContractionWaitsError(DatabaseError):
    """Steps that this version needs come after one that a start does not take."""

    code = "CONTRACTION_WAITS"

    def __init__(self, step: str) -> None:
        super().__init__(
            f"The database has not taken {step}, which older versions could not run beside. End"
            " their processes, then run `loyalty-graph migrate --contract`."
        )
