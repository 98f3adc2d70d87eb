"""Storing rewards, the stock they come from, and what redemptions and vouchers are written as."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from tortoise.expressions import F

from loyalty_graph.db import assert_in_transaction
from loyalty_graph.db.sets import Insert, Lookup, Update, Upsert, fetch, store
from loyalty_graph.errors import NotFoundError
from loyalty_graph.programs.stored import read_stored
from loyalty_graph.rewards import reads
from loyalty_graph.rewards.codes import Codes
from loyalty_graph.rewards.models import (
    RedemptionRow,
    RewardRules,
    RewardStock,
    VoucherRow,
    VoucherUseRow,
)
from loyalty_graph.rewards.rules import Redemption, RedemptionState, RewardSettings
from loyalty_graph.rewards.voucher_rules import OPEN, Use, Voucher

Catalogue = Mapping[str, RewardSettings]
"""A version's rewards by their codes, in the order of the programme file."""

_ISSUED = (RedemptionState.ISSUED, RedemptionState.USED)
_SETTINGS = TypeAdapter(list[RewardSettings])
_catalogues: dict[tuple[UUID, int], Catalogue] = {}
"""Versions never change, so a catalogue is read once; there are as many as versions in use."""


class StockTakenMeanwhileError(Exception):
    """Another transaction took what this one had counted on; run again, it sees what is left."""


async def store_rewards(program_id: UUID, version: int, settings: Sequence[RewardSettings]) -> None:
    """Store the rewards of a programme's version; of limited ones count what was given out before.

    What was issued of the same code under earlier versions counts on, also where they had no limit.
    """
    assert_in_transaction()
    await RewardRules.create(
        program_id=program_id,
        version=version,
        settings=[one.model_dump(mode="json") for one in settings],
    )
    limited = sorted(one.code for one in settings if one.stock is not None)
    # Locked before they are counted: whoever took one and has not committed holds its row.
    kept = (("taken", "reward_stock.taken"),)
    rows = [(reward, 0) for reward in limited]
    await store(program_id, [Upsert(RewardStock, ("reward",), ("reward", "taken"), rows, kept)])
    for reward in limited:
        gone = RedemptionRow.filter(program_id=program_id, reward=reward, restocked=False)
        counted = RewardStock.filter(program_id=program_id, reward=reward)
        await counted.update(taken=await gone.count())


async def catalogue(program_id: UUID, version: int) -> Catalogue:
    """Return the rewards of a version of a programme."""
    known = _catalogues.get((program_id, version))
    if known is None:
        rules = await RewardRules.get(program_id=program_id, version=version)
        settings = read_stored(_SETTINGS.validate_python, rules.settings)
        known = _catalogues[program_id, version] = {one.code: one for one in settings}
    return known


def stock(rewards: Iterable[str], *, lock: bool) -> Lookup:
    """Return the look-up of how many of these rewards are taken."""
    keys = [(one,) for one in sorted(set(rewards))]
    return Lookup(RewardStock, ("reward",), keys, ("taken",), lock=lock)


async def move_stock(
    program_id: UUID, moves: Mapping[str, int], *, rewards: Catalogue | None = None
) -> None:
    """Take so many of each reward (code -> how many), or put them back with a number below zero.

    One guarded update each, in the order of their codes: the transaction's last statements, so that
    others wait for these rows as short as can be. Takers say of which `rewards`; those without a
    limit have no row, and nothing happens to them.

    Raises:
        StockTakenMeanwhileError: Too few are left.
    """
    assert_in_transaction()
    for reward, many in sorted(moves.items()):
        counted = RewardStock.filter(program_id=program_id, reward=reward)
        limit = rewards[reward].stock if rewards and reward in rewards else None
        if many > 0 and limit is not None:
            counted = counted.filter(taken__lte=limit - many)
        if many and not await counted.update(taken=F("taken") + many) and limit is not None:
            raise StockTakenMeanwhileError(reward)


def redemption_writes(program_id: UUID, decided: Sequence[Redemption], *, codes: Codes) -> Insert:
    """Return what stores new redemptions."""
    columns = (*reads.REDEMPTION, "code_hash")
    rows = [(*_row(one), _code_hash(program_id, one, codes)) for one in decided]
    return Insert(RedemptionRow, columns, rows)


_STEP = (
    "state",
    "held_until",
    "issued_at",
    "expires_at",
    "used_at",
    "used_store",
    "ended_at",
    "restocked",
    "receipt_source",
    "receipt_id",
)


def step_writes(stepped: Sequence[Redemption]) -> Update:
    """Return what stores redemptions after a step that issues no code."""
    rows = [(one.member_id, one.id, *(getattr(one, name) for name in _STEP)) for one in stepped]
    return Update(RedemptionRow, ("member_id", "id"), _STEP, rows)


def issue_writes(program_id: UUID, issued: Sequence[Redemption], *, codes: Codes) -> Update:
    """Return what stores redemptions that were just issued, findable by their codes."""
    rows = [
        (
            one.member_id,
            one.id,
            *(getattr(one, name) for name in _STEP),
            _code_hash(program_id, one, codes),
        )
        for one in issued
    ]
    return Update(RedemptionRow, ("member_id", "id"), (*_STEP, "code_hash"), rows)


def _row(one: Redemption) -> tuple[Any, ...]:
    return tuple(getattr(one, name) for name in reads.REDEMPTION)


def _code_hash(program_id: UUID, one: Redemption, codes: Codes) -> bytes | None:
    if one.state not in _ISSUED:
        return None
    return codes.hash(codes.text(program_id, one.id))


def voucher_writes(made: Sequence[Voucher]) -> Insert:
    """Return what stores new vouchers."""
    rows = [tuple(getattr(one, name) for name in reads.VOUCHER) for one in made]
    return Insert(VoucherRow, reads.VOUCHER, rows)


def voucher_changes(changed: Sequence[Voucher]) -> Update:
    """Return what stores vouchers after a change."""
    rows = [(one.member_id, one.id, one.state, one.remaining_minor) for one in changed]
    return Update(VoucherRow, ("member_id", "id"), ("state", "remaining_minor"), rows)


def use_writes(voucher: Voucher, use: Use) -> Insert:
    """Return what stores a use of a voucher."""
    row = (voucher.member_id, voucher.id, *(getattr(use, name) for name in reads.USE))
    return Insert(VoucherUseRow, ("member_id", "voucher_id", *reads.USE), [row])


async def load(program_id: UUID, member_id: UUID, redemption_id: UUID) -> Redemption:
    """Return a redemption; its member's account is locked, so it stays as it is.

    Raises:
        NotFoundError: The member has no such redemption.
    """
    key = (member_id, redemption_id)
    found = await reads.redemptions(program_id, [key])
    if key not in found:
        raise NotFoundError("redemption", redemption_id, field="redemption")
    return found[key]


async def overdue_holds(
    program_id: UUID, member_ids: Sequence[UUID], *, now: datetime
) -> list[Redemption]:
    """Return the holds of these members whose time is over, oldest first."""
    keys = [(one,) for one in sorted(member_ids)]
    lookup = Lookup(
        RedemptionRow,
        ("member_id",),
        keys,
        reads.REDEMPTION,
        where="state = 'HELD'",
        order_by="id",
    )
    [found] = await fetch(program_id, lookup)
    held = [reads.redemption_of(row) for rows in found for row in rows]
    return [one for one in held if one.state_at(now) is RedemptionState.RELEASED]


async def unsettled(program_id: UUID, member_id: UUID) -> tuple[list[Redemption], list[Voucher]]:
    """Return a member's redemptions that are held or issued, and vouchers with money on them.

    So they are stored: the time of some may be over. The member's account is locked.
    """
    held_or_issued = Lookup(
        RedemptionRow,
        ("member_id",),
        [(member_id,)],
        reads.REDEMPTION,
        where="state IN ('HELD', 'ISSUED')",
        order_by="id",
    )
    open_vouchers = Lookup(
        VoucherRow,
        ("member_id",),
        [(member_id,)],
        reads.VOUCHER,
        where="state IN ('ACTIVE', 'PARTIALLY_USED')",
        order_by="id",
    )
    [redemptions], [vouchers] = await fetch(program_id, held_or_issued, open_vouchers)
    return [*map(reads.redemption_of, redemptions)], [*map(reads.voucher_of, vouchers)]


async def due_holds(program_id: UUID, *, now: datetime, limit: int) -> list[reads.Key]:
    """Return holds whose time is over, at most `limit`, the longest over first."""
    due = RedemptionRow.filter(
        program_id=program_id, state=RedemptionState.HELD, held_until__lte=now
    )
    return await _keys(due.order_by("held_until", "id"), limit)


async def due_codes(program_id: UUID, *, now: datetime, limit: int) -> list[reads.Key]:
    """Return issued redemptions whose date has passed, at most `limit`."""
    due = RedemptionRow.filter(
        program_id=program_id, state=RedemptionState.ISSUED, expires_at__lte=now
    )
    return await _keys(due.order_by("expires_at", "id"), limit)


async def due_vouchers(program_id: UUID, *, now: datetime, limit: int) -> list[reads.Key]:
    """Return vouchers with money on them whose date has passed, at most `limit`."""
    due = VoucherRow.filter(program_id=program_id, state__in=list(OPEN), expires_at__lte=now)
    return await _keys(due.order_by("expires_at"), limit)


async def _keys(query: Any, limit: int) -> list[reads.Key]:
    rows = await query.limit(limit).values_list("member_id", "id")
    return [(member_id, id_) for member_id, id_ in rows]
