"""What rewards there are, what is left of them, and what each member is offered."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from loyalty_graph.ledger import reads as ledger
from loyalty_graph.programs import service as programs
from loyalty_graph.rewards import reads
from loyalty_graph.rewards import service as rewards
from loyalty_graph.rewards.rules import Offer, RewardSettings, Standing, offer
from loyalty_graph.tiers import reads as tiers
from loyalty_graph.usecases.reward_members import Meant


@dataclass(frozen=True, slots=True)
class OnShelf:
    """A reward and how many are left of it; None when there is no end of it."""

    reward: RewardSettings
    left: int | None


@dataclass(frozen=True, slots=True)
class Offered:
    """A reward as a member is offered it, and how many are left of it."""

    offer: Offer
    shelf: OnShelf


async def on_shelf(program_id: UUID, *, now: datetime) -> list[OnShelf]:
    """Return the programme's rewards, in the order of its file."""
    version = await programs.in_force(program_id, now, now=now)
    catalogue = await rewards.catalogue(program_id, version.number)
    return await _counted(program_id, catalogue.values())


async def pinned(
    program_id: UUID, wanted: Sequence[tuple[int, str]]
) -> dict[tuple[int, str], OnShelf]:
    """Return rewards of versions (version, code) as they were then, with what is left now."""
    found = {
        (version, code): (await rewards.catalogue(program_id, version))[code]
        for version, code in set(wanted)
    }
    counted = await _counted(program_id, found.values())
    return dict(zip(found, counted, strict=True))


async def _counted(program_id: UUID, found: Iterable[RewardSettings]) -> list[OnShelf]:
    """Say how many are left of each; where a newer limit is lower than what is gone, none."""
    listed = list(found)
    limited = [reward.code for reward in listed if reward.stock is not None]
    taken = await reads.taken(program_id, limited) if limited else {}
    return [
        OnShelf(
            reward,
            None if reward.stock is None else max(0, reward.stock - taken.get(reward.code, 0)),
        )
        for reward in listed
    ]


async def offers(
    program_id: UUID, member_ids: Sequence[UUID], *, now: datetime
) -> dict[UUID, list[Offered]]:
    """Return what each member is offered, the cheapest first.

    Rewards that closed are left out, and those that are for other members, the tier aside.
    """
    version = await programs.in_force(program_id, now, now=now)
    shelf = [one for one in await on_shelf(program_id, now=now) if not _is_closed(one, now)]
    limited = [one.reward.code for one in shelf if one.reward.limit_per_member is not None]
    tier_of: dict[UUID, str] = {}
    if any(one.reward.minds_tiers for one in shelf):
        tier_of = await tiers.tiers_of(program_id, member_ids, now=now)
    had: dict[tuple[UUID, str], int] = {}
    if limited:
        wanted = [(member_id, code) for member_id in member_ids for code in limited]
        had = await reads.had(program_id, wanted, now=now)
    meant = await Meant.of(version, [one.reward for one in shelf], member_ids, now=now)
    balances = await ledger.balances(program_id, member_ids, now=now)
    found: dict[UUID, list[Offered]] = {}
    for member_id in member_ids:
        available = balances[member_id].available if member_id in balances else 0
        offered = [
            Offered(
                offer(
                    one.reward,
                    Standing(
                        tier_of.get(member_id), had.get((member_id, one.reward.code), 0), one.left
                    ),
                    available=available,
                    now=now,
                ),
                one,
            )
            for one in shelf
            if meant.is_for(member_id, one.reward)
        ]
        found[member_id] = sorted(offered, key=lambda one: one.offer.cost)
    return found


def _is_closed(one: OnShelf, now: datetime) -> bool:
    return one.reward.closes_at is not None and one.reward.closes_at <= now
