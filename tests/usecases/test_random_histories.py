"""Random histories through the use cases, against a naive model and the ledger's invariants."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from loyalty_graph.db import open_database
from loyalty_graph.earning.models import EarningBudget, EarningCounter
from loyalty_graph.errors import LoyaltyError
from loyalty_graph.idempotency import IdempotencyRow
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger.models import AccountRow, LotRow, LotUseRow, TransferRow
from loyalty_graph.members.models import Member
from loyalty_graph.outbox import CardMark, FactRow
from loyalty_graph.purchases.models import MemberSummary, Purchase, PurchaseLine, Refund, RefundLine
from loyalty_graph.purchases.rules import Line
from loyalty_graph.rewards.models import RedemptionRow, RewardStock
from loyalty_graph.rewards.rules import Step
from loyalty_graph.tiers.models import TierChange, TierStanding
from loyalty_graph.tiers.reads import tiers_of
from loyalty_graph.usecases import (
    activations,
    adjustments,
    expiry,
    program_file,
    proof,
    purchases,
    redemption_deadlines,
    redemption_steps,
    redemptions,
    refunds,
    rewards,
    simulating,
)
from tests.conftest import BACKEND
from tests.delays import Parts, waiting
from tests.shop import (
    CODES,
    COFFEE,
    DAY,
    NOON,
    PROGRAM,
    Shop,
    by_id,
    open_shop,
    record_one,
    redeem_one,
)
from tests.usecases.invariants import (
    check_account,
    check_holder,
    check_purchases,
    check_redemptions,
    check_refunds,
    check_rewards,
    check_totals,
)
from tests.usecases.naive_bonuses import RULES, SHARED, NaiveBonuses
from tests.usecases.naive_shop import (
    LEVELS,
    RATES,
    Bought,
    Holder,
    NaiveShop,
    Rates,
    Refused,
    Taken,
    Wanted,
    at_once,
)

pytestmark = pytest.mark.usefixtures("uncounted")

Run = Callable[[Awaitable[Any]], Any]
MEMBERS = 3
# The histories are the same on both databases; fewer show that the statements are.
EXAMPLES = 15 if BACKEND == "sqlite" else 6
TABLES = (
    AccountRow,
    CardMark,
    EarningBudget,
    EarningCounter,
    FactRow,
    IdempotencyRow,
    LotRow,
    LotUseRow,
    MemberSummary,
    Purchase,
    PurchaseLine,
    RedemptionRow,
    Refund,
    RefundLine,
    RewardStock,
    TierChange,
    TierStanding,
    TransferRow,
)
ROUNDINGS = {
    "floor": ("PRORATA", "FLOOR"),
    "nearest": ("PRORATA", "NEAREST"),
    "ceil": ("PRORATA", "CEIL"),
    "full steps": ("STEP", "FLOOR"),
    "begun steps": ("STEP", "CEIL"),
}
GIVEN = [
    {**COFFEE, "cost_points": 20, "hold_minutes_max": 30},
    {
        **COFFEE,
        "code": "MUG",
        "cost_points": 35,
        "stock": 3,
        "code_days": 10,
        "expired_points": "RETURN",
    },
]
DOUBLE: Rates = {name: (2 * points, per, how) for name, (points, per, how) in RATES.items()}
_numbers = count(1)


TIERS = {
    "basis": "SPEND",
    "window": "ROLLING_12_MONTHS",
    "downgrade": "NONE",
    "levels": [
        {"code": code, "name": code, "entry": entry, "multiplier": str(times)}
        for code, entry, times in LEVELS
    ],
}


def program_data(rates: Rates, *, months: int | None, may_owe: bool, slug: str) -> dict[str, Any]:
    points = {
        **PROGRAM["program"]["points"],
        "expiry_months": months,
        "clawback": "ALLOW_NEGATIVE" if may_owe else "CLAMP_TO_ZERO",
        "payment": {"points": 3, "worth_minor": 2, "basket_percent_max": 80},
    }
    given = [
        {
            "product_types": [name],
            "points": points_,
            "per_amount_minor": per,
            "granularity": ROUNDINGS[how][0],
            "rounding": ROUNDINGS[how][1],
        }
        for name, (points_, per, how) in rates.items()
        if name != "GIFT_CARD"
    ]
    earning = {
        **PROGRAM["earning"],
        "product_types": [],
        "rates": given,
    }
    return {
        "program": {**PROGRAM["program"], "slug": slug, "points": points},
        "earning": earning,
        "rewards": GIVEN,
    }


def in_parts(points: int) -> Parts:
    """Let some points be spent at once, let others wait, up to for ever."""
    half = points // 2
    return {
        0: [(points, 0)],
        1: [(points, 14)],
        2: [(points - half, 3), (half, 300)],
    }[points % 3]


@dataclass
class Play:
    """A member of the shop, and his double in the model."""

    row: Member
    holder: Holder = field(default_factory=Holder)


@st.composite
def lines(draw: st.DrawFn, types: tuple[str, ...] = tuple(RATES)) -> tuple[Line, ...]:
    result = []
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(types))
        quantity, unit = draw(st.integers(1, 5)), draw(st.integers(0, 3000))
        percent = draw(st.sampled_from([0, 0, 10, 33, 100]))
        discount = quantity * unit * percent // 100
        result.append(Line(kind, quantity, unit, discount, draw(st.integers(0, 9))))
    return tuple(result)


members = st.integers(0, MEMBERS - 1)
picks = st.integers(0, 10**6)


class Histories(RuleBasedStateMachine):
    """One random life of a programme with three members."""

    def __init__(
        self,
        run: Run,
        *,
        months: int | None,
        may_owe: bool,
        has_tiers: bool = False,
        parts: Callable[[int], Parts] = at_once,
        has_rules: bool = False,
    ) -> None:
        super().__init__()
        self.run, self.months, self.may_owe, self.has_tiers = run, months, may_owe, has_tiers
        self.bonuses = NaiveBonuses() if has_rules else None
        self.model = NaiveShop(
            months=months,
            may_owe=may_owe,
            has_tiers=has_tiers,
            parts=parts,
            bonuses=self.bonuses,
        )
        self.bought: list[tuple[purchases.PurchaseRecorded, Bought]] = []
        self.taken: list[tuple[redemptions.PointsMoved, Taken]] = []
        self.wanted: list[tuple[redemptions.PointsMoved, Wanted]] = []
        self.done: list[tuple[Callable[..., Awaitable[Any]], Any, Any]] = []
        self.free_keys: list[str] = []

    @initialize()
    def open(self) -> None:
        self.slug = f"histories-{next(_numbers)}"
        self.shop: Shop = self.run(open_shop(self.data(RATES)))
        self.play = [Play(self.run(self.shop.enrol())) for _ in range(MEMBERS)]

    def data(self, rates: Rates) -> dict[str, Any]:
        data = program_data(rates, months=self.months, may_owe=self.may_owe, slug=self.slug)
        if self.bonuses is not None:
            data = {**data, "earning": {**data["earning"], "rules": RULES}}
        return {**data, "tiers": TIERS} if self.has_tiers else data

    # --- what can happen

    @rule(
        receipts=st.lists(
            st.tuples(
                members,
                lines(),
                st.sampled_from([0, 0, 1, 40]),
                st.sampled_from([0, 0, 1, 50, 400]),
            ),
            min_size=1,
            max_size=3,
        ),
        stranger=st.integers(0, 9),
    )
    def earn(self, receipts: list[tuple[int, tuple[Line, ...], int, int]], stranger: int) -> None:
        commands = [
            self.shop.receipt(
                self.play[who].row,
                (*given, Line("SOAP", 1, 1)) if stranger == place else given,
                purchased_at=self.shop.now - days * DAY,
                idempotency_key=self.key(),
                pay_points=pay,
            )
            for place, (who, given, days, pay) in enumerate(receipts)
        ]
        simulated = self.simulate(commands[0]) if self.bonuses else None
        answers = self.run(purchases.record(self.shop.program_id, commands, now=self.shop.now))
        if simulated is not None and isinstance(answers[0], purchases.PurchaseRecorded):
            assert simulated == (answers[0].points, answers[0].rules)
        self.look_before_buying(
            {who for who, _, _, pay in receipts if pay},
            served={
                who
                for (who, *_), answer in zip(receipts, answers, strict=True)
                if isinstance(answer, purchases.PurchaseRecorded)
            },
        )
        for (who, _, _, pay), command, answer in zip(receipts, commands, answers, strict=True):
            holder = self.play[who].holder
            try:
                points, bought = self.model.earn(
                    holder, command.lines, command.purchased_at, pay, self.shop.now
                )
            except Refused as refusal:
                self.is_refused(answer, refusal, command.idempotency_key)
                continue
            assert isinstance(answer, purchases.PurchaseRecorded)
            assert (answer.points, answer.balance_points) == (points, holder.balance)
            assert answer.paid_points == len(bought.purse)
            self.bought.append((answer, bought))
            self.done.append((record_one, command, answer))

    @rule(
        who=members,
        percent=st.sampled_from([10, 50, 90, 100, 100, 120]),
        days=st.sampled_from([0, 0, 0, 5]),
    )
    def spend(self, who: int, percent: int, days: int) -> None:
        points = max(1, self.play[who].holder.balance * percent // 100)
        command = redemptions.RedeemPoints(
            "partner:till",
            self.key(),
            by_id(self.play[who].row),
            points,
            self.shop.now - days * DAY,
        )
        answer = self.ask(redeem_one, command)
        holder = self.play[who].holder
        try:
            taken = self.model.redeem(holder, points, command.at, self.shop.now)
        except Refused as refusal:
            self.is_refused(answer, refusal, command.idempotency_key)
            return
        assert (answer.points, answer.balance_points) == (points, holder.balance)
        self.taken.append((answer, taken))

    @precondition(lambda self: self.bought)
    @rule(pick=picks, how=st.sampled_from(["one", "one", "line", "all", "all", "too many", "none"]))
    def bring_back(self, pick: int, how: str) -> None:
        """Bring back a unit, a line, all that is left, more than can be, or nothing."""
        recorded, bought = self.bought[pick % len(self.bought)]
        number = pick % len(bought.lines) + 1
        left = bought.left[number - 1]
        units = {
            "one": {number: 1},
            "line": {number: left},
            "all": None,
            "too many": {number: left + 1},
            "none": {number: 0},
        }[how]
        command = refunds.RecordRefund(
            "partner:till",
            self.key(),
            recorded.member_id,
            recorded.purchase_id,
            self.shop.now,
            units,
        )
        answer = self.ask(refunds.record, command)
        try:
            expected = self.model.refund(bought, units, self.shop.now)
        except Refused as refusal:
            self.is_refused(answer, refusal, command.idempotency_key)
            return
        told = (
            answer.amount_minor,
            answer.due_points,
            answer.clawed_back_points,
            answer.shortfall_points,
            answer.returned_points,
        )
        assert told == expected
        assert answer.balance_points == bought.member.balance

    @rule(who=members, given=lines(), share=st.sampled_from([60, 100]))
    def regret(self, who: int, given: tuple[Line, ...], share: int) -> None:
        """Buy, spend what that brought, and bring it all back: a debt or a shortfall."""
        self.earn([(who, given, 0, 0)], stranger=9)
        self.spend(who, share, 0)
        self.bring_back(len(self.bought) - 1, "all")

    @precondition(lambda self: self.taken)
    @rule(pick=picks)
    def give_back(self, pick: int) -> None:
        moved, taken = self.taken[pick % len(self.taken)]
        command = redemptions.ReturnPoints(
            "partner:till",
            self.key(),
            by_id(self.play_of(moved.member_id).row),
            moved.redemption_id,
            self.shop.now,
        )
        answer = self.ask(redemptions.return_points, command)
        try:
            points = self.model.give_back(taken, self.shop.now)
        except Refused as refusal:
            self.is_refused(answer, refusal, command.idempotency_key)
            return
        assert (answer.points, answer.balance_points) == (points, taken.member.balance)

    @rule(who=members, days=st.sampled_from([0, 40]), pay=st.integers(60, 150))
    def pay_from_several_lots_then_regret(self, who: int, days: int, pay: int) -> None:
        """Pay with points of two ages, and bring back some of what they paid."""
        mug, cards = (Line("MUG", 1, 1200),), (Line("GIFT_CARD", 5, 30),)
        self.earn([(who, mug, days, 0), (who, mug, 40 - days, 0), (who, cards, 0, pay)], 9)
        for _ in range(2):
            self.bring_back(len(self.bought) - 1, "one")

    @rule(who=members, units=st.integers(1, 5), days=st.permutations([0, 1, 20, 40]))
    def bring_receipts_late(self, who: int, units: int, days: list[int]) -> None:
        """Tell of purchases in any order: each earns by the tier of its own day."""
        for day in days:
            self.earn([(who, (Line("MUG", units, 2100),), day, 0)], stranger=9)

    @rule(
        who=members,
        reward=st.sampled_from(["COFFEE", "MUG"]),
        minutes=st.sampled_from([None, 5, 30]),
    )
    def want(self, who: int, reward: str, minutes: int | None) -> None:
        command = rewards.RedeemReward(
            "partner:till", self.key(), by_id(self.play[who].row), reward, hold_minutes=minutes
        )
        answer = self.ask(want_one, command)
        holder = self.play[who].holder
        try:
            wanted = self.model.want(holder, reward, self.shop.now, minutes=minutes)
        except Refused as refusal:
            self.is_refused(answer, refusal, command.idempotency_key)
            return
        assert (answer.points, answer.balance_points) == (wanted.taken.points, holder.balance)
        self.wanted.append((answer, wanted))
        # The product takes those that are due in the order of their ids.
        self.model.wanted = [
            one for _, one in sorted(self.wanted, key=lambda pair: pair[0].redemption_id)
        ]

    @precondition(lambda self: self.wanted)
    @rule(pick=picks, step=st.sampled_from(["CONFIRM", "USE", "USE", "CANCEL", "REFUND"]))
    def step(self, pick: int, step: str) -> None:
        moved, wanted = self.wanted[pick % len(self.wanted)]
        command = redemption_steps.TakeStep(
            "partner:till", self.key(), Step[step], moved.member_id, moved.redemption_id
        )
        answer = self.ask(step_one, command)
        try:
            self.model.step(wanted, step, self.shop.now)
        except Refused as refusal:
            self.is_refused(answer, refusal, command.idempotency_key)
            return
        assert answer.balance_points == wanted.taken.member.balance

    @rule(time=st.sampled_from([timedelta(minutes=4), timedelta(minutes=31), 12 * DAY]))
    def let_time_run_out(self, time: timedelta) -> None:
        self.wait(time)
        program_id, now = self.shop.program_id, self.shop.now
        released = self.run(redemption_deadlines.release_due(program_id, now=now))
        expired = self.run(redemption_deadlines.expire_due(program_id, now=now))
        by_end = sorted(self.model.wanted, key=lambda one: one.until or now)
        assert released == self.model.release(by_end, now)
        assert expired == self.model.expire_codes(by_end, now)

    @rule(who=members, points=st.integers(-200, 200).filter(bool))
    def adjust(self, who: int, points: int) -> None:
        command = adjustments.AdjustPoints(
            "staff:1", self.key(), by_id(self.play[who].row), points, "goodwill"
        )
        answer = self.ask(adjustments.adjust, command)
        holder = self.play[who].holder
        try:
            self.model.adjust(holder, points, self.shop.now)
        except Refused as refusal:
            self.is_refused(answer, refusal, command.idempotency_key)
            return
        assert (answer.points, answer.balance_points) == (points, holder.balance)

    @rule()
    def expire(self) -> None:
        now = self.shop.now
        expired = self.run(expiry.run(self.shop.program_id, now=now))
        for one in self.play:
            if any(lot.left and lot.expires <= now for lot in one.holder.lots):
                one.holder.look(now)
        assert expired == sum(one.holder.expire(now) for one in self.play)

    @rule()
    def activate(self) -> None:
        now = self.shop.now
        activated = self.run(activations.run(self.shop.program_id, now=now))
        assert activated == sum(one.holder.look(now) for one in self.play)

    @rule(time=st.sampled_from([timedelta(minutes=7), DAY, 20 * DAY, 75 * DAY, 190 * DAY]))
    def wait(self, time: timedelta) -> None:
        self.shop = self.shop.later(time)

    @rule()
    def change_the_rules(self) -> None:
        self.wait(timedelta(seconds=2))
        rates = DOUBLE if self.model.rates_at(self.shop.now) is RATES else RATES
        self.model.rates.append((self.shop.now, rates))
        file = program_file.check(self.data(rates), name="test")
        self.run(program_file.load(file, now=self.shop.now))

    @precondition(lambda self: self.done)
    @rule(pick=picks)
    def repeat(self, pick: int) -> None:
        """A retry gets the first answer and writes nothing (I8)."""
        use_case, command, answer = self.done[pick % len(self.done)]
        before = self.everything()

        again = self.ask(use_case, command, is_new=False)

        assert again == replace(answer, replayed=True)
        assert self.everything() == before

    @precondition(lambda self: self.done)
    @rule(pick=picks, who=members)
    def use_a_key_again(self, pick: int, who: int) -> None:
        _, command, _ = self.done[pick % len(self.done)]
        other = adjustments.AdjustPoints(
            command.caller, command.idempotency_key, by_id(self.play[who].row), 7, "something else"
        )
        before = self.everything()

        answer = self.ask(adjustments.adjust, other, is_new=False)

        assert answer.code == "IDEMPOTENCY_MISMATCH"
        assert self.everything() == before

    @rule(who=members, wrong=st.sampled_from(["ahead", "old", "nobody", "nothing", "no such"]))
    def ask_for_what_cannot_be(self, who: int, wrong: str) -> None:
        member = self.play[who].row
        spend = redemptions.RedeemPoints(
            "partner:till", self.key(), by_id(member), 1, self.shop.now
        )
        back = redemptions.ReturnPoints(
            "partner:till", spend.idempotency_key, by_id(member), member.id, self.shop.now
        )
        nobody = replace(spend.member, value=str(new_id(self.shop.now)))
        use_case, command, code = {
            "ahead": (
                redeem_one,
                replace(spend, at=spend.at + DAY),
                "INVALID_INPUT",
            ),
            "old": (
                redeem_one,
                replace(spend, at=spend.at - 366 * DAY),
                "INVALID_INPUT",
            ),
            "nobody": (redeem_one, replace(spend, member=nobody), "NOT_FOUND"),
            "nothing": (redeem_one, replace(spend, points=0), "INVALID_INPUT"),
            "no such": (redemptions.return_points, back, "NOT_FOUND"),
        }[wrong]
        before = self.everything()

        answer = self.ask(use_case, command)

        self.is_refused(answer, Refused(code), spend.idempotency_key)
        assert self.everything() == before

    # --- how it is asked

    def look_before_buying(self, paying: set[int], *, served: set[int]) -> None:
        """Let those look who pay with points, or owe some; who got nothing has not looked."""
        for who in served:
            holder = self.play[who].holder
            if who in paying or holder.debt:
                holder.look(self.shop.now)

    def simulate(self, command: purchases.RecordPurchase) -> Any:
        """Ask what the next purchase will earn; None when it cannot be made."""
        at, pay = command.purchased_at, command.pay_points
        basket = simulating.Basket(command.lines, at, source=command.source, pay_points=pay)
        asked = simulating.simulate(
            self.shop.program_id, basket, now=self.shop.now, member=command.member
        )
        try:
            done = self.run(asked)
        except LoyaltyError:
            return None
        return done.points, done.rules

    def key(self) -> str:
        """Return a key: a refused command has left its own free for another."""
        return self.free_keys.pop() if self.free_keys else f"history-{next(_numbers)}"

    def ask(
        self, use_case: Callable[..., Awaitable[Any]], command: Any, *, is_new: bool = True
    ) -> Any:
        try:
            answer = self.run(use_case(self.shop.program_id, command, now=self.shop.now))
        except LoyaltyError as refusal:
            return refusal
        if is_new:
            self.done.append((use_case, command, answer))
        return answer

    def is_refused(self, answer: Any, refusal: Refused, key: str) -> None:
        assert isinstance(answer, LoyaltyError)
        assert answer.code == refusal.args[0]
        self.free_keys.append(key)

    def play_of(self, member_id: UUID) -> Play:
        return next(one for one in self.play if one.row.id == member_id)

    def rows(self, table: type[Any]) -> list[Any]:
        rows: list[Any] = self.run(_all(table, self.shop.program_id))
        return rows

    def everything(self) -> list[list[str]]:
        return [sorted(str(dict(row)) for row in self.rows(table)) for table in TABLES]

    # --- what must hold in the end

    def teardown(self) -> None:
        if hasattr(self, "play"):
            check_books(self)
        super().teardown()


async def want_one(
    program_id: UUID, command: rewards.RedeemReward, *, now: datetime
) -> redemptions.PointsMoved:
    return await rewards.redeem_one(program_id, command, codes=CODES, now=now)


async def step_one(
    program_id: UUID, command: redemption_steps.TakeStep, *, now: datetime
) -> redemptions.PointsMoved:
    return await redemption_steps.take(program_id, command, codes=CODES, now=now)


async def _all(table: type[Any], program_id: UUID) -> list[Any]:
    return list(await table.filter(program_id=program_id))


def check_books(story: Histories) -> None:
    """Hold the tables against the model, and against the invariants by themselves."""
    tables = {table: story.rows(table) for table in TABLES}
    for one in story.play:
        mine = {
            table: [row for row in rows if getattr(row, "member_id", None) == one.row.id]
            for table, rows in tables.items()
        }
        check_holder(one.holder, mine)
        check_account(mine)
    check_purchases(tables)
    check_refunds(tables)
    check_redemptions(tables)
    check_rewards(tables)
    check_totals(tables)
    if story.has_tiers:
        check_tiers(story)
    if story.bonuses is not None:
        check_bonuses(story, story.bonuses)
    audit = story.run(proof.verify(story.shop.program_id, now=story.shop.now))
    assert audit.findings == []
    assert (audit.accounts, audit.transfers) == (MEMBERS, len(tables[TransferRow]))
    assert story.run(proof.rebuild(story.shop.program_id, now=NOON)) == 0


def check_bonuses(story: Histories, bonuses: NaiveBonuses) -> None:
    """Hold caps and budgets against the model."""
    holders = {one.row.id: id(one.holder) for one in story.play}
    counters = story.rows(EarningCounter)
    for code, told, counted in (
        ("MUGS", bonuses.mugs, "points"),
        ("LARGE", bonuses.large, "times"),
    ):
        stored = {
            (holders[one.member_id], date.fromisoformat(one.period)): getattr(one, counted)
            for one in counters
            if one.rule == code
        }
        assert {key: n for key, n in stored.items() if n} == {k: n for k, n in told.items() if n}
    assert sum(one.used_points for one in story.rows(EarningBudget)) == bonuses.shared <= SHARED


def check_tiers(story: Histories) -> None:
    """Hold the tiers against the model: those of now, and every rise."""
    holders = {one.row.id: one.holder for one in story.play}
    now, program_id = story.shop.now, story.shop.program_id
    found = story.run(tiers_of(program_id, list(holders), now=now))
    assert found == {one: LEVELS[holder.level_at(now)][0] for one, holder in holders.items()}
    changes = sorted(story.rows(TierChange), key=lambda change: change.sequence)
    for member_id, holder in holders.items():
        rises = [(one.at, one.tier_after) for one in changes if one.member_id == member_id]
        assert rises == [(since, LEVELS[level][0]) for since, level in holder.rises]


@pytest.fixture
def run(database_url: str) -> Iterator[Run]:
    """What runs a coroutine on the database of this test, opened once for all histories."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        runner.run(stack.enter_async_context(open_database(database_url)))
        yield runner.run
        runner.run(stack.aclose())


def play_histories(run: Run, *, examples: int, **how: Any) -> None:
    run_state_machine_as_test(
        lambda: Histories(run, **how),
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("may_owe", [False, True], ids=["clamped", "debt"])
@pytest.mark.parametrize("months", [6, None], ids=["expiring", "lasting"])
def test_every_history_ends_as_the_naive_shop_says(run: Run, months: int | None, *, may_owe: bool):
    play_histories(run, months=months, may_owe=may_owe, examples=EXAMPLES)


@pytest.mark.parametrize("may_owe", [False, True], ids=["clamped", "debt"])
def test_histories_of_members_who_rise_do_so_too(run: Run, *, may_owe: bool):
    play_histories(run, months=6, may_owe=may_owe, has_tiers=True, examples=EXAMPLES)


@pytest.mark.parametrize("may_owe", [False, True], ids=["clamped", "debt"])
def test_histories_of_points_that_wait_do_so_too(run: Run, *, may_owe: bool):
    with waiting(in_parts):
        play_histories(run, months=6, may_owe=may_owe, parts=in_parts, examples=EXAMPLES)


@pytest.mark.parametrize("may_owe", [False, True], ids=["clamped", "debt"])
def test_histories_with_bonus_rules_do_so_too(run: Run, *, may_owe: bool):
    play_histories(
        run, months=6, may_owe=may_owe, has_tiers=True, has_rules=True, examples=EXAMPLES
    )


@pytest.mark.soak
@pytest.mark.sqlite
@pytest.mark.parametrize("may_owe", [False, True], ids=["clamped", "debt"])
def test_many_more_histories_with_bonus_rules_do_so_too(run: Run, *, may_owe: bool):
    play_histories(run, months=6, may_owe=may_owe, has_tiers=True, has_rules=True, examples=40)


@pytest.mark.soak
@pytest.mark.sqlite
@pytest.mark.parametrize("may_owe", [False, True], ids=["clamped", "debt"])
def test_many_more_histories_of_points_that_wait_do_so_too(run: Run, *, may_owe: bool):
    with waiting(in_parts):
        play_histories(run, months=6, may_owe=may_owe, parts=in_parts, examples=40)


@pytest.mark.soak
@pytest.mark.sqlite
@pytest.mark.parametrize("has_tiers", [False, True], ids=["equal", "tiers"])
@pytest.mark.parametrize("may_owe", [False, True], ids=["clamped", "debt"])
def test_many_more_histories_do_so_too(run: Run, *, may_owe: bool, has_tiers: bool):
    play_histories(run, months=6, may_owe=may_owe, has_tiers=has_tiers, examples=40)
