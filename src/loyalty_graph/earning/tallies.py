"""Tallies: how much of caps and budgets is used up, as it is looked up and written."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from uuid import UUID

from tortoise.expressions import F

from loyalty_graph.db import assert_in_transaction
from loyalty_graph.db.sets import Lookup, Upsert
from loyalty_graph.earning.counters import BudgetKey, Count, CounterKey
from loyalty_graph.earning.models import EarningBudget, EarningCounter

_PERIOD = re.compile(r"[A-Z0-9-]{1,20}")


class BudgetTakenMeanwhileError(Exception):
    """Others took what this transaction had counted on; run again, it sees what is left."""


def counters(periods: Iterable[str]) -> Callable[[Sequence[UUID]], Lookup]:
    """Return the look-up of what rules gave in these periods (at least one), a key for each member.

    Its rows are (rule, period, points, times). Other periods stay unread, however many there are.
    """
    named = sorted(set(periods))
    assert named, "without periods there is nothing to look for"
    assert all(map(_PERIOD.fullmatch, named)), "periods are names of our own"
    texts = ", ".join(f"'{one}'" for one in named)
    where = f"period in ({texts})"

    def of_members(member_ids: Sequence[UUID]) -> Lookup:
        keys = [(one,) for one in member_ids]
        columns = ("rule", "period", "points", "times")
        return Lookup(EarningCounter, ("member_id",), keys, columns, where=where)

    return of_members


def counter_writes(counted: Mapping[CounterKey, Count]) -> Upsert:
    """Return what keeps new counts; the members' accounts are locked."""
    return Upsert(
        EarningCounter,
        ("member_id", "period", "rule"),
        ("member_id", "rule", "period", "points", "times"),
        [(*key, counted[key].points, counted[key].times) for key in sorted(counted)],
        merge=(("points", "excluded.points"), ("times", "excluded.times")),
    )


def budgets(keys: Iterable[BudgetKey], *, lock: bool) -> Lookup:
    """Return the look-up of how much of budgets is used: (rule, period, points).

    A budget that was never used has no row, and nothing to lock; see `open_budgets`.
    """
    by = ("rule", "period")
    return Lookup(EarningBudget, by, sorted(set(keys)), (*by, "used_points"), lock=lock)


async def open_budgets(program_id: UUID, keys: Iterable[BudgetKey]) -> None:
    """Make the rows of budgets that have none yet, so that they can be locked."""
    assert_in_transaction()
    missing = [_unused(program_id, key) for key in sorted(set(keys))]
    await EarningBudget.bulk_create(missing, ignore_conflicts=True)


async def move_budgets(
    program_id: UUID, moves: Mapping[BudgetKey, int], *, limits: Mapping[BudgetKey, int]
) -> None:
    """Take points from budgets, or put them back with a number below zero.

    One guarded update each, in key order: the transaction's last statements, so that others wait
    for these rows as short as can be. What is taken has its limit among `limits`.

    Raises:
        BudgetTakenMeanwhileError: Less is left of one.
    """
    assert_in_transaction()
    for key, points in sorted(moves.items()):
        if points and not await _move(program_id, key, points, limits.get(key)):
            raise BudgetTakenMeanwhileError(*key)


async def _move(program_id: UUID, key: BudgetKey, points: int, limit: int | None) -> bool:
    """Return whether it took; where there is no row yet, there is one afterwards."""
    counted = EarningBudget.filter(program_id=program_id, rule=key.rule, period=key.period)
    changed = F("used_points") + points
    if points < 0:
        return bool(await counted.update(used_points=changed))
    assert limit is not None, "what is taken has a limit"
    guarded = counted.filter(used_points__lte=limit - points)
    if await guarded.update(used_points=changed):
        return True
    await EarningBudget.bulk_create([_unused(program_id, key)], ignore_conflicts=True)
    return bool(await guarded.update(used_points=changed))


def _unused(program_id: UUID, key: BudgetKey) -> EarningBudget:
    return EarningBudget(program_id=program_id, rule=key.rule, period=key.period, used_points=0)
