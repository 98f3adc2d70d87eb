"""Deciding one activity of a batch: what it earns, or why nothing, and what follows."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from loyalty_graph.earning.activities import ActivityRules, History, Verdict, reason_of, verdicts
from loyalty_graph.earning.basket import Occasion
from loyalty_graph.earning.outcomes import Earned
from loyalty_graph.earning.rule_settings import EarningRule
from loyalty_graph.identifiers import new_id
from loyalty_graph.ledger import rules as ledger
from loyalty_graph.ledger import sliding
from loyalty_graph.ledger.kinds import Kind
from loyalty_graph.ledger.room import check_room
from loyalty_graph.purchases import activities
from loyalty_graph.purchases.rules import Deed
from loyalty_graph.segments.facts import MemberFacts
from loyalty_graph.usecases import entering, posting, purchase_points
from loyalty_graph.usecases.activity_command import ActivityRecorded, RecordActivity
from loyalty_graph.usecases.bonuses import Bonuses
from loyalty_graph.usecases.issuing import Issuing
from loyalty_graph.usecases.memberships import Memberships
from loyalty_graph.usecases.purchase_terms import Terms
from loyalty_graph.usecases.tiering import Tiering


@dataclass(frozen=True, slots=True)
class Progress:
    """What a batch has come to so far; `facts` are of members of whom rules ask something."""

    history: History
    tiering: Tiering
    memberships: Memberships
    bonuses: Bonuses
    issuing: Issuing
    facts: dict[UUID, MemberFacts]
    decided: list[activities.Recorded] = field(default_factory=list)
    proven: dict[activities.ProofKey, activities.Recorded] = field(default_factory=dict)

    def add(
        self, recorded: activities.Recorded, rules: Sequence[EarningRule], earned: Earned
    ) -> None:
        """Count an activity under the rules that gave points for it, and for the tier."""
        self.decided.append(recorded)
        self.bonuses.counters(recorded.member_id).take(earned.outcomes)
        gave = {one.code for one in earned.outcomes if one.points}
        for rule in rules:
            if rule.code in gave:
                self._count(rule, recorded)
        self.tiering.count(
            recorded.member_id, spend_minor=0, points=recorded.points, at=recorded.occurred_at
        )

    def _count(self, rule: EarningRule, recorded: activities.Recorded) -> None:
        deed, at = recorded.deed, recorded.occurred_at
        proof = self.history.count(rule, recorded.member_id, deed, at)
        if proof is not None:
            self.proven[proof] = recorded

    def known_of(self, account: ledger.Account, terms: Terms, at: datetime) -> MemberFacts:
        """Return what rules know of a member, earlier activities of the batch included.

        Tier and plan are those of the activity's moment, as for a late receipt.
        """
        member_id, local = account.member_id, terms.local(at)
        known = self.facts.get(member_id)
        if known is None:
            return MemberFacts(at=local)
        more = sum(one.points for one in account.posted if one.kind is Kind.EARN)
        balance = known.balance_points + more
        facts = replace(known, at=local, balance_points=balance, lifetime_points=account.lifetime)
        tier, plan = self.tiering.tier_at(member_id, at), self.memberships.plan_at(member_id, at)
        purchase_points.know_standing(facts, terms.scheme, tier, plan)
        return facts


def decide(
    batch: posting.Batch,
    place: int,
    command: RecordActivity,
    terms: Terms,
    rules: ActivityRules,
    so_far: Progress,
) -> ActivityRecorded:
    """Record one activity of the batch, or return the first answer to a retry.

    Raises:
        LoyaltyError: It cannot be recorded; nothing of it is.
    """
    if (earlier := batch.earlier(place)) is not None:
        return ActivityRecorded.replay(earlier)
    terms.present.check_time(command.occurred_at, now=batch.now, field="occurredAt")
    account = batch.account(place, command.member)
    ledger.check_active(account, earning=True)
    counted_by, history = rules.of(command.deed.kind), so_far.history
    hindered = history.hindrances(counted_by, account.member_id, command.deed, command.occurred_at)
    occasion = _occasion(command, terms, so_far.known_of(account, terms, command.occurred_at))
    occasion.hindered = frozenset(hindered)
    earned = terms.book.decide_activity(occasion, so_far.bonuses.counters(account.member_id))
    told = verdicts(counted_by, hindered, earned)
    check_room(account, earned.points)
    so_far.issuing.check(command, earned.points)
    recorded = _credit(batch, account, command, terms, earned, told)
    so_far.issuing.count(command, earned.points)
    so_far.add(recorded, counted_by, earned)
    return _answer(batch, place, account, recorded, told)


def _occasion(command: RecordActivity, terms: Terms, member: MemberFacts) -> Occasion:
    deed = command.deed
    return Occasion(
        deed.kind,
        terms.local(command.occurred_at),
        name=deed.name,
        network=deed.network,
        proof=deed.proof,
        store=deed.store,
        store_labels=terms.version.settings.labels_of(deed.store),
        member=member,
    )


def _credit(
    batch: posting.Batch,
    account: ledger.Account,
    command: RecordActivity,
    terms: Terms,
    earned: Earned,
    told: Sequence[Verdict],
) -> activities.Recorded:
    activity_id = new_id(batch.now)
    entries = _enter(batch, account, command, terms, earned, activity_id)
    occasion = sliding.activity(command.deed.kind)
    sliding.slide(account, occasion, command.occurred_at, now=batch.now)
    return activities.Recorded(
        id=activity_id,
        member_id=account.member_id,
        deed=command.deed,
        occasion=command.occasion,
        occurred_at=command.occurred_at,
        recorded_at=batch.now,
        points=earned.points,
        entry_sequence=entries[0].sequence if entries else None,
        rule_version=terms.version.number,
        verdicts=[one.kept() for one in told],
    )


def _enter(
    batch: posting.Batch,
    account: ledger.Account,
    command: RecordActivity,
    terms: Terms,
    earned: Earned,
    activity_id: UUID,
) -> list[ledger.Transfer]:
    """Credit the points that can be spent at once, then those that wait."""
    at = command.occurred_at

    def cause(part: Earned) -> ledger.Cause:
        return ledger.Cause(
            reference=str(activity_id),
            at=at,
            recorded_at=batch.now,
            actor=command.caller,
            explanation=_explanation(command.deed, part),
            rule_version=terms.version.number,
            salt=posting.salt(),
        )

    parts = purchase_points.parts(earned, terms.local(at).date())
    return entering.enter(account, parts, cause, terms.version.settings)


def _explanation(deed: Deed, earned: Earned) -> dict[str, Any]:
    """Return why an activity earned its points, as JSON values."""
    told = {"kind": deed.kind, "name": deed.name, "network": deed.network, "store": deed.store}
    known = {name: value for name, value in told.items() if value is not None}
    return {"activity": known, "rules": earned.reckoning()["rules"]}


def _answer(
    batch: posting.Batch,
    place: int,
    account: ledger.Account,
    recorded: activities.Recorded,
    told: Sequence[Verdict],
) -> ActivityRecorded:
    reason = reason_of(told)
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
