"""Recording what members do beside buying: one call and a batch are the same function."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from loyalty_graph.db import assert_in_transaction, transaction
from loyalty_graph.earning import service as earning
from loyalty_graph.earning.activities import ActivityRules, Hindrance, History, Verdict, reason_of
from loyalty_graph.earning.rule_settings import EarningRule, OncePer
from loyalty_graph.errors import LoyaltyError
from loyalty_graph.idempotency import Claim, claim
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger import rules as ledger
from loyalty_graph.members.rules import Reference
from loyalty_graph.programs.rules import check_offset
from loyalty_graph.purchases import activities
from loyalty_graph.purchases.rules import Deed, check_deed
from loyalty_graph.usecases import posting
from loyalty_graph.usecases.purchase_terms import Terms, terms_at
from loyalty_graph.usecases.tiering import Tiering


@dataclass(frozen=True)
class RecordActivity:
    """Something a member did, to be recorded; see `RecordPurchase` for `is_dated`.

    `occasion` tells one of a kind that happens by itself from the next.
    """

    caller: str
    idempotency_key: str
    member: Reference
    deed: Deed
    occurred_at: datetime
    is_dated: bool = True
    occasion: str | None = None

    @cached_property
    def claim(self) -> Claim:
        """The wish to count once."""
        deed, dated = self.deed, self.occurred_at if self.is_dated else None
        given = {
            "recordActivity": [self.member.kind, self.member.value],
            "activity": [deed.kind, deed.name, deed.network, deed.proof, deed.store, dated],
        }
        return claim(self.caller, self.idempotency_key, given)


@dataclass(frozen=True, slots=True)
class ActivityRecorded:
    """The answer: what it earned, or why nothing, and the entry and balance that led to."""

    member_id: UUID
    activity_id: UUID
    points: int
    balance_points: int
    entry_sequence: int | None
    reason: Hindrance | None
    replayed: bool = False

    def kept(self) -> dict[str, Any]:
        """Return the answer as it is kept for retries."""
        return {
            "member": str(self.member_id),
            "activity": str(self.activity_id),
            "points": self.points,
            "balance": self.balance_points,
            "entry": self.entry_sequence,
            "reason": self.reason,
        }

    @classmethod
    def replay(cls, kept: dict[str, Any]) -> "ActivityRecorded":
        """Return the first answer to a retry."""
        return cls(
            UUID(kept["member"]),
            UUID(kept["activity"]),
            kept["points"],
            kept["balance"],
            kept["entry"],
            None if kept["reason"] is None else Hindrance(kept["reason"]),
            replayed=True,
        )


@dataclass(frozen=True, slots=True)
class _Progress:
    """What a batch has come to so far."""

    history: History
    tiering: Tiering
    decided: list[activities.Recorded] = field(default_factory=list)
    proven: dict[activities.ProofKey, activities.Recorded] = field(default_factory=dict)

    def add(
        self,
        recorded: activities.Recorded,
        rules: Sequence[EarningRule],
        verdicts: Sequence[Verdict],
    ) -> None:
        """Count an activity under the rules that gave points for it, and for the tier."""
        self.decided.append(recorded)
        gave = {one.rule for one in verdicts if one.points}
        for rule in rules:
            if rule.code in gave:
                key = self.history.count(
                    rule, recorded.member_id, recorded.deed, recorded.occurred_at
                )
                if key is not None:
                    self.proven[key] = recorded
        self.tiering.count(
            recorded.member_id, spend_minor=0, points=recorded.points, at=recorded.occurred_at
        )


@posting.settling_conflicts
@transaction
async def record(
    program_id: UUID, commands: Sequence[RecordActivity], *, now: datetime
) -> list[ActivityRecorded | LoyaltyError]:
    """Record activities and credit what they earn; one answer or refusal for each, in order.

    What earns nothing is recorded all the same, with the reason. A refusal writes nothing and does
    not disturb its neighbours.
    """
    return await posting.answer_each(
        commands, _check, lambda sound: record_within(program_id, sound, now=now)
    )


def _check(command: RecordActivity) -> None:
    """Refuse what cannot be an activity whatever the database holds."""
    check_deed(command.deed)
    check_offset(command.occurred_at, field="occurredAt")
    _ = command.claim


async def record_within(
    program_id: UUID, commands: Sequence[RecordActivity], *, now: datetime
) -> list[ActivityRecorded | LoyaltyError]:
    """Record activities in the transaction at hand, also of kinds that happen by themselves."""
    assert_in_transaction()
    times = [command.occurred_at for command in commands]
    terms = await terms_at(program_id, times, now)
    rules = await _rules_of(program_id, commands, terms)
    keys = _proof_keys(commands, rules)
    tiering = await Tiering.of(program_id, now=now)
    batch = await posting.load(
        program_id,
        commands,
        now=now,
        besides=[activities.proofs(keys)],
        by_member=[activities.counts_of, *tiering.lookups],
    )
    await tiering.take(batch)
    so_far = _Progress(_history(batch, keys), tiering)
    answers = posting.decide_each(
        commands,
        lambda place, command: _decide(
            batch, place, command, terms[command.occurred_at], rules[command.occurred_at], so_far
        ),
    )
    batch.writes += activities.writes(so_far.decided, so_far.history.changed, so_far.proven)
    tiering.add_to(batch)
    await batch.store()
    return answers


async def _rules_of(
    program_id: UUID, commands: Sequence[RecordActivity], terms: Mapping[datetime, Terms]
) -> dict[datetime, ActivityRules]:
    return {
        one.occurred_at: await earning.activity_rules(
            program_id, terms[one.occurred_at].version.number
        )
        for one in commands
    }


def _proof_keys(
    commands: Sequence[RecordActivity], rules: Mapping[datetime, ActivityRules]
) -> list[activities.ProofKey]:
    return sorted(
        {
            (rule.code, one.deed.proof)
            for one in commands
            for rule in rules[one.occurred_at].of(one.deed.kind)
            if rule.once_per is OncePer.PROOF and one.deed.proof is not None
        }
    )


def _history(batch: posting.Batch, keys: Sequence[activities.ProofKey]) -> History:
    counts = {
        (member_id, rule, network): at
        for member_id, rows in batch.of_members[activities.counts_of].items()
        for rule, network, at in rows
    }
    return History(counts, {key for key, rows in zip(keys, batch.found[0], strict=True) if rows})


def _decide(
    batch: posting.Batch,
    place: int,
    command: RecordActivity,
    terms: Terms,
    rules: ActivityRules,
    so_far: _Progress,
) -> ActivityRecorded:
    if (earlier := batch.earlier(place)) is not None:
        return ActivityRecorded.replay(earlier)
    terms.present.check_time(command.occurred_at, now=batch.now, field="occurredAt")
    account = batch.account(place, command.member)
    ledger.check_active(account)
    counted_by = rules.of(command.deed.kind)
    verdicts = _verdicts(account.member_id, command, counted_by, so_far.history)
    recorded = _credit(batch, account, command, terms, verdicts)
    so_far.add(recorded, counted_by, verdicts)
    return _answer(batch, place, account, recorded, verdicts)


def _verdicts(
    member_id: UUID, command: RecordActivity, rules: Sequence[EarningRule], history: History
) -> list[Verdict]:
    """Return what the activity earns under each rule for its kind."""
    return [
        history.hindrance(rule, member_id, command.deed, command.occurred_at)
        or Verdict(rule.code, rule.name, rule.points or 0)
        for rule in rules
    ]


def _credit(
    batch: posting.Batch,
    account: ledger.Account,
    command: RecordActivity,
    terms: Terms,
    verdicts: Sequence[Verdict],
) -> activities.Recorded:
    activity_id, entry_sequence = new_id(batch.now), None
    points = sum(one.points for one in verdicts)
    if points:
        cause = ledger.Cause(
            reference=str(activity_id),
            at=command.occurred_at,
            recorded_at=batch.now,
            actor=command.caller,
            explanation=_explanation(command.deed, verdicts),
            rule_version=terms.version.number,
            salt=posting.salt(),
        )
        expires_at = terms.version.settings.expires_at(command.occurred_at)
        entry_sequence = ledger.earn(account, points, cause, expires_at=expires_at).sequence
    return activities.Recorded(
        id=activity_id,
        member_id=account.member_id,
        deed=command.deed,
        occasion=command.occasion,
        occurred_at=command.occurred_at,
        recorded_at=batch.now,
        points=points,
        entry_sequence=entry_sequence,
        rule_version=terms.version.number,
        verdicts=[one.kept() for one in verdicts],
    )


def _explanation(deed: Deed, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Return why an activity earned its points, as JSON values."""
    told = {"kind": deed.kind, "name": deed.name, "network": deed.network, "store": deed.store}
    earned = [
        {"code": one.rule, "name": one.name, "points": one.points} for one in verdicts if one.points
    ]
    return {
        "activity": {name: value for name, value in told.items() if value is not None},
        "rules": earned,
    }


def _answer(
    batch: posting.Batch,
    place: int,
    account: ledger.Account,
    recorded: activities.Recorded,
    verdicts: Sequence[Verdict],
) -> ActivityRecorded:
    reason = reason_of(verdicts)
    answer = ActivityRecorded(
        account.member_id,
        recorded.id,
        recorded.points,
        account.balance,
        recorded.entry_sequence,
        reason,
    )
    batch.answer(place, answer.kept())
    batch.record(
        "activity.recorded",
        account.member_id,
        activity=str(recorded.id),
        activityKind=recorded.deed.kind,
        entry=recorded.entry_sequence,
        points=recorded.points,
        reason=reason,
        balance=account.balance,
    )
    return answer
