"""The points of holds: why they moved, and how they come back to the lots they came from."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from loyalty_graph.ledger import holds
from loyalty_graph.ledger import rules as ledger
from loyalty_graph.ledger.holding import Hold, HoldState
from loyalty_graph.usecases import giving_back, posting
from loyalty_graph.usecases.giving_back import GivingBack

SYSTEM = "system"
BY_TIME = "time"
BY_CLOSING = "closing"
BY_HAND = "hand"
BY_CAPTURE = "capture"


class Released(NamedTuple):
    """A hold after its end, and the transfer that gave its points back."""

    hold: Hold
    transfer: ledger.Transfer

    @property
    def payload(self) -> dict[str, Any]:
        """Return what the fact tells of it, as JSON values."""
        return {
            "hold": str(self.hold.id),
            "status": self.hold.state.value,
            "entry": self.transfer.sequence,
            "points": self.transfer.points,
        }


def cause_of(
    held: Hold, why: Mapping[str, Any], *, actor: str, now: datetime, text: str = ""
) -> ledger.Cause:
    """Return why the points of a hold move now; `why` is told beside the hold."""
    return ledger.Cause(
        reference=held.reference,
        at=now,
        recorded_at=now,
        actor=actor,
        explanation={"hold": str(held.id), **why},
        text=text,
        salt=posting.salt(),
    )


async def release(  # noqa: PLR0913 - who ends which holds, and why
    program_id: UUID,
    accounts: Mapping[UUID, ledger.Account],
    held: Sequence[Hold],
    *,
    by: str,
    actor: str,
    now: datetime,
    text: str = "",
) -> list[Released]:
    """Give all points of holds back that have not ended; `by` says what ends them.

    The accounts are locked; what was decided is to be stored (`holds.ended`, `ledger.writes`).
    """
    back = [
        GivingBack(
            one.member_id,
            cause_of(one, {"held": one.points, "by": by}, actor=actor, now=now, text=text),
            is_held=True,
        )
        for one in held
    ]
    transfers = await giving_back.give_back(program_id, accounts, back)
    ended = [one.released(now=now) for one in held]
    return [Released(*one) for one in zip(ended, transfers, strict=True)]


async def end_overdue(batch: posting.Batch, account: ledger.Account) -> None:
    """Give back what a member had set aside for longer than it was to be."""
    held = await holds.open_of(batch.program_id, account.member_id)
    overdue = [one for one in held if one.state_at(batch.now) is HoldState.EXPIRED]
    await _end(batch, account, overdue, by=BY_TIME, actor=SYSTEM)


async def end_all(batch: posting.Batch, account: ledger.Account, *, actor: str) -> None:
    """Give back everything that a member whose membership ends had set aside by holds."""
    held = await holds.open_of(batch.program_id, account.member_id)
    await _end(batch, account, held, by=BY_CLOSING, actor=actor)


async def _end(
    batch: posting.Batch, account: ledger.Account, held: Sequence[Hold], *, by: str, actor: str
) -> None:
    if held:
        released = await release(
            batch.program_id, batch.accounts, held, by=by, actor=actor, now=batch.now
        )
        batch.writes.append(holds.ended([one.hold for one in released]))
        for one in released:
            batch.record(
                "points.released", account.member_id, **one.payload, balance=account.balance
            )
