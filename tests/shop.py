"""A small shop for tests: a programme, members, and what they do, in one line each."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, TypeVar
from uuid import UUID

from loyalty_graph.errors import LoyaltyError
from loyalty_graph.ledger.models import AccountRow
from loyalty_graph.members.models import Member
from loyalty_graph.members.rules import Reference, ReferenceKind
from loyalty_graph.members.service import Profile
from loyalty_graph.purchases.rules import ActivityKind, Deed, Line
from loyalty_graph.rewards import reads as reward_reads
from loyalty_graph.rewards.codes import Codes
from loyalty_graph.rewards.rules import Redemption, Step
from loyalty_graph.rewards.voucher_rules import Voucher
from loyalty_graph.usecases import (
    activities,
    members,
    membership,
    pending_points,
    points_holds,
    program_file,
    purchases,
    redemption_steps,
    redemptions,
    refunds,
    rewards,
    simulating,
    voids,
    vouchers,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)
PROGRAM: dict[str, Any] = {
    "program": {
        "name": "Bean Club",
        "slug": "bean-club",
        "currency": "EUR",
        "time_zone": "Europe/Berlin",
        "accept_days": 365,
        "points": {"unit_one": "bean", "unit_other": "beans", "expiry_months": 6},
    },
    "earning": {
        "product_types": ["TEA"],
        "excluded_product_types": ["GIFT_CARD"],
        "unknown_product_types": "REFUSE",
        "default_rate": {"points": 1, "per_amount_minor": 100},
        "rates": [
            {"product_types": ["COFFEE"], "points": 2, "per_amount_minor": 100},
            {"product_types": ["MUG"], "points": 5, "per_amount_minor": 100},
        ],
    },
}
GOLDEN = (
    Line("COFFEE", 3, 450),
    Line("MUG", 1, 1499),
    Line("GIFT_CARD", 1, 2500),
    Line("TEA", 2, 375),
)
"""Earns 27 + 74 + 0 + 7 = 108 points."""

GUARDED: dict[str, Any] = {
    "expiry_months": None,
    "expiry": {"policy": "ROLLING", "months": 6, "notice_days": 14},
}
"""Points end only after their owner was told."""

CODES = Codes(b"k" * 32)
COFFEE: dict[str, Any] = {
    "code": "COFFEE",
    "name": "Coffee",
    "kind": "FREE_PRODUCT",
    "product": "COFFEE",
    "cost_points": 40,
    "hold_minutes_max": 30,
}
NOTE: dict[str, Any] = {
    "code": "NOTE",
    "name": "A note of 20 euros",
    "kind": "STORED_VALUE",
    "value_minor": 2000,
    "cost_points": 50,
    "hold_minutes_max": 30,
}
DEED = {"name", "network", "proof", "store"}
Answer = TypeVar("Answer")
_numbers = count(1)


def program(**points: Any) -> dict[str, Any]:
    """Return the programme's data with other point settings."""
    changed = {**PROGRAM["program"], "points": {**PROGRAM["program"]["points"], **points}}
    return {**PROGRAM, "program": changed}


def giving(*rewards_: dict[str, Any], **points: Any) -> dict[str, Any]:
    """Return the programme's data with rewards: a coffee, and what is given."""
    return {**program(**points), "rewards": [COFFEE, *rewards_]}


@dataclass(frozen=True)
class Shop:
    """A programme that is open, and its clock."""

    program_id: UUID
    now: datetime = NOON

    def at(self, now: datetime) -> "Shop":
        return replace(self, now=now)

    def later(self, time: timedelta) -> "Shop":
        return replace(self, now=self.now + time)

    async def enrol(self, **profile: Any) -> Member:
        one = members.Enrolment(Profile(**profile))
        [member] = await members.enrol(self.program_id, [one], now=self.now)
        return member

    async def close(self, member: Member) -> None:
        command = membership.CloseMember("partner:till", f"close-{next(_numbers)}", by_id(member))
        await membership.close(self.program_id, command, now=self.now)

    async def buy(
        self, member: Member, lines: tuple[Line, ...] = GOLDEN, /, **changes: Any
    ) -> purchases.PurchaseRecorded:
        command = self.receipt(member, lines, **changes)
        return await record_one(self.program_id, command, now=self.now)

    def receipt(
        self, member: Member, lines: tuple[Line, ...] = GOLDEN, /, **changes: Any
    ) -> purchases.RecordPurchase:
        number = next(_numbers)
        command = purchases.RecordPurchase(
            caller="partner:till",
            idempotency_key=f"buy-{number}",
            member=by_id(member),
            source="till",
            external_id=f"receipt-{number}",
            purchased_at=self.now,
            lines=lines,
        )
        return replace(command, **changes)

    async def simulate(
        self, lines: tuple[Line, ...] = GOLDEN, /, member: Member | None = None, **changes: Any
    ) -> simulating.Simulation:
        basket = replace(simulating.Basket(lines, self.now), **changes)
        reference = None if member is None else by_id(member)
        return await simulating.simulate(self.program_id, basket, now=self.now, member=reference)

    async def bring_back(
        self, bought: purchases.PurchaseRecorded, quantities: dict[int, int] | None, **changes: Any
    ) -> refunds.RefundRecorded:
        command = refunds.RecordRefund(
            caller="partner:till",
            idempotency_key=f"back-{next(_numbers)}",
            member_id=bought.member_id,
            purchase_id=bought.purchase_id,
            refunded_at=self.now,
            quantities=quantities,
        )
        return await refunds.record(self.program_id, replace(command, **changes), now=self.now)

    async def void(
        self, bought: purchases.PurchaseRecorded, **changes: Any
    ) -> refunds.RefundRecorded:
        command = voids.VoidPurchase(
            "partner:till", f"void-{next(_numbers)}", bought.member_id, bought.purchase_id
        )
        return await voids.void(self.program_id, replace(command, **changes), now=self.now)

    async def do(
        self, member: Member, kind: ActivityKind, /, **changes: Any
    ) -> activities.ActivityRecorded:
        command = self.deed(member, kind, **changes)
        return only(await activities.record(self.program_id, [command], now=self.now))

    def deed(
        self, member: Member, kind: ActivityKind, /, **changes: Any
    ) -> activities.RecordActivity:
        """Return a command; `changes` are of the deed, or of the command where that has them."""
        of_deed = {name: changes.pop(name) for name in list(changes) if name in DEED}
        command = activities.RecordActivity(
            caller="partner:till",
            idempotency_key=f"do-{next(_numbers)}",
            member=by_id(member),
            deed=Deed(kind, **of_deed),
            occurred_at=self.now,
        )
        return replace(command, **changes)

    async def redeem(self, member: Member, points: int, **changes: Any) -> redemptions.PointsMoved:
        command = redemptions.RedeemPoints(
            caller="partner:till",
            idempotency_key=f"redeem-{next(_numbers)}",
            member=by_id(member),
            points=points,
            at=self.now,
        )
        return await redeem_one(self.program_id, replace(command, **changes), now=self.now)

    async def give_back(
        self, taken: redemptions.PointsMoved, **changes: Any
    ) -> redemptions.PointsMoved:
        command = redemptions.ReturnPoints(
            caller="partner:till",
            idempotency_key=f"return-{next(_numbers)}",
            member=Reference(ReferenceKind.ID, str(taken.member_id)),
            redemption_id=taken.redemption_id,
            at=self.now,
        )
        return await redemptions.return_points(
            self.program_id, replace(command, **changes), now=self.now
        )

    async def want(
        self, member: Member, reward: str = "COFFEE", /, **changes: Any
    ) -> redemptions.PointsMoved:
        command = self.wish(member, reward, **changes)
        answers = await rewards.redeem(self.program_id, [command], codes=CODES, now=self.now)
        return only(answers)

    def wish(
        self, member: Member, reward: str = "COFFEE", /, **changes: Any
    ) -> rewards.RedeemReward:
        command = rewards.RedeemReward(
            "partner:till", f"want-{next(_numbers)}", by_id(member), reward
        )
        return replace(command, **changes)

    async def take(
        self, step: Step, of: redemptions.PointsMoved, **changes: Any
    ) -> redemptions.PointsMoved:
        key = f"step-{next(_numbers)}"
        command = redemption_steps.TakeStep(
            "partner:till", key, step, of.member_id, of.redemption_id
        )
        return await redemption_steps.take(
            self.program_id, replace(command, **changes), codes=CODES, now=self.now
        )

    async def use_money(
        self, of: redemptions.PointsMoved, amount_minor: int, **changes: Any
    ) -> vouchers.VoucherMoved:
        key = f"use-{next(_numbers)}"
        command = vouchers.UseVoucher(
            "partner:till", key, of.member_id, of.redemption_id, amount_minor
        )
        return await vouchers.use(self.program_id, replace(command, **changes), now=self.now)

    async def put_money_back(
        self, of: redemptions.PointsMoved, use: int, **changes: Any
    ) -> vouchers.VoucherMoved:
        key = f"unuse-{next(_numbers)}"
        command = vouchers.RefundVoucher("partner:till", key, of.member_id, of.redemption_id, use)
        return await vouchers.refund(self.program_id, replace(command, **changes), now=self.now)

    async def hold(
        self, member: Member, points: int, minutes: int = 30, **changes: Any
    ) -> points_holds.HoldMoved:
        key, reason = f"hold-{next(_numbers)}", "a table for two"
        command = points_holds.HoldPoints(
            "partner:till", key, by_id(member), points, minutes, reason
        )
        return await points_holds.hold(self.program_id, replace(command, **changes), now=self.now)

    async def end_hold(
        self, step: points_holds.HoldStep, of: points_holds.HoldMoved, **changes: Any
    ) -> points_holds.HoldMoved:
        key = f"end-{next(_numbers)}"
        command = points_holds.EndHold("partner:till", key, step, of.member_id, of.hold_id)
        return await points_holds.end(self.program_id, replace(command, **changes), now=self.now)

    async def activate_pending(
        self, earning: pending_points.Earning, **changes: Any
    ) -> pending_points.PendingMoved:
        key = f"activate-{next(_numbers)}"
        command = pending_points.ActivatePending("partner:shop", key, earning, self.now)
        return await pending_points.activate(
            self.program_id, replace(command, **changes), now=self.now
        )

    async def cancel_pending(
        self, earning: pending_points.Earning, points: int | None = None, **changes: Any
    ) -> pending_points.PendingMoved:
        key = f"cancel-{next(_numbers)}"
        command = pending_points.CancelPending("staff:1", key, earning, points, "a mistake")
        return await pending_points.cancel(
            self.program_id, replace(command, **changes), now=self.now
        )

    async def redemption(self, of: redemptions.PointsMoved) -> Redemption:
        """Return the redemption as it is stored."""
        key = (of.member_id, of.redemption_id)
        return (await reward_reads.redemptions(self.program_id, [key]))[key]

    async def voucher(self, of: redemptions.PointsMoved) -> Voucher:
        """Return the voucher that a redemption made, as it is stored."""
        key = (of.member_id, of.redemption_id)
        return (await reward_reads.vouchers(self.program_id, [key]))[key]

    async def held(self, member: Member) -> int:
        account = await AccountRow.get(program_id=self.program_id, member_id=member.id)
        return account.held_points

    async def balance(self, member: Member) -> int:
        account = await AccountRow.get(program_id=self.program_id, member_id=member.id)
        return account.balance_points


def only(answers: list[Answer | LoyaltyError]) -> Answer:
    """Return the answer to a single command; raise it when it is a refusal."""
    [answer] = answers
    if isinstance(answer, LoyaltyError):
        raise answer
    return answer


async def record_one(
    program_id: UUID, command: purchases.RecordPurchase, *, now: datetime
) -> purchases.PurchaseRecorded:
    return only(await purchases.record(program_id, [command], now=now))


async def redeem_one(
    program_id: UUID, command: redemptions.RedeemPoints, *, now: datetime
) -> redemptions.PointsMoved:
    return only(await redemptions.redeem_points(program_id, [command], now=now))


def by_id(member: Member) -> Reference:
    return Reference(ReferenceKind.ID, str(member.id))


async def open_shop(data: dict[str, Any] = PROGRAM, *, now: datetime = NOON) -> Shop:
    """Load the programme and return the shop at `now`."""
    version = await program_file.load(program_file.check(data, name="test"), now=now)
    return Shop(version.program_id, now)
