"""Whether an activity may count under a rule: its proof, once for what, and the pause between two.

Pure: from what counted before to what is in the way now.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from loyalty_graph.earning.outcomes import Earned, Outcome
from loyalty_graph.earning.rule_settings import EarningRule, OncePer
from loyalty_graph.earning.settings import EarningSettings
from loyalty_graph.purchases.activities import EVERY_NETWORK, CountKey, ProofKey
from loyalty_graph.purchases.rules import ActivityKind, Deed


class Hindrance(StrEnum):
    """Why an activity earned nothing under a rule, or nothing at all."""

    NO_RULE = "NO_RULE"
    NOT_OPEN = "NOT_OPEN"
    NOT_FOR_MEMBER = "NOT_FOR_MEMBER"
    CONDITION = "CONDITION"
    NEEDS_PROOF = "NEEDS_PROOF"
    COUNTED_ALREADY = "COUNTED_ALREADY"
    COOLDOWN = "COOLDOWN"
    ANOTHER_RULE = "ANOTHER_RULE"
    CAP = "CAP"
    BUDGET = "BUDGET"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an activity earned under a rule, or why nothing; `until` when that is over."""

    rule: str
    name: str
    points: int = 0
    hindrance: Hindrance | None = None
    until: datetime | None = None

    def kept(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "rule": self.rule,
            "name": self.name,
            "points": self.points,
            "reason": self.hindrance,
            "until": None if self.until is None else self.until.isoformat(),
        }

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "Verdict":
        """Return what was kept."""
        reason, until = kept["reason"], kept["until"]
        return cls(
            kept["rule"],
            kept["name"],
            kept["points"],
            None if reason is None else Hindrance(reason),
            None if until is None else datetime.fromisoformat(until),
        )


@dataclass(frozen=True, slots=True)
class ActivityRules:
    """What a version's activities earn, kind by kind, and which fields complete a profile."""

    by_kind: Mapping[ActivityKind, Sequence[EarningRule]]
    profile_fields: Sequence[str]

    def of(self, kind: ActivityKind) -> Sequence[EarningRule]:
        """Return the rules for a kind, in the order of the file."""
        return self.by_kind.get(kind, ())


def rules_for_activities(settings: EarningSettings) -> ActivityRules:
    """Return the part of a programme's earning that activities are decided by."""
    by_kind: dict[ActivityKind, list[EarningRule]] = {}
    for rule in settings.rules:
        if isinstance(rule.on, ActivityKind):
            by_kind.setdefault(rule.on, []).append(rule)
    return ActivityRules(by_kind, settings.profile_fields)


@dataclass(slots=True)
class History:
    """What activities counted under rules, before a batch and in it.

    `changed` are the counts that the batch moved.
    """

    counts: dict[CountKey, datetime] = field(default_factory=dict)
    proofs: set[ProofKey] = field(default_factory=set)
    changed: dict[CountKey, datetime] = field(default_factory=dict)

    def hindrances(
        self, rules: Sequence[EarningRule], member_id: UUID, deed: Deed, at: datetime
    ) -> dict[str, Verdict]:
        """Return what is in the way of the rules under which the activity cannot count."""
        found = {one.code: self._hindrance(one, member_id, deed, at) for one in rules}
        return {code: verdict for code, verdict in found.items() if verdict is not None}

    def _hindrance(
        self, rule: EarningRule, member_id: UUID, deed: Deed, at: datetime
    ) -> Verdict | None:
        if deed.proof is None and (rule.needs_proof or rule.once_per is OncePer.PROOF):
            return Verdict(rule.code, rule.name, hindrance=Hindrance.NEEDS_PROOF)
        if self._is_counted(rule, member_id, deed):
            return Verdict(rule.code, rule.name, hindrance=Hindrance.COUNTED_ALREADY)
        last = self.counts.get((member_id, rule.code, EVERY_NETWORK))
        if last is None or not rule.cooldown_hours:
            return None
        # What is brought late counts no more than what comes too soon: only the last is kept.
        until = last + timedelta(hours=rule.cooldown_hours)
        if at >= until:
            return None
        return Verdict(rule.code, rule.name, hindrance=Hindrance.COOLDOWN, until=until)

    def _is_counted(self, rule: EarningRule, member_id: UUID, deed: Deed) -> bool:
        if rule.once_per is OncePer.PROOF:
            return (rule.code, deed.proof) in self.proofs
        if rule.once_per is OncePer.NETWORK:
            return (member_id, rule.code, deed.network or EVERY_NETWORK) in self.counts
        is_counted = (member_id, rule.code, EVERY_NETWORK) in self.counts
        return rule.once_per is OncePer.MEMBER and is_counted

    def count(
        self, rule: EarningRule, member_id: UUID, deed: Deed, at: datetime
    ) -> ProofKey | None:
        """Remember that the activity counted under the rule; return the proof it used, if any.

        That is done for every rule: a later version may let it count once only.
        """
        for network in {EVERY_NETWORK, deed.network or EVERY_NETWORK}:
            key = (member_id, rule.code, network)
            latest = max(at, self.counts.get(key, at))
            self.counts[key] = self.changed[key] = latest
        if rule.once_per is not OncePer.PROOF:
            return None
        assert deed.proof is not None, "without a proof it does not count"
        proof = (rule.code, deed.proof)
        self.proofs.add(proof)
        return proof


def verdicts(
    rules: Sequence[EarningRule], hindered: Mapping[str, Verdict], earned: Earned
) -> list[Verdict]:
    """Return what an activity earned under each of the rules, in their order."""
    outcomes = {one.code: one for one in earned.outcomes}
    return [_verdict(one, hindered, earned, outcomes) for one in rules]


def _verdict(
    rule: EarningRule,
    hindered: Mapping[str, Verdict],
    earned: Earned,
    outcomes: Mapping[str, Outcome],
) -> Verdict:
    if (declined := earned.declined.get(rule.code)) is not None:
        return Verdict(rule.code, rule.name, hindrance=Hindrance(declined))
    if rule.code in hindered:
        return hindered[rule.code]
    outcome = outcomes[rule.code]
    if outcome.points:
        return Verdict(rule.code, rule.name, outcome.points)
    is_budget = outcome.cuts[-1].kind == "BUDGET"
    return Verdict(rule.code, rule.name, hindrance=Hindrance.BUDGET if is_budget else Hindrance.CAP)


def reason_of(verdicts: Sequence[Verdict]) -> Hindrance | None:
    """Return why an activity earned nothing: what the first of its rules says; None if it did."""
    if any(one.points for one in verdicts):
        return None
    return verdicts[0].hindrance if verdicts else Hindrance.NO_RULE
