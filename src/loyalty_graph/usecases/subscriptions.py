"""What members do with subscriptions: begin, pause, go on, end, and move to another plan."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from loyalty_graph.db import transaction
from loyalty_graph.db.sets import store
from loyalty_graph.errors import InvalidInputError, NotFoundError, SubscriptionExistsError
from loyalty_graph.idempotency import Claim, claim
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger import rules as ledger
from loyalty_graph.members import service as members
from loyalty_graph.members.rules import Reference
from loyalty_graph.programs import service as programs
from loyalty_graph.subscriptions import changing
from loyalty_graph.subscriptions import service as subscriptions
from loyalty_graph.subscriptions.billing import LOCAL, BillingProvider
from loyalty_graph.subscriptions.course import Course, State, Terms, advance, begin
from loyalty_graph.subscriptions.rules import Status
from loyalty_graph.subscriptions.service import Held, SubscriptionKey
from loyalty_graph.usecases import posting
from loyalty_graph.usecases.subscription_desk import Desk, SubscriptionDone, by_id, open_desk, tell
from loyalty_graph.usecases.subscription_payments import collect


@dataclass(frozen=True, slots=True)
class Subscribe:
    """A member's wish for a plan; `card` is for the sandbox's own provider."""

    caller: str
    idempotency_key: str
    member: Reference
    plan: str
    card: str | None = None

    @property
    def claim(self) -> Claim:
        """The wish to count once."""
        given = [self.member.kind, self.member.value, self.plan, self.card]
        return claim(self.caller, self.idempotency_key, {"subscribe": given})


async def subscribe(
    program_id: UUID,
    command: Subscribe,
    *,
    billing: Mapping[str, BillingProvider],
    now: datetime,
) -> SubscriptionDone:
    """Begin a subscription: on trial if the plan has one and it is the member's first, else unpaid.

    In a sandbox programme the first fee is collected from the card at once, if one is given.

    Raises:
        NotFoundError: No such member or plan.
        MemberNotActiveError: The member is suspended or closed.
        SubscriptionExistsError: The member has a subscription that has not ended.
        InvalidInputError: The card cannot be used, or not here.
        IdempotencyMismatchError: The key was used with other input.
    """
    if command.card is not None:
        billing[LOCAL].check(command.card)
    done = await _begin(program_id, command, now=now)
    if command.card is not None:
        await collect(program_id, done.key, billing=billing, now=now)
    return done


@posting.settling_conflicts
@transaction
async def _begin(program_id: UUID, command: Subscribe, *, now: datetime) -> SubscriptionDone:
    [member_id] = await members.resolve(program_id, [command.member])
    mine = [] if member_id is None else [subscriptions.of_members([member_id])]
    batch = await posting.load(program_id, [command], now=now, besides=mine)
    if (earlier := batch.earlier(0)) is not None:
        return SubscriptionDone.replay(earlier)
    account = batch.account(0, command.member)
    ledger.check_active(account)
    version = await programs.in_force(program_id, now, now=now)
    terms = await _terms(version, command.plan)
    if command.card is not None and not version.settings.sandbox:
        raise InvalidInputError(
            "Cards are for sandbox programmes; here your own provider collects"
            " and recordSubscriptionPayment tells us.",
            field="card",
        )
    before = [subscriptions.held_of(row) for row in batch.found[0][0]]
    await _settle_last(batch, before[:1], version)
    has_tried = any(one.state.opened for one in before)
    state, changes = begin(terms, may_try=not has_tried, now=now)
    provider = None if command.card is None else LOCAL
    held = Held(account.member_id, new_id(now), state, provider, command.card)
    desk = Desk(batch, version, account, None, held, terms, changes, actor=command.caller)
    done = SubscriptionDone(held.key)
    batch.answer(0, done.kept())
    await desk.keep()
    return done


async def _terms(version: programs.Version, plan: str) -> Terms:
    offered = await subscriptions.plans(version.program_id, version.number)
    if plan not in offered:
        raise NotFoundError("plan", plan, field="plan")
    return Terms(offered[plan], version.number, version.settings.zone)


async def _settle_last(
    batch: posting.Batch, newest: Sequence[Held], version: programs.Version
) -> None:
    """Write down that the last subscription has ended, if only nobody has looked since."""
    for held in newest:
        terms = await subscriptions.terms(batch.program_id, held.state, version)
        state, changes = advance(held.state, terms, batch.now)
        if state.status is not Status.EXPIRED:
            raise SubscriptionExistsError(state.plan_code, state.status)
        ended = held.with_state(state)
        # Beforehand, since a member has one subscription that has not ended, also in between.
        writes = subscriptions.writes(held, ended, changes, terms, now=batch.now)
        await store(batch.program_id, writes)
        tell(batch, ended, changes)


@dataclass(frozen=True, slots=True)
class SubscriptionCommand(ABC):
    """Something a member wants done to a subscription."""

    caller: str
    idempotency_key: str
    key: SubscriptionKey
    name: ClassVar[str]

    @property
    def member(self) -> Reference:
        """Whose it is."""
        return by_id(self.key[0])

    @property
    def claim(self) -> Claim:
        """The wish to count once."""
        return claim(self.caller, self.idempotency_key, {self.name: [*self.key, *self.details()]})

    def details(self) -> list[Any]:
        """Return what else was given, as JSON values."""
        return []

    @abstractmethod
    def decide(self, state: State, terms: Terms, *, now: datetime) -> Course:
        """Return what this does to the subscription.

        Raises:
            SubscriptionStateError: It cannot be done to one in that state.
        """


class PauseSubscription(SubscriptionCommand):
    """Stops the clock of the period; nothing is granted until it goes on."""

    name = "pauseSubscription"

    def decide(self, state: State, terms: Terms, *, now: datetime) -> Course:
        """Pause it."""
        del terms
        return changing.pause(state, now=now)


class ResumeSubscription(SubscriptionCommand):
    """Lets a paused period go on."""

    name = "resumeSubscription"

    def decide(self, state: State, terms: Terms, *, now: datetime) -> Course:
        """Resume it."""
        del terms
        return changing.resume(state, now=now)


class ReactivateSubscription(SubscriptionCommand):
    """Takes back a cancellation."""

    name = "reactivateSubscription"

    def decide(self, state: State, terms: Terms, *, now: datetime) -> Course:
        """Reactivate it."""
        del terms
        return changing.reactivate(state, now=now)


@dataclass(frozen=True, slots=True)
class CancelSubscription(SubscriptionCommand):
    """Ends it with its period, or at once."""

    at_once: bool = False
    name = "cancelSubscription"

    def details(self) -> list[Any]:
        """Return when."""
        return [self.at_once]

    def decide(self, state: State, terms: Terms, *, now: datetime) -> Course:
        """Cancel it."""
        return changing.cancel(state, terms, at_once=self.at_once, now=now)


@posting.settling_conflicts
@transaction
async def change(
    program_id: UUID, command: SubscriptionCommand, *, now: datetime
) -> SubscriptionDone:
    """Do to a subscription what its member wants.

    Raises:
        NotFoundError: No such subscription.
        SubscriptionStateError: It cannot be done to one in that state.
        IdempotencyMismatchError: The key was used with other input.
    """
    desk = await open_desk(program_id, command, command.key, now=now)
    if (earlier := desk.batch.earlier(0)) is not None:
        return SubscriptionDone.replay(earlier)
    desk.take(command.decide(desk.held.state, desk.terms, now=now))
    return await _keep(desk)


@dataclass(frozen=True, slots=True)
class ChangePlan:
    """A member's wish to have another plan from now on."""

    caller: str
    idempotency_key: str
    key: SubscriptionKey
    plan: str

    @property
    def member(self) -> Reference:
        """Whose subscription it is."""
        return by_id(self.key[0])

    @property
    def claim(self) -> Claim:
        """The wish to count once."""
        return claim(self.caller, self.idempotency_key, {"changePlan": [*self.key, self.plan]})


async def change_plan(
    program_id: UUID,
    command: ChangePlan,
    *,
    billing: Mapping[str, BillingProvider],
    now: datetime,
) -> SubscriptionDone:
    """Move a subscription to another plan, or to the present version of its own, at once.

    What was not used of the old fee pays for the new one; see `changing.change_plan`. In a sandbox
    programme the rest is collected at once.

    Raises:
        NotFoundError: No such subscription, or no such plan.
        InvalidInputError: It is this plan already.
        SubscriptionStateError: It is neither on trial nor active.
        IdempotencyMismatchError: The key was used with other input.
    """
    done = await _change_plan(program_id, command, now=now)
    await collect(program_id, done.key, billing=billing, now=now)
    return done


@posting.settling_conflicts
@transaction
async def _change_plan(program_id: UUID, command: ChangePlan, *, now: datetime) -> SubscriptionDone:
    desk = await open_desk(program_id, command, command.key, now=now)
    if (earlier := desk.batch.earlier(0)) is not None:
        return SubscriptionDone.replay(earlier)
    terms = await _terms(desk.version, command.plan)
    if terms == desk.terms:
        raise InvalidInputError(f"The subscription is to {command.plan} already.", field="plan")
    desk.take(changing.change_plan(desk.held.state, terms, now=now))
    desk.terms = terms
    return await _keep(desk)


async def _keep(desk: Desk) -> SubscriptionDone:
    done = SubscriptionDone(desk.held.key)
    desk.batch.answer(0, done.kept())
    await desk.keep()
    return done
