"""A port of its own where a process tells Prometheus what it counts, and whether it is well."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from rich.console import Console

from loyalty_graph.app import create_metrics_app
from loyalty_graph.cli.beside import serving
from loyalty_graph.cli.listening import address_of, listen
from loyalty_graph.config import Settings

logger = logging.getLogger(__name__)


def with_metrics_port(settings: Settings, port: int | None) -> Settings:
    """Return settings with the port that the command line names, if it does."""
    return settings if port is None else settings.model_copy(update={"metrics_port": port})


@asynccontextmanager
async def metered(settings: Settings, *, clock: Callable[[], datetime]) -> AsyncIterator[None]:
    """Serve metrics beside the block, if a port is set: on it, or on the next free one.

    The database is open already.

    Raises:
        SettingsError: No port is free, or the host is none of this machine's.
    """
    if settings.metrics_port is None:
        yield
        return
    quiet = Console(quiet=True)
    with listen(settings.metrics_host, settings.metrics_port, say=quiet) as listener:
        logger.info("Metrics are told at %s/metrics", address_of(listener))
        async with serving(create_metrics_app(settings, clock=clock), listener):
            yield
