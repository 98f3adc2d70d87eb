"""Members for whom something is due tonight, among more of whom nothing is.

Each has a lot, a tier given by hand, and a subscription that was paid once, as the services write
them. Of one in `ONE_IN` the lot has ended, the tier has, and so has the month that was paid.
"""

import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from loyalty_graph.config import bundled
from loyalty_graph.db import migrate, open_database, transaction
from loyalty_graph.db.sets import Write, store, together
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger import chain, rules
from loyalty_graph.ledger import service as ledger
from loyalty_graph.ledger.rules import ACTIVE, Account, Cause
from loyalty_graph.programs import service as programs
from loyalty_graph.subscriptions import changing, course
from loyalty_graph.subscriptions import service as subscriptions
from loyalty_graph.subscriptions.billing import LOCAL
from loyalty_graph.subscriptions.rules import PaymentOutcome
from loyalty_graph.tiers import service as tiers
from loyalty_graph.tiers.standing import Scheme, Step, begin, override
from loyalty_graph.usecases import program_file
from loyalty_graph.usecases.subscription_desk import WELCOME

BEGIN = datetime(2025, 12, 1, tzinfo=UTC)
TONIGHT = datetime(2026, 6, 15, 3, tzinfo=UTC)
ONE_IN = 4
POINTS = 13
MEMBERS_AT_ONCE = 1_000


async def fill(url: str, count: int) -> None:
    """Make a sandbox of the grocer's programme with so many members."""
    async with open_database(url):
        await migrate()
        file = program_file.read(bundled("presets/corner-grocer.toml"))
        sandbox = file.model_copy(update={"program": file.program.as_sandbox()})
        program_id = (await program_file.load(sandbox, now=BEGIN)).program_id
        members = await Members.of(program_id)
        for first in range(0, count, MEMBERS_AT_ONCE):
            await members.store(range(first, min(first + MEMBERS_AT_ONCE, count)))


class Members:
    """What members of a programme are made of."""

    def __init__(self, version: programs.Version, scheme: Scheme, terms: course.Terms) -> None:
        self._version, self._scheme, self._terms = version, scheme, terms
        top = scheme.settings.levels[-1].code
        nobody = begin(scheme, {}, now=BEGIN)
        self._steps: dict[bool, Step] = {}
        self._courses: dict[bool, tuple[datetime, course.Course]] = {}
        for is_due in (False, True):
            until = _until(is_due=is_due)
            self._steps[is_due] = override(nobody, top, until=until, now=BEGIN)
            begun = TONIGHT - timedelta(days=32 if is_due else 5)
            state, _ = course.begin(terms, may_try=False, now=begun)
            fee = terms.plan.price_minor
            paid = changing.pay(state, terms, fee, paid_at=begun, now=begun)
            self._courses[is_due] = (begun, paid)

    @classmethod
    async def of(cls, program_id: UUID) -> "Members":
        version = await programs.in_force(program_id, TONIGHT, now=TONIGHT)
        scheme = await tiers.scheme(version)
        plans = await subscriptions.plans(program_id, version.number)
        plan = next(one for one in plans.values() if one.interval.months == 1)
        assert scheme is not None, "the grocer has tiers"
        return cls(version, scheme, course.Terms(plan, version.number, version.settings.zone))

    @transaction
    async def store(self, numbers: Iterable[int]) -> None:
        due = {new_id(BEGIN): number % ONE_IN == 0 for number in numbers}
        program_id = self._version.program_id
        accounts = [self._account(one, is_due=is_due) for one, is_due in due.items()]
        await store(program_id, [ledger.open_accounts(program_id, due)])
        await store(program_id, ledger.writes(accounts))
        await store(program_id, self._standings(due))
        held = (write for one, is_due in due.items() for write in self._held(one, is_due=is_due))
        await store(program_id, together(held))

    def _account(self, member_id: UUID, *, is_due: bool) -> Account:
        first = chain.genesis(self._version.program_id, member_id)
        account = Account(member_id, ACTIVE, 0, 0, 0, 0, 0, 0, first)
        rules.earn(account, POINTS, _cause(), expires_at=_until(is_due=is_due))
        welcome = self._terms.plan.welcome_points
        rules.adjust(account, welcome, _cause(WELCOME), expires_at=_until(is_due=False))
        return account

    def _standings(self, due: dict[UUID, bool]) -> list[Write]:
        steps = {one: self._steps[is_due] for one, is_due in due.items()}
        standings = {one: standing for one, (standing, _) in steps.items()}
        changes = [
            tiers.Recorded(one, change, self._version.number)
            for one, (_, changes) in steps.items()
            for change in changes
        ]
        return [
            *tiers.standing_writes(self._scheme, standings, now=BEGIN),
            tiers.change_writes(changes, now=BEGIN),
        ]

    def _held(self, member_id: UUID, *, is_due: bool) -> list[Write]:
        begun, (state, changes) = self._courses[is_due]
        held = subscriptions.Held(member_id, new_id(begun), state, LOCAL, "ok")
        fee, outcome = self._terms.plan.price_minor, PaymentOutcome.SUCCEEDED
        paid = subscriptions.Payment(LOCAL, f"first-{held.id}", held.key, outcome, fee, begun)
        return [
            *subscriptions.writes(None, held, changes, self._terms, now=begun),
            paid.write(now=begun),
        ]


def _cause(reference: str = "") -> Cause:
    named = reference or str(new_id(BEGIN))
    return Cause(named, BEGIN, BEGIN, "bench", {}, rule_version=1, salt=os.urandom(16))


def _until(*, is_due: bool) -> datetime:
    return TONIGHT + timedelta(days=-1 if is_due else 300)
