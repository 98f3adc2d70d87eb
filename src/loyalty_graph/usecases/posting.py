"""One batch of commands of a programme: loaded at once, decided one by one, stored at once."""

import secrets
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial, wraps
from itertools import repeat
from typing import Any, ParamSpec, Protocol, TypeAlias, TypeVar
from uuid import UUID

from tortoise.exceptions import IntegrityError

from loyalty_graph import outbox
from loyalty_graph.db.sets import Lookup, Row, Write, fetch, store
from loyalty_graph.errors import (
    IdempotencyMismatchError,
    InvalidInputError,
    LoyaltyError,
    NotFoundError,
)
from loyalty_graph.idempotency import Answered, Claim, answers
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger import pending, rules, sliding
from loyalty_graph.ledger import reads as ledger_reads
from loyalty_graph.ledger import service as ledger
from loyalty_graph.ledger.kinds import Kind
from loyalty_graph.ledger.rules import Account, available
from loyalty_graph.members import service as members
from loyalty_graph.members.rules import Reference
from loyalty_graph.usecases import activations, survivors

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Wish = TypeVar("Wish")
ByMember: TypeAlias = Callable[[Sequence[UUID]], Lookup]

SALT_BYTES = 16
TEXT_LENGTH_MAX = 500
BATCH_MAX = 500


class Command(Protocol):
    """What every command that moves points says of itself."""

    @property
    def member(self) -> Reference:
        """Whose points move."""

    @property
    def claim(self) -> Claim:
        """The wish to count once."""


@dataclass(slots=True)
class Batch:
    """The state a batch is decided on, and the rows that its decisions add.

    `found` is what was looked up for this use case besides, `of_members` what for each member.
    `balances` are those before the commands, once time has done its part.
    `traces` are those of commands that were gathered from several callers, by their members.
    `shown` are members whose cards show something else now, though no points of theirs moved.
    """

    program_id: UUID
    now: datetime
    members: list[UUID | None]
    claims: list[Claim]
    accounts: dict[UUID, Account]
    answered: Answered
    found: list[list[list[Row]]]
    of_members: dict[ByMember, dict[UUID, list[Row]]]
    facts: list[outbox.Fact] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    shown: set[UUID] = field(default_factory=set)
    balances: dict[UUID, int] = field(default_factory=dict)
    traces: Mapping[UUID, str] = field(default_factory=dict)
    _served: set[UUID | None] = field(default_factory=set)

    def account(self, place: int, wanted: Reference, *, field: str = "member") -> Account:
        """Return the account of the batch's command at `place`.

        Raises:
            NotFoundError: Its member does not exist; names `field`.
        """
        member_id = self.members[place]
        account = None if member_id is None else self.accounts.get(member_id)
        if account is None:
            raise NotFoundError("member", wanted.value, field=field)
        return account

    def earlier(self, place: int) -> dict[str, Any] | None:
        """Return the first answer to the command at `place`, or None when it is new.

        Raises:
            IdempotencyMismatchError: Its key was used with other input.
        """
        return self.answered.earlier(self.claims[place])

    def fresh_members(self) -> list[UUID]:
        """Return the members whose commands are not all retries, each once, sorted."""
        places = range(len(self.claims))
        fresh = {self.members[place] for place in places if self._is_new(place)}
        return sorted(one for one in fresh if one in self.accounts)

    def _is_new(self, place: int) -> bool:
        try:
            return self.earlier(place) is None
        except IdempotencyMismatchError:
            return False

    def answer(self, place: int, kept: dict[str, Any]) -> None:
        """Keep the answer to the command at `place` for retries; it holds JSON values."""
        self._served.add(self.members[place])
        self.answered.keep(self.claims[place], kept)

    def serve(self, member_id: UUID) -> None:
        """Let what was activated of another member's account be stored with the answer."""
        self._served.add(member_id)

    def record(self, kind: str, member_id: UUID, **payload: Any) -> None:
        """Add a fact; the payload holds JSON values."""
        self.record_change(kind, member_id, None, **payload)

    def record_change(
        self, kind: str, member_id: UUID, change: dict[str, Any] | None, /, **payload: Any
    ) -> None:
        """Add a fact that the audit log keeps too; see `outbox.change`."""
        fact = outbox.Fact(new_id(self.now), kind, member_id, self.now, payload, change)
        self.facts.append(fact)

    def record_by(
        self,
        actor: str,
        kind: str,
        member_id: UUID,
        /,
        *,
        why: str = "",
        before: Mapping[str, Any] | None = None,
        **payload: Any,
    ) -> None:
        """Add a fact of what somebody did, whose payload the audit log keeps as what is after.

        Where that tells a balance and `before` is not given, it is the balance before the commands.
        """
        if before is None and "balance" in payload:
            before = {"balance": self.balances.get(member_id, 0)}
        change = outbox.change(actor, before=before, after=payload, reason=why)
        self.record_change(kind, member_id, change, **payload)

    async def store(self) -> None:
        """Write everything that was decided, and mark the cards that show something old now.

        What came to a member who lives on as another one goes on to that one.
        """
        self.facts += await survivors.forward(self.program_id, self.accounts, now=self.now)
        moved = [account for account in self.accounts.values() if self._has_moved(account)]
        await store(
            self.program_id,
            [
                *self.writes,
                *ledger.writes(moved),
                self.answered.write(now=self.now),
                outbox.facts([*activations.facts(moved, now=self.now), *self.facts]),
                outbox.mark_cards(
                    [*(one.member_id for one in moved), *self.shown],
                    now=self.now,
                    caused=self.traces,
                ),
            ],
        )

    def _has_moved(self, account: Account) -> bool:
        """Return whether there is something to write: a retry or a refusal activates nothing."""
        is_served = account.member_id in self._served
        by_time = {Kind.ACTIVATE, Kind.EXPIRE}
        has_slid = is_served and account.slid_at is not None
        return has_slid or any(is_served or one.kind not in by_time for one in account.posted)


async def load(  # noqa: PLR0913 - all that one statement may look up
    program_id: UUID,
    commands: Sequence[Command],
    *,
    now: datetime,
    spending: bool | Sequence[bool] = False,
    whole: bool | Sequence[UUID] = (),
    besides: Sequence[Lookup] = (),
    by_member: Sequence[ByMember] = (),
) -> Batch:
    """Lock the accounts of these commands' members and return the batch to decide on.

    Accounts are locked before keys are read, and before what is looked up `besides` and `by_member`
    (in the same statement): a twin of a command in hand elsewhere is then seen.
    When `spending` (all of them, or command by command), accounts come with their first open lots;
    those of `whole` (everybody's, when it is True) with all of them. Pending points of these whose
    time has come are activated before anything else; also those of whoever is in debt, which they
    pay.
    """
    load_with = partial(
        _load,
        program_id,
        commands,
        now=now,
        spending=spending,
        besides=besides,
        by_member=by_member,
    )
    batch = await load_with(whole=whole)
    needy = [one for one in batch.accounts.values() if _may_owe_less(one) or _may_lapse(one, now)]
    if owing := [one.member_id for one in needy]:
        some = () if isinstance(whole, bool) else whole
        batch = await load_with(whole=[*some, *owing])
    for account in batch.accounts.values():
        pending.activate_due(account, now=now)
        if sliding.has_lapsed(account, now=now):
            rules.expire(account, now=now)
    batch.balances = {one.member_id: one.balance for one in batch.accounts.values()}
    return batch


async def _load(  # noqa: PLR0913 - all that one statement may look up
    program_id: UUID,
    commands: Sequence[Command],
    *,
    now: datetime,
    spending: bool | Sequence[bool],
    whole: bool | Sequence[UUID],
    besides: Sequence[Lookup],
    by_member: Sequence[ByMember],
) -> Batch:
    members_found = await members.resolve(program_id, [command.member for command in commands])
    known = [one for one in members_found if one is not None]
    spends = repeat(spending) if isinstance(spending, bool) else spending
    spenders = [one for one, yes in zip(members_found, spends, strict=False) if one and yes]
    entire = (known if whole else ()) if isinstance(whole, bool) else whole
    terms = await ledger_reads.terms_in_force(program_id, now=now)
    wanted = ledger.Wanted(known, spenders=spenders, whole=entire, terms=terms)
    claims = [command.claim for command in commands]
    first = wanted.lookups()
    each = sorted(set(known))
    personal = [lookup(each) for lookup in by_member]
    state = await fetch(program_id, *first, answers(claims), *besides, *personal)
    kept, *found = state[len(first) :]
    of_members = {
        lookup: dict(zip(each, rows, strict=True))
        for lookup, rows in zip(by_member, found[len(besides) :], strict=True)
    }
    return Batch(
        program_id,
        now,
        members_found,
        claims,
        wanted.accounts(state[: len(first)]),
        Answered(claims, kept),
        found[: len(besides)],
        of_members,
        traces={
            member_id: trace
            for member_id, command in zip(members_found, commands, strict=True)
            if member_id is not None and (trace := getattr(command, "trace", None)) is not None
        },
    )


def _may_owe_less(account: Account) -> bool:
    """Return whether there are points that were not loaded and may pay debt by now."""
    return bool(account.debt and account.pending and not account.has_all_lots)


def _may_lapse(account: Account, now: datetime) -> bool:
    """Return whether points that were not loaded have ended, and must not slide on."""
    holds = account.balance > 0 or account.pending > 0
    return holds and not account.has_all_lots and sliding.has_lapsed(account, now=now)


async def load_to_spend(  # noqa: PLR0913 - all that a batch is decided on
    program_id: UUID,
    commands: Sequence[Command],
    asked: Sequence[int],
    *,
    at: datetime,
    now: datetime,
    whole: bool = False,
    besides: Sequence[Lookup] = (),
    by_member: Sequence[ByMember] = (),
) -> Batch:
    """Load as `load` does; each command may spend as many points as are `asked`, or none.

    Who needs more than his first lots hold at `at` comes with all of them, as everybody does when
    `whole`.
    """
    spending = [points > 0 for points in asked]
    load_with = partial(
        load, program_id, commands, now=now, spending=spending, besides=besides, by_member=by_member
    )
    batch = await load_with(whole=whole)
    needs: dict[UUID, int] = {}
    for member_id, points in zip(batch.members, asked, strict=True):
        if points and member_id in batch.accounts:
            needs[member_id] = needs.get(member_id, 0) + points
    short = [
        member_id
        for member_id, points in needs.items()
        if not batch.accounts[member_id].has_all_lots
        and available(batch.accounts[member_id].lots, at) < points
    ]
    return await load_with(whole=short) if short else batch


async def answer_each(
    commands: Sequence[Wish],
    check: Callable[[Wish], object],
    answer_sound: Callable[[Sequence[Wish]], Awaitable[list[Result | LoyaltyError]]],
) -> list[Result | LoyaltyError]:
    """Return one answer or refusal for each command, in order.

    What `check` refuses whatever the database holds is left out of what is answered together.
    """
    assert len(commands) <= BATCH_MAX, "the door limits the batch"
    faults = [_refusal(check, one) for one in commands]
    sound = [one for one, fault in zip(commands, faults, strict=True) if fault is None]
    answers = iter(await answer_sound(sound) if sound else ())
    return [next(answers) if fault is None else fault for fault in faults]


def _refusal(check: Callable[[Wish], object], command: Wish) -> LoyaltyError | None:
    try:
        check(command)
    except LoyaltyError as refusal:
        return refusal
    return None


def decide_each(
    commands: Sequence[Wish], decide: Callable[[int, Wish], Result]
) -> list[Result | LoyaltyError]:
    """Decide commands in order by their place; a refusal does not disturb its neighbours."""
    answers: list[Result | LoyaltyError] = []
    for place, command in enumerate(commands):
        try:
            answers.append(decide(place, command))
        except LoyaltyError as refusal:
            answers.append(refusal)
    return answers


def check_text(text: str, *, field: str) -> None:
    """Refuse an entry's text that is too long.

    Raises:
        InvalidInputError: It is longer than 500 characters.
    """
    if len(text) > TEXT_LENGTH_MAX:
        raise InvalidInputError(f"At most {TEXT_LENGTH_MAX} characters.", field=field)


def salt() -> bytes:
    """Return fresh random bytes that keep an entry's details from being guessed after erasure."""
    return secrets.token_bytes(SALT_BYTES)


def settling_conflicts(
    work: Callable[Arguments, Awaitable[Result]],
) -> Callable[Arguments, Coroutine[Any, Any, Result]]:
    """Run a transaction once more when another one had just used the same key or receipt.

    The second run sees what the other one wrote, and answers with a replay or a refusal.
    """

    @wraps(work)
    async def twice_at_most(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            return await work(*args, **kwargs)
        except IntegrityError:
            return await work(*args, **kwargs)

    return twice_at_most
