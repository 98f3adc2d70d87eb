"""The wallet's part of the numbering step: marked cards get the next update tags, and pushes.

Only the holder of the lease `numbering` does it, in a transaction that locks the lease: a tag
becomes visible after all lower ones.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from uuid import UUID

from tortoise.expressions import F

from loyalty_graph import outbox
from loyalty_graph.db import assert_in_transaction
from loyalty_graph.db.sets import Lookup, Row, Update, fetch, store
from loyalty_graph.db.statements import execute, read, select
from loyalty_graph.outbox import CardMark
from loyalty_graph.queues import COUNTED_MAX, Queue
from loyalty_graph.wallet import pushes
from loyalty_graph.wallet.apple.models import RegistrationRow
from loyalty_graph.wallet.models import PASSES, PassRow, UpdateTagRow
from loyalty_graph.wallet.pushes import Wanted
from loyalty_graph.wallet.service import Platform, fact_of

# Measured: a step of this many takes some 40 ms, for which writers wait on SQLite.
MARKS_MAX = 250
ONE_SECOND = timedelta(seconds=1)

_MARK = ("program_id", "member_id", "marked_at", "trace")
_PASS = (
    "member_id",
    "platform",
    "serial",
    "changed_at",
    "last_modified",
    "update_tag",
    "delivered_tag",
    "stale_since",
    "installed_at",
    "removed_at",
    "voided_at",
)
_THEIRS = "where program_id = $1 and member_id = any($2)"
_TAKE = "delete from card_mark where program_id = $1 and member_id = any($2)"


@dataclass(frozen=True, slots=True)
class Tagged:
    """What a step did: how many marks it took, and how many targets are to be told.

    `since` is when the oldest of the marks was made.
    """

    marks: int = 0
    pushes: int = 0
    since: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class _Pass:
    """A pass as it was before it got its next tag."""

    member_id: UUID
    platform: str
    serial: str
    changed_at: datetime
    last_modified: datetime
    update_tag: int
    delivered_tag: int | None
    stale_since: datetime
    installed_at: datetime | None
    removed_at: datetime | None
    voided_at: datetime | None

    @property
    def is_over(self) -> bool:
        """Whether it is void and got a tag since then, so that nothing on it matters any more."""
        return self.voided_at is not None and self.changed_at > self.voided_at

    def changes_at(self, marked_at: datetime) -> datetime:
        """Return when what its next tag tells of happened: for a void pass after it became so."""
        if self.voided_at is None:
            return marked_at
        return max(marked_at, self.voided_at + timedelta.resolution)

    def stale_since_change(self, changed_at: datetime) -> datetime:
        """Return since when copies show something old, now that it changes once more."""
        is_behind = (self.delivered_tag or 0) < self.update_tag
        return self.stale_since if is_behind else changed_at

    @property
    def is_saved(self) -> bool:
        """Whether Google, or a phone, told that somebody has it."""
        saved, removed = self.installed_at, self.removed_at
        return saved is not None and (removed is None or removed < saved)


@dataclass(frozen=True, slots=True)
class _Marked:
    """The members of a programme whose marks are taken, and their passes, longest marked first.

    `devices` holds (serial, pass type, device) of each member who has one.
    """

    program_id: UUID
    marked_at: Mapping[UUID, datetime]
    passes: Sequence[_Pass] = ()
    devices: Mapping[UUID, Sequence[Row]] = field(default_factory=dict)


async def waiting() -> bool:
    """Say whether cards wait for a tag; asks without disturbing those who write."""
    # The order makes PostgreSQL use the key, which learns which rows are gone; a scan would not.
    return bool(await read("select 1 from card_mark order by program_id, member_id limit 1"))


async def queue() -> Queue:
    """Return how many members' cards wait for a tag, and since when the oldest does."""
    oldest = "order by marked_at limit $1"
    rows = await select(CardMark, ("marked_at",), oldest, COUNTED_MAX)
    return Queue("card marks", len(rows), rows[0][0] if rows else None)


async def tag(*, now: datetime, google_issuer: str | None, limit: int = MARKS_MAX) -> Tagged:
    """Give the passes of the longest marked members the next tags, and take the marks away.

    Each device that holds one of them is to be told, and Google of each of its own. A pass that is
    installed somewhere makes the fact `pass.updated`. Nobody is waited for: what another one is
    writing at this moment keeps its mark until the next step.

    Args:
        now: The moment.
        google_issuer: Whose Google's passes are; without one Google is told nothing.
        limit: How many members at most.
    """
    assert_in_transaction()
    # A mark that is written anew waits until this transaction has ended, and is another one then.
    ending = "order by marked_at limit $1 for update skip locked"
    by_program: defaultdict[UUID, dict[UUID, datetime]] = defaultdict(dict)
    traces: dict[UUID, str | None] = {}
    for program_id, member_id, marked_at, trace in await select(CardMark, _MARK, ending, limit):
        by_program[program_id][member_id] = marked_at
        traces[member_id] = trace
    taken = [await _take(program_id, marked_at) for program_id, marked_at in by_program.items()]
    tags = count(await _next_tag(sum(len(one.passes) for one in taken)))
    wanted: list[Wanted] = []
    for one in taken:
        # The passes first: an iterator that has to stop takes no tag.
        tagged = list(zip(one.passes, tags, strict=False))
        await _renew(one, tagged, now)
        wanted += _wanted(one, tagged, google_issuer, traces)
    targets = await pushes.want(wanted, now=now)
    marks = [marked_at for one in taken for marked_at in one.marked_at.values()]
    return Tagged(len(marks), targets, min(marks, default=None))


async def skip_ahead(tags: int) -> None:
    """Give none of the next so many tags: phones have seen some of them, of another state."""
    await _next_tag(tags)


async def _take(program_id: UUID, marked_at: Mapping[UUID, datetime]) -> _Marked:
    """Lock the passes of these members and take their marks, but for those that others lock."""
    members = list(marked_at)
    known = await select(PassRow, ("member_id", "serial"), _THEIRS, program_id, members)
    marked = _Marked(program_id, marked_at)
    if known:
        locked = await select(
            PassRow, _PASS, f"{_THEIRS} for no key update skip locked", program_id, members
        )
        passes = [_Pass(*row) for row in locked]
        mine = {card.serial for card in passes}
        busy = {member_id for member_id, serial in known if serial not in mine}
        members = [one for one in members if one not in busy]
        marked = await _with_devices(
            program_id,
            {one: marked_at[one] for one in members},
            [card for card in passes if card.member_id not in busy and not card.is_over],
        )
    await execute(_TAKE, program_id, members)
    return marked


async def _with_devices(
    program_id: UUID, marked_at: Mapping[UUID, datetime], passes: list[_Pass]
) -> _Marked:
    """Read who holds these passes: whoever registers one locks it first, and so comes after."""
    passes.sort(key=lambda card: (marked_at[card.member_id], card.member_id, card.serial))
    holders = sorted({card.member_id for card in passes})
    keys, columns = [(one,) for one in holders], ("serial", "pass_type", "device")
    [devices] = await fetch(program_id, Lookup(RegistrationRow, ("member_id",), keys, columns))
    return _Marked(program_id, marked_at, passes, dict(zip(holders, devices, strict=True)))


async def _next_tag(wanted: int) -> int:
    """Take this many tags, and return the first."""
    if not wanted:
        return 0
    if not await UpdateTagRow.filter(name=PASSES).update(highest=F("highest") + wanted):
        await UpdateTagRow.create(name=PASSES, highest=wanted)
    return (await UpdateTagRow.get(name=PASSES)).highest - wanted + 1


async def _renew(marked: _Marked, tagged: Sequence[tuple[_Pass, int]], now: datetime) -> None:
    """Store the new tags, and what live operations are told of them."""
    whole_second = now.replace(microsecond=0)
    rows = [
        (
            card.member_id,
            card.platform,
            card.serial,
            tag,
            changed_at := card.changes_at(marked.marked_at[card.member_id]),
            card.stale_since_change(changed_at),
            # The phone compares whole seconds: two states within one must differ.
            max(whole_second, card.last_modified + ONE_SECOND),
        )
        for card, tag in tagged
    ]
    facts = [
        fact_of("pass.updated", card.member_id, card.serial, Platform(card.platform), now=now)
        for card, _ in tagged
        if card.is_saved or _devices(marked, card)
    ]
    columns = ("update_tag", "changed_at", "stale_since", "last_modified")
    update = Update(PassRow, ("member_id", "platform", "serial"), columns, rows)
    await store(marked.program_id, [update, outbox.facts(facts)])


def _wanted(
    marked: _Marked,
    tagged: Sequence[tuple[_Pass, int]],
    google_issuer: str | None,
    traces: Mapping[UUID, str | None],
) -> Iterator[Wanted]:
    """Yield who is to be told, of each pass."""
    for card, tag in tagged:
        changed_at, trace = marked.marked_at[card.member_id], traces[card.member_id]
        for pass_type, device in _devices(marked, card):
            yield Wanted(Platform.APPLE, pass_type, device, tag, changed_at, trace)
        if card.platform == Platform.GOOGLE and google_issuer:
            target = (google_issuer, card.serial)
            yield Wanted(Platform.GOOGLE, *target, tag, changed_at, trace)


def _devices(marked: _Marked, card: _Pass) -> list[tuple[str, str]]:
    """Return pass type and id of each device that holds a pass."""
    of_member = marked.devices[card.member_id]
    return [(pass_type, device) for serial, pass_type, device in of_member if serial == card.serial]
