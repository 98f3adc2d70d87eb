"""What random histories of a ledger stand on: asking and telling, time, failures, retries."""

from collections import Counter
from collections.abc import Awaitable, Callable
from copy import deepcopy
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import count
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from loyalty_graph.errors import LoyaltyError
from loyalty_graph.idempotency import IdempotencyRow
from loyalty_graph.ledger import past, reads
from loyalty_graph.ledger import service as ledger
from loyalty_graph.ledger.models import (
    AccountRow,
    ExpiryNoticeRow,
    HoldRow,
    LotRow,
    LotUseRow,
    PointsTransferRow,
    TransferRow,
)
from loyalty_graph.members.models import Member, MemberMerge, MemberReference
from loyalty_graph.outbox import CardMark, FactRow
from loyalty_graph.purchases.models import Purchase, PurchaseLine, Refund, RefundLine
from loyalty_graph.reports.flow_reads import By
from loyalty_graph.reports.points_flow import points_flow
from loyalty_graph.rewards.models import RedemptionRow
from loyalty_graph.usecases import (
    activations,
    balances,
    expiry,
    hold_deadlines,
    notices,
    proof,
    transfers,
)
from tests.shop import DAY, NOON, Shop, open_shop
from tests.usecases.broken_database import Broken, breaking
from tests.usecases.invariants import (
    check_account,
    check_purchases,
    check_redemptions,
    check_refunds,
    check_totals,
    kind_of,
)
from tests.usecases.naive_ledger import Holder
from tests.usecases.naive_shop import ZONE, Refused
from tests.usecases.naive_stories import NaiveStories
from tests.usecases.test_random_histories import Run

UseCase = Callable[..., Awaitable[Any]]
MEMBERS = 4
OF_MEMBERS = (AccountRow, HoldRow, LotRow, LotUseRow, RedemptionRow, TransferRow)
TABLES = (
    *(*OF_MEMBERS, CardMark, ExpiryNoticeRow, FactRow, IdempotencyRow, Member, MemberMerge),
    *(MemberReference, PointsTransferRow, Purchase, PurchaseLine, Refund, RefundLine),
)
FLOW_MOST = timedelta(days=3650)
"""Points flows are told of ten years at a time."""
OTHERS = ("ISSUED", "REDEEMED", "CLAWED_BACK", "FORGIVEN", "EXPIRED", "CANCELLED", "ADJUSTED")
members = st.integers(0, MEMBERS - 1)
picks = st.integers(0, 10**6)
some = st.integers(1, 120)
percents = st.sampled_from([10, 50, 90, 100, 100, 120])
numbers = count(1)


class LedgerMachine(RuleBasedStateMachine):
    """A programme, its members, and their doubles in the model; `seen` counts kinds of entries."""

    def __init__(self, run: Run, data: Any, model: NaiveStories, seen: Counter[str]) -> None:
        super().__init__()
        self.run, self.data, self.model, self.seen = run, data, model, seen
        self.ids: dict[str, list[Any]] = {"bought": [], "spent": [], "holds": [], "sent": []}
        self.entries: list[int | None] = []
        self.done: list[tuple[UseCase, Any, Any]] = []
        self.then: dict[datetime, Any] = {}
        self.outstanding: dict[date, int] = {}
        self.breaks_after: int | None = None

    @initialize()
    def open(self) -> None:
        self.shop: Shop = self.run(open_shop(self.data))
        self.rows = [self.run(self.shop.enrol()) for _ in range(MEMBERS)]

    # --- how it is asked

    def key(self) -> str:
        return f"key-{next(numbers)}"

    def ask(self, use_case: UseCase, command: Any) -> Any:
        """Carry out a command, perhaps once the database has gone away under it."""
        if self.breaks_after is not None:
            self.fail(use_case, command, after=self.breaks_after)
            self.breaks_after = None
        try:
            answer = self.run(use_case(self.shop.program_id, command, now=self.shop.now))
        except LoyaltyError as refusal:
            return refusal
        self.done.append((use_case, command, answer))
        return answer

    def fail(self, use_case: UseCase, command: Any, *, after: int) -> None:
        """Let the database go away under a command: nothing of it stays.

        Only points that were sent may be on their way; what asks again lets them arrive.
        """
        before, sent = self.everything(), len(self.all(PointsTransferRow))
        try:
            with breaking(after):
                self.run(use_case(self.shop.program_id, command, now=self.shop.now))
        except Broken:
            is_sent = len(self.all(PointsTransferRow)) > sent
            assert self.everything() == before or (is_sent and use_case is transfers.transfer)
        except LoyaltyError:
            assert self.everything() == before

    def tell(self, answer: Any, story: Callable[..., Any], *args: Any) -> Any:
        """Do the same in the model; None when it refuses, as the answer does."""
        before = deepcopy(self.model)
        try:
            expected = story(*args, self.shop.now)
        except Refused as refusal:
            self.model = before
            code = refusal.args[0]
        else:
            code = None
        told = answer.code if isinstance(answer, LoyaltyError) else None
        assert told == code
        return None if code else expected

    def everything(self) -> list[list[str]]:
        """Return all rows but what tells that an import has begun: it goes on after a failure."""
        return [
            sorted(str(dict(row)) for row in self.all(table) if not _tells_of_import(row))
            for table in TABLES
        ]

    def all(self, table: type[Any]) -> list[Any]:
        rows: list[Any] = self.run(_all(table, self.shop.program_id))
        return rows

    def under_way(self) -> list[Any]:
        return [one for one in self.all(PointsTransferRow) if one.state == "SENT"]

    def holder(self, who: int) -> Holder:
        return self.model.holders[who]

    # --- time

    @rule(
        time=st.sampled_from([timedelta(minutes=7), DAY, 20 * DAY, 75 * DAY, 190 * DAY, 190 * DAY])
    )
    def wait(self, time: timedelta) -> None:
        self.remember()
        self.shop = self.shop.later(time)

    def remember(self) -> None:
        """Keep what is answered now, to be asked for again in the end."""
        now = self.shop.now
        self.then[now] = self.run(self.wallets())
        outstanding = self.run(reads.outstanding(self.shop.program_id))
        self.outstanding[now.astimezone(ZONE).date()] = outstanding

    @rule()
    def work(self) -> None:
        """Let all jobs run that follow time."""
        program_id, now = self.shop.program_id, self.shop.now
        self.run(hold_deadlines.release_all(program_id, now=now))
        self.model.release_overdue(self.model.holds, now)
        self.run(activations.run(program_id, now=now))
        for one in self.model.holders:
            self.model.look(one, now)
        self.run(expiry.run(program_id, now=now))
        for one in self.model.holders:
            self.model.expire(one, now)
        self.run(notices.run(program_id, now=now))
        self.model.announce(now)

    # --- retries and failures

    @rule(statements=st.integers(0, 16))
    def break_next(self, statements: int) -> None:
        """Let the database go away under the next command."""
        self.breaks_after = statements

    @precondition(lambda self: self.done)
    @rule(pick=picks)
    def repeat(self, pick: int) -> None:
        """A retry gets the first answer and writes nothing (I8)."""
        use_case, command, answer = self.done[pick % len(self.done)]
        if use_case is transfers.transfer:
            use_case = transfers._send  # The whole of it delivers what was left under way.
        before = self.everything()

        again = self.run(use_case(self.shop.program_id, command, now=self.shop.now))

        assert again == (answer if use_case is import_one else replace(answer, replayed=True))
        assert self.everything() == before

    # --- what must hold

    async def wallets(self) -> Any:
        ids = [one.id for one in self.rows]
        return await reads.balances(self.shop.program_id, ids, now=self.shop.now)

    @invariant()
    def accounts_are_as_told(self) -> None:
        if not hasattr(self, "rows"):
            return
        now, found = self.shop.now, self.run(self.wallets())
        later = deepcopy(self.model)
        for row, holder, then in zip(self.rows, self.model.holders, later.holders, strict=True):
            told = found[row.id]
            held = (told.balance, told.held, told.qualifying, told.lifetime)
            mine = self.model.held(holder), holder.qualifying, holder.lifetime
            assert held == (holder.balance, *mine), holder.name
            later.look(then, now)
            expected = (later.can_spend(then, now), then.pending)
            assert (told.available, told.pending) == expected, holder.name

    def teardown(self) -> None:
        if hasattr(self, "rows"):
            self.check_tables()
            self.check_program()
            self.check_past()
        super().teardown()

    def check_tables(self) -> None:
        """Hold lots against the model, and the tables against the invariants by themselves."""
        tables = {table: self.all(table) for table in TABLES}
        for row, holder in zip(self.rows, self.model.holders, strict=True):
            mine = {
                table: [one for one in tables[table] if one.member_id == row.id]
                for table in OF_MEMBERS
            }
            check_account(mine)
            lots = sorted(mine[LotRow], key=lambda lot: lot.sequence)
            assert [
                (one.points, one.remaining_points, one.expires_at, one.is_pending) for one in lots
            ] == [(one.points, one.left, one.expires, bool(one.waits_until)) for one in holder.lots]
        check_purchases(tables)
        check_refunds(tables)
        check_redemptions(tables)
        check_totals(tables)
        self.seen.update(kind_of(row) for row in tables[TransferRow])

    def check_program(self) -> None:
        """Hold the programme's books against the model, and let the audit find nothing."""
        program_id, now = self.shop.program_id, self.shop.now
        books = self.run(ledger.net_of_books(program_id))
        net = {book.value: points for book, points in books.items()}
        assert sum(net.values()) == 0
        for book in (*OTHERS, "CLEARING", "FEES", "MIGRATED"):
            assert net.get(book, 0) == self.model.books[book], book
        assert net.get("CLEARING", 0) == sum(one.points for one in self.under_way())
        assert self.run(proof.verify(program_id, now=now)).findings == []
        assert self.run(proof.rebuild(program_id, now=NOON)) == 0

    def check_past(self) -> None:
        """Ask again for every moment that was asked about, and for the flow to every such day."""
        self.remember()
        program_id, now = self.shop.program_id, self.shop.now
        ids = [one.id for one in self.rows]
        for at, wallets in self.then.items():
            found = self.run(past.accounts(program_id, ids, at=at, now=now))
            assert {one: found[one].wallet for one in ids} == wallets, at
        for day, outstanding in self.outstanding.items():
            first = max(NOON.date(), day - FLOW_MOST)
            flow = self.run(points_flow(program_id, first, day, by=By.MONTH, now=now))
            assert flow.whole.closing == outstanding, day


async def import_one(program_id: Any, file: balances.BalanceFile, *, now: datetime) -> Any:
    """Import a file of one row; what is wrong with it is the refusal."""
    done = await balances.import_file(program_id, file, caller="cli", now=now)
    if isinstance(done, balances.Progress):
        return done.rows, done.refused
    refusal = LoyaltyError(done.faults[0].message)
    refusal.code = done.faults[0].code
    raise refusal


async def _all(table: type[Any], program_id: Any) -> list[Any]:
    return list(await table.filter(program_id=program_id))


def _tells_of_import(row: Any) -> bool:
    return isinstance(row, FactRow) and row.kind == "balances.import_begun"
