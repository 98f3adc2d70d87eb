"""Redemptions, vouchers and stock, many at once, one statement each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tortoise.expressions import Q
from tortoise.functions import Sum

from loyalty_graph.db.member_lists import MemberRows
from loyalty_graph.db.sets import Lookup, Row, fetch
from loyalty_graph.errors import NotFoundError
from loyalty_graph.rewards.codes import Codes, spelled
from loyalty_graph.rewards.models import RedemptionRow, RewardStock, VoucherRow, VoucherUseRow
from loyalty_graph.rewards.rules import Redemption, RedemptionState
from loyalty_graph.rewards.voucher_rules import OPEN, Use, Voucher, VoucherState

Key = tuple[UUID, UUID]
"""(member id, redemption or voucher id)"""

REDEMPTION = tuple(Redemption.__dataclass_fields__)
VOUCHER = tuple(Voucher.__dataclass_fields__)
USE = tuple(Use.__dataclass_fields__)
REDEMPTIONS = MemberRows(RedemptionRow, REDEMPTION)
COUNTED = (RedemptionState.HELD, RedemptionState.ISSUED, RedemptionState.USED)
"""What a member has of a reward; the rest did not happen, or was undone."""


def redemption_of(row: Row) -> Redemption:
    """Return a redemption from its columns, as `REDEMPTION` names them."""
    member_id, id_, reward, version, state, *rest = row
    return Redemption(member_id, id_, reward, version, RedemptionState(state), *rest)


def voucher_of(row: Row) -> Voucher:
    """Return a voucher from its columns, as `VOUCHER` names them."""
    member_id, id_, state, *rest = row
    return Voucher(member_id, id_, VoucherState(state), *rest)


async def redemptions(program_id: UUID, keys: Sequence[Key]) -> dict[Key, Redemption]:
    """Return the redemptions with these keys; unknown ones are absent."""
    lookup = Lookup(RedemptionRow, ("member_id", "id"), keys, REDEMPTION)
    [found] = await fetch(program_id, lookup)
    return {key: redemption_of(rows[0]) for key, rows in zip(keys, found, strict=True) if rows}


async def newest(
    program_id: UUID, member_ids: Sequence[UUID], *, limit: int, before: UUID | None = None
) -> dict[UUID, list[Redemption]]:
    """Return each member's newest redemptions, at most `limit`, those before an id if given."""
    found = await REDEMPTIONS.newest(program_id, member_ids, limit=limit, before=before)
    return {member_id: [redemption_of(row) for row in rows] for member_id, rows in found.items()}


async def find(program_id: UUID, code: str, *, codes: Codes) -> Key:
    """Return the key of the redemption, and of the voucher it may have made, with this code.

    Raises:
        InvalidInputError: It is no code, or mistyped.
        NotFoundError: This programme has no redemption with it, or none that is issued.
    """
    text = spelled(code)
    key = (codes.hash(text),)
    lookup = Lookup(RedemptionRow, ("code_hash",), [key], ("member_id", "id"))
    [[rows]] = await fetch(program_id, lookup)
    if not rows:
        raise NotFoundError("redemption", "with this code", field="code")
    member_id, redemption_id = rows[0]
    codes.check(text, program_id, redemption_id)
    return member_id, redemption_id


async def had(
    program_id: UUID, wanted: Iterable[tuple[UUID, str]], *, now: datetime
) -> dict[tuple[UUID, str], int]:
    """Return how often members (member id, reward code) have a reward: held, issued or used."""
    keys = sorted(set(wanted))
    lookup = Lookup(RedemptionRow, ("member_id", "reward"), keys, REDEMPTION)
    [found] = await fetch(program_id, lookup)
    return {
        key: sum(redemption_of(row).state_at(now) in COUNTED for row in rows)
        for key, rows in zip(keys, found, strict=True)
    }


async def taken(program_id: UUID, rewards: Iterable[str]) -> dict[str, int]:
    """Return how many of these rewards are held, issued or gone; uncounted ones are absent."""
    keys = [(one,) for one in sorted(set(rewards))]
    [found] = await fetch(program_id, Lookup(RewardStock, ("reward",), keys, ("taken",)))
    return {key[0]: rows[0][0] for key, rows in zip(keys, found, strict=True) if rows}


async def vouchers(program_id: UUID, keys: Sequence[Key]) -> dict[Key, Voucher]:
    """Return the vouchers with these keys; unknown ones are absent."""
    [found] = await fetch(program_id, Lookup(VoucherRow, ("member_id", "id"), keys, VOUCHER))
    return {key: voucher_of(rows[0]) for key, rows in zip(keys, found, strict=True) if rows}


async def vouchers_of(
    program_id: UUID, member_ids: Sequence[UUID], *, limit: int
) -> dict[UUID, list[Voucher]]:
    """Return each member's newest vouchers, at most `limit`."""
    keys = [(one,) for one in member_ids]
    lookup = Lookup(VoucherRow, ("member_id",), keys, VOUCHER, order_by="id DESC", limit=limit)
    [found] = await fetch(program_id, lookup)
    return {
        member_id: [voucher_of(row) for row in rows]
        for member_id, rows in zip(member_ids, found, strict=True)
    }


async def uses(program_id: UUID, keys: Sequence[Key]) -> dict[Key, list[Use]]:
    """Return what was taken from these vouchers and given back, in order."""
    by = ("member_id", "voucher_id")
    [found] = await fetch(program_id, Lookup(VoucherUseRow, by, keys, USE, order_by="number"))
    return {key: [Use(*row) for row in rows] for key, rows in zip(keys, found, strict=True)}


async def given(program_id: UUID) -> int:
    """Return how many rewards were issued or used, and neither undone nor left to expire."""
    states = [RedemptionState.ISSUED, RedemptionState.USED]
    return await RedemptionRow.filter(program_id=program_id, state__in=states).count()


@dataclass(frozen=True, slots=True)
class UsedOn:
    """What a member used with a receipt: redemptions, and uses of vouchers (voucher id, number)."""

    redemptions: list[Redemption]
    voucher_uses: list[tuple[UUID, int]]


async def used_on(program_id: UUID, member_id: UUID, receipt: tuple[str, str]) -> UsedOn:
    """Return what the member used with the receipt (source, external id), oldest first."""
    by, key = ("member_id", "receipt_source", "receipt_id"), (member_id, *receipt)
    [redeemed], [used] = await fetch(
        program_id,
        Lookup(RedemptionRow, by, [key], REDEMPTION, where="state = 'USED'", order_by="id"),
        Lookup(VoucherUseRow, by, [key], ("voucher_id", "number"), order_by="voucher_id, number"),
    )
    return UsedOn([redemption_of(row) for row in redeemed], [(one[0], one[1]) for one in used])


def open_vouchers_of(member_ids: Sequence[UUID]) -> Lookup:
    """Return the look-up of what is left on members' vouchers and until when, one key for each."""
    states = ", ".join(f"'{state}'" for state in OPEN)
    return Lookup(
        VoucherRow,
        ("member_id",),
        [(one,) for one in member_ids],
        ("remaining_minor", "expires_at"),
        where=f"state IN ({states})",
    )


async def vouchers_outstanding(program_id: UUID, *, now: datetime) -> int:
    """Return the money left on all vouchers that can still be used, in minor units."""
    open_ = VoucherRow.filter(program_id=program_id, state__in=list(OPEN))
    still = open_.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now))
    rows: Any = await still.annotate(total=Sum("remaining_minor")).values("total")
    return int(rows[0]["total"] or 0)


async def open_counts(program_id: UUID, rewards: Iterable[str], *, now: datetime) -> dict[str, int]:
    """Return how many redemptions of each of these rewards are held, or issued and not used."""
    held = Q(state=RedemptionState.HELD, held_until__gt=now)
    lives = Q(expires_at__isnull=True) | Q(expires_at__gt=now)
    open_ = RedemptionRow.filter(held | Q(lives, state=RedemptionState.ISSUED))
    return {one: await open_.filter(program_id=program_id, reward=one).count() for one in rewards}
