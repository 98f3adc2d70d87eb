"""The points of redemptions: why they moved, and how they come back to the lots they came from."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from loyalty_graph.ledger import rules as ledger
from loyalty_graph.rewards.rules import Redemption, RedemptionState
from loyalty_graph.rewards.service import Catalogue
from loyalty_graph.usecases import giving_back, posting
from loyalty_graph.usecases.giving_back import GivingBack


def cause_of(
    redemption: Redemption,
    catalogue: Catalogue,
    *,
    actor: str,
    now: datetime,
    text: str = "",
) -> ledger.Cause:
    """Return why the points of a redemption move now."""
    reward = catalogue.get(redemption.reward)
    return ledger.Cause(
        reference=redemption.reference,
        at=now,
        recorded_at=now,
        actor=actor,
        explanation={
            "redemption": str(redemption.id),
            "reward": redemption.reward,
            "name": reward.name if reward else redemption.reward,
        },
        text=text,
        rule_version=redemption.version,
        salt=posting.salt(),
    )


async def give_back(
    program_id: UUID,
    accounts: Mapping[UUID, ledger.Account],
    redemptions: Sequence[Redemption],
    cause: Callable[[Redemption], ledger.Cause],
) -> list[ledger.Transfer]:
    """Give the points of redemptions back: a hold is released, what was spent is spent no more.

    The accounts are locked. Returns the transfer of each redemption, in order.
    """
    wanted = [
        GivingBack(one.member_id, cause(one), is_held=one.state is RedemptionState.HELD)
        for one in redemptions
    ]
    return await giving_back.give_back(program_id, accounts, wanted)
