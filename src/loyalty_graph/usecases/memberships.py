"""Paid memberships in a batch of purchases: read with it, for what they give."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from loyalty_graph.benefits.rules import Multiplier
from loyalty_graph.programs import service as programs
from loyalty_graph.subscriptions import reads
from loyalty_graph.subscriptions import service as subscriptions
from loyalty_graph.subscriptions.rules import SubscriptionPlan
from loyalty_graph.usecases import posting


class Memberships:
    """The plans of a batch's members; in a programme without plans it does nothing."""

    def __init__(self, version: programs.Version, *, has_plans: bool) -> None:
        self._version = version
        self._has_plans = has_plans
        self._found: dict[tuple[UUID, datetime], SubscriptionPlan] = {}

    @classmethod
    async def of(cls, program_id: UUID, *, now: datetime) -> "Memberships":
        """Return the plans in force now, without any member yet."""
        version = await programs.in_force(program_id, now, now=now)
        return cls(version, has_plans=await subscriptions.has_plans(version))

    @property
    def lookups(self) -> list[posting.ByMember]:
        """Return what is to be looked up for each member of the batch."""
        if not self._has_plans:
            return []
        return [subscriptions.of_members, subscriptions.periods_of]

    async def take(
        self, batch: posting.Batch, times: Iterable[tuple[UUID | None, datetime]]
    ) -> None:
        """Take what was looked up; `times` say at which instants it will be asked for."""
        if not self._has_plans:
            return
        held = batch.of_members[subscriptions.of_members]
        known = batch.of_members[subscriptions.periods_of]
        for member_id, at in times:
            if member_id is not None and held[member_id]:
                plan = await reads.plan_of(
                    held[member_id], known[member_id], self._version, now=batch.now, at=at
                )
                if plan is not None:
                    self._found[member_id, at] = plan

    def plan_at(self, member_id: UUID, at: datetime) -> SubscriptionPlan | None:
        """Return the plan whose benefits the member has at an instant, as known by now."""
        return self._found.get((member_id, at))


def multipliers(plan: SubscriptionPlan | None) -> Sequence[Multiplier]:
    """Return by what the points of a member with this plan are multiplied."""
    return () if plan is None else plan.multipliers()
