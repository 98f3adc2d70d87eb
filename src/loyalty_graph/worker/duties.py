"""What a process does without being asked, by its settings."""

from collections.abc import Callable
from datetime import datetime

from loyalty_graph.config import Settings
from loyalty_graph.outbox.live import Live
from loyalty_graph.usecases import scheduled
from loyalty_graph.wallet.apple.pushing import ApplePushes, open_pushes, pushes_to_apple
from loyalty_graph.wallet.apple.signers import Signers, look_of
from loyalty_graph.wallet.desk import all_templates
from loyalty_graph.wallet.google.desk import open_google
from loyalty_graph.wallet.google.updating import GoogleUpdates
from loyalty_graph.worker.certificates import CertificateWatch
from loyalty_graph.worker.loops import Loop
from loyalty_graph.worker.numbering import Numbering
from loyalty_graph.worker.rollouts import RollingOut
from loyalty_graph.worker.storage import StorageWatch


def serving_duties(
    settings: Settings,
    live: Live,
    *,
    clock: Callable[[], datetime],
    signers: Signers | None = None,
) -> list[Loop]:
    """Return the loops of a process that serves; the work is left to workers if they are set.

    Args:
        settings: Of the process.
        live: Who is told of numbered facts.
        clock: Tells the moment.
        signers: Who signs, if somebody looks after their certificates already.
    """
    numbered = [live.wake]
    loops = [Loop("live", live.step, live.close), StorageWatch(clock=clock).loop]
    if settings.redis_url is not None:
        from loyalty_graph.outbox.nudges import PASSING, Nudges

        nudges = Nudges(settings.redis_url, heard=live.wake)
        live.is_nudged = lambda: nudges.arrive
        numbered.append(nudges.tell)
        loops += [
            Loop("hearing nudges", nudges.hear_step, nudges.stop_hearing, PASSING),
            Loop("telling nudges", nudges.tell_step, nudges.stop_telling, PASSING),
        ]
    return [*loops, *(_work(settings, clock, numbered, signers) if settings.worker else [])]


def worker_duties(settings: Settings, *, clock: Callable[[], datetime]) -> list[Loop]:
    """Return the loops of a worker, which serves nobody."""
    watch = StorageWatch(clock=clock).loop
    if settings.redis_url is None:
        return [watch, *_work(settings, clock, [])]
    from loyalty_graph.outbox.nudges import PASSING, Nudges

    nudges = Nudges(settings.redis_url)
    telling = Loop("telling nudges", nudges.tell_step, nudges.stop_telling, PASSING)
    return [watch, telling, *_work(settings, clock, [nudges.tell])]


def _work(
    settings: Settings,
    clock: Callable[[], datetime],
    told: list[Callable[[], None]],
    signers: Signers | None = None,
) -> list[Loop]:
    """Return what any number of processes may do beside each other; `told` hear of new numbers."""
    templates = all_templates(settings)
    google = open_google(settings, templates)
    updates = GoogleUpdates(google, clock=clock) if google else None
    apple, watch = _apple(settings, signers, clock=clock)

    def numbered() -> None:
        for tell in told:
            tell()

    def wanted() -> None:
        for one in (updates, apple):
            if one is not None:
                one.wake()

    jobs = scheduled.runner(clock, settings)
    return [
        Numbering(
            clock=clock,
            google_issuer=settings.google_issuer_id,
            numbered=numbered,
            wanted=wanted,
        ).loop,
        RollingOut(
            clock=clock,
            per_s=settings.rollout_per_s,
            templates={name: one.digest for name, one in templates.items()},
            channels=[one.channel for one in (updates, apple) if one is not None],
        ).loop,
        Loop("jobs", lambda: jobs.step(clock), jobs.close),
        *([Loop("google", updates.step, updates.close)] if updates else []),
        *([Loop("apple", apple.step, apple.close)] if apple else []),
        *watch,
    ]


def _apple(
    settings: Settings, signers: Signers | None, *, clock: Callable[[], datetime]
) -> tuple[ApplePushes | None, list[Loop]]:
    """Return what pushes to phones, if it may, and who looks after its certificates."""
    if not pushes_to_apple(settings):
        return None, []
    watch = []
    if signers is None:
        signers = Signers(look_of(settings), now=clock())
        watch = [CertificateWatch(signers, clock=clock).loop]
    known = signers
    return open_pushes(settings, lambda: known.current, clock=clock), watch
