"""The points of redemptions: why they moved, and how they come back to the lots they came from."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from loyalty_graph.ledger import returning
from loyalty_graph.ledger import rules as ledger
from loyalty_graph.ledger import service as ledger_service
from loyalty_graph.ledger.kinds import Book, Kind
from loyalty_graph.rewards.rules import Redemption, RedemptionState
from loyalty_graph.rewards.service import Catalogue
from loyalty_graph.usecases import posting


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
    keys = [(one.member_id, kind, one.reference) for one in redemptions for kind in _TAKING]
    taken = await ledger_service.all_taken_by(program_id, accounts, keys)
    by_redemption = {
        (member_id, reference): one for (member_id, _, reference), one in taken.items()
    }
    members = sorted({one.member_id for one in redemptions})
    history = await ledger_service.forgiveness(program_id, members)
    transfers = []
    for one in redemptions:
        account, took = accounts[one.member_id], by_redemption[one.member_id, one.reference]
        forgiven = returning.forgiven_after(history[one.member_id], took.sequence)
        undo = returning.release if one.state is RedemptionState.HELD else returning.unredeem
        posted = undo(account, took.uses, cause(one), forgiven=forgiven)
        history[one.member_id] += [
            (transfer.sequence, -transfer.points)
            for transfer in posted
            if transfer.credit is Book.FORGIVEN
        ]
        transfers.append(posted[0])
    return transfers


_TAKING = (Kind.HOLD, Kind.REDEEM)
