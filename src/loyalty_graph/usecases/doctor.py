"""The doctor: looks at everything an operator can set or must mend, and changes nothing."""

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime

from loyalty_graph.config import Settings
from loyalty_graph.db import OUTAGES, in_one_line, open_database
from loyalty_graph.db.sqlite_files import look_at
from loyalty_graph.db.urls import sqlite_path
from loyalty_graph.errors import DatabaseError
from loyalty_graph.usecases import doctor_database as database
from loyalty_graph.usecases import doctor_settings as machine
from loyalty_graph.usecases.doctor_checks import Check, State, fault

REACH_IT = (
    "See that the database runs and that LOYALTY_DATABASE_URL names it; docs/outages.md says more."
)
MAKE_IT = "Run `loyalty-graph migrate`, or name another in LOYALTY_DATABASE_URL."
NEED_THE_SCHEMA = ("queues", "alarms", "ledger")


async def examine(
    settings: Settings, *, url: str, clock: Callable[[], datetime]
) -> AsyncIterator[Check]:
    """Look at one thing after the other and say how it is; nothing is written.

    What needs the database is skipped when it cannot be opened or is not up to date.

    Args:
        settings: Of the processes on this machine.
        url: The database.
        clock: Tells the moment.
    """
    for check in _on_this_machine(settings, url, clock()):
        yield check
    yield await machine.look_at_issuers(settings)
    for check in await machine.look_at_neighbours(settings):
        yield check
    try:
        if (path := sqlite_path(url)) is not None:
            if not path.exists():
                yield fault("database", f"there is no file {path}", MAKE_IT)
                return
            look_at(path)
        async with open_database(url, create=False):
            async for check in _in_database(clock):
                yield check
    except DatabaseError as error:
        yield fault("database", error.message, REACH_IT)
    except OUTAGES as error:
        yield fault("database", in_one_line(error), REACH_IT)


def _on_this_machine(settings: Settings, url: str, now: datetime) -> Iterator[Check]:
    yield machine.look_at_python()
    yield machine.look_at_public_url(settings)
    yield from machine.look_at_certificates(settings, now)
    yield from machine.look_at_keys(settings)
    yield from machine.look_at_disk(settings, url)


async def _in_database(clock: Callable[[], datetime]) -> AsyncIterator[Check]:
    schema = await database.look_at_schema()
    yield schema
    async for check in database.look_at_server(clock):
        yield check
    if schema.state is State.FAULT:
        for name in NEED_THE_SCHEMA:
            yield Check(name, State.SKIPPED, "not looked at: the schema is not up to date")
        return
    async for check in database.look_at_queues(clock()):
        yield check
    for alarm in await database.look_at_alarms():
        yield alarm
    async for check in database.look_at_books():
        yield check
