"""The jobs that run by themselves, in every programme."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from loyalty_graph.jobs.rules import Handler, Job
from loyalty_graph.jobs.running import Runner
from loyalty_graph.programs import service as programs
from loyalty_graph.subscriptions.billing import LOCAL, BillingProvider, LocalBilling
from loyalty_graph.usecases import (
    activations,
    expiry,
    occasions,
    redemption_deadlines,
    renewals,
    tier_reviews,
)
from loyalty_graph.wallet import aging


def billing(clock: Callable[[], datetime]) -> Mapping[str, BillingProvider]:
    """Return the providers that collect fees: the sandbox's."""
    return {LOCAL: LocalBilling(clock)}


def runner(clock: Callable[[], datetime]) -> Runner:
    """Return what runs the jobs of all programmes."""
    providers = billing(clock)

    async def renew(job: Job) -> None:
        await renewals.run(job.program_id, billing=providers, now=job.now)

    async def release_holds(job: Job) -> None:
        await redemption_deadlines.release_all(job.program_id, now=job.now)

    async def expire_codes(job: Job) -> None:
        await redemption_deadlines.expire_all(job.program_id, now=job.now)

    async def activate_points(job: Job) -> None:
        await activations.run(job.program_id, now=job.now)

    async def expire_points(job: Job) -> None:
        await expiry.run(job.program_id, now=job.now)

    async def review_tiers(job: Job) -> None:
        await tier_reviews.run(job.program_id, now=job.now)

    async def keep_occasions(job: Job) -> None:
        await occasions.run(job.program_id, now=job.now)

    async def age_cards(job: Job) -> None:
        await aging.mark_outdated(job.program_id, now=job.now)

    return Runner(
        {
            "cards.age": Handler(age_cards, every=timedelta(minutes=1)),
            "subscriptions.renew": Handler(renew, every=timedelta(minutes=1)),
            "redemptions.release": Handler(release_holds, every=timedelta(minutes=1)),
            "redemptions.expire": Handler(expire_codes, every=timedelta(hours=1)),
            "tiers.review": Handler(review_tiers, every=timedelta(hours=1)),
            # In every zone of the world midnight is on a full quarter of an hour.
            "points.activate": Handler(activate_points, every=timedelta(minutes=15)),
            "members.anniversaries": Handler(keep_occasions, every=timedelta(hours=1)),
            "points.expire": Handler(expire_points, every=timedelta(hours=1)),
        },
        programs=programs.all_ids,
    )
