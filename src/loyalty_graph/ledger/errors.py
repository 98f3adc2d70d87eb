"""What can go wrong in the ledger, each failure with its stable code.

LoyaltyError
├── EntryReversedError            ENTRY_REVERSED            it was reversed before
├── EntryNotReversibleError       ENTRY_NOT_REVERSIBLE      something else undoes such an entry
├── EntryNotExpiredError          ENTRY_NOT_EXPIRED         no points expired by it
├── EntryReinstatedError          ENTRY_REINSTATED          its points were reinstated before
├── NothingExpiredError           NOTHING_EXPIRED           nothing to reinstate in those days
├── HoldExpiredError              HOLD_EXPIRED              its time is over, its points are back
├── HoldEndedError                HOLD_ENDED                it was captured or released before
├── HoldAmountError               HOLD_AMOUNT               more points than it sets aside
├── NotPendingError               NOT_PENDING               none of its points ever waited
├── PendingActivatedError         PENDING_ACTIVATED         they can be spent already
├── PendingCancelledError         PENDING_CANCELLED         they were cancelled, or forfeited
├── PendingAmountError            PENDING_AMOUNT            more points than wait
├── TransfersOffError             TRANSFERS_OFF             members give each other nothing here
├── TransferToSelfError           TRANSFER_TO_SELF          giver and recipient are one member
├── TransferLimitError            TRANSFER_LIMIT            more, or fewer, than may be given
├── RecipientNotActiveError       RECIPIENT_NOT_ACTIVE      who cannot receive points now
├── MergeWithSelfError            MERGE_WITH_SELF           both are one member
├── MergeBlockedError             MERGE_BLOCKED             something has to end before
├── NotMergedError                NOT_MERGED                who lives on as nobody else
├── UnmergeTooLateError           UNMERGE_TOO_LATE          more than 30 days after the merge
├── PointsLimitError              POINTS_LIMIT              more than one member can have
├── BalanceFileError              BALANCE_FILE              rows of an import that cannot be used
├── CheckpointFileError           CHECKPOINT_FILE           not a published checkpoint
├── CheckpointOfOthersError       CHECKPOINT_OF_OTHERS      a checkpoint of another programme
├── NoCheckpointError             NO_CHECKPOINT             the member is in no checkpoint yet
├── LedgerDiffersError            LEDGER_DIFFERS            what is stored cannot be proven
├── ApprovalDecidedError          APPROVAL_DECIDED          it was approved or rejected before
├── ApprovalExpiredError          APPROVAL_EXPIRED          nobody decided in time
├── ApprovalBySameError           APPROVAL_BY_SAME          who asked does not approve
└── IssuanceCapError              ISSUANCE_CAP              more than a partner may issue in a day
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

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


class EntryNotExpiredError(LoyaltyError):
    """No points expired by this entry, or a membership ended with it."""

    code = "ENTRY_NOT_EXPIRED"

    def __init__(self, sequence: int) -> None:
        super().__init__(f"By entry {sequence} no points passed their date.", field="entryId")


class EntryReinstatedError(LoyaltyError):
    """The points of this entry were reinstated before; that happens once at most."""

    code = "ENTRY_REINSTATED"

    def __init__(self, sequence: int) -> None:
        super().__init__(
            f"What expired by entry {sequence} is reinstated already.", field="entryId"
        )


class NothingExpiredError(LoyaltyError):
    """Nothing expired in those days that was not reinstated before."""

    code = "NOTHING_EXPIRED"

    def __init__(self, days: int) -> None:
        super().__init__(
            f"Nothing expired in the last {days} days, or it is reinstated already.",
            field="withinDays",
        )


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


class NotPendingError(LoyaltyError):
    """None of the points that this earned had to wait, or not for what is named."""

    code = "NOT_PENDING"

    def __init__(self, what: str) -> None:
        super().__init__(f"No points of this {what} wait, or not for that.", field="pending")


class PendingActivatedError(LoyaltyError):
    """The points wait no more: they can be spent."""

    code = "PENDING_ACTIVATED"

    def __init__(self, what: str) -> None:
        super().__init__(f"The points of this {what} can be spent already.", field="pending")


class PendingCancelledError(LoyaltyError):
    """The points wait no more: they were cancelled, taken back or forfeited."""

    code = "PENDING_CANCELLED"

    def __init__(self, what: str, *, field: str = "pending") -> None:
        super().__init__(f"The points of this {what} are gone: they were cancelled.", field=field)


class PendingAmountError(LoyaltyError):
    """More points are to be cancelled than wait."""

    code = "PENDING_AMOUNT"

    def __init__(self, *, asked: int, waiting: int) -> None:
        super().__init__(f"{waiting} points wait, not {asked}.", field="points")
        self.waiting = waiting


class TransfersOffError(LoyaltyError):
    """In this programme members cannot give each other points."""

    code = "TRANSFERS_OFF"

    def __init__(self) -> None:
        super().__init__("In this programme members cannot give each other points.")


class TransferToSelfError(LoyaltyError):
    """Points can only be given to another member."""

    code = "TRANSFER_TO_SELF"

    def __init__(self) -> None:
        super().__init__("Points can only be given to another member.", field="to")


class TransferLimitError(LoyaltyError):
    """More points than a member may give, or fewer than one has to."""

    code = "TRANSFER_LIMIT"

    def __init__(self, limit: str, *, asked: int) -> None:
        super().__init__(f"{limit}; these are {asked} points.", field="points")


class RecipientNotActiveError(LoyaltyError):
    """The recipient cannot receive points now."""

    code = "RECIPIENT_NOT_ACTIVE"

    def __init__(self) -> None:
        super().__init__("The recipient cannot receive points now.", field="to")


class MergeWithSelfError(LoyaltyError):
    """A member can only be merged into another one."""

    code = "MERGE_WITH_SELF"

    def __init__(self) -> None:
        super().__init__("A member can only be merged into another one.", field="into")


class MergeBlockedError(LoyaltyError):
    """Something of the member has to end before the merge, or before its undoing."""

    code = "MERGE_BLOCKED"

    def __init__(self, *open_: str, field: str) -> None:
        super().__init__(f"There is still {' and '.join(open_)}; end this first.", field=field)


class NotMergedError(LoyaltyError):
    """The member lives on as nobody else."""

    code = "NOT_MERGED"

    def __init__(self, member: object) -> None:
        super().__init__(f"Member {member} is not merged into another one.", field="memberId")


class UnmergeTooLateError(LoyaltyError):
    """A merge can be undone for 30 days."""

    code = "UNMERGE_TOO_LATE"

    def __init__(self, ended_at: object) -> None:
        super().__init__(f"The merge could be undone until {ended_at}.", field="memberId")


class PointsLimitError(LoyaltyError):
    """A member would have, or would have earned in all, more points than fit into the books."""

    code = "POINTS_LIMIT"

    def __init__(self, *, most: int, has: int, more: int) -> None:
        super().__init__(
            f"A member has and earns at most {most} points; with {has}, {more} more are too many.",
            field="member",
        )


class BalanceFileError(LoyaltyError):
    """Rows of a file of balances cannot be used; nothing of it was imported."""

    code = "BALANCE_FILE"

    def __init__(self, faults: Sequence[Any], *, faulty: int, rows: int) -> None:
        super().__init__(
            f"{faulty:,} of {rows:,} rows cannot be used; nothing was imported.", field="content"
        )
        self.faults, self.faulty, self.rows = faults, faulty, rows


class CheckpointFileError(LoyaltyError):
    """A file that is not a checkpoint as it was published."""

    code = "CHECKPOINT_FILE"
    is_told = False

    def __init__(self) -> None:
        super().__init__("This is not a checkpoint that `ledger checkpoint --publish` has written.")


class CheckpointOfOthersError(LoyaltyError):
    """The checkpoint is another programme's."""

    code = "CHECKPOINT_OF_OTHERS"
    is_told = False

    def __init__(self, program_id: UUID) -> None:
        super().__init__(f"This checkpoint is of another programme, {program_id}.")


class NoCheckpointError(LoyaltyError):
    """The member is in no checkpoint yet."""

    code = "NO_CHECKPOINT"
    is_told = False

    def __init__(self) -> None:
        super().__init__(
            "This member is in no checkpoint yet; make one with `loyalty-graph ledger checkpoint`."
        )


class LedgerDiffersError(LoyaltyError):
    """The member's entries are not those that were signed."""

    code = "LEDGER_DIFFERS"
    is_told = False

    def __init__(self) -> None:
        super().__init__(
            "This member's entries are not those that were signed;"
            " `loyalty-graph ledger verify` says what differs."
        )


class ApprovalDecidedError(LoyaltyError):
    """The adjustment was approved or rejected before."""

    code = "APPROVAL_DECIDED"

    def __init__(self, state: str) -> None:
        super().__init__(f"It was {state.lower()} before.", field="approvalId")


class ApprovalExpiredError(LoyaltyError):
    """Nobody decided on the adjustment in time; ask for it anew."""

    code = "APPROVAL_EXPIRED"

    def __init__(self, ended_at: str) -> None:
        super().__init__(
            f"It could be decided until {ended_at}; ask for it anew.", field="approvalId"
        )


class ApprovalBySameError(LoyaltyError):
    """Whoever asked for an adjustment does not decide on it: a second person has to."""

    code = "APPROVAL_BY_SAME"

    def __init__(self) -> None:
        super().__init__("You asked for it; somebody else has to decide.", field="approvalId")


class IssuanceCapError(LoyaltyError):
    """The partner's calls would issue more points than they may in a day of the programme."""

    code = "ISSUANCE_CAP"

    def __init__(self, *, cap: int, used: int, asked: int) -> None:
        super().__init__(
            f"This partner issues at most {cap} points in a day, of which {used} are issued;"
            f" {asked} more are too many."
        )
