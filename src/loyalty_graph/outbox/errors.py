"""What can go wrong for those who listen, each failure with its stable code.

LoyaltyError
└── EventsGoneError               EVENTS_GONE               older than what is kept of events
"""

from loyalty_graph.errors import LoyaltyError


class EventsGoneError(LoyaltyError):
    """The events after this number are no longer kept; load what you need anew, and listen on."""

    code = "EVENTS_GONE"

    def __init__(self, after: int, oldest: int) -> None:
        super().__init__(
            f"Events after {after} are no longer kept, the oldest is {oldest}: load what you need"
            " anew, and listen without `after`.",
            field="after",
        )
