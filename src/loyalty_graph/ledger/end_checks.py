"""Proving when points end: what stands beside lots and accounts is what notices and lapses say."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from loyalty_graph.db.sets import Lookup, Update, Write, fetch
from loyalty_graph.ledger.kinds import Kind
from loyalty_graph.ledger.models import (
    AccountRow,
    ExpiryNoticeRow,
    LapseRow,
    LotRow,
    TransferRow,
)

Problem = tuple[UUID, int | None, str]
"""(member id, sequence, what is wrong)"""


@dataclass(frozen=True, slots=True)
class Ends:
    """What differs: the ends that lots and accounts should have, by member and sequence.

    `told` are the ends that members were told of, by lot.
    """

    lots: dict[tuple[UUID, int], datetime | None]
    accounts: dict[UUID, datetime | None]
    told: dict[tuple[UUID, int], list[datetime]]

    def writes(self) -> list[Write]:
        """Return what puts it right."""
        lots = [(*key, end) for key, end in self.lots.items()]
        return [
            Update(LotRow, ("member_id", "sequence"), ("told_expires_at",), lots),
            Update(AccountRow, ("member_id",), ("lapses_at",), list(self.accounts.items())),
        ]


async def differing(program_id: UUID, member_ids: Sequence[UUID]) -> Ends:
    """Return where lots and accounts say other ends than notices and lapses do."""
    keys = [(one,) for one in member_ids]
    by = ("member_id",)
    notices, lots, accounts, lapses = await fetch(
        program_id,
        Lookup(ExpiryNoticeRow, by, keys, ("lot_sequence", "expires_at"), order_by="told_at"),
        Lookup(
            LotRow, by, keys, ("sequence", "told_expires_at"), where="told_expires_at IS NOT NULL"
        ),
        Lookup(AccountRow, by, keys, ("lapses_at",)),
        Lookup(LapseRow, by, keys, ("lapses_at",), order_by="recorded_at DESC, id DESC", limit=1),
    )
    ends = Ends({}, {}, {})
    for place, member_id in enumerate(member_ids):
        for sequence, end in notices[place]:
            ends.told.setdefault((member_id, sequence), []).append(end)
        stored = {(member_id, sequence): end for sequence, end in lots[place]}
        mine = {key: told[-1] for key, told in ends.told.items() if key[0] == member_id}
        for key in stored.keys() | mine.keys():
            if stored.get(key) != mine.get(key):
                ends.lots[key] = mine.get(key)
        lapses_at = lapses[place][0][0] if lapses[place] else None
        if accounts[place] and accounts[place][0][0] != lapses_at:
            ends.accounts[member_id] = lapses_at
    return ends


async def problems(program_id: UUID, member_ids: Sequence[UUID]) -> list[Problem]:
    """Return what is wrong with the ends of these members' points.

    Lots also must not have expired before the last end that their owner was told of (I9).
    """
    ends = await differing(program_id, member_ids)
    found: list[Problem] = [
        (*key, f"the lot says another end than {ends.lots[key]}, which its owner was told of")
        for key in ends.lots
    ]
    found += [
        (one, None, "the account lapses at another time than was kept") for one in ends.accounts
    ]
    members = sorted({member_id for member_id, _ in ends.told})
    [entries] = await fetch(
        program_id,
        Lookup(
            TransferRow,
            ("member_id",),
            [(one,) for one in members],
            ("sequence", "at", "reference"),
            where=f"kind = '{Kind.EXPIRE}' AND reference LIKE 'lot:%'",
        ),
    )
    for member_id, rows in zip(members, entries, strict=True):
        for sequence, at, reference in rows:
            told = ends.told.get((member_id, int(reference.split(":")[1])))
            if told is not None and at not in told:
                found.append((member_id, sequence, "points expired at another end than was told"))
    return found
