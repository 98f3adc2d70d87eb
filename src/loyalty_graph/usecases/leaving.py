"""What ends with a membership: the subscription, redemptions that were not used, and vouchers."""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from loyalty_graph.db.sets import fetch
from loyalty_graph.ledger import rules as ledger
from loyalty_graph.programs import service as programs
from loyalty_graph.rewards import service as rewards
from loyalty_graph.rewards.rules import ExpiredPoints, Redemption, RedemptionState, Step
from loyalty_graph.rewards.voucher_rules import Voucher, VoucherState
from loyalty_graph.subscriptions import changing
from loyalty_graph.subscriptions import service as subscriptions
from loyalty_graph.subscriptions.course import advance
from loyalty_graph.usecases import posting
from loyalty_graph.usecases.redeemed_points import cause_of, give_back
from loyalty_graph.usecases.rewards import record
from loyalty_graph.usecases.subscription_desk import tell


async def end_subscription(batch: posting.Batch, account: ledger.Account) -> None:
    """End the member's subscription at once, also one that was to end with its period.

    What its fee had paid for is between the member and whoever collected it.
    """
    newest = subscriptions.of_members([account.member_id], limit=1)
    [[rows]] = await fetch(batch.program_id, newest)
    for held in map(subscriptions.held_of, rows):
        version = await programs.in_force(batch.program_id, batch.now, now=batch.now)
        terms = await subscriptions.terms(batch.program_id, held.state, version)
        state, changes = advance(held.state, terms, batch.now)
        state, ended = changing.end(state, terms, now=batch.now)
        after = held.with_state(state)
        told = [*changes, *ended]
        batch.writes += subscriptions.writes(held, after, told, terms, now=batch.now)
        tell(batch, after, [*changes, *ended])


async def end_redemptions(
    batch: posting.Batch, account: ledger.Account, *, actor: str
) -> Counter[str]:
    """End what the member redeemed and did not use, and make all vouchers worthless.

    The points of holds and of codes come back to their lots; those of a code whose date has passed
    only if its reward says so. Returns how many of each reward go back on the shelf: moving the
    stock must be the transaction's last statement.
    """
    redemptions, vouchers = await rewards.unsettled(batch.program_id, account.member_id)
    catalogues = {
        one.version: await rewards.catalogue(batch.program_id, one.version) for one in redemptions
    }

    def comes_back(one: Redemption) -> bool:
        reward = catalogues[one.version][one.reward]
        has_expired = one.state_at(batch.now) is RedemptionState.EXPIRED
        return not has_expired or reward.expired_points is ExpiredPoints.RETURN

    coming_back = [one for one in redemptions if comes_back(one)]
    transfers = await give_back(
        batch.program_id,
        batch.accounts,
        coming_back,
        lambda one: cause_of(one, catalogues[one.version], actor=actor, now=batch.now),
    )
    ended = [one.stepped(_step(batch, one), now=batch.now, restock=True) for one in redemptions]
    batch.writes.append(rewards.step_writes(ended))
    entries = {one.id: its.sequence for one, its in zip(coming_back, transfers, strict=True)}
    for one in ended:
        record(batch, f"redemption.{one.state.lower()}", one, entry=entries.get(one.id))
    _end_vouchers(batch, vouchers, told={one.id for one in ended})
    return Counter(one.reward for one in ended)


def _step(batch: posting.Batch, one: Redemption) -> Step:
    """Return how a redemption ends: by the time that was over before, or by the closing."""
    steps = {RedemptionState.RELEASED: Step.RELEASE, RedemptionState.EXPIRED: Step.EXPIRE}
    return steps.get(one.state_at(batch.now), Step.CANCEL)


def _end_vouchers(batch: posting.Batch, vouchers: Sequence[Voucher], *, told: set[UUID]) -> None:
    """Make vouchers worthless; the facts of redemptions tell of those they made (`told`)."""
    ended = [
        one.ended(
            VoucherState.EXPIRED
            if one.state_at(batch.now) is VoucherState.EXPIRED
            else VoucherState.VOID
        )
        for one in vouchers
    ]
    batch.writes.append(rewards.voucher_changes(ended))
    for one in ended:
        if one.id not in told:
            kind = "voucher.expired" if one.state is VoucherState.EXPIRED else "voucher.voided"
            batch.record(kind, one.member_id, voucher=str(one.id), remaining=one.remaining_minor)
