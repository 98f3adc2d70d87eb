"""The jobs that run by themselves, in every programme."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from loyalty_graph.config import Settings
from loyalty_graph.jobs.rules import Handler, Job
from loyalty_graph.jobs.running import Runner
from loyalty_graph.ledger.checkpoint_keys import key_folder
from loyalty_graph.programs import service as programs
from loyalty_graph.subscriptions.billing import LOCAL, BillingProvider, LocalBilling
from loyalty_graph.usecases import (
    activations,
    balances,
    checkpoints,
    expiry,
    hold_deadlines,
    notices,
    occasions,
    redemption_deadlines,
    renewals,
    retention,
    tier_reviews,
    transfers,
)
from loyalty_graph.wallet import aging


def billing(clock: Callable[[], datetime]) -> Mapping[str, BillingProvider]:
    """Return the providers that collect fees: the sandbox's."""
    return {LOCAL: LocalBilling(clock)}


def runner(clock: Callable[[], datetime], settings: Settings) -> Runner:
    """Return what runs the jobs of all programmes; settings say where keys are."""
    minute, hour = timedelta(minutes=1), timedelta(hours=1)
    return Runner(
        {
            "cards.age": _handler(aging.mark_outdated, every=minute),
            "subscriptions.renew": _handler(renewals.run, every=minute, billing=billing(clock)),
            "holds.release": _handler(hold_deadlines.release_all, every=minute),
            "redemptions.release": _handler(redemption_deadlines.release_all, every=minute),
            "redemptions.expire": _handler(redemption_deadlines.expire_all, every=hour),
            "tiers.review": _handler(tier_reviews.run, every=hour),
            # In every zone of the world midnight is on a full quarter of an hour.
            "points.activate": _handler(activations.run, every=15 * minute),
            "members.anniversaries": _handler(occasions.run, every=hour),
            "points.notice": _handler(notices.run, every=hour),
            "points.expire": _handler(expiry.run, every=hour),
            balances.JOB: _handler(balances.run, every=None),
            "transfers.deliver": _handler(transfers.deliver_all, every=minute),
            "retention.prune": _handler(retention.run, every=24 * hour),
            "ledger.checkpoint": Handler(_checkpoint(settings), every=24 * hour),
        },
        programs=programs.all_ids,
    )


def _handler(
    work: Callable[..., Awaitable[object]], *, every: timedelta | None, **given: Any
) -> Handler:
    """Return what runs a use case for a programme, as of the job's moment."""

    async def run(job: Job) -> None:
        await work(job.program_id, now=job.now, **given)

    return Handler(run, every=every)


def _checkpoint(settings: Settings) -> Callable[[Job], Awaitable[None]]:
    """Return what signs a programme's ledger; the first time, it may make the key."""

    async def run(job: Job) -> None:
        await checkpoints.run(job.program_id, now=job.now, keys=key_folder(settings))

    return run
