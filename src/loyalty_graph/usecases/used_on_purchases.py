"""What was used with a purchase: vouchers and rewards, which come back with what was bought."""

from loyalty_graph.ledger import rules as ledger
from loyalty_graph.purchases.models import Purchase
from loyalty_graph.rewards import reads
from loyalty_graph.rewards import service as rewards
from loyalty_graph.rewards.rules import Redemption, Step
from loyalty_graph.rewards.voucher_rules import Use, Voucher
from loyalty_graph.usecases import posting
from loyalty_graph.usecases.redeemed_points import cause_of, give_back
from loyalty_graph.usecases.rewards import record


def used_on(purchase: Purchase) -> tuple[str, str]:
    """Return what names the receipt of a purchase: (source, external id)."""
    return purchase.source, purchase.external_id


async def give_money_back(batch: posting.Batch, purchase: Purchase, *, left_minor: int) -> int:
    """Give the money of vouchers back that paid for what came back; return how much it was.

    `left_minor` of the purchase's total is left then, and the same part of each use, rounded up:
    refunds in any split give all of it back in the end. What was given back by hand counts. A
    voucher that is void or whose date has passed gets nothing.
    """
    found = await reads.used_on(batch.program_id, purchase.member_id, used_on(purchase))
    keys = sorted({(purchase.member_id, voucher_id) for voucher_id, _ in found.voucher_uses})
    vouchers = await reads.vouchers(batch.program_id, keys)
    uses = await reads.uses(batch.program_id, keys)
    total = 0
    for key in keys:
        paid = [number for voucher_id, number in found.voucher_uses if voucher_id == key[1]]
        if vouchers[key].takes_back(now=batch.now):
            part = left_minor, purchase.total_minor
            total += _give_back(batch, vouchers[key], list(uses[key]), paid, part)
    return total


def _give_back(
    batch: posting.Batch, voucher: Voucher, uses: list[Use], paid: list[int], left: tuple[int, int]
) -> int:
    """Give back what is not left of these uses of a voucher; return how much it was."""
    before = voucher.remaining_minor
    for number in paid:
        spent = next(use.amount_minor for use in uses if use.number == number)
        open_ = sum(use.amount_minor for use in uses if number in (use.number, use.of_number))
        keeps = -(-spent * left[0] // left[1]) if left[1] else 0
        if open_ <= keeps:
            continue
        voucher, amount = voucher.given_back(uses, number, open_ - keeps, now=batch.now)
        moved = Use(len(uses) + 1, -amount, number, batch.now, None, "")
        uses.append(moved)
        batch.writes.append(rewards.use_writes(voucher, moved))
        batch.record(
            "voucher.refunded",
            voucher.member_id,
            voucher=str(voucher.id),
            use=moved.number,
            amount=amount,
            remaining=voucher.remaining_minor,
        )
    if voucher.remaining_minor != before:
        batch.writes.append(rewards.voucher_changes([voucher]))
        batch.shown.add(voucher.member_id)
    return voucher.remaining_minor - before


async def give_rewards_back(
    batch: posting.Batch, purchase: Purchase, *, actor: str, reason: str
) -> list[Redemption]:
    """Take back the rewards that were used with a purchase, as a refund of each would.

    Their points go back to the lots they came from. What the programme does not take back stays
    used. Returns those that came back; their stock is to be given back last (`move_stock`).
    """
    found = await reads.used_on(batch.program_id, purchase.member_id, used_on(purchase))
    back: list[Redemption] = []
    for one in found.redemptions:
        catalogue = await rewards.catalogue(batch.program_id, one.version)
        if not catalogue[one.reward].refundable:
            continue

        def cause(redemption: Redemption, catalogue: rewards.Catalogue = catalogue) -> ledger.Cause:
            return cause_of(redemption, catalogue, actor=actor, now=batch.now, text=reason)

        [transfer] = await give_back(batch.program_id, batch.accounts, [one], cause)
        after = one.stepped(Step.REFUND, now=batch.now, restock=True)
        batch.writes.append(rewards.step_writes([after]))
        record(batch, "redemption.refunded", after, entry=transfer.sequence)
        back.append(after)
    return back
