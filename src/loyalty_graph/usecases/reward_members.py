"""For which members a reward is: what its condition and segments say of some of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from loyalty_graph.programs.service import Version
from loyalty_graph.rewards.rules import RewardSettings
from loyalty_graph.segments import service
from loyalty_graph.segments.facts import MemberFacts
from loyalty_graph.segments.loading import facts_of
from loyalty_graph.segments.rules import SegmentSettings


@dataclass(frozen=True, slots=True)
class Meant:
    """What is known of some members now, as far as rewards of a version ask for it."""

    facts: Mapping[UUID, MemberFacts]
    segments: Mapping[str, SegmentSettings]

    @classmethod
    async def of(
        cls,
        version: Version,
        rewards: Iterable[RewardSettings],
        member_ids: Sequence[UUID],
        *,
        now: datetime,
    ) -> Self:
        """Read what these rewards ask of these members; nothing, if they are for everybody."""
        if not any(one.minds_member for one in rewards):
            return cls({}, {})
        program_id, zone = version.program_id, version.settings.zone
        return cls(
            await facts_of(program_id, member_ids, at=now, now=now, zone=zone),
            await service.segments(program_id, version.number),
        )

    def is_for(self, member_id: UUID, reward: RewardSettings) -> bool:
        """Return whether a reward is for a member, the tier aside."""
        return not reward.minds_member or reward.is_for(self.facts[member_id], self.segments)
