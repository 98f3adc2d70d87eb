"""What happens to redemptions and vouchers whose time is over, in batches, by indexes.

Readers count them as over from that moment; this writes it down and gives back what comes back.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from loyalty_graph import outbox
from loyalty_graph.db import transaction
from loyalty_graph.db.sets import Write, store
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger import reads as ledger_reads
from loyalty_graph.ledger import service as ledger
from loyalty_graph.ledger.rules import Account
from loyalty_graph.rewards import reads
from loyalty_graph.rewards import service as rewards
from loyalty_graph.rewards.rules import (
    ExpiredPoints,
    Redemption,
    RedemptionState,
    RewardSettings,
    Step,
)
from loyalty_graph.rewards.voucher_rules import Voucher, VoucherState
from loyalty_graph.usecases.redeemed_points import cause_of, give_back

ACTOR = "system"
AT_ONCE = 200


async def release_all(program_id: UUID, *, now: datetime) -> None:
    """Release every hold whose time is over."""
    while await release_due(program_id, now=now):
        pass


async def expire_all(program_id: UUID, *, now: datetime) -> None:
    """Expire every code and voucher whose date has passed."""
    while await expire_due(program_id, now=now):
        pass


async def release_due(program_id: UUID, *, now: datetime, limit: int = AT_ONCE) -> int:
    """Release holds whose time is over, at most `limit`; return how many. Run again it goes on."""
    return await _release_some(program_id, now, limit)


async def expire_due(program_id: UUID, *, now: datetime, limit: int = AT_ONCE) -> int:
    """Expire codes and vouchers whose date has passed; return how many. Run again it goes on.

    At most `limit` of each. The points of a code come back where its reward says so.
    """
    expired = await _expire_some(program_id, now, limit)
    return expired + await _expire_vouchers(program_id, now, limit)


@transaction
async def _release_some(program_id: UUID, now: datetime, limit: int) -> int:
    keys = await rewards.due_holds(program_id, now=now, limit=limit)
    if not keys:
        return 0
    accounts = await _accounts(program_id, keys, now=now)
    overdue = await _still(program_id, keys, RedemptionState.RELEASED, now=now)
    released = await _end(program_id, accounts, overdue, Step.RELEASE, now, returns=lambda _: True)
    return len(released)


@transaction
async def _expire_some(program_id: UUID, now: datetime, limit: int) -> int:
    keys = await rewards.due_codes(program_id, now=now, limit=limit)
    if not keys:
        return 0
    accounts = await _accounts(program_id, keys, now=now)
    overdue = await _still(program_id, keys, RedemptionState.EXPIRED, now=now)
    expired = await _end(program_id, accounts, overdue, Step.EXPIRE, now, returns=_comes_back)
    vouchers = await reads.vouchers(program_id, [(one.member_id, one.id) for one in expired])
    ended = [one.ended(VoucherState.EXPIRED) for one in vouchers.values()]
    await store(program_id, [rewards.voucher_changes(ended)])
    return len(expired)


def _comes_back(reward: RewardSettings) -> bool:
    return reward.expired_points is ExpiredPoints.RETURN


@transaction
async def _expire_vouchers(program_id: UUID, now: datetime, limit: int) -> int:
    keys = await rewards.due_vouchers(program_id, now=now, limit=limit)
    if not keys:
        return 0
    await _accounts(program_id, keys, now=now)
    found = await reads.vouchers(program_id, keys)
    ended = [
        one.ended(VoucherState.EXPIRED)
        for one in found.values()
        if one.state_at(now) is VoucherState.EXPIRED is not one.state
    ]
    facts = [_voucher_fact(one, now) for one in ended]
    marks = outbox.mark_cards((one.member_id for one in ended), now=now)
    await store(program_id, [rewards.voucher_changes(ended), outbox.facts(facts), marks])
    return len(ended)


async def _accounts(
    program_id: UUID, keys: Sequence[reads.Key], *, now: datetime
) -> dict[UUID, Account]:
    """Lock the accounts of what is due: its state is read again after that."""
    members = sorted({member_id for member_id, _ in keys})
    terms = await ledger_reads.terms_in_force(program_id, now=now)
    return await ledger.load_accounts(program_id, members, spenders=members, terms=terms)


async def _still(
    program_id: UUID, keys: Sequence[reads.Key], state: RedemptionState, *, now: datetime
) -> list[Redemption]:
    """Return the redemptions that are over but not written so; others may have been quicker."""
    found = await reads.redemptions(program_id, keys)
    return [one for one in found.values() if one.state_at(now) is state is not one.state]


async def _end(
    program_id: UUID,
    accounts: Mapping[UUID, Account],
    overdue: Sequence[Redemption],
    step: Step,
    now: datetime,
    *,
    returns: Callable[[RewardSettings], bool],
) -> list[Redemption]:
    """Write that redemptions are over; give the points back of those whose reward `returns`."""
    catalogues = {one.version: await rewards.catalogue(program_id, one.version) for one in overdue}
    coming_back = [one for one in overdue if returns(catalogues[one.version][one.reward])]
    transfers = await give_back(
        program_id,
        accounts,
        coming_back,
        lambda one: cause_of(one, catalogues[one.version], actor=ACTOR, now=now),
    )
    ended = [one.stepped(step, now=now, restock=True) for one in overdue]
    entries = {one.id: its.sequence for one, its in zip(coming_back, transfers, strict=True)}
    writes: list[Write] = [
        rewards.step_writes(ended),
        *ledger.writes(accounts.values()),
        outbox.facts(
            _fact(one, accounts[one.member_id], entries.get(one.id), now) for one in ended
        ),
        outbox.mark_cards((one.member_id for one in ended), now=now),
    ]
    await store(program_id, writes)
    back = Counter(one.reward for one in ended)
    await rewards.move_stock(program_id, {reward: -many for reward, many in back.items()})
    return ended


def _fact(one: Redemption, account: Account, entry: int | None, now: datetime) -> outbox.Fact:
    payload = {
        "redemption": str(one.id),
        "reward": one.reward,
        "entry": entry,
        "points": one.points,
        "balance": account.balance,
    }
    return outbox.Fact(new_id(now), f"redemption.{one.state.lower()}", one.member_id, now, payload)


def _voucher_fact(one: Voucher, now: datetime) -> outbox.Fact:
    payload = {"voucher": str(one.id), "remaining": one.remaining_minor}
    return outbox.Fact(new_id(now), "voucher.expired", one.member_id, now, payload)
