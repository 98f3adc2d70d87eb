"""The queue of pushes: whom to tell that a card has changed, and until when not again.

One row for each device (of a pass type) or Google object, however much changed. Whoever sends
claims rows, sends, and says how it went; a claim that nobody renews or ends comes back by itself.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from loyalty_graph.db import transaction
from loyalty_graph.db.statements import execute, select, upsert
from loyalty_graph.queues import COUNTED_MAX, Queue
from loyalty_graph.wallet.models import CardPushRow

QUIET = timedelta(seconds=1)
"""How long a target is left alone after a push: what changes meanwhile is one more."""
UNTRIED_WAIT_MAX, WAIT_MAX = timedelta(seconds=30), timedelta(minutes=15)
"""How long a push waits at most that nobody has tried, or that is claimed; and one that failed."""
SET_RIGHT_AT_ONCE = 1_000

_STATE = ("wanted_tag", "changed_at", "trace", "due_at", "pushed_tag", "attempts")
_NEW = ("platform", "channel", "target", *_STATE)
# What is due already stays due when it was; what was told of lately waits until it was quiet.
_MERGE = """
on conflict (platform, channel, target) do update set
  wanted_tag = case when card_push.wanted_tag > excluded.wanted_tag
    then card_push.wanted_tag else excluded.wanted_tag end,
  changed_at = coalesce(card_push.changed_at, excluded.changed_at),
  trace = case when card_push.changed_at is null or card_push.claim is not null
    then excluded.trace else card_push.trace end,
  due_at = coalesce(card_push.due_at, case when card_push.quiet_until > excluded.due_at
    then card_push.quiet_until else excluded.due_at end)
"""
_DUE = "where platform = $1 and channel = $2 and due_at <= $3 order by due_at limit"
_LATEST = f"""where platform = $1 and channel = $2 and due_at > $3
order by due_at desc limit {SET_RIGHT_AT_ONCE}"""
_STILL = "platform = $1 and channel = $2 and target = any($3) and due_at > $4"
_AT_ONCE = f"update card_push set due_at = $5, quiet_until = null where {_STILL}"  # noqa: S608 - ours
_CLAIMED = "platform = $1 and channel = $2 and claim = any($3) and due_at is not null"
_MINE = "platform = $1 and channel = $2 and claim = $3 and target = any($4)"


@dataclass(frozen=True, slots=True)
class Wanted:
    """That a target must be told of a tag, because of what changed at `changed_at`."""

    platform: str
    channel: str
    target: str
    tag: int
    changed_at: datetime
    trace: str | None = None


@dataclass(frozen=True, slots=True)
class Push:
    """A push that was claimed: `target` is to hear that there is a state `tag`.

    `changed_at` is when the oldest change happened that the target has not been told of; `attempts`
    counts the claims since it last heard, this one included. `trace` is that of the oldest change.
    """

    platform: str
    channel: str
    target: str
    tag: int
    changed_at: datetime
    attempts: int
    claim: UUID
    claimed_at: datetime
    trace: str | None = None


@transaction
async def want(wanted: Iterable[Wanted], *, now: datetime) -> int:
    """Let these targets be told as soon as they may be, once each; return how many there are."""
    each: dict[tuple[str, str, str], tuple[int, datetime, str | None]] = {}
    for one in wanted:
        key = (one.platform, one.channel, one.target)
        tag, changed_at, trace = each.get(key, (one.tag, one.changed_at, one.trace))
        each[key] = max(tag, one.tag), min(changed_at, one.changed_at), trace or one.trace
    # In one order, so that two of these never wait for each other.
    rows = [(*key, *each[key], now, 0, 0) for key in sorted(each)]
    await upsert(CardPushRow, _NEW, rows, ending=_MERGE)
    return len(rows)


async def are_late(platform: str, channel: str, *, since: datetime) -> bool:
    """Say whether pushes of a channel wait that nobody has claimed although they were due then."""
    late = "where platform = $1 and channel = $2 and due_at <= $3 and claim is null limit 1"
    return bool(await select(CardPushRow, ("target",), late, platform, channel, since))


async def are_failing(platform: str, channel: str, *, attempts: int) -> bool:
    """Say whether pushes of a channel wait that were tried so often."""
    failing = "where platform = $1 and channel = $2 and due_at is not null and attempts >= $3"
    columns = ("target",)
    return bool(
        await select(CardPushRow, columns, f"{failing} limit 1", platform, channel, attempts)
    )


async def waiting() -> bool:
    """Say whether there is anybody who has not been told of a change."""
    return bool(await select(CardPushRow, ("target",), "where due_at is not null limit 1"))


async def queue(platform: str) -> Queue:
    """Return how many targets have not been told of a change, and how old the oldest change is."""
    first = (
        f"where platform = $1 and due_at is not null order by channel, due_at limit {COUNTED_MAX}"
    )
    rows = await select(CardPushRow, ("changed_at",), first, platform)
    changes = [changed_at for (changed_at,) in rows if changed_at is not None]
    return Queue(f"{platform.lower()} pushes", len(rows), min(changes, default=None))


async def claim(
    platform: str, channel: str, claim_id: UUID, *, limit: int, now: datetime, until: datetime
) -> list[Push]:
    """Claim up to `limit` due pushes of a channel, the longest due first; others may try `until`.

    `claim_id` is new for each claim. Rows that another one is claiming are passed over. Where
    nothing is due, nobody is held up by a transaction; then what a clock that was ahead has put off
    too far is due at once.
    """
    if await select(CardPushRow, ("target",), f"{_DUE} 1", platform, channel, now):
        return await _claim(platform, channel, claim_id, limit, now, until)
    if misdated := await _misdated(platform, channel, now):
        await _bring_forward(platform, channel, misdated, now)
        return await _claim(platform, channel, claim_id, limit, now, until)
    return []


async def _misdated(platform: str, channel: str, now: datetime) -> list[str]:
    """Return the targets that are due later than can be, of those that are due the latest."""
    columns, soon = ("target", "due_at", "attempts", "claim"), now + UNTRIED_WAIT_MAX
    rows = await select(CardPushRow, columns, _LATEST, platform, channel, soon)
    return [
        target
        for target, due_at, attempts, claimed in rows
        if claimed or not attempts or due_at > now + WAIT_MAX
    ]


@transaction
async def _bring_forward(
    platform: str, channel: str, targets: Sequence[str], now: datetime
) -> None:
    key = (platform, channel, list(targets), now + UNTRIED_WAIT_MAX)
    locked = f"where {_STILL} order by target for no key update"
    rows = await select(CardPushRow, ("target",), locked, *key)
    await execute(_AT_ONCE, *key[:2], [target for (target,) in rows], key[3], now)


@transaction
async def _claim(
    platform: str, channel: str, claim_id: UUID, limit: int, now: datetime, until: datetime
) -> list[Push]:
    columns = ("target", "wanted_tag", "changed_at", "attempts", "trace")
    ending = f"{_DUE} $4 for no key update skip locked"
    rows = await select(CardPushRow, columns, ending, platform, channel, now, limit)
    # What is wanted later than this is told of by another push.
    await execute(
        "update card_push set claim = $3, due_at = $4, attempts = attempts + 1, "
        "pushed_tag = wanted_tag where platform = $1 and channel = $2 and target = any($5)",
        platform,
        channel,
        claim_id,
        until,
        [row[0] for row in rows],
    )
    return [
        Push(platform, channel, target, tag, changed_at, attempts + 1, claim_id, now, trace)
        for target, tag, changed_at, attempts, trace in rows
    ]


@transaction
async def renew(
    platform: str, channel: str, claim_ids: Sequence[UUID], *, until: datetime
) -> Counter[UUID]:
    """Let others try `until` what has not ended of these claims; return how much each has yet."""
    return await _change(platform, channel, claim_ids, "due_at = $5", until)


@transaction
async def give_back(
    platform: str, channel: str, claim_ids: Sequence[UUID], *, now: datetime
) -> None:
    """Let others try at once what has not ended of these claims."""
    await _change(platform, channel, claim_ids, "claim = null, due_at = $5", now)


async def _change(
    platform: str, channel: str, claim_ids: Sequence[UUID], changes: str, due_at: datetime
) -> Counter[UUID]:
    key = (platform, channel, list(claim_ids))
    # Locked in the order in which they are wanted.
    locked = f"where {_CLAIMED} order by target for no key update"
    rows = await select(CardPushRow, ("target", "claim"), locked, *key)
    where = f"where {_CLAIMED} and target = any($4)"
    targets = [target for target, _ in rows]
    await execute(f"update card_push set {changes} {where}", *key, targets, due_at)  # noqa: S608 - ours
    return Counter(claimed for _, claimed in rows)


async def done(pushes: Sequence[Push], *, now: datetime) -> None:
    """Say that these were told; what changed since they were claimed is due after a quiet while."""
    for mine in _claims(pushes):
        # When the newer change happened is not kept; it was after the claim.
        await _end(
            mine,
            "update card_push set claim = null, attempts = 0, quiet_until = $5, "
            "due_at = case when wanted_tag > pushed_tag then $5::timestamptz end, "
            "changed_at = case when wanted_tag > pushed_tag then $6::timestamptz end",
            now + QUIET,
            mine[0].claimed_at,
        )


async def failed(pushes: Sequence[Push], *, now: datetime, retry_at: datetime) -> None:
    """Give these back, to be tried again at `retry_at`, but not before `now`."""
    for mine in _claims(pushes):
        statement = "update card_push set claim = null, due_at = $5"
        await _end(mine, statement, max(now, retry_at))


async def dropped(pushes: Sequence[Push]) -> None:
    """Forget targets that are not there any more; what was wanted since the claim is due at once.

    Called in the transaction that removes the device: one that comes back meanwhile waits for it,
    and wants its push anew.
    """
    for mine in _claims(pushes):
        await _forget(mine)


@transaction
async def _forget(mine: Sequence[Push]) -> None:
    again = "update card_push set claim = null, attempts = 0, due_at = $5, changed_at = $5"
    await _end(mine, again, mine[0].claimed_at, condition="wanted_tag > pushed_tag")
    await _end(mine, "delete from card_push")


@transaction
async def _end(mine: Sequence[Push], statement: str, *values: object, condition: str = "") -> None:
    """Write how the pushes of one claim ended; rows that others have claimed since stay theirs."""
    first = mine[0]
    key = (first.platform, first.channel, first.claim, [one.target for one in mine])
    # Locked in the order in which they are wanted.
    found = await select(
        CardPushRow, ("target",), f"where {_MINE} order by target for no key update", *key
    )
    theirs = [target for (target,) in found]
    also = f" and {condition}" if condition else ""
    await execute(f"{statement} where {_MINE}{also}", *key[:3], theirs, *values)


def _claims(pushes: Sequence[Push]) -> list[list[Push]]:
    """Return the pushes of each claim."""
    by_claim: defaultdict[UUID, list[Push]] = defaultdict(list)
    for push in pushes:
        by_claim[push.claim].append(push)
    return list(by_claim.values())
