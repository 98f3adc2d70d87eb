"""What can go wrong with entries of the ledger, each failure with its stable code.

LoyaltyError
├── EntryReversedError            ENTRY_REVERSED            it was reversed before
├── EntryNotReversibleError       ENTRY_NOT_REVERSIBLE      something else undoes such an entry
├── HoldExpiredError              HOLD_EXPIRED              its time is over, its points are back
├── HoldEndedError                HOLD_ENDED                it was captured or released before
└── HoldAmountError               HOLD_AMOUNT               more points than it sets aside
"""

from loyalty_graph.errors import LoyaltyError


class EntryReversedError(LoyaltyError):
    """The entry was reversed before; nothing is reversed twice."""

    code = "ENTRY_REVERSED"

    def __init__(self, sequence: int) -> None:
        super().__init__(f"Entry {sequence} is reversed already.", field="entryId")


class EntryNotReversibleError(LoyaltyError):
    """Such an entry is undone by something else, which the message names, or not at all."""

    code = "ENTRY_NOT_REVERSIBLE"

    def __init__(self, kind: str, advice: str) -> None:
        super().__init__(f"An entry {kind} is not reversed: {advice}.", field="entryId")


class HoldExpiredError(LoyaltyError):
    """The hold's time is over; its points are back."""

    code = "HOLD_EXPIRED"

    def __init__(self, hold: object, ended_at: object) -> None:
        super().__init__(f"Hold {hold} ended by itself at {ended_at}.", field="holdId")


class HoldEndedError(LoyaltyError):
    """The hold was captured or released before."""

    code = "HOLD_ENDED"

    def __init__(self, hold: object, state: str) -> None:
        super().__init__(f"Hold {hold} was {state.lower()} before.", field="holdId")


class HoldAmountError(LoyaltyError):
    """More points are to be captured than the hold sets aside."""

    code = "HOLD_AMOUNT"

    def __init__(self, *, asked: int, held: int) -> None:
        super().__init__(f"The hold sets {held} points aside, not {asked}.", field="points")
        self.held = held
