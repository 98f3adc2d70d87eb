"""Roll-outs: a change that all cards of a programme show reaches them little by little.

A roll-out walks through the members who hold cards, in the order of their ids, and marks the cards
of the next few; numbering and pushes follow as they do after a purchase. Where it stands and what
it marked are written in one transaction, so a crash neither forgets nor repeats anybody.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from tortoise.queryset import QuerySet

from loyalty_graph import leases, outbox
from loyalty_graph.db import transaction
from loyalty_graph.db.sets import store
from loyalty_graph.db.statements import read, select
from loyalty_graph.errors import NotFoundError
from loyalty_graph.identifiers import new_id
from loyalty_graph.leases import Lease
from loyalty_graph.wallet.models import CardTemplateRow, PassRow, RolloutRow

LEASE = "card-rollouts"
ROLLOUTS_MAX = 20
FIRST = UUID(int=0)

_HOLDERS = """
where program_id = $1 and member_id > $2 and voided_at is null
group by member_id order by member_id limit $3
"""
_COUNT = "select count(distinct member_id) from pass where program_id = $1 and voided_at is null"


class RolloutState(StrEnum):
    """How far a roll-out is; the last two are ends."""

    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    DONE = "DONE"
    SUPERSEDED = "SUPERSEDED"


FACTS = {RolloutState.PAUSED: "rollout.paused", RolloutState.RUNNING: "rollout.resumed"}


@dataclass(frozen=True, slots=True)
class Rollout:
    """A roll-out: `marked` of `total` members have been told to fetch their cards again."""

    id: UUID
    program_id: UUID
    reason: str
    state: RolloutState
    total: int
    marked: int
    begun_at: datetime
    ended_at: datetime | None


@transaction
async def start(program_id: UUID, reason: str, *, now: datetime) -> Rollout:
    """Begin a roll-out, in the transaction that makes the change; one under way is superseded.

    It goes to everybody anew: who was marked before may have fetched before this change. If the one
    before was paused, so is this one.
    """
    state = RolloutState.RUNNING
    if (before := await _open(program_id).select_for_update().get_or_none()) is not None:
        state = RolloutState(before.state)
        await _open(program_id).update(state=RolloutState.SUPERSEDED, ended_at=now)
    row = await RolloutRow.create(
        id=new_id(now),
        program_id=program_id,
        reason=reason,
        state=state,
        total=await card_holders(program_id),
        marked=0,
        begun_at=now,
    )
    return _rollout(row)


async def card_holders(program_id: UUID) -> int:
    """Return to how many members a roll-out goes: those who hold a card that is not void."""
    [(holders,)] = await read(_COUNT, program_id)
    return int(holders)


async def pause(program_id: UUID, *, now: datetime, by: str = "cli") -> Rollout:
    """Let a programme's roll-out rest where it is; one that rests already is left so.

    Raises:
        NotFoundError: None is under way.
    """
    return await _change(program_id, RolloutState.PAUSED, now=now, by=by)


async def resume(program_id: UUID, *, now: datetime, by: str = "cli") -> Rollout:
    """Let a paused roll-out go on where it was.

    Raises:
        NotFoundError: None is under way.
    """
    return await _change(program_id, RolloutState.RUNNING, now=now, by=by)


@transaction
async def _change(program_id: UUID, state: RolloutState, *, now: datetime, by: str) -> Rollout:
    row = await _open(program_id).select_for_update().get_or_none()
    if row is None:
        raise NotFoundError("roll-out", "under way")
    if row.state != state:
        await _open(program_id).update(state=state)
        told = outbox.change(
            by, about=f"rollout:{row.id}", before={"state": row.state}, after={"state": state}
        )
        kind, payload = FACTS[state], {"rollout": str(row.id)}
        fact = outbox.Fact(new_id(now), kind, None, now, payload, told)
        await store(program_id, [outbox.facts([fact])])
        row.state = state
    return _rollout(row)


async def progress(program_id: UUID, *, limit: int = ROLLOUTS_MAX) -> list[Rollout]:
    """Return a programme's roll-outs, the newest first."""
    rows = await RolloutRow.filter(program_id=program_id).order_by("-id").limit(limit)
    return [_rollout(row) for row in rows]


async def running() -> list[Rollout]:
    """Return the roll-outs of all programmes that are under way and not paused."""
    rows = RolloutRow.filter(ended_at=None, state=RolloutState.RUNNING)
    return [_rollout(row) for row in await rows.order_by("id")]


@transaction
async def advance(lease: Lease, rollout: Rollout, *, limit: int, now: datetime) -> int | None:
    """Mark the cards of the next members of a roll-out, and end it after the last.

    Returns:
        How many members were marked; None when the lease is another's by now.
    """
    if not await leases.lock(lease):
        return None
    mine = RolloutRow.filter(program_id=rollout.program_id, id=rollout.id)
    going = mine.filter(ended_at=None, state=RolloutState.RUNNING)
    row = await going.select_for_update().get_or_none()
    if row is None:
        return 0
    after = row.cursor or FIRST
    found = await select(PassRow, ("member_id",), _HOLDERS, rollout.program_id, after, limit)
    members = [member_id for (member_id,) in found]
    await store(rollout.program_id, [outbox.mark_cards(members, now=now)])
    row.marked += len(members)
    row.cursor = members[-1] if members else row.cursor
    if len(members) < limit:
        row.state, row.ended_at = RolloutState.DONE, now
    await mine.update(marked=row.marked, cursor=row.cursor, state=row.state, ended_at=row.ended_at)
    return len(members)


async def start_if_template_changed(
    program_id: UUID, name: str, digest: str, *, now: datetime
) -> Rollout | None:
    """Begin a roll-out when the files of a programme's template are others than they were.

    Another template is another version of the programme, which rolls itself out. However many
    processes ask at once, one roll-out begins; where all is as it was, nothing is written.
    """
    row = await CardTemplateRow.get_or_none(program_id=program_id)
    if row is not None and (row.name, row.digest) == (name, digest):
        return None
    return await _note_template(program_id, name, digest, now)


@transaction
async def _note_template(program_id: UUID, name: str, digest: str, now: datetime) -> Rollout | None:
    # What cards were made by before it was noted is not known.
    first = CardTemplateRow(program_id=program_id, name=name, digest="")
    await CardTemplateRow.bulk_create([first], ignore_conflicts=True)
    known = CardTemplateRow.filter(program_id=program_id)
    row = await known.select_for_update().get()
    await known.update(name=name, digest=digest)
    if row.name != name or row.digest == digest or not await card_holders(program_id):
        return None
    return await start(program_id, f"template {name}", now=now)


def _open(program_id: UUID) -> QuerySet[RolloutRow]:
    return RolloutRow.filter(program_id=program_id, ended_at=None)


def _rollout(row: RolloutRow) -> Rollout:
    return Rollout(
        row.id,
        row.program_id,
        row.reason,
        RolloutState(row.state),
        max(row.total, row.marked),
        row.marked,
        row.begun_at,
        row.ended_at,
    )
