"""What the demo's members do with rewards: saved for, held, redeemed, cancelled, used in parts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from loyalty_graph.members.rules import Reference, ReferenceKind
from loyalty_graph.programs import service as programs
from loyalty_graph.rewards import service as catalogues
from loyalty_graph.rewards.codes import Codes
from loyalty_graph.rewards.rules import RewardKind, RewardSettings, Step
from loyalty_graph.sandbox.baskets import Basket
from loyalty_graph.sandbox.chance import Chance
from loyalty_graph.usecases import redemption_steps, rewards, vouchers
from loyalty_graph.usecases.posting import BATCH_MAX
from loyalty_graph.usecases.redemption_steps import TakeStep
from loyalty_graph.usecases.redemptions import PointsMoved

CALLER = "partner:demo"
REDEEMS_ONE_IN = 3
HELD_ONE_IN = 3
LEFT_ONE_IN = 10
CANCELLED_ONE_IN = 50
VOUCHER_USED_ONE_IN = 10
VOUCHER_STEP_MINOR = 100
VOUCHER_STEPS = 10


class Visit(NamedTuple):
    """A household's last basket of a day, and its points after it."""

    member_id: UUID
    basket: Basket
    balance_points: int


@dataclass(frozen=True, slots=True)
class InHand:
    """A code or voucher that a household has not used up; `left_minor` is None for a code.

    It can be used until the day `expires_on` begins.
    """

    member_id: UUID
    redemption_id: UUID
    expires_on: date | None
    left_minor: int | None
    will_be_cancelled: bool


Pockets = Mapping[int, Sequence[InHand]]
"""What households have in hand, by their numbers."""


@dataclass(frozen=True, slots=True)
class Redeeming:
    """What members of a programme do with its rewards, by fixed rules.

    In each month a hash of household and month names the reward that a household saves for. On the
    evening of one in three of its days of shopping it redeems that reward, if it can have it and
    has the points. Where points can be set aside, one in three does that first; one in ten of those
    leaves the basket, and the hold runs out. One redemption in fifty is cancelled on the next
    evening. The others are used later: a code at the next visit, a voucher at one visit in ten,
    for 1 to 10 units of money and no more than the basket.
    """

    program_id: UUID
    zone: ZoneInfo
    codes: Codes
    chance: Chance

    async def evening(
        self, day: date, visits: Mapping[int, Visit], pockets: Pockets, *, now: datetime
    ) -> dict[int, list[InHand]]:
        """Do what falls on the evening of a day; return the pockets after it."""
        after = await self._cancel(pockets, now=now)
        for household in sorted(visits.keys() & after.keys()):
            visit, mine = visits[household], after[household]
            after[household] = [
                left for one in mine if (left := await self._use(one, visit, now=now)) is not None
            ]
        for household, given in (await self._redeem(day, visits, now=now)).items():
            after[household] = [*after.get(household, ()), given]
        return {household: mine for household, mine in after.items() if mine}

    async def _cancel(self, pockets: Pockets, *, now: datetime) -> dict[int, list[InHand]]:
        """Cancel what was redeemed to be cancelled; return what is left and still good."""
        for one in (one for mine in pockets.values() for one in mine if one.will_be_cancelled):
            await self._take(one, Step.CANCEL, now=now, reason="simulated: changed their mind")
        today = now.astimezone(self.zone).date()
        return {
            household: [
                one
                for one in mine
                if not one.will_be_cancelled and (one.expires_on is None or today < one.expires_on)
            ]
            for household, mine in pockets.items()
        }

    async def _use(self, one: InHand, visit: Visit, *, now: datetime) -> InHand | None:
        """Use it at the till; return what is left of it, or None."""
        basket, store = visit.basket, f"store-{visit.basket.store}"
        if one.left_minor is None:
            await self._take(one, Step.USE, now=now, store=store)
            return None
        if not self.chance.falls(VOUCHER_USED_ONE_IN, "pays", basket.household, basket.row):
            return one
        steps = 1 + self.chance.number("voucher", basket.household, basket.row) % VOUCHER_STEPS
        total = sum(line.cents for line in basket.lines)
        amount = min(one.left_minor, total, steps * VOUCHER_STEP_MINOR)
        used = await vouchers.use(
            self.program_id,
            vouchers.UseVoucher(
                caller=CALLER,
                idempotency_key=f"voucher-{basket.row}-{one.redemption_id}",
                member_id=one.member_id,
                voucher_id=one.redemption_id,
                amount_minor=amount,
                store=store,
                reference=f"basket-{basket.row}",
            ),
            now=now,
        )
        return replace(one, left_minor=used.remaining_minor) if used.remaining_minor else None

    async def _take(
        self, one: InHand, step: Step, *, now: datetime, store: str | None = None, reason: str = ""
    ) -> None:
        key = f"{step.name.lower()}-{one.redemption_id}"
        command = TakeStep(
            CALLER, key, step, one.member_id, one.redemption_id, store=store, reason=reason
        )
        await redemption_steps.take(self.program_id, command, codes=self.codes, now=now)

    async def _redeem(
        self, day: date, visits: Mapping[int, Visit], *, now: datetime
    ) -> dict[int, InHand]:
        """Redeem what households saved for, where they can; return what they have by it."""
        version = await programs.in_force(self.program_id, now, now=now)
        catalogue = list((await catalogues.catalogue(self.program_id, version.number)).values())
        if not catalogue:
            return {}
        wanted = [
            (household, reward)
            for household, visit in sorted(visits.items())
            if self.chance.falls(REDEEMS_ONE_IN, "redeems", household, day)
            and visit.balance_points >= _cost_min(reward := self._aim(household, day, catalogue))
        ]
        given: dict[int, InHand] = {}
        for start in range(0, len(wanted), BATCH_MAX):
            portion = wanted[start : start + BATCH_MAX]
            commands = [self._wish(day, visits[one], one, reward) for one, reward in portion]
            answers = await rewards.redeem(self.program_id, commands, codes=self.codes, now=now)
            for (household, reward), command, answer in zip(
                portion, commands, answers, strict=True
            ):
                # A refusal is part of the rule: it is for other tiers, too dear, or had before.
                if isinstance(answer, PointsMoved) and await self._keeps(
                    household, day, command, answer, now=now
                ):
                    given[household] = self._in_hand(household, day, reward, answer, now=now)
        return given

    def _aim(
        self, household: int, day: date, catalogue: Sequence[RewardSettings]
    ) -> RewardSettings:
        """Return the reward that a household saves for in the month of a day."""
        number = self.chance.number("reward", household, f"{day:%Y-%m}")
        return catalogue[number % len(catalogue)]

    def _wish(
        self, day: date, visit: Visit, household: int, reward: RewardSettings
    ) -> rewards.RedeemReward:
        held = reward.hold_minutes_max and self.chance.falls(HELD_ONE_IN, "held", household, day)
        return rewards.RedeemReward(
            caller=CALLER,
            idempotency_key=f"reward-{day}-{household}",
            member=Reference(ReferenceKind.ID, str(visit.member_id)),
            reward=reward.code,
            hold_minutes=reward.hold_minutes_max if held else None,
        )

    async def _keeps(
        self,
        household: int,
        day: date,
        command: rewards.RedeemReward,
        answer: PointsMoved,
        *,
        now: datetime,
    ) -> bool:
        """Confirm a hold, unless its basket is left; return whether there is a code now."""
        if command.hold_minutes is None:
            return True
        if self.chance.falls(LEFT_ONE_IN, "left", household, day):
            return False
        confirm = TakeStep(
            CALLER,
            f"confirm-{answer.redemption_id}",
            Step.CONFIRM,
            answer.member_id,
            answer.redemption_id,
        )
        await redemption_steps.take(self.program_id, confirm, codes=self.codes, now=now)
        return True

    def _in_hand(
        self,
        household: int,
        day: date,
        reward: RewardSettings,
        answer: PointsMoved,
        *,
        now: datetime,
    ) -> InHand:
        expires_at = reward.code_expires_at(now, self.zone)
        is_voucher = reward.kind is RewardKind.STORED_VALUE
        return InHand(
            member_id=answer.member_id,
            redemption_id=answer.redemption_id,
            expires_on=expires_at and expires_at.astimezone(self.zone).date(),
            left_minor=reward.value_minor if is_voucher else None,
            will_be_cancelled=self.chance.falls(CANCELLED_ONE_IN, "cancelled", household, day),
        )


def _cost_min(reward: RewardSettings) -> int:
    return min([reward.cost_points, *reward.tier_costs.values()])


def latest(visits: Iterable[Visit]) -> dict[int, Visit]:
    """Return the last visit of each household."""
    return {visit.basket.household: visit for visit in visits}
