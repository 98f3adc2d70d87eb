"""A subscription in hand: loaded with its member's account, let run on to now, and kept."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty_graph.db.sets import Lookup, Row, together
from loyalty_graph.errors import NotFoundError
from loyalty_graph.ledger import rules as ledger
from loyalty_graph.ledger import service as ledger_service
from loyalty_graph.ledger.kinds import Kind
from loyalty_graph.members.rules import Reference, ReferenceKind
from loyalty_graph.programs import service as programs
from loyalty_graph.subscriptions import service as subscriptions
from loyalty_graph.subscriptions.course import Change, Course, State, Terms, advance
from loyalty_graph.subscriptions.rules import Event
from loyalty_graph.subscriptions.service import Held, SubscriptionKey
from loyalty_graph.usecases import posting

WELCOME = "subscription:welcome"
"""The reference of welcome points; the ledger has it once for each member."""

FACTS = {
    Event.BEGIN_TRIAL: "subscription.started",
    Event.OPEN_PERIOD: "subscription.renewed",
    Event.FALL_DUE: "subscription.past_due",
    Event.LAPSE: "subscription.expired",
    Event.PAUSE: "subscription.paused",
    Event.RESUME: "subscription.resumed",
    Event.CANCEL: "subscription.cancelled",
    Event.REACTIVATE: "subscription.reactivated",
    Event.REACTIVATE_TRIAL: "subscription.reactivated",
    Event.CHANGE_PLAN: "subscription.plan_changed",
    Event.CHANGE_TRIAL: "subscription.plan_changed",
    Event.RESTORE: "subscription.restored",
}


@dataclass(frozen=True, slots=True)
class SubscriptionDone:
    """The answer: which subscription, and whether this was a retry."""

    key: SubscriptionKey
    replayed: bool = False

    def kept(self) -> dict[str, Any]:
        """Return the answer as it is kept for retries."""
        return {"subscription": list(map(str, self.key))}

    @classmethod
    def replay(cls, kept: dict[str, Any]) -> "SubscriptionDone":
        """Return the first answer to a retry."""
        member_id, key = map(UUID, kept["subscription"])
        return cls((member_id, key), replayed=True)


@dataclass(slots=True)
class Desk:
    """A subscription while a command is decided; `before` is None when it is new.

    The first `passed` changes came with time, the others by the actor.
    """

    batch: posting.Batch
    version: programs.Version
    account: ledger.Account
    before: Held | None
    held: Held
    terms: Terms
    changes: list[Change] = field(default_factory=list)
    actor: str = ""
    passed: int = 0
    besides: list[list[Row]] = field(default_factory=list)

    def take(self, course: Course) -> None:
        """Take what happened to the subscription."""
        state, changes = course
        self.held = self.held.with_state(state)
        self.changes += changes

    async def keep(self) -> None:
        """Store the subscription, its facts and the mark on its cards, and what the batch holds."""
        await keep_all(self.batch, [self])

    def add(self, *, is_welcomed: bool) -> None:
        """Add the subscription, its facts and the mark on its cards to the batch.

        With the first period that is paid come the plan's welcome points, unless the member was
        given them before.
        """
        batch = self.batch
        batch.writes += subscriptions.writes(
            self.before, self.held, self.changes, self.terms, now=batch.now
        )
        passed, asked = self.changes[: self.passed], self.changes[self.passed :]
        tell(batch, self.held, passed)
        stood = self.before.state if self.before else None
        if passed:
            stood = passed[-1].after
        tell(batch, self.held, asked, actor=self.actor, stood=stood)
        if self.may_welcome and not is_welcomed:
            self._welcome()
        if self.before is None or self.before.state != self.held.state:
            batch.shown.add(self.account.member_id)

    @property
    def may_welcome(self) -> bool:
        """Return whether the member gets the plan's welcome points, if for the first time."""
        has_paid = any(change.event is Event.OPEN_PERIOD for change in self.changes)
        is_active = self.account.status == ledger.ACTIVE
        return bool(self.terms.plan.welcome_points) and has_paid and is_active

    def _welcome(self) -> None:
        points = self.terms.plan.welcome_points
        plan, now = self.terms.plan, self.batch.now
        cause = ledger.Cause(
            reference=WELCOME,
            at=now,
            recorded_at=now,
            actor="system",
            explanation={"by": "subscription", "plan": plan.code, "name": plan.name},
            rule_version=self.held.state.plan_version,
            salt=posting.salt(),
        )
        expires_at = self.version.settings.expires_at(now)
        given = ledger.adjust(self.account, points, cause, expires_at=expires_at)
        self.batch.record(
            "points.adjusted",
            self.account.member_id,
            entry=given.sequence,
            points=points,
            balance=self.account.balance,
        )


async def keep_all(batch: posting.Batch, desks: Sequence[Desk]) -> None:
    """Store these subscriptions of a batch, no member's twice, and what the batch holds."""
    wanted = [desk.account.member_id for desk in desks if desk.may_welcome]
    keys = [(one, Kind.ADJUST, WELCOME) for one in wanted]
    welcomed = await ledger_service.posted(batch.program_id, keys) if keys else set()
    for desk in desks:
        desk.add(is_welcomed=(desk.account.member_id, Kind.ADJUST, WELCOME) in welcomed)
    batch.writes = together(batch.writes)
    await batch.store()


def tell(
    batch: posting.Batch,
    held: Held,
    changes: Sequence[Change],
    *,
    actor: str = "",
    stood: State | None = None,
) -> None:
    """Add a fact for each of these changes, made by somebody or nobody to what stood before."""
    for change in changes:
        batch.record_by(
            actor,
            _fact_kind(change),
            held.member_id,
            before=_told(stood) if stood else None,
            subscription=str(held.id),
            **_told(change.after),
            at=change.at.isoformat(),
        )
        stood = change.after


def _told(state: State) -> dict[str, Any]:
    return {"plan": state.plan_code, "status": state.status.value}


def _fact_kind(change: Change) -> str:
    if change.event is Event.OPEN_PERIOD and change.after.opened == 1:
        return FACTS[Event.BEGIN_TRIAL]
    return FACTS[change.event]


async def open_desk(
    program_id: UUID,
    command: posting.Command,
    key: SubscriptionKey,
    *,
    now: datetime,
    besides: Sequence[Lookup] = (),
) -> Desk:
    """Load a subscription with its member's account locked, and let it run on to now.

    Raises:
        NotFoundError: No such subscription.
    """
    _, [desk] = await open_desks(program_id, [command], [key], now=now, besides=besides)
    if isinstance(desk, NotFoundError):
        raise desk
    return desk


async def open_desks(
    program_id: UUID,
    commands: Sequence[posting.Command],
    keys: Sequence[SubscriptionKey],
    *,
    now: datetime,
    besides: Sequence[Lookup] = (),
) -> tuple[posting.Batch, list[Desk | NotFoundError]]:
    """Load subscriptions as one batch, and let each run on to now; or say that there is none."""
    lookups = [subscriptions.by_key(keys), *besides]
    batch = await posting.load(program_id, commands, now=now, besides=lookups)
    version = await programs.in_force(program_id, now, now=now)
    desks: list[Desk | NotFoundError] = []
    for place, key in enumerate(keys):
        rows, *others = (found[place] for found in batch.found)
        member_id = batch.members[place]
        account = batch.accounts.get(member_id) if member_id else None
        if account is None or not rows:
            desks.append(NotFoundError("subscription", key[1], field="subscriptionId"))
            continue
        held = subscriptions.held_of(rows[0])
        terms = await subscriptions.terms(program_id, held.state, version)
        desk = Desk(batch, version, account, held, held, terms, besides=others)
        desk.take(advance(held.state, terms, now))
        desk.actor, desk.passed = batch.claims[place].caller, len(desk.changes)
        desks.append(desk)
    return batch, desks


def by_id(member_id: UUID) -> Reference:
    """Return the reference of a member whose id is known."""
    return Reference(ReferenceKind.ID, str(member_id))
