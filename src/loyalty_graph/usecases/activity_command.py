"""An activity to be recorded, and what is answered."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from loyalty_graph.earning.activities import Hindrance
from loyalty_graph.idempotency import Claim, claim
from loyalty_graph.identity.rules import Issuer
from loyalty_graph.members.rules import Reference
from loyalty_graph.purchases.rules import Deed


@dataclass(frozen=True)
class RecordActivity:
    """Something a member did, to be recorded; see `RecordPurchase` for `is_dated`.

    `occasion` tells one of a kind that happens by itself from the next; `issuer` is whose daily cap
    it keeps to, if there is one.
    """

    caller: str
    idempotency_key: str
    member: Reference
    deed: Deed
    occurred_at: datetime
    is_dated: bool = True
    occasion: str | None = None
    issuer: Issuer | None = None

    @cached_property
    def claim(self) -> Claim:
        """The wish to count once."""
        deed, dated = self.deed, self.occurred_at if self.is_dated else None
        given = {
            "recordActivity": [self.member.kind, self.member.value],
            "activity": [deed.kind, deed.name, deed.network, deed.proof, deed.store, dated],
        }
        return claim(self.caller, self.idempotency_key, given)


@dataclass(frozen=True, slots=True)
class ActivityRecorded:
    """The answer: what it earned, or why nothing, and the entry and balance that led to."""

    member_id: UUID
    activity_id: UUID
    points: int
    balance_points: int
    entry_sequence: int | None
    reason: Hindrance | None
    replayed: bool = False

    def kept(self) -> dict[str, Any]:
        """Return the answer as it is kept for retries."""
        return {
            "member": str(self.member_id),
            "activity": str(self.activity_id),
            "points": self.points,
            "balance": self.balance_points,
            "entry": self.entry_sequence,
            "reason": self.reason,
        }

    @classmethod
    def replay(cls, kept: dict[str, Any]) -> "ActivityRecorded":
        """Return the first answer to a retry."""
        return cls(
            UUID(kept["member"]),
            UUID(kept["activity"]),
            kept["points"],
            kept["balance"],
            kept["entry"],
            None if kept["reason"] is None else Hindrance(kept["reason"]),
            replayed=True,
        )
