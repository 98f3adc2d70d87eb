"""What can go wrong with entries of the ledger, each failure with its stable code.

LoyaltyError
├── EntryReversedError            ENTRY_REVERSED            it was reversed before
└── EntryNotReversibleError       ENTRY_NOT_REVERSIBLE      something else undoes such an entry
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
