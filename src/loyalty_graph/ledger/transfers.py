"""Points on their way from one member to another: what is stored of each transfer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from tortoise.functions import Sum

from loyalty_graph.db import assert_in_transaction
from loyalty_graph.db.sets import Insert, Lookup, Update, fetch
from loyalty_graph.ledger.kinds import Kind
from loyalty_graph.ledger.models import PointsTransferRow, TransferRow
from loyalty_graph.ledger.moving import Part

TransferKey = tuple[UUID, UUID]
"""(member id of the sender, transfer id)"""


class TransferState(StrEnum):
    """Where the points are: with nobody, with the recipient, or with the sender again."""

    SENT = "SENT"
    RECEIVED = "RECEIVED"
    RETURNED = "RETURNED"


@dataclass(frozen=True, slots=True)
class PointsTransfer:
    """A transfer from one member to another; `settled_at` is None while it is under way."""

    member_id: UUID
    id: UUID
    recipient_id: UUID
    state: TransferState
    points: int
    fee_points: int
    parts: Sequence[Part]
    sent_at: datetime
    settled_at: datetime | None = None

    def settled(self, state: TransferState, *, now: datetime) -> "PointsTransfer":
        """Return the transfer at its end."""
        return replace(self, state=state, settled_at=now)


_BY = ("member_id", "id")
_COLUMNS = (
    "recipient_id",
    "state",
    "points",
    "fee_points",
    "parts",
    "sent_at",
    "settled_at",
)


def opened(one: PointsTransfer) -> Insert:
    """Return the write of a transfer that begins."""
    parts = [[part.points, part.expires_at.isoformat()] for part in one.parts]
    row = (
        one.member_id,
        one.id,
        one.recipient_id,
        one.state,
        one.points,
        one.fee_points,
        parts,
        one.sent_at,
        one.settled_at,
    )
    return Insert(PointsTransferRow, (*_BY, *_COLUMNS), [row])


def ended(one: PointsTransfer) -> Update:
    """Return the write of a transfer that was settled; its row is locked."""
    row = (one.member_id, one.id, one.state, one.settled_at)
    return Update(PointsTransferRow, _BY, ("state", "settled_at"), [row])


async def transfers(
    program_id: UUID, keys: Sequence[TransferKey]
) -> dict[TransferKey, PointsTransfer]:
    """Return the transfers with these (sender, id) keys; unknown ones are absent."""
    return await _found(program_id, keys, lock=False)


async def locked(program_id: UUID, key: TransferKey) -> PointsTransfer:
    """Return a transfer that nobody else settles until the transaction ends.

    The account that its points go to is locked before.
    """
    assert_in_transaction()
    return (await _found(program_id, [key], lock=True))[key]


async def _found(
    program_id: UUID, keys: Sequence[TransferKey], *, lock: bool
) -> dict[TransferKey, PointsTransfer]:
    [found] = await fetch(program_id, Lookup(PointsTransferRow, _BY, keys, _COLUMNS, lock=lock))
    return {key: _transfer(key, rows[0]) for key, rows in zip(keys, found, strict=True) if rows}


def _transfer(key: TransferKey, row: tuple[Any, ...]) -> PointsTransfer:
    recipient_id, state, points, fee_points, parts, sent_at, settled_at = row
    return PointsTransfer(
        *key,
        recipient_id,
        TransferState(state),
        points,
        fee_points,
        [Part(amount, datetime.fromisoformat(expires_at)) for amount, expires_at in parts],
        sent_at,
        settled_at,
    )


async def open_ones(program_id: UUID, *, now: datetime, limit: int) -> list[TransferKey]:
    """Return transfers that are under way, the oldest first, at most `limit` of them."""
    rows: Any = (
        await PointsTransferRow.filter(
            program_id=program_id, state=TransferState.SENT, sent_at__lte=now
        )
        .order_by("sent_at")
        .limit(limit)
        .values_list("member_id", "id")
    )
    return list(rows)


async def has_open(program_id: UUID, member_id: UUID) -> bool:
    """Return whether points that a member gave are under way."""
    return await PointsTransferRow.filter(
        program_id=program_id, member_id=member_id, state=TransferState.SENT
    ).exists()


async def given_since(program_id: UUID, member_id: UUID, since: datetime) -> int:
    """Return the points that a member gave others from an instant on, without those returned."""
    rows: Any = (
        await PointsTransferRow.filter(
            program_id=program_id,
            member_id=member_id,
            sent_at__gte=since,
            state__not=TransferState.RETURNED,
        )
        .annotate(given=Sum("points"))
        .values("given")
    )
    return int(rows[0]["given"] or 0)


async def received(program_id: UUID) -> int:
    """Return all points that members have received from others."""
    rows: Any = (
        await PointsTransferRow.filter(program_id=program_id, state=TransferState.RECEIVED)
        .annotate(received=Sum("points"))
        .values("received")
    )
    return int(rows[0]["received"] or 0)


async def said(program_id: UUID, key: TransferKey) -> tuple[str, str]:
    """Return who made a transfer, and the reason that was given."""
    member_id, transfer_id = key
    asked = [(member_id, Kind.TRANSFER_OUT, str(transfer_id))]
    by = ("member_id", "kind", "reference")
    [[[(actor, text)]]] = await fetch(program_id, Lookup(TransferRow, by, asked, ("actor", "text")))
    return actor, text
