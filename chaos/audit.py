"""The audit after a round: what every deed left is asked for again, from outside."""

import asyncio
from collections import Counter as Multiset
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from chaos.deeds import Deed, moves
from chaos.findings import Round
from chaos.servers import Storage
from chaos.tills import Counter

AT_ONCE = 8
ENTRIES = """query ($number: String!, $after: String) {
    member(ref: { number: $number }) {
        wallet { available balance }
        entries(first: 100, after: $after) {
            nodes { id sequence kind points hash } pageInfo { endCursor hasNextPage } } } }"""
HALVES = {
    "purchases without points": """
        SELECT count(*) FROM purchase p WHERE p.points <> 0 AND NOT EXISTS (
            SELECT 1 FROM transfer t WHERE t.program_id = p.program_id AND t.kind = 'EARN'
            AND t.member_id = p.member_id AND t.sequence = p.entry_sequence)""",
    "points without a purchase": """
        SELECT count(*) FROM transfer t WHERE t.kind = 'EARN' AND NOT EXISTS (
            SELECT 1 FROM purchase p WHERE p.program_id = t.program_id
            AND p.member_id = t.member_id AND p.entry_sequence = t.sequence)""",
    "purchases without lines": """
        SELECT count(*) FROM purchase p WHERE NOT EXISTS (
            SELECT 1 FROM purchase_line l WHERE l.program_id = p.program_id
            AND l.member_id = p.member_id AND l.purchase_id = p.id)""",
    "transfers on their way": "SELECT count(*) FROM points_transfer WHERE state = 'SENT'",
    "facts without a number": "SELECT count(*) FROM fact WHERE sequence IS NULL",
    "gaps in the numbers of facts": """
        SELECT coalesce(max(sequence) - count(*), 0) FROM fact WHERE sequence IS NOT NULL""",
    "cards that wait for a number": "SELECT count(*) FROM card_mark",
}
"""What must not be there once all is quiet, as queries for both databases."""


@dataclass
class Auditor:
    """Knows which entries of each member were audited before."""

    counter: Counter
    storage: Storage
    members: Sequence[str]
    _seen: dict[str, int] = field(default_factory=dict)

    async def balances(self) -> dict[str, int]:
        """Return what each member can spend."""
        told = await asyncio.gather(*map(self._page, self.members))
        return {
            number: int(member["wallet"]["available"])
            for number, member in zip(self.members, told, strict=True)
        }

    async def bring_to_an_end(self, deeds: Iterable[Deed]) -> None:
        """Ask for what nobody waited for: by now it is done, or it is done now."""
        for deed in deeds:
            deed.answer = (await self.counter.insist(deed.query))[deed.mutation]

    async def check(self, deeds: Iterable[Deed], found: Round) -> None:
        """Hold what the deeds of a round must have left against what there is."""
        answered = [deed for deed in deeds if deed.answer is not None]
        found.counts.acknowledged += len(answered)
        await self._ask_again(answered, found)
        new = {number: await self._new_entries(number) for number in self.members}
        _check_entries(answered, new, found)
        for what, count in (await self.halves()).items():
            found.counts.half_done += count
            found.notes.append(f"{count} {what}")

    async def halves(self) -> dict[str, int]:
        """Return how much of what must not stay is there now."""
        counts = {
            what: int((await self.storage.rows(query))[0][0]) for what, query in HALVES.items()
        }
        return {what: count for what, count in counts.items() if count}

    async def _ask_again(self, deeds: Sequence[Deed], found: Round) -> None:
        """Repeat each deed with its key: it must have happened, and be told as it was."""
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(deed: Deed) -> None:
            async with turns:
                told = (await self.counter.insist(deed.query))[deed.mutation]
            if not told["replayed"]:
                found.counts.lost += 1
                found.notes.append(f"lost: {deed.mutation} {deed.key}: {told}")
            elif _as_first(told) != _as_first(deed.answer):
                found.counts.altered += 1
                found.notes.append(f"altered: {deed.mutation} {deed.key}: {deed.answer} {told}")

        await asyncio.gather(*map(one, deeds))

    async def _new_entries(self, number: str) -> list[dict[str, Any]]:
        """Return a member's entries since the last audit; their sequence has no gap."""
        seen, after = self._seen.get(number, 0), None
        entries: list[dict[str, Any]] = []
        while True:
            page = (await self._page(number, after))["entries"]
            entries += [one for one in page["nodes"] if one["sequence"] > seen]
            after = page["pageInfo"]["endCursor"]
            last = page["nodes"][-1]["sequence"] if page["nodes"] else 0
            if last <= seen or not page["pageInfo"]["hasNextPage"]:
                break
        self._seen[number] = seen + len(entries)
        return entries

    async def _page(self, number: str, after: str | None = None) -> dict[str, Any]:
        body = {"query": ENTRIES, "variables": {"number": number, "after": after}}
        member: dict[str, Any] = (await self.counter.insist(body))["member"]
        return member


def _as_first(answer: dict[str, Any] | None) -> dict[str, Any]:
    return {**(answer or {}), "replayed": False}


def _check_entries(
    deeds: Sequence[Deed], new: dict[str, list[dict[str, Any]]], found: Round
) -> None:
    there = {entry["id"]: entry for entries in new.values() for entry in entries}
    for deed in deeds:
        assert deed.answer is not None, "only what was answered is audited"
        entry = deed.answer["entry"]
        if there.get(entry["id"], entry)["hash"] != entry["hash"]:
            found.counts.altered += 1
            found.notes.append(f"altered: the entry of {deed.mutation} {deed.key}")
    due = Multiset(move for deed in deeds for move in deed.moves())
    moved = Multiset(
        move
        for number, entries in new.items()
        for entry in entries
        for move in moves(number, entry["kind"], int(entry["points"]))
    )
    for move, count in (due - moved).items():
        found.counts.lost += count
        found.notes.append(f"lost: {count} x {move}")
    for move, count in (moved - due).items():
        found.counts.doubled += count
        found.notes.append(f"doubled: {count} x {move}")
