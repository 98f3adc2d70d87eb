"""How the demo's members stand, and whose cards are worth a look."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from loyalty_graph.ledger import reads as ledger
from loyalty_graph.members import reads as members
from loyalty_graph.members.models import Member
from loyalty_graph.members.rules import MemberStatus
from loyalty_graph.money import Money
from loyalty_graph.programs.rules import ProgramSettings
from loyalty_graph.subscriptions import reads as subscriptions
from loyalty_graph.subscriptions.rules import Status
from loyalty_graph.tiers import reads as tiers
from loyalty_graph.tiers.rules import Basis

MEMBERS_AT_ONCE = 100
RANKED = 3
SOON = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Highlight:
    """A member (external id) whose card is worth a look, and why.

    `lifted_by` is the amount of a purchase that lifts the member to the next tier, as text.
    """

    member: str
    why: str
    lifted_by: str | None = None


@dataclass(slots=True)
class Survey:
    """What was found: members of each tier, the lowest first, plans that give something now.

    Amounts are of `currency`; points are called `unit`.

    The candidates are ranked: who is nearest to the next of the upper tiers, who has a running plan
    and the most points, and who loses the most within 30 days.
    """

    currency: str
    unit: str
    tiers: dict[str, int]
    subscriptions: int = 0
    nearest: list[tuple[int, Highlight]] = field(default_factory=list)
    subscribed: list[tuple[int, Highlight]] = field(default_factory=list)
    losing: list[tuple[int, Highlight]] = field(default_factory=list)
    richest: list[tuple[int, Highlight]] = field(default_factory=list)

    def highlights(self) -> tuple[Highlight, ...]:
        """Return the first of each rank, nobody twice; of a tiny demo, who has the most points."""
        chosen: dict[str, Highlight] = {}
        for rank in (self.nearest, self.subscribed, self.losing):
            others = (one for _, one in rank if one.member not in chosen)
            if (first := next(others, None)) is not None:
                chosen[first.member] = first
        return tuple(chosen.values()) or tuple(one for _, one in self.richest[:1])


def _rank(rank: list[tuple[int, Highlight]], key: int, one: Highlight) -> None:
    """Keep the few with the smallest keys: some may be chosen for something else already."""
    rank.append((key, one))
    rank.sort(key=lambda found: found[0])
    del rank[RANKED:]


async def survey(program_id: UUID, program: ProgramSettings, *, now: datetime) -> Survey:
    """Look at every member once, in pages; who lives on as another one is that one."""
    settings = await tiers.settings(program_id, now=now)
    counted = dict.fromkeys((one.code for one in settings.levels), 0) if settings else {}
    found, after = Survey(program.currency, program.points.unit_other, counted), None
    while page := await members.page(program_id, first=MEMBERS_AT_ONCE, after=after):
        living = [one for one in page if one.status != MemberStatus.MERGED]
        await _look_at(found, program_id, living, now=now)
        after = page[-1].id
    return found


async def _look_at(
    found: Survey, program_id: UUID, page: Sequence[Member], *, now: datetime
) -> None:
    ids = [member.id for member in page]
    statuses = await tiers.statuses(program_id, ids, now=now)
    plans = await subscriptions.newest(program_id, ids, now=now)
    balances = await ledger.balances(program_id, ids, now=now)
    expirations = await ledger.expirations(program_id, ids, now=now)
    for member in page:
        status, plan = statuses.get(member.id), plans.get(member.id)
        level = status.level if status else None
        name, tier = member.external_id or member.number, f"{level.name}, " if level else ""
        available = balances[member.id].available
        points = f"{available:,} {found.unit}"
        _rank(found.richest, -available, Highlight(name, f"{tier}{points}"))
        if level is not None:
            found.tiers[level.code] += 1
        if status is not None:
            _look_how_near(found, name, tier, status)
        if plan is not None and plan.entitled_until is not None:
            found.subscriptions += 1
            if plan.state.status is Status.ACTIVE:
                why = f"{tier}subscriber of {plan.plan.name}, {points}"
                _rank(found.subscribed, -available, Highlight(name, why))
        soon = sum(one.points for one in expirations[member.id] if one.expires_at <= now + SOON)
        if soon:
            why = f"{tier}{soon:,} {found.unit} expire within {SOON.days} days"
            _rank(found.losing, -soon, Highlight(name, why))


def _look_how_near(found: Survey, name: str, tier: str, status: tiers.Status) -> None:
    """Rank who is on the way to the highest tier; a purchase lifts only where money counts."""
    if status.next is not status.settings.levels[-1] or not status.missing:
        return
    amount, short = None, f"{status.missing:,} {found.unit}"
    if status.settings.basis is Basis.SPEND:
        amount = Money(status.missing, found.currency).to_text()
        short = f"{amount} {found.currency}"
    why = f"{tier}{short} short of {status.next.name}"
    _rank(found.nearest, status.missing, Highlight(name, why, amount))
