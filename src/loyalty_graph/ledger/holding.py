"""Points set aside for a while and for a reason, beside those of redemptions: pure decisions.

A hold ends once and as a whole: some of its points, or all, are captured, which means spent; the
rest goes back to the lots it came from.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from loyalty_graph.ledger.errors import HoldAmountError, HoldEndedError, HoldExpiredError
from loyalty_graph.ledger.kinds import Kind


class HoldState(StrEnum):
    """Where a hold stands."""

    HELD = "HELD"
    CAPTURED = "CAPTURED"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold as it is stored; `entry_sequence` is the transfer that set the points aside."""

    member_id: UUID
    id: UUID
    state: HoldState
    points: int
    captured_points: int
    entry_sequence: int
    created_at: datetime
    ends_at: datetime
    ended_at: datetime | None = None

    @property
    def reference(self) -> str:
        """Return what its transfers are named by."""
        return str(self.id)

    def state_at(self, now: datetime) -> HoldState:
        """Return where it stands: a time that is over counts, whether or not it was written."""
        is_over = self.state is HoldState.HELD and self.ends_at <= now
        return HoldState.EXPIRED if is_over else self.state

    def check_open(self, *, now: datetime) -> None:
        """Refuse a hold that has ended.

        Raises:
            HoldExpiredError: Its time is over.
            HoldEndedError: It was captured or released.
        """
        state = self.state_at(now)
        if state is HoldState.EXPIRED:
            raise HoldExpiredError(self.id, self.ends_at.isoformat())
        if state is not HoldState.HELD:
            raise HoldEndedError(self.id, state)

    def captured(self, points: int, *, now: datetime) -> "Hold":
        """Return the hold after so many of its points were spent, and the rest given back.

        Raises:
            HoldAmountError: It sets fewer points aside.
        """
        if points > self.points:
            raise HoldAmountError(asked=points, held=self.points)
        return replace(self, state=HoldState.CAPTURED, captured_points=points, ended_at=now)

    def released(self, *, now: datetime) -> "Hold":
        """Return the hold after all its points were given back, in time or since that is over."""
        in_time = self.state_at(now) is HoldState.HELD
        state = HoldState.RELEASED if in_time else HoldState.EXPIRED
        return replace(self, state=state, ended_at=now)


class Entry(Protocol):
    """What is asked of a transfer; `holding` is what it adds to the points set aside."""

    @property
    def sequence(self) -> int:
        """Its place."""

    @property
    def kind(self) -> str:
        """What it is for."""

    @property
    def reference(self) -> str:
        """What caused it."""

    @property
    def holding(self) -> int:
        """What it adds to the points that are set aside."""


def problems(entries: Iterable[Entry]) -> Iterator[tuple[int, str]]:
    """Yield what is wrong with holds of any kind: (sequence, problem).

    A hold may end in parts, but its parts come to the whole of it and never to more; nothing else
    ends.
    """
    held: dict[str, int] = {}
    ending: dict[str, int] = {}
    for entry in entries:
        left = held.get(entry.reference, 0) + entry.holding
        if left < 0:
            yield entry.sequence, "it ends a hold that is not open, or more than the whole of it"
            continue
        held[entry.reference] = left
        if entry.holding < 0:
            ending[entry.reference] = entry.sequence
    for reference, sequence in ending.items():
        if held[reference]:
            yield sequence, "it ends a hold in part, and the rest of it stays set aside"


def stored_problems(entries: Iterable[Entry], holds: Iterable[Hold]) -> Iterator[tuple[int, str]]:
    """Yield what holds say of themselves that their entries deny: (sequence, problem)."""
    left, captured = Counter[str](), Counter[str]()
    for entry in entries:
        left[entry.reference] += entry.holding
        if entry.kind == Kind.CAPTURE:
            captured[entry.reference] -= entry.holding
    for hold in holds:
        for what, says, is_ in (
            ("set aside", hold.points * (hold.state is HoldState.HELD), left[hold.reference]),
            ("captured", hold.captured_points, captured[hold.reference]),
        ):
            if says != is_:
                yield hold.entry_sequence, f"the hold says {says} points {what}, its entries {is_}"
