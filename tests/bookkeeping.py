"""Plays the worked examples of docs/ledger.md through the use cases, sentence by sentence."""

import json
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from loyalty_graph.errors import LoyaltyError
from loyalty_graph.ledger import member_proof
from loyalty_graph.ledger.models import AccountRow, LotRow, TransferRow
from loyalty_graph.members.models import Member
from loyalty_graph.purchases.rules import Line
from loyalty_graph.usecases import (
    activations,
    adjustments,
    approvals,
    balances,
    checkpoints,
    erasing,
    expiry,
    hold_deadlines,
    merging,
    notices,
    proof,
    reinstatements,
    reversals,
    transfers,
)
from loyalty_graph.usecases.balance_rows import BalanceFormat
from loyalty_graph.usecases.pending_points import Earning
from loyalty_graph.usecases.points_holds import HoldMoved, HoldStep
from loyalty_graph.usecases.purchases import PurchaseRecorded
from loyalty_graph.usecases.redemptions import PointsMoved
from tests.shop import Shop, by_id, open_shop

CHECK = Path(__file__).parents[1] / "examples" / "check_proof.py"
NOON = time(12, tzinfo=UTC)
Told = list[str]
"""What is to be seen besides entries: a refusal, a count, the words of a check."""

_sentences: list[tuple[re.Pattern[str], Callable[..., Awaitable[Told | None]]]] = []


def sentence(pattern: str) -> Callable[[Any], Any]:
    """Let a method play the sentences of this form; what stands in brackets is handed to it."""

    def remember(method: Any) -> Any:
        _sentences.append((re.compile(pattern), method))
        return method

    return remember


@dataclass
class Story:
    """One example: the shop, who takes part, and what happened last."""

    shop: Shop
    folder: Path
    people: dict[str, Member] = field(default_factory=dict)
    bought: list[PurchaseRecorded] = field(default_factory=list)
    spent: list[PointsMoved] = field(default_factory=list)
    held: list[HoldMoved] = field(default_factory=list)
    asked: list[adjustments.PointsAdjusted] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)
    steps: int = 0

    @classmethod
    async def begin(cls, program: dict[str, Any], day: str, folder: Path) -> "Story":
        return cls(await open_shop(program, now=noon(day)), folder)

    async def play(self, day: str, what: str) -> Told:
        """Play a sentence; return what is to be seen of it, first the entries that it made."""
        self.shop = self.shop.at(noon(day))
        self.steps += 1
        before = {(row.member_id, row.sequence) for row in await TransferRow.all()}
        try:
            told = await self._play(what) or []
        except LoyaltyError as refusal:
            told = [f"refused: {refusal.code}"]
        every = await TransferRow.all()
        return [
            *self._entries([row for row in every if (row.member_id, row.sequence) not in before]),
            *told,
        ]

    async def _play(self, what: str) -> Told | None:
        for pattern, method in _sentences:
            if found := pattern.fullmatch(what):
                return await method(self, *found.groups())
        raise AssertionError(f"no such sentence: {what}")

    def _entries(self, rows: list[TransferRow]) -> Told:
        names = {member.id: name for name, member in self.people.items()}
        order = list(self.people)
        rows.sort(key=lambda row: (order.index(names[row.member_id]), row.sequence))
        return [
            f"{names[row.member_id]} {row.kind} {row.points} {row.debit} → {row.credit}"
            for row in rows
        ]

    async def standing(self, name: str) -> dict[str, str]:
        """Return what a member has, by the words of the document."""
        member = await self.member(name)
        account = await AccountRow.get(member_id=member.id)
        lots = await LotRow.filter(member_id=member.id).order_by("sequence")
        return {
            "has": str(account.balance_points),
            "lots": " + ".join(str(one.remaining_points) for one in lots if not one.is_pending),
            "set aside": str(account.held_points),
            "waiting": str(sum(one.remaining_points for one in lots if one.is_pending)),
            "for tiers": str(account.qualifying_points),
        }

    async def member(self, name: str) -> Member:
        if name not in self.people:
            self.people[name] = await self.shop.enrol(external_id=name.lower(), first_name=name)
        return self.people[name]

    @property
    def key(self) -> str:
        return f"step {self.steps}"

    @sentence(r"(\w+) brings along (.*?)(?:, and (\d+) for tiers)?")
    async def bring_along(self, name: str, what: str, qualifying: str | None) -> None:
        member = await self.member(name)
        lots = [
            {"points": int(points), "expires_at": day.removeprefix("until ").replace(" ", "")}
            for points, day in re.findall(r"(\d+) (until \S+\d|never)", what)
        ]
        row = {"id": str(member.id), "lots": lots, "qualifying": int(qualifying or 0)}
        text = json.dumps({"key": self.key, **row})
        file = balances.file_of(text, source="old", form=BalanceFormat.JSONL)
        await balances.import_file(self.shop.program_id, file, caller="cli", now=self.shop.now)

    @sentence(r"(\w+) buys (.*)")
    async def buy(self, name: str, what: str) -> Told | None:
        lines = [
            Line(product, int(units), minor(price))
            for units, product, price in re.findall(r"(\d+) (\w+) at ([\d.]+)", what)
        ]
        bought = await self.shop.buy(await self.member(name), tuple(lines))
        self.bought.append(bought)
        self.places = {line.product_type: number for number, line in enumerate(lines, 1)}
        if bought.capped is None:
            return None
        return [f"wanted {bought.capped.wanted}, granted {bought.points}"]

    @sentence(r"(\d+) (\w+) comes? back")
    async def bring_back(self, units: str, product: str) -> None:
        bought = self.bought[-1]
        await self.shop.bring_back(bought, {self.places[product]: int(units)})

    @sentence(r"([\d.]+) of the price is given back")
    async def reduce(self, amount: str) -> None:
        await self.shop.bring_back(self.bought[-1], None, amount_minor=minor(amount))

    @sentence(r"everything comes back")
    async def bring_all_back(self) -> None:
        await self.shop.bring_back(self.bought[-1], None)

    @sentence(r"the purchase is voided")
    async def void(self) -> None:
        await self.shop.void(self.bought[-1])

    @sentence(r"(\w+) spends (\d+)")
    async def spend(self, name: str, points: str) -> None:
        self.spent.append(await self.shop.redeem(await self.member(name), int(points)))

    @sentence(r"the points are given back")
    async def give_back(self) -> None:
        await self.shop.give_back(self.spent[-1])

    @sentence(r"points expire")
    async def expire(self) -> None:
        await expiry.run(self.shop.program_id, now=self.shop.now)

    @sentence(r"owners are told")
    async def tell(self) -> Told:
        told = await notices.run(self.shop.program_id, now=self.shop.now)
        return [f"told of {told}"]

    @sentence(r"what (\w+) lost in (\d+) days is reinstated")
    async def reinstate(self, name: str, days: str) -> None:
        member = by_id(await self.member(name))
        command = reinstatements.ReinstateExpired(
            "staff:1", self.key, member, "a kind word", within_days=int(days)
        )
        await reinstatements.reinstate(self.shop.program_id, command, now=self.shop.now)

    @sentence(r"(\w+) sets (\d+) aside")
    async def hold(self, name: str, points: str) -> None:
        self.held.append(await self.shop.hold(await self.member(name), int(points)))

    @sentence(r"(\d+) of them are captured")
    async def capture(self, points: str) -> None:
        await self.shop.end_hold(HoldStep.CAPTURE, self.held[-1], points=int(points))

    @sentence(r"holds that are over are released")
    async def release(self) -> None:
        await hold_deadlines.release_due(self.shop.program_id, now=self.shop.now)

    @sentence(r"(\w+) gives (\w+) (\d+)")
    async def give(self, name: str, to: str, points: str) -> None:
        giver, recipient = await self.member(name), await self.member(to)
        command = transfers.TransferPoints(
            "partner:till", self.key, by_id(giver), by_id(recipient), int(points)
        )
        await transfers.transfer(self.shop.program_id, command, now=self.shop.now)

    @sentence(r"(\w+) lives on as (\w+)")
    async def merge(self, name: str, into: str) -> None:
        merged, survivor = await self.member(name), await self.member(into)
        command = merging.MergeMembers(
            "staff:1", self.key, by_id(merged), by_id(survivor), "one person"
        )
        await merging.merge(self.shop.program_id, command, now=self.shop.now)

    @sentence(r"(\w+) is parted again")
    async def unmerge(self, name: str) -> None:
        member = await self.member(name)
        command = merging.UnmergeMembers("staff:1", self.key, member.id, "two after all")
        await merging.unmerge(self.shop.program_id, command, now=self.shop.now)

    @sentence(r"(\w+) has happened")
    async def activate(self, event: str) -> None:
        await self.shop.activate_pending(self._earning, event=event)

    @sentence(r"(\d+) of what waits is cancelled")
    async def cancel(self, points: str) -> None:
        await self.shop.cancel_pending(self._earning, int(points))

    @property
    def _earning(self) -> Earning:
        return Earning(self.bought[-1].member_id, self.bought[-1].purchase_id)

    @sentence(r"points that waited are activated")
    async def activate_due(self) -> None:
        await activations.run(self.shop.program_id, now=self.shop.now)

    @sentence(r"entry (\d+) of (\w+) is reversed")
    async def reverse(self, sequence: str, name: str) -> None:
        member = await self.member(name)
        command = reversals.ReverseEntry("staff:1", self.key, member.id, int(sequence), "a mistake")
        await reversals.reverse(self.shop.program_id, command, now=self.shop.now)

    @sentence(r"(\w+) of the staff (gives|takes) (\w+) (\d+)")
    async def adjust(self, staff: str, way: str, name: str, points: str) -> Told | None:
        signed = int(points) if way == "gives" else -int(points)
        member = by_id(await self.member(name))
        command = adjustments.AdjustPoints(f"staff:{staff}", self.key, member, signed, "goodwill")
        done = await adjustments.adjust(self.shop.program_id, command, now=self.shop.now)
        if done.approval_id is None:
            return None
        self.asked.append(done)
        return ["waits for a second person"]

    @sentence(r"(\w+) of the staff approves")
    async def approve(self, staff: str) -> None:
        asked = self.asked[-1]
        assert asked.approval_id is not None
        command = approvals.Decide(
            f"staff:{staff}", self.key, asked.member_id, asked.approval_id, approves=True
        )
        await approvals.decide(self.shop.program_id, command, now=self.shop.now)

    @sentence(r"(\w+) is erased")
    async def erase(self, name: str) -> None:
        member = by_id(await self.member(name))
        command = erasing.EraseMember("staff:1", self.key, member, b"k" * 32)
        await erasing.erase(self.shop.program_id, command, now=self.shop.now)

    @sentence(r"a checkpoint is signed")
    async def sign(self) -> Told:
        made = await checkpoints.make(self.shop.program_id, now=self.shop.now, keys=self.folder)
        return [f"{made.checkpoint.heads} heads, {made.checkpoint.transfers} entries"]

    @sentence(r"an outsider checks the proof of (\w+)")
    async def check(self, name: str) -> Told:
        member = await self.member(name)
        told = await member_proof.prove(self.shop.program_id, member.id)
        file = self.folder / "proof.json"
        file.write_text(json.dumps(told))
        done = subprocess.run(  # noqa: ASYNC221 - nothing else runs meanwhile
            [sys.executable, CHECK, file], capture_output=True, text=True, check=False
        )
        assert done.stderr == ""
        private = sum(one["details"] is not None for one in told["entries"])
        said = done.stdout.partition(" of ")[0]
        return [said, f"{private} of them with reasons and names"]

    @sentence(r"the books are audited")
    async def audit(self) -> Told:
        found = await proof.verify(self.shop.program_id, now=self.shop.now)
        return [f"{found.transfers} entries, {len(found.findings)} differences"]


def noon(day: str) -> datetime:
    return datetime.combine(datetime.fromisoformat(day).date(), NOON)


def minor(amount: str) -> int:
    return int(Decimal(amount) * 100)
