"""Redeeming rewards: points are set aside while a basket is open, or spent at once."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from uuid import UUID

from loyalty_graph.db import in_transaction_now, transaction
from loyalty_graph.errors import InvalidInputError, LoyaltyError, NotFoundError
from loyalty_graph.idempotency import Claim, claim
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger import rules as ledger
from loyalty_graph.members.rules import Reference
from loyalty_graph.programs import service as programs
from loyalty_graph.purchases.rules import check_store
from loyalty_graph.rewards import reads
from loyalty_graph.rewards import service as rewards
from loyalty_graph.rewards.codes import Codes
from loyalty_graph.rewards.errors import PriceChangedError
from loyalty_graph.rewards.rules import (
    Redemption,
    RedemptionState,
    RewardKind,
    RewardSettings,
    Standing,
    Step,
    check_obtainable,
)
from loyalty_graph.rewards.voucher_rules import Voucher, VoucherState
from loyalty_graph.tiers import reads as tiers
from loyalty_graph.usecases import posting
from loyalty_graph.usecases.redeemed_points import cause_of, give_back
from loyalty_graph.usecases.redemptions import PointsMoved
from loyalty_graph.usecases.reward_members import Meant

TIMED_OUT = "system"


@dataclass(frozen=True)
class RedeemReward:
    """A reward a member wants; its code can be used in `store` only, if one is named.

    With `hold_minutes` the points are only set aside, until it is confirmed or the time is over.
    `expected_cost` is what the member was told; at another price it is refused.
    """

    caller: str
    idempotency_key: str
    member: Reference
    reward: str
    hold_minutes: int | None = None
    expected_cost: int | None = None
    store: str | None = None

    @cached_property
    def claim(self) -> Claim:
        """The wish to count once."""
        given = {
            "redeemReward": [self.member.kind, self.member.value, self.reward, self.store],
            "terms": [self.hold_minutes, self.expected_cost],
        }
        return claim(self.caller, self.idempotency_key, given)


@dataclass(slots=True)
class _Counter:
    """What a batch gives rewards out by: the version's rewards, and what is had and left of them.

    `moves` counts what the batch takes of each reward, less what timed-out holds put back.
    """

    version: programs.Version
    catalogue: rewards.Catalogue
    taken: dict[str, int]
    tiers: dict[UUID, str]
    meant: Meant
    had: dict[tuple[UUID, str], int] = field(default_factory=dict)
    moves: Counter[str] = field(default_factory=Counter)
    given: list[Redemption] = field(default_factory=list)

    def reward(self, code: str) -> RewardSettings:
        """Return the reward with this code.

        Raises:
            NotFoundError: The programme has none now.
        """
        if code not in self.catalogue:
            raise NotFoundError("reward", code, field="reward")
        return self.catalogue[code]

    def standing(self, member_id: UUID, reward: RewardSettings) -> Standing:
        """Return how a member stands with a reward at this point of the batch."""
        left = None
        if reward.stock is not None:
            left = reward.stock - self.taken.get(reward.code, 0) - self.moves[reward.code]
        had = self.had.get((member_id, reward.code), 0)
        return Standing(self.tiers.get(member_id), had, left, self.meant.is_for(member_id, reward))

    def give(self, redemption: Redemption) -> None:
        """Count a reward that was given out."""
        key = (redemption.member_id, redemption.reward)
        self.had[key] = self.had.get(key, 0) + 1
        self.moves[redemption.reward] += 1
        self.given.append(redemption)


@posting.settling_conflicts
async def redeem(
    program_id: UUID, commands: Sequence[RedeemReward], *, codes: Codes, now: datetime
) -> list[PointsMoved | LoyaltyError]:
    """Set points aside for rewards, or spend them and issue codes; one answer or refusal for each.

    A refusal writes nothing and does not disturb its neighbours. When the last of a reward was
    taken by somebody else meanwhile, everything is decided again, with the stock locked.
    """
    try:
        return await _redeem(program_id, commands, codes, now, lock=in_transaction_now())
    except rewards.StockTakenMeanwhileError:
        return await _redeem(program_id, commands, codes, now, lock=True)


async def redeem_one(
    program_id: UUID, command: RedeemReward, *, codes: Codes, now: datetime
) -> PointsMoved:
    """Redeem a single reward; see `redeem`.

    Raises:
        NotFoundError: No such member, or no such reward now.
        MemberNotActiveError: The member may not spend now.
        RewardNotForMemberError: It is for other members.
        RewardNotOpenError: Before the reward's window, or after it.
        RewardNotForTierError: It is for other tiers.
        RewardLimitError: The member had it as often as allowed.
        OutOfStockError: Nothing is left.
        PriceChangedError: It costs other than expected.
        InsufficientPointsError: Fewer points can be spent.
        InvalidInputError: It cannot be set aside for so long, or the store cannot be used.
        IdempotencyMismatchError: The key was used with other input.
    """
    [answer] = await redeem(program_id, [command], codes=codes, now=now)
    if isinstance(answer, LoyaltyError):
        raise answer
    return answer


@transaction
async def _redeem(
    program_id: UUID, commands: Sequence[RedeemReward], codes: Codes, now: datetime, *, lock: bool
) -> list[PointsMoved | LoyaltyError]:
    return await posting.answer_each(
        commands, _check, lambda sound: _redeem_sound(program_id, sound, codes, now, lock=lock)
    )


def _check(command: RedeemReward) -> None:
    """Refuse what cannot be a redemption whatever the database holds."""
    if command.hold_minutes is not None and command.hold_minutes < 1:
        raise InvalidInputError("Points are set aside for 1 minute or more.", field="holdMinutes")
    if command.store is not None:
        check_store(command.store)
    _ = command.claim


async def _redeem_sound(
    program_id: UUID, commands: Sequence[RedeemReward], codes: Codes, now: datetime, *, lock: bool
) -> list[PointsMoved | LoyaltyError]:
    version = await programs.in_force(program_id, now, now=now)
    catalogue = await rewards.catalogue(program_id, version.number)
    wanted = [catalogue[one.reward] for one in commands if one.reward in catalogue]
    limited = sorted({reward.code for reward in wanted if reward.stock is not None})
    asked = [catalogue[one.reward].cost_max if one.reward in catalogue else 0 for one in commands]
    batch = await posting.load_to_spend(
        program_id,
        commands,
        asked,
        at=now,
        now=now,
        besides=[rewards.stock(limited, lock=lock)],
    )
    taken = {code: rows[0][0] for code, rows in zip(limited, batch.found[0], strict=True) if rows}
    members = list(batch.accounts)
    meant = await Meant.of(version, wanted, members, now=now)
    counter = _Counter(version, catalogue, taken, await _tiers(batch, wanted), meant)
    await _release_overdue(batch, counter)
    counter.had = await _had(batch, commands, catalogue)
    answers = posting.decide_each(
        commands, lambda place, command: _decide(batch, place, command, counter)
    )
    vouchers = [voucher for one in counter.given if (voucher := voucher_for(one, catalogue))]
    batch.writes.append(rewards.redemption_writes(program_id, counter.given, codes=codes))
    batch.writes.append(rewards.voucher_writes(vouchers))
    await batch.store()
    await rewards.move_stock(program_id, counter.moves, rewards=catalogue)
    return answers


async def _tiers(batch: posting.Batch, wanted: Sequence[RewardSettings]) -> dict[UUID, str]:
    """Return the tiers of the batch's members, if any of the rewards minds them."""
    if not any(reward.minds_tiers for reward in wanted):
        return {}
    return await tiers.tiers_of(batch.program_id, list(batch.accounts), now=batch.now)


async def _release_overdue(batch: posting.Batch, counter: _Counter) -> None:
    """Give back what members of the batch had set aside for longer than they may."""
    members = batch.fresh_members()
    overdue = await rewards.overdue_holds(batch.program_id, members, now=batch.now)
    if not overdue:
        return
    transfers = await give_back(
        batch.program_id,
        batch.accounts,
        overdue,
        lambda one: cause_of(one, counter.catalogue, actor=TIMED_OUT, now=batch.now),
    )
    released = [one.stepped(Step.RELEASE, now=batch.now, restock=True) for one in overdue]
    batch.writes.append(rewards.step_writes(released))
    for one, transfer in zip(released, transfers, strict=True):
        counter.moves[one.reward] -= 1
        record(batch, "redemption.released", one, entry=transfer.sequence)


async def _had(
    batch: posting.Batch, commands: Sequence[RedeemReward], catalogue: rewards.Catalogue
) -> dict[tuple[UUID, str], int]:
    limited = {code for code, reward in catalogue.items() if reward.limit_per_member is not None}
    wanted = [
        (member_id, command.reward)
        for member_id, command in zip(batch.members, commands, strict=True)
        if member_id is not None and command.reward in limited
    ]
    return await reads.had(batch.program_id, wanted, now=batch.now)


def _decide(
    batch: posting.Batch, place: int, command: RedeemReward, counter: _Counter
) -> PointsMoved:
    if (earlier := batch.earlier(place)) is not None:
        return PointsMoved.replay(earlier)
    account = batch.account(place, command.member)
    ledger.check_active(account)
    reward = counter.reward(command.reward)
    standing = counter.standing(account.member_id, reward)
    check_obtainable(reward, standing, now=batch.now)
    cost = reward.cost_for(standing.tier)
    if command.expected_cost not in (None, cost):
        raise PriceChangedError(expected=command.expected_cost or 0, cost=cost)
    held_until = _held_until(reward, command, now=batch.now)
    wanted = Redemption(
        member_id=account.member_id,
        id=new_id(batch.now),
        reward=reward.code,
        version=counter.version.number,
        state=RedemptionState.HELD,
        points=cost,
        entry_sequence=account.sequence + 1,
        store=command.store,
        held_until=held_until,
        created_at=batch.now,
    )
    cause = cause_of(wanted, counter.catalogue, actor=command.caller, now=batch.now)
    if held_until is None:
        transfer = ledger.redeem(account, cost, cause)
        wanted = issued(wanted, reward, counter.version, now=batch.now)
    else:
        transfer = ledger.hold(account, cost, cause)
    assert transfer.sequence == wanted.entry_sequence, "nothing else was posted before it"
    counter.give(wanted)
    answer = PointsMoved(account.member_id, wanted.id, cost, account.balance, transfer.sequence)
    batch.answer(place, answer.kept())
    record(batch, f"redemption.{wanted.state.lower()}", wanted, entry=transfer.sequence)
    return answer


def _held_until(reward: RewardSettings, command: RedeemReward, *, now: datetime) -> datetime | None:
    if command.hold_minutes is None:
        return None
    if command.hold_minutes > reward.hold_minutes_max:
        raise InvalidInputError(
            f"Points are set aside for this reward for at most {reward.hold_minutes_max} minutes.",
            field="holdMinutes",
        )
    return now + timedelta(minutes=command.hold_minutes)


def issued(
    held: Redemption, reward: RewardSettings, version: programs.Version, *, now: datetime
) -> Redemption:
    """Return a held redemption with its code issued, to be used until the end of its last day."""
    expires_at = reward.code_expires_at(now, version.settings.zone)
    return replace(held.stepped(Step.CONFIRM, now=now, restock=False), expires_at=expires_at)


def voucher_for(redemption: Redemption, catalogue: rewards.Catalogue) -> Voucher | None:
    """Return the voucher that an issued redemption of a stored value makes."""
    reward = catalogue[redemption.reward]
    if reward.kind is not RewardKind.STORED_VALUE or redemption.issued_at is None:
        return None
    assert reward.value_minor is not None, "a stored value has one"
    return Voucher(
        member_id=redemption.member_id,
        id=redemption.id,
        state=VoucherState.ACTIVE,
        face_minor=reward.value_minor,
        remaining_minor=reward.value_minor,
        issued_at=redemption.issued_at,
        expires_at=redemption.expires_at,
    )


def record(
    batch: posting.Batch,
    kind: str,
    redemption: Redemption,
    *,
    entry: int | None = None,
    by: str = "",
    why: str = "",
) -> None:
    """Add the fact that something became of a redemption, with the entry if points moved.

    The audit log keeps who did it, and why, where no entry of the ledger says so (see `by`).
    """
    batch.record_by(
        by,
        kind,
        redemption.member_id,
        why=why,
        redemption=str(redemption.id),
        reward=redemption.reward,
        entry=entry,
        points=redemption.points,
        balance=batch.accounts[redemption.member_id].balance,
    )
