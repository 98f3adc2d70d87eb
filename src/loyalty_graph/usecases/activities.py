"""Recording what members do beside buying: one call and a batch are the same function."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

from loyalty_graph.db import assert_in_transaction, transaction
from loyalty_graph.db.sets import Row
from loyalty_graph.earning import service as earning
from loyalty_graph.earning.activities import ActivityRules, History
from loyalty_graph.earning.counters import BudgetKey
from loyalty_graph.earning.rule_settings import OncePer
from loyalty_graph.errors import LoyaltyError
from loyalty_graph.programs.rules import CLOCK_STEP_MAX, check_moment
from loyalty_graph.purchases import activities
from loyalty_graph.purchases.rules import check_deed
from loyalty_graph.segments.facts import MemberFacts
from loyalty_graph.segments.loading import facts_of
from loyalty_graph.usecases import posting
from loyalty_graph.usecases.activity_command import ActivityRecorded, RecordActivity
from loyalty_graph.usecases.activity_deciding import Progress, decide
from loyalty_graph.usecases.bonuses import Bonuses, settling_budgets
from loyalty_graph.usecases.issuing import Issuing
from loyalty_graph.usecases.memberships import Memberships
from loyalty_graph.usecases.purchase_terms import Terms, terms_at
from loyalty_graph.usecases.tiering import Tiering

__all__ = ["ActivityRecorded", "RecordActivity", "record", "record_within"]


@posting.settling_conflicts
async def record(
    program_id: UUID, commands: Sequence[RecordActivity], *, now: datetime
) -> list[ActivityRecorded | LoyaltyError]:
    """Record activities and credit what they earn; one answer or refusal for each, in order.

    What earns nothing is recorded all the same, with the reason. A refusal writes nothing and does
    not disturb its neighbours.
    """
    return await settling_budgets(partial(_record, program_id, commands, now))


@transaction
async def _record(
    program_id: UUID, commands: Sequence[RecordActivity], now: datetime, *, lock: bool
) -> list[ActivityRecorded | LoyaltyError]:
    return await posting.answer_each(
        commands,
        partial(_check, now=now),
        lambda sound: record_within(program_id, sound, now=now, lock=lock),
    )


def _check(command: RecordActivity, *, now: datetime) -> None:
    """Refuse what cannot be an activity whatever the database holds."""
    check_deed(command.deed)
    check_moment(command.occurred_at, now=now, field="occurredAt", ahead=CLOCK_STEP_MAX)
    _ = command.claim


async def record_within(
    program_id: UUID, commands: Sequence[RecordActivity], *, now: datetime, lock: bool = True
) -> list[ActivityRecorded | LoyaltyError]:
    """Record activities in the transaction at hand, also of kinds that happen by themselves.

    Unless `lock`, others may take from budgets before this is stored, which is then refused.
    """
    assert_in_transaction()
    times = [command.occurred_at for command in commands]
    terms = await terms_at(program_id, times, now)
    rules = await _rules_of(program_id, commands, terms)
    keys = _proof_keys(commands, rules)
    tiering = await Tiering.of(program_id, now=now)
    memberships = await Memberships.of(program_id, now=now)
    bonuses = _bonuses(commands, terms, lock=lock)
    await bonuses.open(program_id)
    issuing = await Issuing.of(program_id, commands, now=now, lock=lock)
    batch = await posting.load(
        program_id,
        commands,
        now=now,
        besides=[activities.proofs(keys), *bonuses.lookups, *issuing.lookups],
        by_member=[
            activities.counts_of,
            *tiering.lookups,
            *memberships.lookups,
            *bonuses.by_member,
        ],
    )
    proofs, *budgets = issuing.take(batch.found)
    await tiering.take(batch, zip(batch.members, times, strict=True))
    await memberships.take(batch, zip(batch.members, times, strict=True))
    bonuses.take((row for rows in budgets for row in rows), batch.of_members)
    facts = await _facts(batch, terms.values())
    history = _history(batch, keys, proofs)
    so_far = Progress(history, tiering, memberships, bonuses, issuing, facts)
    answers = posting.decide_each(
        commands,
        lambda place, command: decide(
            batch, place, command, terms[command.occurred_at], rules[command.occurred_at], so_far
        ),
    )
    batch.writes += activities.writes(so_far.decided, so_far.history.changed, so_far.proven)
    tiering.add_to(batch)
    bonuses.add_to(batch)
    await batch.store()
    await bonuses.settle(program_id)
    await issuing.settle(program_id)
    return answers


def _bonuses(
    commands: Sequence[RecordActivity], terms: Mapping[datetime, Terms], *, lock: bool
) -> Bonuses:
    """Return the counters and budgets that the rules for these activities read."""
    counters: set[tuple[str, str]] = set()
    limits: dict[BudgetKey, int] = {}
    for one in commands:
        term = terms[one.occurred_at]
        day = term.local(one.occurred_at).date()
        counters |= term.book.activity_counters(one.deed.kind, day)
        for key, limit in term.book.activity_budgets(one.deed.kind, day).items():
            limits[BudgetKey(*key)] = max(limit, limits.get(BudgetKey(*key), limit))
    return Bonuses(counters=counters, limits=limits, lock=lock)


async def _facts(batch: posting.Batch, terms: Iterable[Terms]) -> dict[UUID, MemberFacts]:
    """Return what is known of the batch's members, if any rule asks for it."""
    zones = [one.version.settings.zone for one in terms if one.book.needs.facts]
    if not zones:
        return {}
    return await facts_of(
        batch.program_id, sorted(batch.accounts), at=batch.now, now=batch.now, zone=zones[0]
    )


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


def _history(
    batch: posting.Batch, keys: Sequence[activities.ProofKey], proofs: Sequence[Sequence[Row]]
) -> History:
    counts = {
        (member_id, rule, network): at
        for member_id, rows in batch.of_members[activities.counts_of].items()
        for rule, network, at in rows
    }
    return History(counts, {key for key, rows in zip(keys, proofs, strict=True) if rows})
