"""Adjustments above a limit wait for a second person: pure decisions."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from loyalty_graph.ledger.errors import (
    ApprovalBySameError,
    ApprovalDecidedError,
    ApprovalExpiredError,
)


class ApprovalState(StrEnum):
    """Where an adjustment that needs a second person stands."""

    WAITING = "WAITING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class Approval:
    """Points that somebody wants to add, or to take with a number below zero.

    Nothing has moved while it waits; `entry_sequence` is the transfer it came to.
    """

    member_id: UUID
    id: UUID
    state: ApprovalState
    points: int
    reason: str
    asked_by: str
    asked_at: datetime
    ends_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None
    note: str = ""
    entry_sequence: int | None = None

    def state_at(self, now: datetime) -> ApprovalState:
        """Return where it stands: nobody decides after its time."""
        is_over = self.state is ApprovalState.WAITING and self.ends_at <= now
        return ApprovalState.EXPIRED if is_over else self.state

    def check(self, by: str, *, now: datetime) -> None:
        """Refuse somebody who may not decide it, or not any more.

        Raises:
            ApprovalDecidedError: It was approved or rejected before.
            ApprovalExpiredError: Its time is over.
            ApprovalBySameError: The one who asked decides.
        """
        state = self.state_at(now)
        if state is ApprovalState.EXPIRED:
            raise ApprovalExpiredError(self.ends_at.isoformat())
        if state is not ApprovalState.WAITING:
            raise ApprovalDecidedError(state)
        if by == self.asked_by:
            raise ApprovalBySameError

    def approved(self, by: str, note: str, *, entry: int, now: datetime) -> "Approval":
        """Return it after its points moved by this entry."""
        return replace(
            self._decided(by, note, now), state=ApprovalState.APPROVED, entry_sequence=entry
        )

    def rejected(self, by: str, note: str, *, now: datetime) -> "Approval":
        """Return it after somebody decided that nothing moves."""
        return replace(self._decided(by, note, now), state=ApprovalState.REJECTED)

    def _decided(self, by: str, note: str, now: datetime) -> "Approval":
        return replace(self, decided_by=by, decided_at=now, note=note)
