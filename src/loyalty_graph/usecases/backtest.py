"""What real purchases would have earned under another version of the programme; nothing is written.

Everything that was recorded is decided again, in the order of recording, as if the version had been
in force from the beginning: tiers, caps and remainders begin empty. Members have the plans they
really had. Nobody activated an offer of a version that was not there, and points that were given by
hand or for activities stay what they are.
"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from operator import itemgetter
from typing import Any, TypeAlias
from uuid import UUID
from zoneinfo import ZoneInfo

from loyalty_graph.db.sets import fetch
from loyalty_graph.earning.counters import Counters
from loyalty_graph.earning.rule_book import RuleBook
from loyalty_graph.earning.rule_settings import Offer
from loyalty_graph.errors import InvalidInputError, ProgramFileError
from loyalty_graph.ledger import reads as ledger
from loyalty_graph.members import reads as members
from loyalty_graph.programs import reads as program_reads
from loyalty_graph.programs import service as programs
from loyalty_graph.purchases import history
from loyalty_graph.purchases.history import PastPurchase, PastRefund
from loyalty_graph.subscriptions import service as subscriptions
from loyalty_graph.tiers import reads as tiers
from loyalty_graph.tiers.standing import Scheme
from loyalty_graph.usecases import program_file, program_text
from loyalty_graph.usecases.backtest_replay import Person, Player, Terms, by_rule, told_by_rule
from loyalty_graph.usecases.backtest_report import (
    REFUNDS,
    Backtest,
    MemberChange,
    PointCost,
    RuleTotal,
)
from loyalty_graph.usecases.program_file import ProgramFile

DAY = timedelta(days=1)
PAGE_MEMBERS = 200
PURCHASES_WITH_BUDGET_MAX = 2_000_000
"""Budgets are shared, so all purchases are decided in one order, from memory."""

Tell: TypeAlias = Callable[[str, int, int], None]
Event: TypeAlias = tuple[datetime, UUID, PastPurchase, PastRefund | None]
"""When it was recorded, its id, the purchase, and the refund if it is one."""


@dataclass(slots=True)
class _Page:
    """Members with everything that is needed of their past and present."""

    players: dict[UUID, Player]
    purchases: list[PastPurchase]
    balances: dict[UUID, int]
    tiers: dict[UUID, str | None]


async def run(
    program_id: UUID,
    proposed: ProgramFile,
    *,
    since: date | None,
    until: date | None,
    now: datetime,
    tell: Tell = lambda *_: None,
) -> Backtest:
    """Return what the purchases made from the day `since` to the end of `until` would earn.

    Days are those of the programme's time zone. What lies before is replayed for tiers, caps and
    remainders, and not reported.

    Raises:
        InvalidInputError: The time is empty, or there are more purchases than budgets allow for.
    """
    terms = terms_of(proposed)
    begins = None if since is None else _midnight(since, terms.zone)
    ends = _midnight(until + DAY, terms.zone) if until and until <= now.date() else None
    if begins is not None and begins >= (ends or now):
        raise InvalidInputError("The time to look at is empty: it ends before it begins.")
    report = Backtest(begins, ends, point_cost(proposed), proposed.program.currency)
    replay = _Replay(terms, report, now=now)
    total, done = await members.count(program_id), 0
    pages: list[_Page] = []
    has_budgets = bool(replay.has_budgets)
    async for page in _pages(program_id, terms, replay.counters, now=now):
        if has_budgets:
            pages.append(page)
            _check_room(pages)
        else:
            await asyncio.to_thread(replay.play, [page])
        done += len(page.players)
        tell("members", done, total)
    if has_budgets:
        await asyncio.to_thread(replay.play, pages)
    replay.finish()
    await _give_reasons(program_id, report)
    return report


async def try_text(
    program_id: UUID, text: str, *, since: date | None, until: date | None, now: datetime
) -> Backtest:
    """Return the same for the text of a programme file.

    Raises:
        ProgramFileError: It describes no programme, or another one.
        InvalidInputError: The time is empty.
    """
    proposed = program_file.parse(text, name="toml")
    version = await programs.in_force(program_id, now, now=now)
    if proposed.program.slug != version.settings.slug:
        raise ProgramFileError(f"toml: program.slug: this is not {version.settings.slug}.")
    return await run(program_id, proposed, since=since, until=until, now=now)


async def try_rule(
    program_id: UUID, rule: str, *, since: date | None, until: date | None, now: datetime
) -> Backtest:
    """Return the same for the present version with a rule more, or instead of one of its code.

    `rule` is TOML, as it stands under `[[earning.rules]]`.

    Raises:
        ProgramFileError: It is no rule, does not fit the programme, or is for an activity.
        InvalidInputError: The time is empty.
    """
    try:
        given = program_text.data_of(rule, name="rule")
    except ProgramFileError as error:
        raise ProgramFileError(*error.faults, field="rule") from error
    present = await programs.in_force(program_id, now, now=now)
    stored = await program_reads.version(program_id, present.number)
    data = program_file.as_written(stored.file)
    rules: list[dict[str, Any]] = [*data["earning"].get("rules", ())]
    codes = [one["code"] for one in rules]
    place = codes.index(given["code"]) if given.get("code") in codes else len(rules)
    rules[place:] = [given, *rules[place + 1 :]]
    data["earning"] = {**data["earning"], "rules": rules}
    proposed = _checked(data, f"earning.rules[{place}]")
    if (on := proposed.earning.rules[place].on) != "PURCHASE":
        raise ProgramFileError(f"rule: on: purchases are replayed, and no {on}.", field="rule")
    return await run(program_id, proposed, since=since, until=until, now=now)


def _checked(data: dict[str, Any], place: str) -> ProgramFile:
    """Return the programme with a rule at this place; faults of the rule are told without it.

    Raises:
        ProgramFileError: The rule cannot be used.
    """
    try:
        return program_file.check(data, name="rule")
    except ProgramFileError as error:
        ahead = re.compile(rf"^rule: {re.escape(place)}(\.|: )")
        raise ProgramFileError(
            *(ahead.sub("rule: ", one) for one in error.faults), field="rule"
        ) from error


async def _give_reasons(program_id: UUID, report: Backtest) -> None:
    """Say of the members who change most what makes the difference."""
    entries = await ledger.earnings(program_id, [one.member_id for one in report.most_changed])
    for place, change in enumerate(report.most_changed):
        before: Counter[str] = Counter()
        for entry in entries[change.member_id]:
            why = entry.explanation or {}
            if "steps" in why and report.covers(entry.at):
                before.update(told_by_rule(why))
                gone = {one["code"]: one["name"] for one in why.get("rules", ())}
                report.names = gone | report.names
        reasons = Counter(change.rules)
        reasons.subtract(before)
        reasons[REFUNDS] = change.difference - sum(reasons.values())
        kept = {code: points for code, points in reasons.items() if points}
        report.most_changed[place] = replace(change, reasons=kept)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone)


def terms_of(proposed: ProgramFile) -> Terms:
    """Return what a programme file decides purchases by."""
    settings = proposed.program
    scheme = None if proposed.tiers is None else Scheme(proposed.tiers, settings.zone)
    return Terms(
        settings=settings,
        book=RuleBook(
            proposed.earning,
            settings.zone,
            segments={one.code: one.when for one in proposed.segments},
        ),
        scheme=scheme,
        plans={one.code: one.multipliers() for one in proposed.subscription_plans},
        store_labels={one.code: frozenset(one.labels) for one in settings.stores},
    )


def point_cost(proposed: ProgramFile) -> PointCost | None:
    """Return what a point costs: what it pays of a basket, else what the dearest reward costs.

    Of rewards, each costs its `unit_cost_minor`, or what it is worth, for its points.
    """
    payment = proposed.program.points.payment
    if payment is not None:
        return PointCost(Fraction(payment.worth_minor, payment.points), "as points pay")
    costs = [
        (Fraction(minor, one.cost_points), one.name)
        for one in proposed.rewards
        if (minor := one.unit_cost_minor or one.value_minor)
    ]
    if not costs:
        return None
    dearest, name = max(costs)
    return PointCost(dearest, f"as in the reward {name}, the dearest for its points")


def _check_room(pages: Iterable[_Page]) -> None:
    if sum(len(page.purchases) for page in pages) > PURCHASES_WITH_BUDGET_MAX:
        raise InvalidInputError(
            f"A version with budgets can be tried on at most {PURCHASES_WITH_BUDGET_MAX:,}"
            " purchases; leave the budgets out of the trial."
        )


async def _pages(
    program_id: UUID, terms: Terms, counters: Counters, *, now: datetime
) -> AsyncIterator[_Page]:
    after: UUID | None = None
    while rows := await members.page(program_id, first=PAGE_MEMBERS, after=after):
        ids = [row.id for row in rows]
        purchases = await history.purchases(program_id, ids)
        [periods] = await fetch(program_id, subscriptions.periods_of(ids))
        balances = await ledger.balances(program_id, ids, now=now)
        standings = await tiers.tiers_of(program_id, ids, now=now)
        players = {
            row.id: Player(
                Person(
                    id=row.id,
                    number=row.number,
                    locale=row.locale,
                    enrolled_at=row.enrolled_at,
                    birthday=row.birthday,
                    has_email=row.email is not None,
                    has_phone=row.phone is not None,
                    plans=[(begins, ends, plan) for _, _, begins, ends, plan, *_ in mine],
                ),
                terms,
                counters.of(row.id),
            )
            for row, mine in zip(rows, periods, strict=True)
        }
        yield _Page(
            players,
            purchases,
            {one: balances[one].balance if one in balances else 0 for one in ids},
            {one: standings.get(one) for one in ids},
        )
        after = ids[-1]


class _Replay:
    """Plays pages of members through the past and adds up what it would have been."""

    def __init__(self, terms: Terms, report: Backtest, *, now: datetime) -> None:
        self.counters = Counters()
        self.has_budgets = terms.book.has_budgets
        self._terms, self._report, self._now = terms, report, now
        report.names.update({one.code: one.settings.name for one in terms.book.bonuses})
        self._points: dict[str, dict[str, int]] = {}
        self._wanted: dict[str, int] = {}
        self._purchases: dict[str, int] = {}

    def play(self, pages: Sequence[_Page]) -> None:
        """Let everything of these members happen in order, and count them."""
        players = {key: one for page in pages for key, one in page.players.items()}
        before: dict[UUID, int] = dict.fromkeys(players, 0)
        after: dict[UUID, int] = dict.fromkeys(players, 0)
        rules: dict[UUID, Counter[str]] = {}
        for _, _, purchase, refund in sorted(_events(pages), key=itemgetter(0, 1)):
            member_id = purchase.member_id
            mine = rules.get(member_id, Counter())
            old, new = self._happen(players[member_id], purchase, refund, mine)
            if self._report.covers(purchase.purchased_at):
                rules[member_id] = mine
                before[member_id] += old
                after[member_id] += new
        for page in pages:
            for member_id, player in page.players.items():
                tier = player.finish(self._now)
                self._report.outstanding_points += player.outstanding_points
                if member_id in rules:
                    self._report.add_member(
                        MemberChange(
                            member_id,
                            player.person.number,
                            before[member_id],
                            after[member_id],
                            page.tiers[member_id],
                            tier,
                            dict(rules[member_id]),
                        ),
                        balance=page.balances[member_id],
                    )

    def finish(self) -> None:
        """Put the totals by rule into the report, also of rules that never gave anything.

        Offers that nobody used are left out: who would have activated them is not known.
        """
        bonuses = (one.settings for one in self._terms.book.bonuses)
        rules = [one.code for one in bonuses if not isinstance(one, Offer)]
        for code in dict.fromkeys([*self._points, *self._wanted, *rules]):
            by_month = self._points.get(code, {})
            points = sum(by_month.values())
            wanted, purchases = self._wanted.get(code, points), self._purchases.get(code, 0)
            self._report.rules[code] = RuleTotal(
                code, self._report.names[code], points, wanted, purchases, by_month
            )

    def _is_reported(self, purchase: PastPurchase) -> bool:
        return self._report.covers(purchase.purchased_at)

    def _happen(
        self,
        player: Player,
        purchase: PastPurchase,
        refund: PastRefund | None,
        rules: Counter[str],
    ) -> tuple[int, int]:
        """Return the points it really moved, and those it would have; add these to `rules`."""
        if refund is not None:
            due = player.bring_back(purchase.id, refund) or 0
            if self._is_reported(purchase):
                self._report.refunds += 1
                self._report.taken_back_before += refund.due_points
                self._report.taken_back_after += due
            return -refund.due_points, -due
        earned = player.buy(purchase)
        if not self._is_reported(purchase):
            return 0, 0
        report = self._report
        report.purchases += 1
        report.refused += earned is None
        points = 0 if earned is None else earned.points
        report.points_before += purchase.points
        report.points_after += points
        month = purchase.purchased_at.astimezone(self._terms.zone).strftime("%Y-%m")
        known = report.months.get(month, (0, 0))
        report.months[month] = (known[0] + purchase.points, known[1] + points)
        for code, given in () if earned is None else by_rule(earned).items():
            by_month = self._points.setdefault(code, {})
            by_month[month] = by_month.get(month, 0) + given
            self._purchases[code] = self._purchases.get(code, 0) + 1
            rules[code] += given
        for one in () if earned is None else earned.outcomes:
            self._wanted[one.code] = self._wanted.get(one.code, 0) + one.wanted
        return purchase.points, points


def _events(pages: Sequence[_Page]) -> Iterator[Event]:
    for page in pages:
        for purchase in page.purchases:
            yield purchase.recorded_at, purchase.id, purchase, None
            for refund in purchase.refunds:
                yield refund.recorded_at, refund.id, purchase, refund
