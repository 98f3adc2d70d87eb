"""How the demo's members stand, and whose cards are worth a look."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from loyalty_graph.ledger import reads as ledger
from loyalty_graph.members import reads as members
from loyalty_graph.members.models import Member
from loyalty_graph.money import Money
from loyalty_graph.subscriptions import reads as subscriptions
from loyalty_graph.subscriptions.rules import Status
from loyalty_graph.tiers import reads as tiers
from loyalty_graph.tiers.rules import TierSettings

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

    The candidates are ranked: who is nearest to the next of the upper tiers, who has a running plan
    and the most points, and who loses the most within 30 days.
    """

    currency: str
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


async def survey(program_id: UUID, *, currency: str, now: datetime) -> Survey:
    """Look at every member once, in pages."""
    settings = await tiers.settings(program_id, now=now)
    assert settings is not None, "the demo's programme has tiers"
    found, after = Survey(currency, dict.fromkeys((one.code for one in settings.levels), 0)), None
    while page := await members.page(program_id, first=MEMBERS_AT_ONCE, after=after):
        await _look_at(found, program_id, page, settings, now=now)
        after = page[-1].id
    return found


async def _look_at(
    found: Survey,
    program_id: UUID,
    page: Sequence[Member],
    settings: TierSettings,
    *,
    now: datetime,
) -> None:
    ids = [member.id for member in page]
    statuses = await tiers.statuses(program_id, ids, now=now)
    plans = await subscriptions.newest(program_id, ids, now=now)
    balances = await ledger.balances(program_id, ids, now=now)
    expirations = await ledger.expirations(program_id, ids, now=now)
    for member in page:
        status, plan = statuses[member.id], plans.get(member.id)
        assert status.level is not None, "the lowest tier is everybody's"
        name, tier = member.external_id or member.number, status.level.name
        available = balances[member.id].available
        found.tiers[status.level.code] += 1
        _rank(found.richest, -available, Highlight(name, f"{tier}, {available:,} points"))
        if status.next is settings.levels[-1] and status.missing:
            missing = Money(status.missing, found.currency).to_text()
            why = f"{tier}, {missing} {found.currency} short of {status.next.name}"
            _rank(found.nearest, status.missing, Highlight(name, why, missing))
        if plan is not None and plan.entitled_until is not None:
            found.subscriptions += 1
            if plan.state.status is Status.ACTIVE:
                why = f"{tier}, subscriber of {plan.plan.name}, {available:,} points"
                _rank(found.subscribed, -available, Highlight(name, why))
        soon = sum(one.points for one in expirations[member.id] if one.expires_at <= now + SOON)
        if soon:
            why = f"{tier}, {soon:,} points expire within {SOON.days} days"
            _rank(found.losing, -soon, Highlight(name, why))
